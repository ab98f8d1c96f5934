//! Messages of DACS to the DERMS: what the flows of this direction do alike.
//!
//! ```text
//! DACS ─ POST ─▶ door ─▶ queue ─▶ worker ─ call ─▶ DERMS
//!   ▲                               │ 200 MsgAck     │ 202: later, through a flow of its own
//!   └── Synchronized | Error ◀──────┘ ◀──────────────┘
//! ```
//!
//! A flow brings its message type ([`DermsMessage`]): how it is read, known and ordered, and the call that it becomes.

use std::marker::PhantomData;

use async_trait::async_trait;
use bytes::Bytes;
use domain::derms_message::{self, DermsMessage, Destination, Synchronization};
use domain::json::{Document, Problem};
use domain::lookups::Lookups;
use domain::msg_ack::{MsgAck, ResponseCode};
use domain::sync_ack::SyncAck;
use serde_json::{Value, json};

use crate::lookups::LookupBook;
use crate::message::{Answer, Context, Forwarded, Ground, Identity, MessageCalls};
use crate::ports::{Call, Method, Payload};
use crate::sync_ack::SyncRequestAcks;
use crate::target::{Routed, TargetClient};
use crate::trigger::Invocation;
use crate::{Failure, Rejected, Transient};

/// Which message a body is.
///
/// # Errors
/// The [`Problem`] with every fault of the body.
pub fn identify<M: DermsMessage>(body: &[u8]) -> Result<Identity, Problem> {
    let document = Document::parse(body)?;
    let message = M::from_document(&document)?;
    let body_hash = document.hash().to_string();
    Ok(Identity::ordered(message.message_key(), message.ordering_key(), body_hash))
}

/// A stored body, which the door has read before.
///
/// # Errors
/// [`Rejected`] when this version cannot read it any more.
pub fn stored<M: DermsMessage>(body: &[u8]) -> Result<M, Rejected> {
    M::parse(body).map_err(|_| Rejected::new("stored message", "it cannot be read any more"))
}

/// The DERMS, and the lookups that its codes come from.
pub struct Derms {
    /// The DERMS.
    pub target: TargetClient,
    /// The lookups of the flow's messages.
    pub lookups: LookupBook,
}

/// What the DERMS made of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// SUCCESS or ERROR, at once.
    Now(MsgAck),
    /// 202: it has it, and will say later.
    Later,
}

impl Said {
    /// Of the answers of several, the heaviest counts: a refusal, then one that is still to come.
    fn weight(&self) -> u8 {
        match self {
            Self::Now(ack) if ack.worst().is_success() => 0,
            Self::Later => 1,
            Self::Now(_) => 2,
        }
    }
}

impl Derms {
    /// Makes the call that `message` becomes, to the DERMS that it is for. A FAILURE is the DERMS's machinery's, and is
    /// retried (contracts.md §5). Of several, the worst answer counts, and one that comes later for more than a good one.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when a lookup lacks a value, or the DERMS refuses the form of the call.
    pub async fn tell<M: DermsMessage>(&self, message: &M, context: &Context<'_>) -> Result<Said, Failure> {
        let lookups = self.lookups.current().await?;
        let call = call(message, &lookups, context)?;
        let (mut said, mut refused) = (Said::Later, None);
        for (place, derms) in self.destinations(message, &lookups, context).await?.iter().enumerate() {
            match self.ask(derms, &call, (&message.message_key(), context)).await {
                Ok(one) if place == 0 || one.weight() > said.weight() => said = one,
                Ok(_) => {}
                Err(Failure::Rejected(reason)) => refused = Some(reason),
                Err(fault) => return Err(fault),
            }
        }
        refused.map_or(Ok(said), |reason| Err(reason.into()))
    }

    /// Makes ready for the call that a message becomes.
    pub async fn make_ready(&self, invocation: &Invocation) {
        self.target.make_ready(&self.lookups, invocation.deadline).await;
    }

    async fn destinations<M: DermsMessage>(
        &self,
        message: &M,
        lookups: &Lookups,
        context: &Context<'_>,
    ) -> Result<Vec<TargetClient>, Failure> {
        match message.destination() {
            Destination::Default => Ok(vec![self.target.clone()]),
            Destination::Every => {
                lookups.every_derms().into_iter().map(|name| self.target.installation(name, lookups)).collect()
            }
            Destination::Division(division) => {
                let (flow, key) = (context.flow, message.message_key());
                let routed = Routed { flow, key: &key, attempt: context.attempt };
                Ok(vec![self.target.routed(routed, lookups, |lookups| lookups.derms_of(division)).await?])
            }
        }
    }

