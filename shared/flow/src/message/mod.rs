//! The message pipeline: the door takes a message from its sender, the worker brings it to its target.
//!
//! ```text
//! POST ─▶ door: read ─ store ─ queue ─ 202            ╲ one function,
//!                                 │ FIFO, by group     ╱ two triggers
//!                                 ▼
//!         worker: load ─ forward ─ (answer the source) ─ record
//! ```
//!
//! What a call waits for whatever the message says, a slot of its target's rate above all, is made ready while the ledger is
//! at work on the message ([`MessageCalls::make_ready`]): a message that comes alone waits for the ledger three times.
//!
//! ```text
//! ledger   message ┐        ┌ slot of DACS ┐       end
//!          slot of │ DERMS ─┘              └ DACS ─┘
//!          DERMS  ─┘
//! ```
//!
//! A flow passes what differs: how a body is read ([`Identify`]) and the calls it makes ([`MessageCalls`]). One that answers
//! with results takes lists of messages by [`AtOnce`] instead of [`accept`].

mod anew;
mod at_once;
mod door;
mod nudge;
mod telling;
mod work;
mod worker;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::json::Problem;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use at_once::{AtOnce, Listed, Told};
pub use door::accept;
pub(crate) use nudge::Nudge;
pub(crate) use worker::backoff;
pub use worker::work;

use crate::ledger::message::{LastDelivered, Message};
use crate::ledger::{Items, Ledger};
use crate::lookups::LookupBook;
use crate::ports::{Clock, Key, Notifier, Outlet, Queue, Source, Telemetry};
use crate::trigger::{Invocation, Reply, Trigger};
use crate::{Failure, Transient};

/// The bucket for bodies over 100 KB.
#[derive(Clone)]
pub struct BodyStore {
    /// Its name.
    pub bucket: String,
    /// Writes into it.
    pub outlet: Arc<dyn Outlet>,
    /// Reads from it.
    pub source: Arc<dyn Source>,
}

/// What every message flow works with.
#[derive(Clone)]
pub struct MessageKit {
    /// The flow's name.
    pub flow: &'static str,
    /// The ledger.
    pub ledger: Ledger,
    /// Large bodies.
    pub bodies: BodyStore,
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
    /// From acceptance to giving up.
    pub retry_limit: SignedDuration,
}

/// Which message a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The message key (contracts.md §2).
    pub key: String,
    /// The ordering key: messages of one are delivered in the order in which they were accepted. `None`: it has no order with
    /// others.
    pub ordering: Option<String>,
    /// The hash of the body.
    pub body_hash: String,
    /// What its worker reads from the ledger together with it ([`Context::beside`]).
    pub beside: Vec<Key>,
}

impl Identity {
    /// A message that is delivered after those of the same ordering key that were accepted before.
    #[must_use]
    pub fn ordered(key: String, ordering: String, body_hash: String) -> Self {
        Self { key, ordering: Some(ordering), body_hash, beside: Vec::new() }
    }

    /// A message that has no order with others.
    #[must_use]
    pub fn alone(key: String, body_hash: String) -> Self {
        Self { key, ordering: None, body_hash, beside: Vec::new() }
    }
}

/// Reads a body as far as the door must: every offending field is named in the problem.
pub type Identify = fn(&[u8]) -> Result<Identity, Problem>;

/// What a target did with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarded {
    /// It took it; the value is the message's result.
    Taken(Value),
    /// It took it, and will say through another flow what became of it; the value is the message's result until then.
    Awaited(Value),
    /// It answered at once; the source is told next.
    Answered(Answer),
    /// The message waits for something that is no fault, such as its predecessor: it is looked at again after this time.
    /// Its call decides for how long; the retry limit does not count here.
    Later(Duration),
}

/// An acknowledgement for the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The acknowledgement, in the flow's own form.
    pub ack: Value,
    /// The business reason, if it is negative.
    pub refused: Option<String>,
}

/// Why a message will not be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The data is wrong.
    Business,
    /// The machinery failed until the limit.
    Technical,
}

/// The calls of a message flow. Each may be made twice; the contract says why that is harmless (contracts.md §4, "On
/// repeat").
#[async_trait]
pub trait MessageCalls: Send + Sync {
    /// Brings the message to its target.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when the target will never take it.
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure>;

    /// Makes ready what the call to the target waits for whatever the message says, while messages are read. What fails here,
    /// the call meets again.
    async fn make_ready(&self, _invocation: &Invocation) {}

    /// The negative acknowledgement for a message that will not be delivered, where the contract has one.
    fn negative(&self, body: &[u8], ground: Ground, reason: &str) -> Option<Value>;

    /// When the message is given up at the latest, where that may be earlier than the retry limit says (contracts.md §8).
    ///
    /// # Errors
    /// [`Transient`] when nobody can say now.
    async fn deadline(&self, _body: &[u8]) -> Result<Option<Timestamp>, Transient> {
        Ok(None)
    }

    /// The first result of a message whose source is acknowledged like this, where that is more than how it ended.
    fn result(&self, _ack: &Value) -> Option<Value> {
        None
    }

    /// Tells the source what became of its message.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when the source will not hear it: people are told instead.
    async fn answer(&self, ack: &Value, context: &Context<'_>) -> Result<(), Failure>;
}

/// Serves a message flow: its door and its worker.
pub async fn serve(
    kit: &MessageKit,
    identify: Identify,
    calls: &dyn MessageCalls,
    trigger: Trigger,
    invocation: &Invocation,
) -> Reply {
    match trigger {
        Trigger::Http(request) => Reply::Http(accept(kit, identify, &request).await),
        Trigger::Queue(deliveries) => Reply::Batch { failed: work(kit, calls, &deliveries, invocation).await },
    }
}

/// The newer message of the same order that has been delivered, if there is one.
pub(crate) async fn newer_delivered(
    ledger: &Ledger,
    flow: &str,
    message: &Message,
) -> Result<Option<LastDelivered>, Transient> {
    let last = ledger.get::<LastDelivered>(&LastDelivered::key(flow, &message.group)).await?;
    Ok(last.map(|last| last.value).filter(|last| {
        last.message != message.key && message.position.as_ref().is_some_and(|position| last.position > *position)
    }))
}

/// What a call needs to know beside the body.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The flow.
    pub flow: &'a str,
    /// The invocation: its deadline ends all calls.
    pub invocation: &'a Invocation,
    /// The correlation id that goes with the calls.
    pub correlation: &'a str,
    /// Names this attempt of this message: the same in every delivery, another one when it is sent again after its end.
    pub attempt: &'a str,
    /// What was read together with the message, if anything was: by now it may have been changed.
    pub beside: Option<&'a Items>,
}
