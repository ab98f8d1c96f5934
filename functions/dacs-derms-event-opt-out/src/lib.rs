//! A customer withdraws one device from one stage; the DERMS lets the reservation go.
//!
//! ```text
//! DACS ─ POST /v1/dacs/event-opt-out ─▶ door ─▶ queue (by device) ─▶ worker ─ POST /event_opt_out ─▶ DERMS
//! ```
//!
//! Message key: `communicationId`; order: the device. Nobody is acknowledged to: a refusal is a notification. A message that
//! the DERMS does not take is given up when its stage starts, where the platform knows the stage (contracts.md §8): after
//! that there is nothing to withdraw from.

use async_trait::async_trait;
use domain::event_opt_out::EventOptOut;
use flow::ledger::Ledger;
use flow::ledger::stage::Stage;
use flow::message::{Context, Forwarded, Ground, MessageCalls, MessageKit, serve};
use flow::to_derms::{OneWayCalls, identify, stored};
use flow::trigger::{Invocation, Reply, Trigger};
use flow::{Failure, Transient};
use jiff::Timestamp;
use serde_json::Value;

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-derms-event-opt-out";

/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["HeadEndSystem"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// The DERMS, and the stages.
    pub calls: Calls,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(serve(&self.kit, identify::<EventOptOut>, &self.calls, trigger, &invocation).await)
    }
}

/// The calls of this flow.
pub struct Calls {
    /// The DERMS.
    pub derms: OneWayCalls<EventOptOut>,
    /// Where the stages are.
    pub stages: Ledger,
}

#[async_trait]
impl MessageCalls for Calls {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        self.derms.forward(body, context).await
    }

    async fn make_ready(&self, invocation: &Invocation) {
        self.derms.make_ready(invocation).await;
    }

    fn negative(&self, body: &[u8], ground: Ground, reason: &str) -> Option<Value> {
        self.derms.negative(body, ground, reason)
    }

    /// The start of the stage, where it is known.
    async fn deadline(&self, body: &[u8]) -> Result<Option<Timestamp>, Transient> {
        let Ok(message) = stored::<EventOptOut>(body) else { return Ok(None) };
        let stage = self.stages.get::<Stage>(&Stage::key(&message.event_id, &message.stage_id)).await?;
        Ok(stage.map(|stage| stage.value.terms.start))
    }

    async fn answer(&self, ack: &Value, context: &Context<'_>) -> Result<(), Failure> {
        self.derms.answer(ack, context).await
    }
}