    async fn ask(
        &self,
        derms: &TargetClient,
        call: &Call,
        (key, context): (&str, &Context<'_>),
    ) -> Result<Said, Failure> {
        let answer = derms.call(call, context.invocation.deadline).await?;
        match answer.status {
            200 => now(&answer.body),
            202 => Ok(Said::Later),
            400..500 => Err(Rejected::new(key, answer.refusal("the DERMS")).into()),
            status => Err(Transient::new(format!("the DERMS answered {status} to {}", call.path)).into()),
        }
    }
}

fn call<M: DermsMessage>(message: &M, lookups: &Lookups, context: &Context<'_>) -> Result<Call, Failure> {
    let request = message.request(lookups);
    let request = request.map_err(|miss| Rejected::new(message.message_key(), miss.to_string()))?;
    let body = serde_json::to_vec(&request.body).map_err(|e| Transient::because("writing the message", e))?;
    let method = match request.method {
        derms_message::Method::Post => Method::Post,
        derms_message::Method::Put => Method::Put,
    };
    let payload = Payload::Json(Bytes::from(body));
    Ok(Call { method, path: request.path, payload, correlation: context.correlation.to_owned() })
}

fn now(body: &[u8]) -> Result<Said, Failure> {
    let unreadable = |_| Transient::new("the DERMS answered 200 with something that is no MsgAck");
    let ack = MsgAck::parse(body).map_err(unreadable)?;
    match ack.ack_type {
        ResponseCode::Failure => Err(Transient::new("the DERMS answered FAILURE").into()),
        ResponseCode::Success | ResponseCode::Error => Ok(Said::Now(ack)),
    }
}

/// The calls of a flow whose messages the DERMS acknowledges, at once or later, and whose acknowledgements go to DACS's
/// sync request (flows 2, 3 and 5). Each call is an upsert by its id, so one that is made twice is harmless; a message that
/// ended in Error is corrected and sent again (contracts.md §8).
pub struct SyncCalls<M> {
    derms: Derms,
    acks: SyncRequestAcks,
    message: PhantomData<fn() -> M>,
}

impl<M> SyncCalls<M> {
    /// The messages `M` to `derms`, and what it says of them to `acks`.
    #[must_use]
    pub fn new(derms: Derms, acks: SyncRequestAcks) -> Self {
        Self { derms, acks, message: PhantomData }
    }
}

#[async_trait]
impl<M: Synchronization + Send + Sync> MessageCalls for SyncCalls<M> {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let message: M = stored(body)?;
        match self.derms.tell(&message, context).await? {
            Said::Now(ack) => answered(&ack, &message),
            Said::Later => {
                Ok(Forwarded::Awaited(json!({ "messageKey": message.message_key(), "status": "AWAITING_ACK" })))
            }
        }
    }

    async fn make_ready(&self, invocation: &Invocation) {
        self.derms.make_ready(invocation).await;
    }

    fn negative(&self, body: &[u8], ground: Ground, reason: &str) -> Option<Value> {
        let message: M = stored(body).ok()?;
        let mut ack = SyncAck::given_up(message.sync_request_id().clone(), reason.to_owned());
        if ground == Ground::Business {
            ack.response_code = ResponseCode::Error;
        }
        serde_json::to_value(&ack).ok()
    }

    async fn answer(&self, ack: &Value, context: &Context<'_>) -> Result<(), Failure> {
        let unreadable = |_| Transient::new("reading the kept acknowledgement");
        let ack = SyncAck::parse(ack.to_string().as_bytes()).map_err(unreadable)?;
        self.acks.acknowledge(&ack, context).await.map(|_| ())
    }
}

/// The call of a flow whose messages nobody acknowledges to DACS: a refusal is a notification (flows 20 and 21).
pub struct OneWayCalls<M> {
    derms: Derms,
    message: PhantomData<fn() -> M>,
}

impl<M> OneWayCalls<M> {
    /// The messages `M` to `derms`.
    #[must_use]
    pub fn new(derms: Derms) -> Self {
        Self { derms, message: PhantomData }
    }
}

#[async_trait]
impl<M: DermsMessage + Send + Sync> MessageCalls for OneWayCalls<M> {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let message: M = stored(body)?;
        if let Said::Now(ack) = self.derms.tell(&message, context).await?
            && !ack.worst().is_success()
        {
            return Err(Rejected::new(message.message_key(), refusal(&ack)).into());
        }
        Ok(Forwarded::Taken(json!({ "messageKey": message.message_key(), "status": "DELIVERED" })))
    }

    async fn make_ready(&self, invocation: &Invocation) {
        self.derms.make_ready(invocation).await;
    }

    fn negative(&self, _: &[u8], _: Ground, _: &str) -> Option<Value> {
        None
    }

    async fn answer(&self, _: &Value, _: &Context<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

/// A negative answer in words, for people and the ledger: what the DERMS says of ids and codes, at most 200 characters.
#[must_use]
pub fn refusal(ack: &MsgAck) -> String {
    let said: String = ack.reasons().chars().filter(|c| !c.is_control()).take(200).collect();
    let colon = if said.is_empty() { "" } else { ": " };
    format!("the DERMS refused the message{colon}{said}")
}

/// What the DERMS's immediate answer means for the sync request.
fn answered<M: Synchronization>(ack: &MsgAck, message: &M) -> Result<Forwarded, Failure> {
    let said = refusal(ack);
    let ack = SyncAck::from_msg_ack(ack, message.sync_request_id(), &message.devices());
    let ack = ack.map_err(|e| Transient::because("reading the DERMS's answer", e))?;
    if ack.response_code == ResponseCode::Failure {
        return Err(Transient::new("the DERMS answered FAILURE").into());
    }
    let refused = (!ack.response_code.is_success()).then_some(said);
    let ack = serde_json::to_value(&ack).map_err(|e| Transient::because("keeping the acknowledgement", e))?;
    Ok(Forwarded::Answered(Answer { ack, refused }))
}
