//! The end of a run: books closed, reject files joined, people told, the next file's turn.

use jiff::Timestamp;

use super::attempt::Attempt;
use super::cut_short::is_delivering;
use super::halt::Stop;
use super::rejects::{self, RejectFiles};
use super::{Arrival, FileKit};
use crate::ledger::open::Open;
use crate::ledger::run::{Counts, Phase, Resume, Run, RunState};
use crate::ledger::turn::{Ticket, Turn};
use crate::ledger::{Committed, Ledger, Seen};
use crate::ports::{Audience, Notice, UnitReport, Write};
use crate::{Rejected, Transient};

/// How a run ends.
pub(super) struct Ending {
    /// Its last state.
    pub state: RunState,
}

/// Ends the run. Everything before the last write may be repeated.
pub(super) async fn settle(attempt: &mut Attempt<'_>, ending: &Ending, started: Timestamp) -> Result<(), Stop> {
    let kit = attempt.kit;
    close_books(&mut attempt.run.counts, ending.state);
    let files = rejects::join(&kit.rejects, kit.flow, &attempt.run).await?;
    let run = &mut attempt.run;
    run.state = ending.state;
    run.lease = None;
    match ending.state {
        RunState::Held => run.held = Some(kit.clock.now()),
        _ => run.ended = Some(kit.clock.now()),
    }
    if let Some(notice) = notice(kit.flow, run, files.as_ref()) {
        kit.notifier.notify(&notice).await?;
    }
    let mut others = if kit.in_order { leave_order(&kit.ledger, kit.flow, run).await? } else { Vec::new() };
    if let Some(open) = Open::of_run(kit.flow, run) {
        others.push(open.opening(kit.flow, run.expires())?);
    }
    attempt.commit(&others).await?;
    report(kit, &attempt.run, ending.state.word(), attempt.run.reason.clone(), started);
    Ok(())
}

/// Rows without an end get the one that the run's state gives them.
fn close_books(counts: &mut Counts, state: RunState) {
    let ended = counts.delivered + counts.repeated + counts.superseded + counts.rejected + counts.undelivered;
    let open = counts.rows.saturating_sub(ended);
    match state {
        RunState::Delivered => counts.delivered += open,
        RunState::Superseded => counts.superseded += open,
        RunState::Rejected if counts.delivered == 0 => counts.rejected += open,
        RunState::Rejected | RunState::GivenUp | RunState::Discarded => counts.undelivered += open,
        // Held rows wait for a person.
        RunState::Held | RunState::Waiting | RunState::Working => {}
    }
}

/// The writes by which the run leaves the order of files.
async fn leave_order(ledger: &Ledger, flow: &str, run: &Run) -> Result<Vec<Write>, Transient> {
    let ticket = Ticket::key(flow, &run.place);
    let key = Turn::key(flow);
    let (seen_ticket, turn) = ledger.get_two::<Ticket, Turn>(&ticket, &key).await?;
    let mut writes = Vec::new();
    if let Some(seen) = seen_ticket {
        writes.push(Write::Delete { key: ticket, seen: seen.rev });
    }
    if let Some(mut turn) = turn.filter(|turn| turn.value.run.as_ref() == Some(&run.id)) {
        turn.value.run = None;
        writes.push(Write::put(key, &turn.value, Some(turn.rev), None)?);
    }
    Ok(writes)
}

/// Gives up a run that no attempt gets to: whoever works on it all the same finds out by its next write. Rows that were
/// not read yet are in no book; a replay counts them.
///
/// # Errors
/// [`Transient`] when the ledger does not answer, or somebody changed the run at the same time.
pub(crate) async fn give_up(
    ledger: &Ledger,
    flow: &str,
    seen: Seen<Run>,
    (reason, now): (&str, Timestamp),
) -> Result<Run, Transient> {
    let Seen { value: mut run, rev } = seen;
    if is_delivering(run.phase) {
        run.resume = Some(Resume { phase: run.phase, position: run.position, counts: run.counts });
    }
    run.phase = Phase::Settle(RunState::GivenUp);
    run.state = RunState::GivenUp;
    (run.reason, run.ended, run.lease) = (Some(reason.to_owned()), Some(now), None);
    close_books(&mut run.counts, RunState::GivenUp);
    let mut writes = if run.in_order { leave_order(ledger, flow, &run).await? } else { Vec::new() };
    if let Some(open) = Open::of_run(flow, &run) {
        writes.push(open.opening(flow, run.expires())?);
    }
    writes.push(Write::put(Run::key(flow, &run.id), &run, Some(rev), run.expires())?);
    match ledger.commit(&writes).await? {
        Committed::Yes => Ok(run),
        Committed::LostRace => Err(Transient::new("the run was changed at the same time")),
    }
}

