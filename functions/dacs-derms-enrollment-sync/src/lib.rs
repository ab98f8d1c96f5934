//! An enrollment, unenrollment or device replacement goes to the DERMS; its answer goes back to DACS's sync request.
//!
//! ```text
//! DACS ─ POST /v1/dacs/enrollment-sync ─▶ door ─▶ queue (by subscription) ─▶ worker ─ POST /enroll ─▶ DERMS
//!   ▲                                                                          │
//!   └───────────── Synchronized | Error ◀── acknowledgement, if it came at once ┘   else through derms-dacs-enrollment-ack
//! ```
//!
//! Message key: `syncRequestId`. `/enroll` is an upsert by it, so a call that is made twice is harmless. A message that
//! ended in Error is corrected and sent again (contracts.md §8).

use async_trait::async_trait;
use bytes::Bytes;
use domain::enrollment_ack::EnrollmentAck;
use domain::enrollment_sync::{EnrollRequest, EnrollmentSync};
use domain::json::{Document, Problem};
use domain::msg_ack::{MsgAck, ResponseCode};
use flow::lookups::LookupBook;
use flow::message::{Answer, Context, Forwarded, Ground, Identity, MessageCalls, MessageKit, serve};
use flow::ports::{Call, Method, Payload};
use flow::sync_ack::SyncRequestAcks;
use flow::target::TargetClient;
use flow::trigger::{Invocation, Reply, Trigger};
use flow::{Failure, Rejected, Transient};
use serde_json::{Value, json};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-derms-enrollment-sync";

/// The lookups that it reads: [`flow::sync_ack::LOOKUPS`] and the names of programs.
pub const LOOKUPS: &[&str] = &["DacsMessages", "Program"];

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
        Ok(serve(&self.kit, identify, &self.calls, trigger, &invocation).await)
    }
}

/// Which synchronization a body is.
///
/// # Errors
/// The [`Problem`] with every fault of the body.
pub fn identify(body: &[u8]) -> Result<Identity, Problem> {
    let document = Document::parse(body)?;
    let message = EnrollmentSync::from_document(&document)?;
    Ok(Identity {
        key: message.message_key().to_string(),
        ordering: message.ordering_key().to_string(),
        body_hash: document.hash().to_string(),
    })
}

/// The calls of this flow.
pub struct Calls {
    /// The DERMS.
    pub derms: TargetClient,
    /// DACS's sync requests.
    pub acks: SyncRequestAcks,
    /// The lookup Program.
    pub lookups: LookupBook,
}

#[async_trait]
impl MessageCalls for Calls {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let mut message = read(body)?;
        let lookups = self.lookups.current().await?;
        message
            .complete_program(lookups.programs())
            .map_err(|miss| Rejected::new(message.message_key().to_string(), miss.to_string()))?;
        let request = serde_json::to_vec(&message.enroll_request());
        let request = request.map_err(|e| Transient::because("writing the enroll request", e))?;
        let call = Call {
            method: Method::Post,
            path: EnrollRequest::PATH.into(),
            payload: Payload::Json(Bytes::from(request)),
            correlation: context.correlation.into(),
        };
        let answer = self.derms.call(&call, context.invocation.deadline).await?;
        match answer.status {
            200 => answered(&answer.body, &message),
            202 => Ok(Forwarded::Awaited(json!({ "messageKey": message.message_key(), "status": "AWAITING_ACK" }))),
            400..500 => Err(Rejected::new(message.message_key().to_string(), answer.refusal("the DERMS")).into()),
            status => Err(Transient::new(format!("the DERMS answered {status} to /enroll")).into()),
        }
    }

    fn negative(&self, body: &[u8], ground: Ground, reason: &str) -> Option<Value> {
        let message = read(body).ok()?;
        let mut ack = EnrollmentAck::given_up(message.sync_request_id, reason.to_owned());
        if ground == Ground::Business {
            ack.response_code = ResponseCode::Error;
        }
        serde_json::to_value(&ack).ok()
    }

    async fn answer(&self, ack: &Value, context: &Context<'_>) -> Result<(), Failure> {
        let unreadable = |_| Transient::new("reading the kept acknowledgement");
        let ack = EnrollmentAck::parse(ack.to_string().as_bytes()).map_err(unreadable)?;
        self.acks.acknowledge(&ack, context).await.map(|_| ())
    }
}

fn read(body: &[u8]) -> Result<EnrollmentSync, Rejected> {
    EnrollmentSync::parse(body).map_err(|_| Rejected::new("stored message", "it cannot be read any more"))
}

/// What the DERMS's immediate answer means. A FAILURE is its machinery's, and is retried (contracts.md §5).
fn answered(body: &[u8], message: &EnrollmentSync) -> Result<Forwarded, Failure> {
    let unreadable = |_| Transient::new("the DERMS answered 200 with something that is no MsgAck");
    let ack = MsgAck::parse(body).map_err(unreadable)?;
    let ack =
        EnrollmentAck::from_msg_ack(&ack, message).map_err(|e| Transient::because("reading the DERMS's answer", e))?;
    if ack.response_code == ResponseCode::Failure {
        return Err(Transient::new("the DERMS answered FAILURE").into());
    }
    let refused = (!ack.response_code.is_success()).then(|| "the DERMS refused the enrollment".to_owned());
    let ack = serde_json::to_value(&ack).map_err(|e| Transient::because("keeping the acknowledgement", e))?;
    Ok(Forwarded::Answered(Answer { ack, refused }))
}
