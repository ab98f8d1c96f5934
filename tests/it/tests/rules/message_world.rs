//! The message flows as they are deployed, over the in-memory ports.

use std::sync::Arc;

use bytes::Bytes;
use domain::derms_message::Synchronization;
use domain::msg_ack::ResponseCode;
use domain::stage::Limits;
use flow::derms_ack::DermsAcks;
use flow::memory::{CONFIG, Targets, World};
use flow::ports::{Answer, Call, Payload};
use flow::stage::{ProgramEvents, Stages};
use flow::status_answers::StatusAnswers;
use flow::sync_ack::{AckCalls, ReadAck};
use flow::to_derms::{Derms, OneWayCalls, SyncCalls};
use flow::trigger::{HttpReply, HttpRequest, Reply, Trigger};
use serde_json::Value;

/// What the DERMS answers: it takes what it was sent.
const TAKEN: &str =
    r#"{"MsgAck":{"ackType":"SUCCESS","whenISO":"2026-07-01T10:00:00.000Z","responses":{"response":[]}}}"#;

/// The programs of the examples.
const PROGRAMS: &str = "programId,programCode,programExternalIdentifier\n90000001,SUMMER-T,PRG-SUMMER-T\n";

/// A message flow, and what a valid message of it comes to.
pub struct Flow {
    /// Its name.
    pub name: &'static str,
    /// Where a message has its id.
    pub id: &'static str,
    /// Where the DERMS finds it in its one call, if there is one.
    pub derms: Option<&'static str>,
    /// Where DACS finds it in its one call, if there is one.
    pub dacs: Option<&'static str>,
}

const fn synchronization(name: &'static str, id: &'static str) -> Flow {
    Flow { name, id, derms: Some("/dacsMessageId"), dacs: Some("/syncRequestId") }
}

const fn acknowledgement(name: &'static str) -> Flow {
    Flow { name, id: "/dacsMessageId", derms: None, dacs: Some("/syncRequestId") }
}

const fn one_way(name: &'static str, id: &'static str) -> Flow {
    Flow { name, id, derms: Some("/dacsMessageId"), dacs: None }
}

/// All of them.
pub const FLOWS: &[Flow] = &[
    synchronization(dacs_derms_enrollment_sync::NAME, "/sendDetails/syncRequestId"),
    synchronization(dacs_derms_program_rules::NAME, "/syncRequestId"),
    synchronization(dacs_derms_aggregators::NAME, "/syncRequestId"),
    acknowledgement(derms_dacs_enrollment_ack::NAME),
    acknowledgement(derms_dacs_program_rules_ack::NAME),
    acknowledgement(derms_dacs_aggregators_ack::NAME),
    // DACS hears of each request, and the DERMS in the answer (see `every_request_of_a_valid_list_reaches_dacs…`).
    Flow { name: derms_dacs_enrollment_request::NAME, id: "/0/messageId", derms: None, dacs: None },
    // DACS hears of each stage (see `every_stage_of_a_valid_event_status_reaches_dacs`), the DERMS of the message.
    Flow {
        name: derms_dacs_event_status::NAME,
        id: "/messageId",
        derms: Some("/MsgAck/responses/response/0/id"),
        dacs: None,
    },
    Flow {
        name: derms_dacs_device_status_ack::NAME,
        id: "/dacsMessageId",
        derms: None,
        dacs: Some("/responseDetail/transactionID"),
    },
    one_way(dacs_derms_device_status_check::NAME, "/sendDetails/communicationId"),
    one_way(dacs_derms_event_opt_out::NAME, "/communicationId"),
    one_way(dacs_derms_customer_unavailability::NAME, "/communicationId"),
];

/// A message flow in a world of its own, whose neighbours take everything.
pub struct Door {
    /// The flow's name.
    pub name: &'static str,
    /// Its ports.
    pub world: World,
    derms: Targets,
    dacs: Targets,
}