/// What people are told of a run that ended otherwise than by an attempt.
pub(crate) fn ended_notice(flow: &str, run: &Run) -> Option<Notice> {
    notice(flow, run, None)
}

/// What people are told of a run that ended, if it did not simply end well.
fn notice(flow: &str, run: &Run, files: Option<&RejectFiles>) -> Option<Notice> {
    let counts = run.counts;
    let quiet = run.state == RunState::Delivered && counts.rejected == 0 && run.reason.is_none() && !run.late;
    if quiet {
        return None;
    }
    let audience = match run.state {
        RunState::GivenUp => Audience::Technical,
        _ => Audience::Business,
    };
    let mut text = format!(
        "Flow: {flow}\nFile: s3://{}/{}\nVersion: {}\nRun: {}\nState: {}\n",
        run.source.bucket,
        run.source.key,
        run.source.version.as_deref().unwrap_or("-"),
        run.id,
        run.state.word(),
    );
    if let Some(reason) = &run.reason {
        text.push_str(&format!("Reason: {reason}\n"));
    }
    if let Some(newer) = &run.superseded_by {
        text.push_str(&format!("Superseded by run: {newer}\n"));
    }
    if run.late {
        text.push_str("Late: a later file had begun before this one came.\n");
    }
    text.push_str(&format!(
        "Rows: {} = {} delivered + {} repeated + {} superseded + {} rejected + {} undelivered\n",
        counts.rows, counts.delivered, counts.repeated, counts.superseded, counts.rejected, counts.undelivered
    ));
    if let Some(files) = files {
        text.push_str(&format!("Reasons: {}\n", files.reasons));
    }
    if let Some(rows) = files.and_then(|files| files.rows.as_ref()) {
        text.push_str(&format!(
            "Rejected rows: {rows}\nCorrect them there, and drop the file into the outbox again.\n"
        ));
    }
    let subject = format!("{flow}: file {}", run.state.word());
    Some(Notice { audience, subject, text })
}

/// One log line and the metrics of what this invocation did for the run.
pub(super) fn report(kit: &FileKit, run: &Run, outcome: &'static str, reason: Option<String>, started: Timestamp) {
    let now = kit.clock.now();
    kit.telemetry.unit(&UnitReport {
        flow: kit.flow,
        unit: run.id.to_string(),
        outcome,
        correlation: run.correlation.clone(),
        received: run.counts.rows,
        delivered: run.counts.delivered,
        rejected: run.counts.rejected,
        retried: u64::from(run.attempt.saturating_sub(1)),
        lag: now.duration_since(run.registered),
        duration: now.duration_since(started),
        reason,
    });
}

/// Tells technical recipients of a message that is no notification.
pub(super) async fn tell_unreadable(kit: &FileKit, rejected: &Rejected) -> Result<(), Transient> {
    let subject = format!("{}: a message that is no S3 notification", kit.flow);
    let text = format!("Flow: {}\nReason: {rejected}\nThe message was removed from the queue.\n", kit.flow);
    kit.notifier.notify(&Notice { audience: Audience::Technical, subject, text }).await
}

/// Tells business recipients of a file that was gone before it was read.
pub(super) async fn tell_vanished(kit: &FileKit, arrival: &Arrival) -> Result<(), Transient> {
    let object = &arrival.object;
    let text = format!(
        "Flow: {}\nFile: s3://{}/{}\nVersion: {}\nThe version was removed before it was read. Nothing of it was delivered.\n",
        kit.flow,
        object.bucket,
        object.key,
        object.version.as_deref().unwrap_or("-"),
    );
    let subject = format!("{}: a file is gone", kit.flow);
    kit.notifier.notify(&Notice { audience: Audience::Business, subject, text }).await
}
