//! DERMS says what became of an enrollment synchronization; DACS's sync request becomes Synchronized or Error.
//!
//! ```text
//! DERMS ─ POST /v1/derms/enrollment-ack ─▶ door ─▶ queue (by dacsMessageId) ─▶ worker ─ PATCH | POST ─▶ DACS
//! ```
//!
//! Message key: (`dacsMessageId`, body hash), because a positive acknowledgement may follow a negative one. One that
//! DACS has taken before is done (contracts.md §8).

use async_trait::async_trait;
use domain::enrollment_ack::EnrollmentAck;
use domain::json::{Document, Problem};
use flow::message::{Context, Forwarded, Ground, Identity, MessageCalls, MessageKit, serve};
use flow::sync_ack::{Acknowledged, SyncRequestAcks};
use flow::trigger::{Invocation, Reply, Trigger};
use flow::{Failure, Rejected, Transient};
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-enrollment-ack";

/// The lookups that it reads.
pub const LOOKUPS: &[&str] = flow::sync_ack::LOOKUPS;

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

/// Which acknowledgement a body is.
///
/// # Errors
/// The [`Problem`] with every fault of the body.
pub fn identify(body: &[u8]) -> Result<Identity, Problem> {
    let document = Document::parse(body)?;
    let ack = EnrollmentAck::from_document(&document)?;
    let body_hash = document.hash().to_string();
    let id = ack.ordering_key();
    Ok(Identity { key: format!("{id}#{body_hash}"), ordering: id.to_string(), body_hash })
}

/// The call of this flow.
pub struct Calls {
    /// DACS's sync requests.
    pub acks: SyncRequestAcks,
}

#[async_trait]
impl MessageCalls for Calls {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let unreadable = |_| Rejected::new("stored message", "it cannot be read any more");
        let ack = EnrollmentAck::parse(body).map_err(unreadable)?;
        let status = match self.acks.acknowledge(&ack, context).await? {
            Acknowledged::Now => "ACKNOWLEDGED",
            Acknowledged::Before => "ALREADY_ACKNOWLEDGED",
        };
        Ok(Forwarded::Taken(json!({ "messageKey": ack.dacs_message_id, "status": status })))
    }

    /// The contract has no answer to an acknowledgement.
    fn negative(&self, _: &[u8], _: Ground, _: &str) -> Option<Value> {
        None
    }

    async fn answer(&self, _: &Value, _: &Context<'_>) -> Result<(), Failure> {
        Ok(())
    }
}
