//! One request: the call to DACS, what its answer means, and the acknowledgement to the DERMS.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::enrollment_request::{EnrollmentRequest, Outcome, read_answer};
use domain::ids::DrmsInstanceId;
use domain::msg_ack::{Envelope, MsgAck, Response, ResponseCode};
use domain::participation;
use domain::time::Instant;
use flow::derms_ack::{self, DermsAcks};
use flow::lookups::LookupBook;
use flow::message::{Answer, Context, Forwarded, Ground, MessageCalls};
use flow::ports::{Call, Clock, Method, Payload};
use flow::target::{Routed, TargetClient};
use flow::trigger::Invocation;
use flow::{Failure, Rejected, Transient};
use serde_json::Value;

/// The value of a request that DACS had taken before (contracts.md §4).
const EXISTS: &str = "EXISTS";

/// The calls of this flow.
#[derive(Clone)]
pub struct Calls {
    /// DACS.
    pub dacs: TargetClient,
    /// The DERMS's acknowledgements.
    pub acks: DermsAcks,
    /// The lookups of [`crate::LOOKUPS`].
    pub lookups: LookupBook,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Calls {
    /// The same, with calls to DACS that end after `timeout`.
    pub(crate) fn within(&self, timeout: Duration) -> Self {
        Self { dacs: self.dacs.within(timeout), ..self.clone() }
    }

    /// The acknowledgement of one request: the envelope's own response, then the request's.
    fn ack(&self, request: &EnrollmentRequest, code: ResponseCode, value: &str) -> Result<Value, Transient> {
        let when = Instant::from(self.clock.now());
        let delivered = u64::from(code.is_success());
        let envelope = Envelope {
            message_id: request.message_id.as_str(),
            dacs_message_id: None,
            ack_type: code,
            delivered,
            failed: 1 - delivered,
        };
        let response = Response {
            id: Some(request.message_id.to_string()),
            value: Some(value.to_owned()),
            response_code: code,
            response_time: Some(when),
            dacs_message_id: None,
        };
        derms_ack::kept(&MsgAck::new(envelope, when, vec![response]), request.drms_instance_id.as_ref())
    }

    fn taken(&self, request: &EnrollmentRequest, value: &str) -> Result<Forwarded, Failure> {
        let ack = self.ack(request, ResponseCode::Success, value)?;
        Ok(Forwarded::Answered(Answer { ack, refused: None }))
    }
}

fn read(body: &[u8]) -> Result<EnrollmentRequest, Rejected> {
    EnrollmentRequest::parse(body).map_err(|_| Rejected::new("stored message", "it cannot be read any more"))
}

#[async_trait]
impl MessageCalls for Calls {
    async fn forward(&self, body: &[u8], context: &Context<'_>) -> Result<Forwarded, Failure> {
        let request = read(body)?;
        let id = request.message_id.to_string();
        let lookups = self.lookups.current().await?;
        let call = request.call(&lookups).map_err(|miss| Rejected::new(&id, miss.to_string()))?;
        let content = serde_json::to_vec(&call).map_err(|e| Transient::because("writing the request", e))?;
        let drms = request.drms_instance_id.as_ref().map(DrmsInstanceId::as_str);
        let routed = Routed { flow: context.flow, key: &id, attempt: context.attempt };
        let dacs = self.dacs.routed(routed, &lookups, |lookups| lookups.dacs_of(drms)).await?;
        let call = Call {
            method: Method::Post,
            path: call.path().into(),
            payload: Payload::Json(Bytes::from(content)),
            correlation: context.correlation.to_owned(),
        };
        let answer = dacs.call(&call, context.invocation.deadline).await?;
        let verdict = |number: Option<u32>| lookups.dacs_messages().verdict(number);
        match read_answer(answer.status, &answer.body, &verdict) {
            Outcome::Pending(enrollment) => self.taken(&request, &enrollment),
            Outcome::Exists => self.taken(&request, EXISTS),
            Outcome::Refused(refusal) => Err(Rejected::new(id, participation::reason(&refusal)).into()),
            Outcome::NotYet(refusal) => {
                let reason = participation::reason(&refusal);
                Err(Transient::new(format!("DACS says \"not yet\": {reason}")).into())
            }
            Outcome::Unclear if (400..500).contains(&answer.status) => {
                Err(Rejected::new(id, answer.refusal("the program system")).into())
            }
            Outcome::Unclear => {
                Err(Transient::new(format!("DACS answered {} with something unreadable", answer.status)).into())
            }
        }
    }

    async fn make_ready(&self, invocation: &Invocation) {
        self.dacs.make_ready(&self.lookups, invocation.deadline).await;
    }

    fn negative(&self, body: &[u8], ground: Ground, reason: &str) -> Option<Value> {
        let code = match ground {
            Ground::Business => ResponseCode::Error,
            Ground::Technical => ResponseCode::Failure,
        };
        self.ack(&read(body).ok()?, code, reason).ok()
    }

    /// A request that is sent again after its good end gets its first response.
    fn result(&self, ack: &Value) -> Option<Value> {
        Some(ack.clone())
    }

    async fn answer(&self, ack: &Value, context: &Context<'_>) -> Result<(), Failure> {
        self.acks.send_kept(ack, &*self.lookups.current().await?, context).await
    }
}
