//! The file pipeline: from the notification of a new object to its settled run.
//!
//! ```text
//! arrival ─ register ─ turn ─ claim ─┬─ file → file: Check ─ (Held) ─ Copy | Rewrite ─┬─ Settle ─ next file's turn
//!                                    └─ file → REST: Deliver ─────────────────────────┘
//! ```
//!
//! A flow passes what differs: how its file is understood ([`FileToFile`], [`FileToRest`]) and where its rows go.

mod acknowledge;
mod arrival;
mod attempt;
mod calls;
mod cut_short;
mod decode;
mod deliver;
mod gate;
mod halt;
mod head;
pub(crate) mod ids;
pub(crate) mod joiner;
mod keys;
mod publish;
mod reader;
mod register;
mod rejects;
mod settle;
mod tell;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub(crate) use acknowledge::message_id;
pub use acknowledge::{AckFile, NameRow, OpenNames};
pub use arrival::{Arrival, parse as parse_notification, renewed};
pub use calls::{CallRow, CallTarget, FileToCalls, OpenCalls, ReadRow, ToCallsFlow};
pub use deliver::{Batch, DeliverBatch, FileToRest, OpenRows, Rows};
pub use gate::{Gate, Verdict};
pub use publish::{FileToFile, IdOf, OpenSheet, Sheet, ToFileFlow};
pub use rejects::{RejectFile, RejectStore};
pub(crate) use settle::{ended_notice, give_up};
pub use tell::{AnswerRow, OpenAnswers, TellSource};

use crate::Transient;
use crate::ledger::Ledger;
use crate::ledger::run::{Phase, Run, RunState};
use crate::lookups::LookupBook;
use crate::ports::{Clock, Notifier, Queue, Source, Telemetry};
use crate::trigger::{Delivery, Invocation, Reply, Trigger};
use attempt::Attempt;
use register::Registered;

/// Limits of file runs, parameters of the template.
#[derive(Debug, Clone)]
pub struct Limits {
    /// A file → file run is held above this many rejected rows …
    pub hold_rows: u64,
    /// … and this percentage of them.
    pub hold_percent: u64,
    /// From a file's first turn to giving it up.
    pub retry: SignedDuration,
    /// Attempts that died without progress before it is given up.
    pub idle_attempts: u32,
}

impl Default for Limits {
    /// The values of architecture.md §2.4 and §3.
    fn default() -> Self {
        Self { hold_rows: 100, hold_percent: 5, retry: SignedDuration::from_hours(24), idle_attempts: 20 }
    }
}

/// What every file flow works with.
#[derive(Clone)]
pub struct FileKit {
    /// The flow's name.
    pub flow: &'static str,
    /// Whether its files are taken one at a time, in order of arrival (contracts.md §6, "Order").
    pub in_order: bool,
    /// The ledger.
    pub ledger: Ledger,
    /// Reads the outbox.
    pub source: Arc<dyn Source>,
    /// The flow's rejects.
    pub rejects: RejectStore,
    /// The flow's own queue.
    pub queue: Arc<dyn Queue>,
    /// Tells people.
    pub notifier: Arc<dyn Notifier>,
    /// Log line and metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The domain value maps.
    pub lookups: LookupBook,
    /// Limits.
    pub limits: Limits,
}

/// One of the kinds of file flow.
pub enum FileFlow<'a> {
    /// Rows are published in an inbox.
    ToFile(&'a FileToFile),
    /// Rows are sent to an API in a few large parts.
    ToRest(&'a FileToRest),
    /// Rows are sent to an API in many small calls.
    ToCalls(&'a FileToCalls),
}

impl FileFlow<'_> {
    /// When nothing of `run` is sent any more, if its rows say so themselves.
    fn deadline(&self, run: &Run) -> Option<Timestamp> {
        match self {
            Self::ToCalls(flow) => flow.gate.as_ref()?.deadline(run),
            Self::ToFile(_) | Self::ToRest(_) => None,
        }
    }
}

/// What is to happen with the queue's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The run is settled: the message can go.
    Settled(RunState),
    /// There was nothing to do: a test event, or no notification at all.
    Nothing,
    /// The message stays, and is shown again after the delay.
    Again(Duration),
}

