//! DACS asks whether a device can be reached; the DERMS is asked, and answers later.
//!
//! ```text
//! DACS ─ POST /v1/dacs/device-status-check ─▶ door ─▶ queue (by device) ─▶ worker ─ POST /status_check ─▶ DERMS
//!   ▲                                                                        │        later: derms-dacs-device-status-ack
//!   └──── controllableDeviceStatus/response: FAILURE ◀── refused, or given up ┘
//! ```
//!
//! Message key: `communicationId`; order: the device. A SUCCESS or 202 of the DERMS says that it has the question, not what
//! the answer is. A question that will not be answered is answered here, so that nobody waits for it.

use async_trait::async_trait;
use domain::device_status::{DeviceStatus, DeviceStatusAck, StatusCheck};
use domain::json::Document;
use flow::message::{Answer, Context, Forwarded, Ground, MessageCalls, MessageKit, serve};
use flow::status_answers::StatusAnswers;
use flow::to_derms::{Derms, Said, identify, refusal, stored};
use flow::trigger::{Invocation, Reply, Trigger};
use flow::{Failure, Transient};
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-derms-device-status-check";

/// The lookups that it reads: DACS's message numbers and the head-ends.
pub const LOOKUPS: &[&str] = &["DacsMessages", "HeadEndSystem", "Routing", "Targets"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// DERMS and DACS.
    pub calls: Calls,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(serve(&self.kit, identify::<StatusCheck>, &self.calls, trigger, &invocation).await)
    }
}

/// The calls of this flow.
pub struct Calls {
    /// The DERMS.
    pub derms: Derms,
    /// DACS's status checks.
    pub answers: StatusAnswers,
}

#[async_trait]
impl MessageCalls for Calls {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let check: StatusCheck = stored(body)?;
        match self.derms.tell(&check, context).await? {
            Said::Now(ack) if !ack.worst().is_success() => {
                Ok(Forwarded::Answered(Answer { ack: failed(check), refused: Some(refusal(&ack)) }))
            }
            Said::Now(_) | Said::Later => {
                Ok(Forwarded::Awaited(json!({ "messageKey": check.communication_id, "status": "AWAITING_ACK" })))
            }
        }
    }

    async fn make_ready(&self, invocation: &Invocation) {
        self.derms.make_ready(invocation).await;
    }

    /// The contract has one word for all that is not SUCCESS.
    fn negative(&self, body: &[u8], _: Ground, _: &str) -> Option<Value> {
        stored(body).ok().map(failed)
    }

    async fn answer(&self, ack: &Value, context: &Context<'_>) -> Result<(), Failure> {
        let text = ack.to_string();
        let ack = Document::parse(text.as_bytes()).and_then(|document| DeviceStatusAck::from_document(&document));
        let ack = ack.map_err(|_| Transient::new("reading the kept answer"))?;
        self.answers.send(&ack, context).await.map(|_| ())
    }
}

fn failed(check: StatusCheck) -> Value {
    json!(DeviceStatusAck { dacs_message_id: check.communication_id, response_code: DeviceStatus::Failure })
}
