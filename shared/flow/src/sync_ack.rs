//! Telling the program system what became of its sync request: the one logic behind acknowledgements that come by a flow of
//! their own ([`AckCalls`]), at once with the answer to a message ([`crate::to_derms`]), or in a file.

use async_trait::async_trait;
use bytes::Bytes;
use domain::flows::Flow;
use domain::json::{Document, Problem};
use domain::layout::RowFault;
use domain::lookups::Lookups;
use domain::sync_ack::SyncAck;
use domain::sync_request::{self, DacsCall, DacsRelease, ExceptionCode, Refusal};

use serde_json::{Value, json};

use crate::file::{CallRow, CallTarget};
use crate::ledger::run::Run;
use crate::lookups::LookupBook;
use crate::message::{Context, Forwarded, Ground, Identity, MessageCalls};
use crate::ports::{Call, Method, Payload};
use crate::target::TargetClient;
use crate::trigger::Invocation;
use crate::{Failure, Rejected, Transient};

/// The lookups that reading DACS's answers needs, and choosing among several.
pub const LOOKUPS: &[&str] = &["DacsMessages", "Routing", "Targets"];

/// Acknowledges sync requests of DACS.
pub struct SyncRequestAcks {
    /// DACS.
    pub dacs: TargetClient,
    /// Its release, which decides about the call.
    pub release: DacsRelease,
    /// How a negative acknowledgement is numbered there.
    pub exception: ExceptionCode,
    /// The lookup DacsMessages.
    pub lookups: LookupBook,
}

/// What DACS made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// The sync request is Synchronized, or in Error, as the acknowledgement said.
    Now,
    /// It had been acknowledged before: done (contracts.md §8, flows 6 and 8).
    Before,
}

impl SyncRequestAcks {
    /// Brings `ack` to DACS.
    ///
    /// # Errors
    /// As [`SyncRequestAcks::send`].
    pub async fn acknowledge(&self, ack: &SyncAck, context: &Context<'_>) -> Result<Acknowledged, Failure> {
        let wanted = sync_request::acknowledge(ack, self.release, self.exception);
        let body =
            serde_json::to_vec(&wanted.body).map_err(|e| Transient::because("writing the acknowledgement", e))?;
        let method = match wanted.method {
            sync_request::Method::Patch => Method::Patch,
            sync_request::Method::Post => Method::Post,
        };
        let payload = Payload::Json(Bytes::from(body));
        let call = Call { method, path: wanted.path, payload, correlation: context.correlation.to_owned() };
        let id = ack.dacs_message_id.as_str();
        let dacs = dacs_of(&self.dacs, &self.lookups, (id, context)).await?;
        tell(&dacs, &self.lookups, (id, &call), context.invocation).await
    }

    /// Makes `call`, which acknowledges sync request `id` that no DERMS was told of.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when DACS refuses it for good; "not yet" is transient.
    pub async fn send(&self, id: &str, call: &Call, invocation: &Invocation) -> Result<Acknowledged, Failure> {
        let dacs = dacs_beside(&self.dacs, None, (id, &*self.lookups.current().await?))?;
        tell(&dacs, &self.lookups, (id, call), invocation).await
    }
}

