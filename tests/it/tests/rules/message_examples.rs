//! Every message example goes through its real door: refused with exactly the faults that `expected.csv` lists, or
//! accepted, queued and brought to its target.

use std::collections::BTreeSet;

use domain::json::Problem;
use domain::sync_request::ExceptionCode;
use flow::memory::{Targets, World};
use flow::ports::{Call, Payload};
use flow::sync_ack::SyncRequestAcks;
use flow::trigger::{HttpReply, HttpRequest, Reply, Trigger};
use it::examples::{self, Example};
use it::repo;
use serde_json::{Value, json};

/// What the DERMS answers: it takes what it was sent.
const TAKEN: &str =
    r#"{"MsgAck":{"ackType":"SUCCESS","whenISO":"2026-07-01T10:00:00.000Z","responses":{"response":[]}}}"#;

/// The programs of the examples.
const PROGRAMS: &str = "programId,programCode,programExternalIdentifier\n90000001,SUMMER-T,PRG-SUMMER-T\n";

/// One of the two message flows, in a world of its own.
struct Door {
    name: &'static str,
    world: World,
    derms: Targets,
    dacs: Targets,
}

impl Door {
    fn new(name: &'static str) -> Self {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        world.objects.put(flow::memory::CONFIG, "lookups/Program.csv", PROGRAMS);
        Self { name, world, derms: Targets::answering(200, TAKEN), dacs: Targets::answering(200, "") }
    }

    /// The doors of both flows.
    fn both() -> [Self; 2] {
        [Self::new(dacs_derms_enrollment_sync::NAME), Self::new(derms_dacs_enrollment_ack::NAME)]
    }

    async fn handle(&self, trigger: Trigger) -> Reply {
        let world = &self.world;
        let lookups = world.lookups(self.name, dacs_derms_enrollment_sync::LOOKUPS);
        let acks = SyncRequestAcks {
            dacs: world.target("dacs", self.dacs.clone()),
            release: "25.4".parse().unwrap(),
            exception: ExceptionCode::new(90_000, 1).unwrap(),
            lookups: lookups.clone(),
        };
        let invocation = world.invocation("one");
        if self.name == dacs_derms_enrollment_sync::NAME {
            use dacs_derms_enrollment_sync::{Calls, Flow, LOOKUPS};
            let calls = Calls { derms: world.target("derms", self.derms.clone()), acks, lookups };
            Flow { kit: world.message_kit(self.name, LOOKUPS), calls }.handle(trigger, invocation).await.unwrap()
        } else {
            use derms_dacs_enrollment_ack::{Calls, Flow, LOOKUPS};
            Flow { kit: world.message_kit(self.name, LOOKUPS), calls: Calls { acks } }
                .handle(trigger, invocation)
                .await
                .unwrap()
        }
    }

