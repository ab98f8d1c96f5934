//! File runs: release or discard one that is held, replay one that was given up.

use std::sync::Arc;

use jiff::Timestamp;

use super::{PAGE, Refused};
use crate::Transient;
use crate::file::renewed;
use crate::ledger::open::Open;
use crate::ledger::run::{Listed, Phase, Run, RunId, RunState};
use crate::ledger::turn::Ticket;
use crate::ledger::{Committed, Ledger, Seen, decode};
use crate::ports::{Clock, Outgoing, Queue, Write};

/// A person's access to the runs of one flow.
pub struct Runs {
    /// The flow's name.
    pub flow: String,
    /// The ledger.
    pub ledger: Ledger,
    /// The flow's own queue, by which a run is taken up again.
    pub queue: Arc<dyn Queue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Runs {
    /// The latest `most` runs, the newest first.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn latest(&self, most: usize) -> Result<Vec<Run>, Transient> {
        let (mut listed, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.ledger.list(&Listed::partition(&self.flow), after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.sort.clone());
            listed.extend(page);
        }
        let mut runs = Vec::new();
        for item in listed.iter().rev().take(most) {
            let id = decode::<Listed>(item)?.value.run;
            runs.extend(self.ledger.get::<Run>(&Run::key(&self.flow, &id)).await?.map(|run| run.value));
        }
        Ok(runs)
    }

    /// One run.
    ///
    /// # Errors
    /// [`Refused::Unknown`]
    pub async fn get(&self, id: &RunId) -> Result<Run, Refused> {
        Ok(self.seen(id).await?.value)
    }

    /// A held run is delivered without its rejected rows.
    ///
    /// # Errors
    /// [`Refused`] when it is not held.
    pub async fn release(&self, id: &RunId) -> Result<Run, Refused> {
        let seen = self.in_state(id, RunState::Held, "only one that is held can be released").await?;
        let closing = closing(&self.ledger, &self.flow, &seen.value).await?;
        let mut run = seen.value;
        run.held = None;
        run.phase = Phase::Rewrite;
        run.position = run.head.as_ref().map(|head| head.rows_at).unwrap_or_default();
        run.parts = 0;
        self.take_up(run, seen.rev, closing).await
    }

    /// A held run is not delivered; one that was given up is left as it is, and not listed any more.
    ///
    /// # Errors
    /// [`Refused`] when it is in another state.
    pub async fn discard(&self, id: &RunId) -> Result<Run, Refused> {
        let seen = self.seen(id).await?;
        discard(&self.ledger, &self.flow, seen, self.clock.now()).await
    }

    /// A run that was given up goes on where it stopped: only what was not delivered is sent. Rejected rows are not
    /// replayed; they are corrected in the reject file, which is dropped into the outbox again.
    ///
    /// # Errors
    /// [`Refused`] when it was not given up.
    pub async fn replay(&self, id: &RunId) -> Result<Run, Refused> {
        let wanted = "only one that was given up can be replayed";
        let seen = self.in_state(id, RunState::GivenUp, wanted).await?;
        let closing = closing(&self.ledger, &self.flow, &seen.value).await?;
        let mut run = seen.value;
        let Some(resume) = run.resume.take() else {
            return Err(Refused::state(run_named(id), run.state.word(), wanted));
        };
        run.phase = resume.phase;
        // It may have been given up before its header was read; the first row is behind it all the same.
        let rows_at = run.head.as_ref().map(|head| head.rows_at).unwrap_or_default();
        run.position = resume.position.max(rows_at);
        run.counts = resume.counts;
        self.take_up(run, seen.rev, closing).await
    }

