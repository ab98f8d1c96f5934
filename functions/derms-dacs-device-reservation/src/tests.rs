use std::sync::Mutex;
use std::time::Duration;

use domain::stage::{StageStatus, Terms};
use flow::ledger::stage::Stage;
use flow::memory::{Targets, World};
use flow::ports::{Answer, Destination, Method, ObjectRef, Outlet, Payload, Write};
use flow::trigger::{Reply, Trigger};
use serde_json::{Value, json};

use super::*;

const START: &str = "2026-07-01T18:00:00Z";
const END: &str = "2026-07-01T20:00:00Z";
const ROWS: &str = "recordId,nicId,headEndSystemId\nr1,n1,HES\nr2,n2,HES\nr3,n3,HES\n";

/// A world with DACS and DERMS, and the flow between them.
struct Bench {
    world: World,
    dacs: Targets,
    derms: Targets,
    flow: Flow,
}

impl Bench {
    /// DACS refuses NIC `n2`, and answers by `health` to its health check and by `status` to reservations.
    fn new(answers: impl Fn(&str) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        let dacs = Targets::new(move |call| {
            let (status, body) = answers(&call.path);
            Ok(Answer { status, retry_after: None, body: body.to_string().into() })
        });
        let derms = Targets::answering(200, "{}");
        let mut kit = world.file_kit(NAME, LOOKUPS);
        kit.in_order = false;
        let neighbours = Neighbours {
            dacs: world.target("dacs", dacs.clone()),
            derms: DermsAcks { derms: world.target("derms", derms.clone()) },
            key: ProgramEventKey::Stage,
            calls: (2, 1),
        };
        let to_calls = to_calls(neighbours, (kit.ledger.clone(), kit.clock.clone()), kit.lookups.clone());
        Self { world, dacs, derms, flow: Flow { kit, to_calls } }
    }

    /// A DACS that takes everything.
    fn well() -> Self {
        Self::new(|_| (200, json!({ "errors": [] })))
    }

    async fn drop_file(&self, key: &str, envelope: &[(&str, &str)], rows: &str) -> ObjectRef {
        let metadata = envelope.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let to = Destination { key: format!("device-reservation/{key}"), metadata };
        self.world.objects.outlet("outbox").put(&to, rows.to_owned().into()).await.unwrap();
        self.world.objects.versions("outbox", &to.key).pop().unwrap()
    }

    async fn drop_for_stage(&self, key: &str) -> ObjectRef {
        self.drop_file(key, &envelope(key), ROWS).await
    }

    /// One attempt; whether the run is settled.
    async fn attempt(&self, object: &ObjectRef) -> bool {
        let trigger = Trigger::Queue(vec![self.world.notification(object)]);
        let reply = self.flow.handle(trigger, self.world.invocation("one")).await.unwrap();
        matches!(reply, Reply::Batch { failed } if failed.is_empty())
    }

    async fn set_stage(&self, applied: Option<StageStatus>) {
        let terms = Terms {
            program_code: "SUMMER-THERMO".parse().unwrap(),
            category: "X1EC".into(),
            start: START.parse().unwrap(),
            end: END.parse().unwrap(),
        };
        let mut stage = Stage::new("E-1".parse().unwrap(), "S-1".parse().unwrap(), terms);
        stage.applied = applied;
        let key = Stage::key(&stage.event_id, &stage.stage_id);
        let ledger = self.world.ledger();
        let seen = ledger.get::<Stage>(&key).await.unwrap().map(|seen| seen.rev);
        ledger.commit(&[Write::put(key, &stage, seen, None).unwrap()]).await.unwrap();
    }

    async fn stage(&self) -> Option<Stage> {
        let key = Stage::key(&"E-1".parse().unwrap(), &"S-1".parse().unwrap());
        self.world.ledger().get::<Stage>(&key).await.unwrap().map(|seen| seen.value)
    }

    /// The bodies of `reserveDevice`.
    fn reserved(&self) -> Vec<Value> {
        self.dacs
            .calls()
            .into_iter()
            .filter(|call| call.method == Method::Post)
            .map(|call| json_of(&call.payload))
            .collect()
    }

    /// (ackType, (id, value) of each response) of the acknowledgements.
    fn acks(&self) -> Vec<(String, Vec<(String, String)>)> {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let ack = |payload: &Payload| {
            let ack = json_of(payload)["MsgAck"].clone();
            let list = ack["responses"]["response"].as_array().unwrap();
            (text(&ack["ackType"]), list.iter().map(|it| (text(&it["id"]), text(&it["value"]))).collect())
        };
        self.derms.calls().iter().map(|call| ack(&call.payload)).collect()
    }
}