    async fn post(&self, body: impl Into<bytes::Bytes>) -> HttpReply {
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
    async fn work(&self) -> (Vec<Call>, Vec<Call>) {
        assert_eq!(self.handle(Trigger::Queue(self.world.queue.take(10))).await, Reply::Batch { failed: vec![] });
        (self.derms.calls(), self.dacs.calls())
    }
}

fn body(call: &Call) -> Value {
    let Payload::Json(body) = &call.payload else { panic!("no JSON") };
    serde_json::from_slice(body).unwrap()
}

/// Pointer and reason of every fault of a problem document.
fn faults(reply: &HttpReply) -> BTreeSet<(String, String)> {
    let problem: Value = serde_json::from_str(&reply.body).unwrap();
    let errors = problem["errors"].as_array().unwrap().iter();
    errors.map(|fault| (fault["pointer"].as_str().unwrap().into(), fault["reason"].as_str().unwrap().into())).collect()
}

#[tokio::test]
async fn every_invalid_message_is_answered_400_with_each_fault_and_leaves_nothing_behind() {
    for door in Door::both() {
        let mut expected = examples::expected(door.name);
        for Example { name, bytes } in examples::of(door.name) {
            if !name.starts_with("invalid-") {
                continue;
            }
            let reply = door.post(bytes).await;
            assert_eq!((reply.status, reply.content_type), (400, Problem::MEDIA_TYPE), "{name}: {}", reply.body);
            let listed = expected.remove(&name).unwrap_or_default();
            let listed = listed.into_iter().map(|line| (line[0].clone(), line[1].clone())).collect();
            assert_eq!(faults(&reply), listed, "{name}");
        }
        assert!(expected.is_empty(), "listed but not there: {:?}", expected.keys());
        assert_eq!(door.world.queue.waiting(), 0, "{}: something was queued", door.name);
        assert!(door.world.table.items().is_empty(), "{}: something was stored", door.name);
    }
}

#[tokio::test]
async fn every_valid_message_is_accepted_and_reaches_its_target() {
    for Example { name, bytes } in examples::of(dacs_derms_enrollment_sync::NAME) {
        if !name.starts_with("valid-") {
            continue;
        }
        let door = Door::new(dacs_derms_enrollment_sync::NAME);
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        let id = &message["sendDetails"]["syncRequestId"];
        assert_eq!(door.post(bytes).await.status, 202, "{name}");
        let (derms, dacs) = door.work().await;
        assert_eq!((derms.len(), dacs.len()), (1, 1), "{name}: {:?}", door.world.notices.all());
        assert_eq!(&body(&derms[0])["dacsMessageId"], id, "{name}");
        assert_eq!((&body(&dacs[0])["syncRequestId"], &body(&dacs[0])["hasError"]), (id, &json!(false)), "{name}");
    }
    for Example { name, bytes } in examples::of(derms_dacs_enrollment_ack::NAME) {
        if !name.starts_with("valid-") {
            continue;
        }
        let door = Door::new(derms_dacs_enrollment_ack::NAME);
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(door.post(bytes).await.status, 202, "{name}");
        let (_, dacs) = door.work().await;
        assert_eq!(dacs.len(), 1, "{name}");
        assert_eq!(body(&dacs[0])["syncRequestId"], message["dacsMessageId"], "{name}");
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_answered_413_and_leaves_nothing_behind() {
    for door in Door::both() {
        let valid = examples::of(door.name).into_iter().find(|example| example.name.starts_with("valid-")).unwrap();
        let mut message: Value = serde_json::from_slice(&valid.bytes).unwrap();
        message["padding"] = json!("x".repeat(domain::json::BODY_LIMIT));
        let reply = door.post(message.to_string()).await;
        assert_eq!((reply.status, reply.content_type), (413, Problem::MEDIA_TYPE), "{}", door.name);
        assert!(door.world.table.items().is_empty());
        assert_eq!(door.world.objects.keys(flow::memory::BODIES), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_program_that_the_lookup_does_not_know_is_an_error_that_names_lookup_and_value() {
    let door = Door::new(dacs_derms_enrollment_sync::NAME);
    let valid = examples::of(door.name).into_iter().find(|example| example.name == "valid-minimal.json").unwrap();
    let unknown = String::from_utf8(valid.bytes).unwrap().replace("PRG-SUMMER-T", "PRG-WINTER");
    assert_eq!(door.post(unknown).await.status, 202);
    let (derms, dacs) = door.work().await;
    assert!(derms.is_empty());
    let told = body(&dacs[0]);
    assert_eq!(told["hasError"], true);
    assert_eq!(told["exceptionInfo"][0]["comments"], "lookup Program has no entry for \"PRG-WINTER\"");
}

#[tokio::test]
async fn a_body_over_100_kilobytes_is_kept_apart_and_reaches_the_target_all_the_same() {
    let door = Door::new(dacs_derms_enrollment_sync::NAME);
    let valid = examples::of(door.name).into_iter().find(|example| example.name == "valid-minimal.json").unwrap();
    let mut message: Value = serde_json::from_slice(&valid.bytes).unwrap();
    message["padding"] = json!("x".repeat(200 * 1024));
    assert_eq!(door.post(message.to_string()).await.status, 202);
    assert_eq!(door.world.objects.keys(flow::memory::BODIES).len(), 1);
    assert_eq!(door.work().await.0.len(), 1);
}

#[test]
fn every_trigger_carries_one_of_its_flows_valid_examples() {
    for flow in repo::flows() {
        let trigger: Value = serde_json::from_str(&repo::text(format!("events/{flow}/trigger.json"))).unwrap();
        let names: Vec<_> =
            examples::of(&flow).into_iter().filter(|example| example.name.starts_with("valid-")).collect();
        let carried = match trigger["Records"][0]["body"].as_str() {
            Some(notification) => {
                let notification: Value = serde_json::from_str(notification).unwrap();
                let key = notification["Records"][0]["s3"]["object"]["key"].as_str().unwrap().to_owned();
                names.iter().any(|example| key.ends_with(&format!("/{}", example.name)))
            }
            None => {
                let body = trigger["body"].as_str().unwrap().as_bytes();
                names.iter().any(|example| example.bytes == body)
            }
        };
        assert!(carried, "events/{flow}/trigger.json");
    }
}
