use std::time::Duration;

use domain::stage::{StageStatus, Terms};
use flow::ledger::run::Run;
use flow::ledger::stage::Stage;
use flow::memory::{Targets, World};
use flow::ports::{Answer, ObjectRef, Payload, Write};
use flow::trigger::{Reply, Trigger};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;

const HEADER: &str = "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,\
servicePointId,headEndSystemId,nicId,outcome,errorMessage,participationStartDateTime,participationEndDateTime\n";
const TIMES: &str = "2026-07-01T18:00:00Z,2026-07-01T20:00:00Z";

/// One row: record `record`, device `nic` in `stage`.
fn row(record: &str, stage: &str, nic: &str, outcome: &str) -> String {
    let (message, took_part) = match outcome {
        "SUCCESS" => ("", TIMES),
        _ => ("no answer", ","),
    };
    format!("{record},E-1,ECONOMIC,{stage},{TIMES},4711,SUMMER,SP-1,HES,{nic},{outcome},{message},{took_part}\n")
}

struct Bench {
    world: World,
    dacs: Targets,
    derms: Targets,
    flow: Flow,
}

impl Bench {
    fn new(dacs: Targets) -> Self {
        let world = World::new("2026-07-01T21:00:00Z".parse().unwrap());
        let derms = Targets::answering(200, "{}");
        let mut kit = world.file_kit(NAME, LOOKUPS);
        kit.in_order = false;
        let neighbours = Neighbours {
            dacs: world.target("dacs", dacs.clone()),
            derms: DermsAcks { derms: world.target("derms", derms.clone()) },
            key: ProgramEventKey::Stage,
            calls: (500, 1),
        };
        let gate =
            FinalStage { ledger: kit.ledger.clone(), clock: kit.clock.clone(), limit: SignedDuration::from_hours(24) };
        let to_calls = to_calls(neighbours, gate, kit.lookups.clone());
        Self { world, dacs, derms, flow: Flow { kit, to_calls } }
    }

    fn drop_file(&self, rows: &str) -> ObjectRef {
        self.world.objects.put("outbox", "device-outcome/day.csv", format!("{HEADER}{rows}"))
    }

    /// One attempt; whether the run is settled.
    async fn attempt(&self, object: &ObjectRef) -> bool {
        let trigger = Trigger::Queue(vec![self.world.notification(object)]);
        let reply = self.flow.handle(trigger, self.world.invocation("one")).await.unwrap();
        matches!(reply, Reply::Batch { failed } if failed.is_empty())
    }

    async fn set_stage(&self, stage: &str, applied: StageStatus) {
        let terms = Terms {
            program_code: "SUMMER".parse().unwrap(),
            category: "X1EC".into(),
            start: "2026-07-01T18:00:00Z".parse().unwrap(),
            end: "2026-07-01T20:00:00Z".parse().unwrap(),
        };
        let mut stage = Stage::new("E-1".parse().unwrap(), stage.parse().unwrap(), terms);
        stage.applied = Some(applied);
        let key = Stage::key(&stage.event_id, &stage.stage_id);
        let ledger = self.world.ledger();
        let seen = ledger.get::<Stage>(&key).await.unwrap().map(|seen| seen.rev);
        ledger.commit(&[Write::put(key, &stage, seen, None).unwrap()]).await.unwrap();
    }

    fn run(&self, object: &ObjectRef) -> Run {
        self.world.run(NAME, object).unwrap()
    }

    /// (stage, NIC ids) of every call.
    fn posted(&self) -> Vec<(String, Vec<String>)> {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let call = |items: Value| {
            let items = items.as_array().unwrap().clone();
            let stages: std::collections::BTreeSet<String> =
                items.iter().map(|item| text(&item["eventExternalIdentifier"])).collect();
            assert_eq!(stages.len(), 1, "a call of several stages");
            (stages.into_iter().next().unwrap(), items.iter().map(|item| text(&item["nicId"])).collect())
        };
        self.dacs.calls().iter().map(|it| call(json_of(&it.payload))).collect()
    }
}