/// Serves a file flow: messages of its queue, one after another.
///
/// # Errors
/// [`Transient`] for a request: a file flow has no door.
pub async fn serve(
    kit: &FileKit,
    flow: &FileFlow<'_>,
    trigger: Trigger,
    invocation: &Invocation,
) -> Result<Reply, Transient> {
    let Trigger::Queue(deliveries) = trigger else {
        return Err(Transient::new("a file flow takes no requests"));
    };
    let mut failed = Vec::new();
    for delivery in &deliveries {
        if let Next::Again(_) = handle(kit, flow, delivery, invocation).await {
            failed.push(delivery.message_id.clone());
        }
    }
    Ok(Reply::Batch { failed })
}

/// Handles one message of the flow's queue, and says whether it may be deleted.
pub async fn handle(kit: &FileKit, flow: &FileFlow<'_>, delivery: &Delivery, invocation: &Invocation) -> Next {
    let arrivals = match parse_notification(&delivery.body) {
        Ok(arrivals) => arrivals,
        Err(rejected) => {
            // It can never succeed, and nobody sent a file with it: people are told and the message goes.
            return match settle::tell_unreadable(kit, &rejected).await {
                Ok(()) => Next::Nothing,
                Err(_) => Next::Again(Duration::from_secs(60)),
            };
        }
    };
    let mut next = Next::Nothing;
    for arrival in &arrivals {
        match process(kit, flow, arrival, invocation).await {
            Next::Again(delay) => next = Next::Again(delay),
            settled if !matches!(next, Next::Again(_)) => next = settled,
            _ => {}
        }
    }
    if let (Next::Again(delay), Some(receipt)) = (&next, &delivery.receipt) {
        // Should this fail, the message comes back when its visibility timeout ends.
        if let Err(fault) = kit.queue.hand_back(receipt, *delay).await {
            tracing::warn!(flow = kit.flow, fault = fault.chain(), "the message comes back after its timeout");
        }
    }
    next
}

/// Processes one new version, as far as this invocation gets.
pub async fn process(kit: &FileKit, flow: &FileFlow<'_>, arrival: &Arrival, invocation: &Invocation) -> Next {
    let started = kit.clock.now();
    match try_process(kit, flow, arrival, invocation, started).await {
        Ok(next) => next,
        Err(fault) => {
            tracing::warn!(flow = kit.flow, fault = fault.chain(), "handed back");
            Next::Again(Duration::from_secs(15))
        }
    }
}

async fn try_process(
    kit: &FileKit,
    flow: &FileFlow<'_>,
    arrival: &Arrival,
    invocation: &Invocation,
    started: Timestamp,
) -> Result<Next, Transient> {
    let phase = match flow {
        FileFlow::ToFile(_) => Phase::Check,
        FileFlow::ToRest(_) | FileFlow::ToCalls(_) => Phase::Deliver,
    };
    let run = match register::register(kit, arrival, phase, invocation).await? {
        Registered::Open(run) => run,
        Registered::Settled(state) => return Ok(Next::Settled(state)),
    };
    let waited = kit.clock.now().duration_since(run.value.registered);
    if kit.in_order && !register::take_turn(kit, &run.value).await? {
        return Ok(Next::Again(look_again_after(waited)));
    }
    let deadline = flow.deadline(&run.value);
    let Some(mut attempt) = Attempt::claim(kit, *run, invocation, deadline).await? else {
        return Ok(Next::Again(look_again_after(waited)));
    };
    let outcome = attempt.work(flow).await;
    attempt.end(outcome, started).await
}

/// How long a file waits before it looks whether its turn has come: a tenth of what it has waited, 10 s to 5 min. So a
/// thousand receives, after which the queue would give up, are more than three days; and a file that has waited for long
/// is not late by much.
fn look_again_after(waited: SignedDuration) -> Duration {
    let (least, most) = (Duration::from_secs(10), Duration::from_secs(300));
    (Duration::try_from(waited).unwrap_or_default() / 10).clamp(least, most)
}
