//! DERMS says whether a device can be reached; DACS's status check is answered.
//!
//! ```text
//! DERMS ─ POST /v1/derms/device-status-ack ─▶ door ─▶ queue (by dacsMessageId) ─▶ worker ─ POST ─▶ DACS
//! ```
//!
//! Message key: (`dacsMessageId`, body hash), because one answer may follow another; order: `dacsMessageId`. An answer that
//! DACS has taken before is done.

use async_trait::async_trait;
use domain::device_status::DeviceStatusAck;
use domain::json::{Document, Problem};
use flow::message::{Context, Forwarded, Ground, Identity, MessageCalls, MessageKit, serve};
use flow::status_answers::StatusAnswers;
use flow::sync_ack::Acknowledged;
use flow::trigger::{Invocation, Reply, Trigger};
use flow::{Failure, Rejected, Transient};
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-device-status-ack";

/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["DacsMessages", "Routing", "Targets"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// DACS.
    pub calls: Calls,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(serve(&self.kit, identify, &self.calls, trigger, &invocation).await)
    }
}

/// Which answer a body is.
///
/// # Errors
/// The [`Problem`] with every fault of the body.
pub fn identify(body: &[u8]) -> Result<Identity, Problem> {
    let document = Document::parse(body)?;
    let id = DeviceStatusAck::from_document(&document)?.dacs_message_id;
    let body_hash = document.hash().to_string();
    Ok(Identity::ordered(format!("{id}#{body_hash}"), id.to_string(), body_hash))
}

/// The call of this flow.
pub struct Calls {
    /// DACS's status checks.
    pub answers: StatusAnswers,
}

#[async_trait]
impl MessageCalls for Calls {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let ack = Document::parse(body).and_then(|document| DeviceStatusAck::from_document(&document));
        let ack = ack.map_err(|_| Rejected::new("stored message", "it cannot be read any more"))?;
        let status = match self.answers.send(&ack, context).await? {
            Acknowledged::Now => "ANSWERED",
            Acknowledged::Before => "ALREADY_ANSWERED",
        };
        Ok(Forwarded::Taken(json!({ "messageKey": ack.dacs_message_id, "status": status })))
    }

    async fn make_ready(&self, invocation: &Invocation) {
        self.answers.dacs.make_ready(&self.answers.lookups, invocation.deadline).await;
    }

    /// The contract has no answer to an answer.
    fn negative(&self, _: &[u8], _: Ground, _: &str) -> Option<Value> {
        None
    }

    async fn answer(&self, _: &Value, _: &Context<'_>) -> Result<(), Failure> {
        Ok(())
    }
}