impl Door {
    /// Of a flow.
    pub fn new(name: &'static str) -> Self {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        world.objects.put(CONFIG, "lookups/Program.csv", PROGRAMS);
        world.objects.put(CONFIG, "lookups/AssetType.csv", "key,value\nTHERMOSTAT,SMART-THERMOSTAT\n");
        world.objects.put(CONFIG, "lookups/AssetSpec.csv", "key,value\nACME!T100,ACME-T100\n");
        let dacs = Targets::new(|call| {
            let enrolls = call.path.ends_with("enroll");
            let body = if enrolls { r#"{"enrollmentId":"EN1","status":"PENDING"}"# } else { "" };
            Ok(Answer { status: 200, retry_after: None, body: body.into() })
        });
        Self { name, world, derms: Targets::answering(200, TAKEN), dacs }
    }

    async fn handle(&self, trigger: Trigger) -> Reply {
        let (world, invocation) = (&self.world, self.world.invocation("one"));
        let kit = |lookups| world.message_kit(self.name, lookups);
        let handled = match self.name {
            dacs_derms_enrollment_sync::NAME => {
                use dacs_derms_enrollment_sync::{Flow, LOOKUPS};
                Flow { kit: kit(LOOKUPS), calls: self.sync_calls(LOOKUPS) }.handle(trigger, invocation).await
            }
            dacs_derms_program_rules::NAME => {
                use dacs_derms_program_rules::{Flow, LOOKUPS};
                Flow { kit: kit(LOOKUPS), calls: self.sync_calls(LOOKUPS) }.handle(trigger, invocation).await
            }
            dacs_derms_aggregators::NAME => {
                use dacs_derms_aggregators::{Flow, LOOKUPS};
                Flow { kit: kit(LOOKUPS), calls: self.sync_calls(LOOKUPS) }.handle(trigger, invocation).await
            }
            derms_dacs_enrollment_ack::NAME => {
                use derms_dacs_enrollment_ack::{Flow, LOOKUPS, READ};
                Flow { kit: kit(LOOKUPS), calls: self.ack_calls(READ) }.handle(trigger, invocation).await
            }
            derms_dacs_program_rules_ack::NAME => {
                use derms_dacs_program_rules_ack::{Flow, LOOKUPS, READ};
                Flow { kit: kit(LOOKUPS), calls: self.ack_calls(READ) }.handle(trigger, invocation).await
            }
            derms_dacs_aggregators_ack::NAME => {
                use derms_dacs_aggregators_ack::{Flow, LOOKUPS, READ};
                Flow { kit: kit(LOOKUPS), calls: self.ack_calls(READ) }.handle(trigger, invocation).await
            }
            derms_dacs_event_status::NAME => {
                use derms_dacs_event_status::{Flow, LOOKUPS};
                Flow { kit: kit(LOOKUPS), calls: self.event_status_calls(LOOKUPS) }.handle(trigger, invocation).await
            }
            derms_dacs_enrollment_request::NAME => {
                use derms_dacs_enrollment_request::{Flow, LOOKUPS};
                let calls = self.enrollment_calls(LOOKUPS);
                Flow { kit: kit(LOOKUPS), calls, side_by_side: 4 }.handle(trigger, invocation).await
            }
            derms_dacs_device_status_ack::NAME => {
                use derms_dacs_device_status_ack::{Calls, Flow, LOOKUPS};
                let calls = Calls { answers: self.status_answers(LOOKUPS) };
                Flow { kit: kit(LOOKUPS), calls }.handle(trigger, invocation).await
            }
            dacs_derms_device_status_check::NAME => {
                use dacs_derms_device_status_check::{Calls, Flow, LOOKUPS};
                let calls = Calls { derms: self.to_derms(LOOKUPS), answers: self.status_answers(LOOKUPS) };
                Flow { kit: kit(LOOKUPS), calls }.handle(trigger, invocation).await
            }
            dacs_derms_event_opt_out::NAME => {
                use dacs_derms_event_opt_out::{Calls, Flow, LOOKUPS};
                let calls = Calls { derms: OneWayCalls::new(self.to_derms(LOOKUPS)), stages: world.ledger() };
                Flow { kit: kit(LOOKUPS), calls }.handle(trigger, invocation).await
            }
            dacs_derms_customer_unavailability::NAME => {
                use dacs_derms_customer_unavailability::{Flow, LOOKUPS};
                let calls = OneWayCalls::new(self.to_derms(LOOKUPS));
                Flow { kit: kit(LOOKUPS), calls }.handle(trigger, invocation).await
            }
            other => panic!("{other} has no arm here"),
        };
        handled.unwrap()
    }

    fn sync_calls<M: Synchronization>(&self, names: &'static [&'static str]) -> SyncCalls<M> {
        let lookups = self.world.lookups(self.name, names);
        let acks = self.world.sync_request_acks(&lookups, "25.4".parse().unwrap(), self.dacs.clone());
        SyncCalls::new(self.to_derms(names), acks)
    }

