//! Runs that are cut short: given up, or superseded. What was not delivered is still counted, so that the books close.

use jiff::{SignedDuration, Timestamp};

use super::FileKit;
use crate::ledger::run::{Phase, Resume, Run, RunState};

/// Rows that will not be delivered are counted for this long after the retry limit, should the file be unreadable.
const DRAINING: SignedDuration = SignedDuration::from_hours(1);

/// Gives the run up when its time is over: past the retry limit, at its own deadline, or after attempts that all died.
pub(super) fn give_up_when_due(kit: &FileKit, run: &mut Run, (now, deadline): (Timestamp, Option<Timestamp>)) {
    let tried = run.first_turn.map_or(SignedDuration::ZERO, |first| now.duration_since(first));
    let idle = run.idle_attempts > kit.limits.idle_attempts;
    let due = match run.phase {
        Phase::Settle(_) => false,
        Phase::Drain(_) => idle || tried > kit.limits.retry.saturating_add(DRAINING),
        _ => idle || deadline.map_or(tried > kit.limits.retry, |deadline| now >= deadline),
    };
    if due {
        run.reason = Some(match deadline.filter(|deadline| now >= *deadline) {
            Some(deadline) => format!("given up at its deadline, {deadline}"),
            None => format!(
                "given up {} minutes after its first turn, after {} attempts that died without progress",
                tried.as_mins(),
                run.idle_attempts
            ),
        });
        if is_delivering(run.phase) {
            run.resume = Some(Resume { phase: run.phase, position: run.position, counts: run.counts });
        }
        run.phase = match run.phase {
            Phase::Drain(state) | Phase::Tell(state) => Phase::Settle(state),
            phase => closing(phase, RunState::GivenUp),
        };
        run.idle_attempts = 0;
    }
}

/// A newer version of the file takes its place: what was not delivered yet will not be.
pub(super) fn follow_supersession(run: &mut Run) {
    if run.superseded_by.is_some() && is_delivering(run.phase) {
        run.phase = closing(run.phase, RunState::Superseded);
    }
}

/// Whether rows are still on their way in this phase.
pub(super) fn is_delivering(phase: Phase) -> bool {
    matches!(phase, Phase::Check | Phase::Copy | Phase::Rewrite | Phase::Deliver)
}

/// What follows `phase` when nothing more will be delivered: rows that were not counted yet are counted.
pub(super) fn closing(phase: Phase, state: RunState) -> Phase {
    match phase {
        Phase::Check | Phase::Deliver => Phase::Drain(state),
        Phase::Tell(own) => Phase::Settle(own),
        Phase::Copy | Phase::Rewrite | Phase::Drain(_) | Phase::Settle(_) => Phase::Settle(state),
    }
}