fn json_of(payload: &Payload) -> Value {
    match payload {
        Payload::Json(body) => serde_json::from_slice(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_service_point_with_two_devices_in_two_stages_is_two_records_in_two_calls() {
    let bench = Bench::new(Targets::answering(200, "{}"));
    let rows = [row("r1", "S-1", "n1", "SUCCESS"), row("r2", "S-2", "n2", "NON_RESPONSIVE")].concat();
    let object = bench.drop_file(&rows);
    assert!(bench.attempt(&object).await);
    assert_eq!(bench.run(&object).counts.delivered, 2);
    let mut posted = bench.posted();
    posted.sort();
    assert_eq!(posted, [("S-1".into(), vec!["n1".into()]), ("S-2".into(), vec!["n2".into()])]);
    let ack = json_of(&bench.derms.calls()[0].payload);
    assert_eq!(ack["MsgAck"]["ackType"], "SUCCESS");
    assert_eq!(ack["MsgAck"]["responses"]["response"][2]["id"], "r2");
}

#[tokio::test]
async fn a_call_that_is_refused_spares_the_other_stages_and_names_its_records() {
    let dacs = Targets::new(|call| {
        let body = json_of(&call.payload);
        let (status, body) = match body[0]["eventExternalIdentifier"].as_str() {
            Some("S-1") => (400, json!({ "messageNumber": 20023, "message": "the event is closed" })),
            _ => (200, json!({})),
        };
        Ok(Answer { status, retry_after: None, body: body.to_string().into() })
    });
    let bench = Bench::new(dacs);
    let object = bench.drop_file(&[row("r1", "S-1", "n1", "SUCCESS"), row("r2", "S-2", "n2", "SUCCESS")].concat());
    assert!(bench.attempt(&object).await);
    let counts = bench.run(&object).counts;
    assert_eq!((counts.delivered, counts.rejected), (1, 1));
    let ack = json_of(&bench.derms.calls()[0].payload)["MsgAck"].clone();
    let first = &ack["responses"]["response"][1];
    assert_eq!((ack["ackType"].as_str(), first["id"].as_str()), (Some("ERROR"), Some("r1")));
    assert!(first["value"].as_str().unwrap().contains("20023, the event is closed"), "{first}");
}

#[tokio::test]
async fn a_file_waits_where_it_stands_until_the_next_stage_is_final() {
    let bench = Bench::new(Targets::answering(200, "{}"));
    bench.set_stage("S-1", StageStatus::Completed).await;
    bench.set_stage("S-2", StageStatus::InProgress).await;
    let object = bench.drop_file(&[row("r1", "S-1", "n1", "SUCCESS"), row("r2", "S-2", "n2", "SUCCESS")].concat());
    assert!(!bench.attempt(&object).await);
    assert_eq!(bench.posted(), [("S-1".into(), vec!["n1".into()])]);
    bench.world.clock.advance(Duration::from_secs(3600));
    assert!(!bench.attempt(&object).await);
    bench.set_stage("S-2", StageStatus::Canceled).await;
    bench.world.clock.advance(Duration::from_secs(600));
    assert!(bench.attempt(&object).await);
    assert_eq!((bench.posted().len(), bench.run(&object).counts.delivered), (2, 2));
}

#[tokio::test]
async fn after_a_day_of_waiting_it_is_sent_and_dacs_decides() {
    let bench = Bench::new(Targets::answering(200, "{}"));
    bench.set_stage("S-1", StageStatus::InProgress).await;
    let object = bench.drop_file(&row("r1", "S-1", "n1", "SUCCESS"));
    assert!(!bench.attempt(&object).await);
    bench.world.clock.advance(Duration::from_secs(25 * 3600));
    assert!(bench.attempt(&object).await);
    assert_eq!(bench.posted().len(), 1);
}