fn json_of(payload: &Payload) -> Value {
    match payload {
        Payload::Json(body) => serde_json::from_slice(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn envelope(message: &str) -> [(&str, &str); 6] {
    [
        ("drms-instance-id", "drms-1"),
        ("message-id", message),
        ("event-id", "E-1"),
        ("stage-id", "S-1"),
        ("event-start-date-time", START),
        ("event-end-date-time", END),
    ]
}

#[tokio::test]
async fn the_devices_of_a_scheduled_stage_are_reserved_in_calls_and_the_file_is_acknowledged() {
    let bench = Bench::well();
    bench.set_stage(Some(StageStatus::Scheduled)).await;
    let object = bench.drop_for_stage("M-1").await;
    assert!(bench.attempt(&object).await);
    let reserved = bench.reserved();
    let first = json!({
        "eventExternalIdentifier": "S-1",
        "eventStartDateTime": START,
        "eventEndDateTime": END,
        "deviceList": [{"headEndSystem": "HES", "nicId": "n1"}, {"headEndSystem": "HES", "nicId": "n2"}],
    });
    assert_eq!((reserved.len(), &reserved[0]), (2, &first));
    let acks = bench.acks();
    assert_eq!(
        (acks.len(), acks[0].0.as_str(), &acks[0].1[0]),
        (1, "SUCCESS", &("M-1".into(), "delivered=3;failed=0".into()))
    );
    assert_eq!(bench.stage().await.unwrap().reserving, None);
}

#[tokio::test]
async fn a_file_is_held_until_its_stage_is_scheduled_in_dacs() {
    let bench = Bench::well();
    bench.set_stage(None).await;
    let object = bench.drop_for_stage("M-1").await;
    for _ in 0..3 {
        assert!(!bench.attempt(&object).await);
        bench.world.clock.advance(Duration::from_secs(300));
    }
    assert_eq!((bench.reserved().len(), bench.acks().len()), (0, 0));
    bench.set_stage(Some(StageStatus::Scheduled)).await;
    assert!(bench.attempt(&object).await);
    assert_eq!((bench.reserved().len(), bench.acks()[0].0.as_str()), (2, "SUCCESS"));
}

#[tokio::test]
async fn while_devices_are_reserved_the_stage_says_so() {
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let table = std::sync::Arc::new(Mutex::new(None::<flow::memory::Table>));
    let (log, shared) = (seen.clone(), table.clone());
    let bench = Bench::new(move |path| {
        if path == RESERVE_DEVICE {
            let table = shared.lock().unwrap().clone().unwrap();
            let stage = table.items().into_iter().find(|item| item.key.sort == "stage#S-1").unwrap();
            log.lock().unwrap().push(serde_json::from_str::<Stage>(&stage.body).unwrap().reserving);
        }
        (200, json!({}))
    });
    *table.lock().unwrap() = Some(bench.world.table.clone());
    bench.set_stage(Some(StageStatus::Scheduled)).await;
    let object = bench.drop_for_stage("M-1").await;
    assert!(bench.attempt(&object).await);
    let run = bench.world.run(NAME, &object).unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 2 && seen.iter().all(|it| it.as_ref().unwrap().by == run.id.to_string()), "{seen:?}");
}

#[tokio::test]
async fn devices_left_over_when_the_stage_is_in_progress_are_errors() {
    let bench = Bench::well();
    bench.set_stage(Some(StageStatus::InProgress)).await;
    let object = bench.drop_for_stage("M-1").await;
    assert!(bench.attempt(&object).await);
    let (ack, responses) = bench.acks().remove(0);
    assert_eq!((ack.as_str(), bench.reserved().len()), ("ERROR", 0));
    assert!(responses.contains(&("r2".into(), "stage already in progress".into())), "{responses:?}");
}

#[tokio::test]
async fn a_stage_that_was_never_seen_is_dacs_to_decide_and_not_yet_is_tried_again() {
    let calls = Mutex::new(0);
    let bench = Bench::new(move |path| {
        let mut calls = calls.lock().unwrap();
        *calls += u32::from(path == RESERVE_DEVICE);
        match (path, *calls) {
            (RESERVE_DEVICE, 1) => (400, json!({ "messageNumber": 20012 })),
            _ => (200, json!({})),
        }
    });
    let object = bench.drop_for_stage("M-1").await;
    assert!(!bench.attempt(&object).await);
    bench.world.clock.advance(Duration::from_secs(300));
    assert!(bench.attempt(&object).await);
    assert_eq!(bench.acks()[0].0, "SUCCESS");
}

#[tokio::test]
async fn a_device_that_dacs_refuses_is_an_error_of_its_record_and_the_others_are_reserved() {
    let refused = json!({ "errors": [
        {"headEndSystem": "HES", "nicId": "n2", "messageNumber": 20021, "message": "no such device"},
        {"headEndSystem": "HES", "nicId": "n1", "messageNumber": 20004, "message": "already reserved for this stage"},
    ]});
    let calls = Mutex::new(0);
    let bench = Bench::new(move |path| {
        let mut calls = calls.lock().unwrap();
        *calls += u32::from(path == RESERVE_DEVICE);
        if (path, *calls) == (RESERVE_DEVICE, 1) { (200, refused.clone()) } else { (200, json!({})) }
    });
    let object = bench.drop_for_stage("M-1").await;
    assert!(bench.attempt(&object).await);
    let (ack, responses) = bench.acks().remove(0);
    assert_eq!((ack.as_str(), responses[0].1.as_str()), ("ERROR", "delivered=2;failed=1"));
    assert!(responses[2].1.contains("20021, no such device"), "{responses:?}");
    assert_eq!(responses[1], ("r1".into(), "DELIVERED".into()));
}

#[tokio::test]
async fn a_file_without_a_stage_is_a_failure_and_nothing_is_reserved() {
    let bench = Bench::well();
    let object = bench.drop_file("M-1", &[("message-id", "M-1")], ROWS).await;
    assert!(bench.attempt(&object).await);
    let (ack, responses) = bench.acks().remove(0);
    assert_eq!((ack.as_str(), responses[0].0.as_str(), bench.reserved().len()), ("FAILURE", "M-1", 0));
    assert!(responses[1].1.contains("stage-id"), "{responses:?}");
}

#[tokio::test]
async fn a_dacs_that_is_not_well_until_the_stage_ends_means_failure_at_that_time_and_nothing_reserved() {
    let bench = Bench::new(|path| if path == "/health" { (503, json!({})) } else { (200, json!({})) });
    let object = bench.drop_for_stage("M-1").await;
    let end: jiff::Timestamp = END.parse().unwrap();
    while !bench.attempt(&object).await {
        bench.world.clock.advance(Duration::from_secs(2400));
    }
    assert!(bench.world.run(NAME, &object).unwrap().ended.unwrap() >= end);
    assert_eq!((bench.acks()[0].0.as_str(), bench.reserved().len()), ("FAILURE", 0));
}

#[tokio::test]
async fn a_second_file_for_a_stage_adds_devices() {
    let bench = Bench::well();
    bench.set_stage(Some(StageStatus::Scheduled)).await;
    for name in ["M-1", "M-2"] {
        let rows = format!("recordId,nicId,headEndSystemId\nr,{name},HES\n");
        let object = bench.drop_file(name, &envelope(name), &rows).await;
        assert!(bench.attempt(&object).await);
    }
    let nics: Vec<Value> = bench.reserved().iter().map(|body| body["deviceList"][0]["nicId"].clone()).collect();
    assert_eq!(nics, ["M-1", "M-2"]);
}

#[tokio::test]
async fn a_file_goes_to_the_dacs_of_its_derms_and_is_acknowledged_to_that() {
    let mut bench = Bench::well();
    let taken = json!({ "errors": [] }).to_string();
    let (dacs, derms) = (Targets::answering(200, taken), Targets::answering(200, "{}"));
    let targets = "name,kind,url,secret,rate\ndacs-north,dacs,https://n.example.com,targets/dacs/n,10\n\
        drms-1,derms,https://nms.example.com,targets/derms/n,10\n";
    let routing = "by,value,target\ndivision,*,derms\ndrmsInstanceId,drms-1,dacs-north\ndrmsInstanceId,*,dacs\n";
    bench.world.objects.put(flow::memory::CONFIG, "lookups/Targets.csv", targets);
    bench.world.objects.put(flow::memory::CONFIG, "lookups/Routing.csv", routing);
    let (world, kit) = (&bench.world, &bench.flow.kit);
    let neighbours = Neighbours {
        dacs: world.targets("dacs", bench.dacs.clone(), &[("dacs-north", dacs.clone())]),
        derms: DermsAcks { derms: world.targets("derms", bench.derms.clone(), &[("drms-1", derms.clone())]) },
        key: ProgramEventKey::Stage,
        calls: (2, 1),
    };
    let to_calls = to_calls(neighbours, (kit.ledger.clone(), kit.clock.clone()), kit.lookups.clone());
    bench.flow.to_calls = to_calls;
    bench.set_stage(Some(StageStatus::Scheduled)).await;
    let object = bench.drop_for_stage("M-1").await;
    assert!(bench.attempt(&object).await);
    let paths: Vec<_> = dacs.calls().into_iter().map(|call| call.path).collect();
    assert!(paths[0] == "/health" && paths.len() == 3, "{paths:?}");
    assert_eq!((bench.dacs.calls().len(), bench.derms.calls().len(), derms.calls().len()), (0, 0, 1));
}
