//! The DERMS says where an event and its stages are; each stage's program event in DACS follows, one legal status after the
//! other.
//!
//! ```text
//! DERMS ─ POST /v1/derms/event-status ─▶ door ─▶ queue ─▶ worker ─▶ ledger: what each stage is asked to be
//!   ▲                                                       │           │ flow::stage
//!   │                                                       │           ▼
//!   └──────────── POST /acks, once all its stages ◀─────────┘      POST …/programEvent/, …/lifecycle ─▶ DACS
//!                 have an end
//! ```
//!
//! Message key: `messageId`. There is no order in the queue: a message only writes down what it asks for, and waits until
//! each of its stages is there, or will not be. So it may come late, twice and before its predecessor (contracts.md §9).

use std::time::Duration;

use async_trait::async_trait;
use domain::event_status::EventStatus;
use domain::json::{Document, Problem};
use domain::msg_ack::{MsgAck, ResponseCode};
use flow::derms_ack::{self, DermsAcks};
use flow::ledger::stage::{Event, Stage};
use flow::lookups::LookupBook;
use flow::message::{Answer, Context, Forwarded, Ground, Identity, MessageCalls, MessageKit, accept, work};
use flow::stage::{StageNudge, Stages, work_nudges};
use flow::trigger::{Delivery, Invocation, Reply, Trigger};
use flow::{Failure, Rejected, Transient};
use serde_json::Value;

mod ack;
mod errands;

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-event-status";

/// The lookups that it reads: those of [`flow::stage::ProgramEvents`], and what the DERMS calls things.
pub const LOOKUPS: &[&str] = &["DacsMessages", "EventStatus", "EventType", "Program", "Routing", "Targets"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// DACS and DERMS.
    pub calls: Calls,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue: those of the DERMS, and an operator's about single stages.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        let deliveries = match trigger {
            Trigger::Http(request) => return Ok(Reply::Http(accept(&self.kit, identify, &request).await)),
            Trigger::Queue(deliveries) => deliveries,
        };
        let is_nudge = |delivery: &Delivery| StageNudge::read(&delivery.body).is_some();
        let (nudges, messages): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(is_nudge);
        let mut failed = work_nudges(&self.kit, &self.calls.stages, &nudges, &invocation).await;
        failed.extend(work(&self.kit, &self.calls, &messages, &invocation).await);
        Ok(Reply::Batch { failed })
    }
}

/// So many stages of a message are read together with it. Most messages are about one.
const BESIDE: usize = 4;

/// Which message a body is. They have no order: it is the ledger's ([`flow::stage`]).
///
/// # Errors
/// The [`Problem`] with every fault of the body.
pub fn identify(body: &[u8]) -> Result<Identity, Problem> {
    let document = Document::parse(body)?;
    let message = EventStatus::from_document(&document)?;
    let identity = Identity::alone(message.message_key().to_string(), document.hash().to_string());
    let stages = message.stages.iter().take(BESIDE).map(|entry| Stage::key(&message.event_id, &entry.stage_id));
    Ok(Identity { beside: stages.chain([Event::key(&message.event_id)]).collect(), ..identity })
}

/// The calls of this flow.
pub struct Calls {
    /// Stages, and their program events in DACS.
    pub stages: Stages,
    /// The DERMS's acknowledgements.
    pub acks: DermsAcks,
    /// The lookups EventStatus and EventType.
    pub lookups: LookupBook,
    /// What a refusal of DACS is to the DERMS: ERROR, or FAILURE (contracts.md §8).
    pub refusal: ResponseCode,
    /// Stages of one message that are worked on side by side.
    pub side_by_side: usize,
}

#[async_trait]
impl MessageCalls for Calls {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let message = read(body)?;
        let lookups = self.lookups.current().await?;
        let unlisted = |miss: domain::lookups::Miss| Rejected::new(message.message_key().to_string(), miss.to_string());
        if message.cancels_event(&lookups).map_err(unlisted)? {
            let (by, last_end) = (context.attempt, message.stages.iter().map(|stage| stage.end.timestamp()).max());
            let last_end = last_end.unwrap_or_else(|| self.stages.clock.now());
            self.stages.cancel_event(&message.event_id, (by, message.cancel_reason.as_deref()), last_end).await?;
        }
        let errands = self.errands(&message, &lookups, context).await?;
        match self.run(&message, errands, context).await? {
            Outcome::Settled(responses) => Ok(Forwarded::Answered(answer(&self.ack(&message, responses), &message)?)),
            Outcome::Later(delay) => Ok(Forwarded::Later(delay)),
        }
    }

    fn negative(&self, body: &[u8], ground: Ground, reason: &str) -> Option<Value> {
        let message = read(body).ok()?;
        let code = match ground {
            Ground::Business => ResponseCode::Error,
            Ground::Technical => ResponseCode::Failure,
        };
        derms_ack::kept(&self.ack_of_nothing(&message, code, reason), Some(&message.drms_instance_id)).ok()
    }

    async fn answer(&self, ack: &Value, context: &Context<'_>) -> Result<(), Failure> {
        self.acks.send_kept(ack, &*self.lookups.current().await?, context).await
    }
}

/// How far a message is.
enum Outcome {
    /// Each stage has an end: one response each.
    Settled(Vec<ack::Line>),
    /// One at least has none; look again after this time.
    Later(Duration),
}

fn read(body: &[u8]) -> Result<EventStatus, Rejected> {
    EventStatus::parse(body).map_err(|_| Rejected::new("stored message", "it cannot be read any more"))
}

fn answer(ack: &MsgAck, message: &EventStatus) -> Result<Answer, Transient> {
    let refused = ack::refused(ack, message);
    Ok(Answer { ack: derms_ack::kept(ack, Some(&message.drms_instance_id))?, refused })
}