/// The DACS that waits for what becomes of its message `id`: the one beside the DERMS that the message went to. "Acks follow
/// their outbound message" (contracts.md §7).
pub(crate) async fn dacs_of(
    dacs: &TargetClient,
    lookups: &LookupBook,
    (id, context): (&str, &Context<'_>),
) -> Result<TargetClient, Failure> {
    let lookups = lookups.current().await?;
    let derms = dacs.went_to(Flow::answers(context.flow), id, &lookups).await?;
    dacs_beside(dacs, derms.as_deref(), (id, &lookups))
}

/// The DACS that Routing puts beside `derms`.
fn dacs_beside(
    dacs: &TargetClient,
    derms: Option<&str>,
    (id, lookups): (&str, &Lookups),
) -> Result<TargetClient, Failure> {
    let name = lookups.dacs_of(derms).map_err(|miss| Rejected::new(id, miss.to_string()))?;
    dacs.installation(name, lookups)
}

/// Makes `call` to DACS, which tells it something about `id` and may have been made before.
///
/// # Errors
/// [`Failure::Rejected`] when DACS refuses it for good; "not yet" is transient.
pub(crate) async fn tell(
    dacs: &TargetClient,
    lookups: &LookupBook,
    (id, call): (&str, &Call),
    invocation: &Invocation,
) -> Result<Acknowledged, Failure> {
    let answer = dacs.call(call, invocation.deadline).await?;
    let lookups = lookups.current().await?;
    let verdict = |number: Option<u32>| lookups.dacs_messages().verdict(number);
    match sync_request::read_answer(answer.status, &answer.body, &verdict) {
        sync_request::Answer::Done => Ok(Acknowledged::Now),
        sync_request::Answer::AlreadyDone => Ok(Acknowledged::Before),
        sync_request::Answer::NotYet(refusal) => Err(Transient::new(reason(answer.status, &refusal)).into()),
        sync_request::Answer::Refused(refusal) => Err(Rejected::new(id, reason(answer.status, &refusal)).into()),
        sync_request::Answer::Unclear if (400..500).contains(&answer.status) => {
            Err(Rejected::new(id, format!("DACS answered {}", answer.status)).into())
        }
        sync_request::Answer::Unclear => {
            Err(Transient::new(format!("DACS answered {} to {}", answer.status, call.path)).into())
        }
    }
}

/// How an acknowledgement of the DERMS is read: with its devices or without.
pub type ReadAck = fn(&Document<'_>) -> Result<SyncAck, Problem>;

/// Which acknowledgement a body is. Its key is (`dacsMessageId`, body hash), because a positive one may follow a negative
/// one; those of one sync request stay in order (contracts.md §2).
///
/// # Errors
/// The [`Problem`] with every fault of the body.
pub fn identify(read: ReadAck, body: &[u8]) -> Result<Identity, Problem> {
    let document = Document::parse(body)?;
    let ack = read(&document)?;
    let body_hash = document.hash().to_string();
    let id = ack.ordering_key();
    Ok(Identity::ordered(format!("{id}#{body_hash}"), id.to_string(), body_hash))
}

/// The call of a flow that brings acknowledgements of the DERMS to DACS's sync requests (flows 6, 16 and 17). One that
/// DACS has taken before is done (contracts.md §8).
pub struct AckCalls {
    /// DACS's sync requests.
    pub acks: SyncRequestAcks,
    /// How the flow reads its bodies.
    pub read: ReadAck,
}

#[async_trait]
impl MessageCalls for AckCalls {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let unreadable = |_| Rejected::new("stored message", "it cannot be read any more");
        let ack = Document::parse(body).and_then(|document| (self.read)(&document)).map_err(unreadable)?;
        let status = match self.acks.acknowledge(&ack, context).await? {
            Acknowledged::Now => "ACKNOWLEDGED",
            Acknowledged::Before => "ALREADY_ACKNOWLEDGED",
        };
        Ok(Forwarded::Taken(json!({ "messageKey": ack.dacs_message_id, "status": status })))
    }

    async fn make_ready(&self, invocation: &Invocation) {
        self.acks.dacs.make_ready(&self.acks.lookups, invocation.deadline).await;
    }

    /// The contract has no answer to an acknowledgement.
    fn negative(&self, _: &[u8], _: Ground, _: &str) -> Option<Value> {
        None
    }

    async fn answer(&self, _: &Value, _: &Context<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The call that acknowledges a sync request, as a row of a file. Its content is the path, a line end, and the body.
#[must_use]
pub fn row(id: &str, call: &DacsCall) -> CallRow {
    let body = serde_json::to_string(&call.body).unwrap_or_default();
    let content = format!("{}\n{body}", call.path).into_bytes();
    CallRow { key: id.as_bytes().to_vec(), group: Vec::new(), content }
}

/// DACS's sync requests as the target of a file's rows, one call per row.
#[async_trait]
impl CallTarget for SyncRequestAcks {
    async fn call(
        &self,
        run: &Run,
        rows: &[CallRow],
        invocation: &Invocation,
    ) -> Result<Vec<(usize, RowFault)>, Failure> {
        let mut refused = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let content = String::from_utf8_lossy(&row.content);
            let (path, body) = content.split_once('\n').unwrap_or_default();
            let call = Call {
                method: Method::Patch,
                path: path.to_owned(),
                payload: Payload::Json(Bytes::from(body.to_owned())),
                correlation: run.correlation.clone(),
            };
            match self.send(&String::from_utf8_lossy(&row.key), &call, invocation).await {
                Ok(_) => {}
                Err(Failure::Rejected(rejected)) => refused.push((place, RowFault::row(rejected.reason))),
                Err(Failure::Transient(fault)) => return Err(fault.into()),
            }
        }
        Ok(refused)
    }
}

/// The refusal without DACS's text, which may name customers: the number tells the operator what it is.
fn reason(status: u16, refusal: &Refusal) -> String {
    match refusal.number {
        Some(number) => format!("DACS answered {status}, message number {number}"),
        None => format!("DACS answered {status} without a message number"),
    }
}