    /// A delivered file that is not answered, or not all of it, is left at that, and not listed any more.
    ///
    /// # Errors
    /// [`Refused`] when it waits for no answer.
    pub async fn drop_answers(&self, id: &RunId) -> Result<Run, Refused> {
        let wanted = "only one that waits for acknowledgements can be left without them";
        let seen = self.in_state(id, RunState::Delivered, wanted).await?;
        let closing = closing(&self.ledger, &self.flow, &seen.value).await?;
        if closing.is_empty() {
            return Err(Refused::state(run_named(id), "delivered, and waits for nothing", wanted));
        }
        match self.ledger.commit(&closing).await? {
            Committed::Yes => Ok(seen.value),
            Committed::LostRace => Err(Refused::Changed(run_named(id))),
        }
    }

    async fn seen(&self, id: &RunId) -> Result<Seen<Run>, Refused> {
        let run = self.ledger.get::<Run>(&Run::key(&self.flow, id)).await?;
        run.ok_or_else(|| Refused::Unknown(run_named(id)))
    }

    async fn in_state(&self, id: &RunId, state: RunState, wanted: &'static str) -> Result<Seen<Run>, Refused> {
        let seen = self.seen(id).await?;
        if seen.value.state == state {
            return Ok(seen);
        }
        Err(Refused::state(run_named(id), seen.value.state.word(), wanted))
    }

    /// The run waits again, at its old place in the order, and its queue is told.
    async fn take_up(&self, mut run: Run, rev: u64, mut others: Vec<Write>) -> Result<Run, Refused> {
        run.state = RunState::Waiting;
        run.reason = None;
        run.ended = None;
        run.first_turn = Some(self.clock.now());
        run.idle_attempts = 0;
        run.faults = 0;
        if run.in_order {
            let ticket = Ticket { run: run.id.clone() };
            others.push(Write::put(Ticket::key(&self.flow, &run.place), &ticket, None, None)?);
        }
        write(&self.ledger, &self.flow, (&run, rev), others).await?;
        let nudge = Outgoing {
            body: renewed(&run.source),
            group: run.id.to_string(),
            deduplication: format!("{}-{}", run.id, rev),
        };
        self.queue.send(&nudge).await?;
        Ok(run)
    }
}

/// What [`Runs::discard`] does, also for the hold limit.
///
/// # Errors
/// [`Refused`] when the run is in another state.
pub(crate) async fn discard(ledger: &Ledger, flow: &str, seen: Seen<Run>, now: Timestamp) -> Result<Run, Refused> {
    let Seen { value: run, rev } = seen;
    if !matches!(run.state, RunState::Held | RunState::GivenUp) {
        let wanted = "only one that is held or was given up can be discarded";
        return Err(Refused::state(run_named(&run.id), run.state.word(), wanted));
    }
    let closing = closing(ledger, flow, &run).await?;
    let run = discarded(run, now);
    write(ledger, flow, (&run, rev), closing).await?;
    Ok(run)
}

/// The run once it is discarded.
pub(crate) fn discarded(mut run: Run, now: Timestamp) -> Run {
    if run.state == RunState::Held {
        run.counts.undelivered = run.counts.rows.saturating_sub(run.counts.rejected);
        run.ended = Some(now);
    }
    run.state = RunState::Discarded;
    run.resume = None;
    run
}

fn run_named(id: &RunId) -> String {
    format!("run {id}")
}

/// The write by which `run` is no open matter any more.
async fn closing(ledger: &Ledger, flow: &str, run: &Run) -> Result<Vec<Write>, Transient> {
    let Some(open) = Open::of_run(flow, run) else { return Ok(Vec::new()) };
    Ok(open.closing(ledger, flow).await?.into_iter().collect())
}

/// Writes a run over revision `rev`, and `others` with it.
async fn write(ledger: &Ledger, flow: &str, (run, rev): (&Run, u64), mut others: Vec<Write>) -> Result<(), Refused> {
    others.push(Write::put(Run::key(flow, &run.id), run, Some(rev), run.expires())?);
    match ledger.commit(&others).await? {
        Committed::Yes => Ok(()),
        Committed::LostRace => Err(Refused::Changed(run_named(&run.id))),
    }
}