    fn to_derms(&self, names: &'static [&'static str]) -> Derms {
        let target = self.world.target("derms", self.derms.clone());
        Derms { target, lookups: self.world.lookups(self.name, names) }
    }

    fn status_answers(&self, names: &'static [&'static str]) -> StatusAnswers {
        let dacs = self.world.target("dacs", self.dacs.clone());
        StatusAnswers { dacs, lookups: self.world.lookups(self.name, names) }
    }

    fn ack_calls(&self, read: ReadAck) -> AckCalls {
        let lookups = self.world.lookups(self.name, flow::sync_ack::LOOKUPS);
        AckCalls { acks: self.world.sync_request_acks(&lookups, "25.4".parse().unwrap(), self.dacs.clone()), read }
    }

    fn enrollment_calls(&self, names: &'static [&'static str]) -> derms_dacs_enrollment_request::Calls {
        derms_dacs_enrollment_request::Calls {
            dacs: self.world.target("dacs", self.dacs.clone()),
            acks: DermsAcks { derms: self.world.target("derms", self.derms.clone()) },
            lookups: self.world.lookups(self.name, names),
            clock: Arc::new(self.world.clock.clone()),
        }
    }

    fn event_status_calls(&self, names: &'static [&'static str]) -> derms_dacs_event_status::Calls {
        let (world, lookups) = (&self.world, self.world.lookups(self.name, names));
        let dacs = world.target("dacs", self.dacs.clone());
        let program_events = ProgramEvents { dacs, release: "25.4".parse().unwrap(), lookups: lookups.clone() };
        let (clock, derms) = (Arc::new(world.clock.clone()), world.target("derms", self.derms.clone()));
        derms_dacs_event_status::Calls {
            stages: Stages::new(world.ledger(), clock, program_events, Limits::default()).told_next(derms.clone()),
            acks: DermsAcks { derms },
            lookups,
            refusal: ResponseCode::Error,
            side_by_side: 1,
        }
    }

    /// Posts a body.
    pub async fn post(&self, body: impl Into<Bytes>) -> HttpReply {
        let request = HttpRequest {
            body: body.into(),
            content_type: Some("application/json".into()),
            request_id: format!("request-{}", self.world.queue.sent().len()),
            correlation: "correlation".into(),
            path: "/".into(),
            query: Default::default(),
            claims: Default::default(),
        };
        match self.handle(Trigger::Http(request)).await {
            Reply::Http(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// Lets the worker take what is queued, and says what was called: at the DERMS, and at DACS.
    pub async fn work(&self) -> (Vec<Call>, Vec<Call>) {
        assert_eq!(self.handle(Trigger::Queue(self.world.queue.take(10))).await, Reply::Batch { failed: vec![] });
        (self.derms.calls(), self.dacs.calls())
    }
}

/// The JSON that a call carries.
pub fn body(call: &Call) -> Value {
    let Payload::Json(body) = &call.payload else { panic!("no JSON") };
    serde_json::from_slice(body).unwrap()
}
