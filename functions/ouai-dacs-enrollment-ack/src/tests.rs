use domain::sync_request::ExceptionCode;
use flow::memory::{Targets, World};
use flow::ports::{Answer, Payload};
use flow::trigger::{Reply, Trigger};
use serde_json::{Value, json};

use super::*;

const HEADER: &str = "syncRequestId,status,messageCategory,messageNumber,comments";

/// Drops an acknowledgement file; DACS has acknowledged `10000000000009` before, and does not know `10000000000404`.
async fn dropped(rows: &str) -> (World, Targets, Run) {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let dacs = Targets::new(|call| {
        let refused = |number: u32| (400, json!({ "messageNumber": number }).to_string());
        let (status, body) = match call.path.rsplit('/').next() {
            Some("10000000000009") => refused(20001),
            Some("10000000000404") => refused(20023),
            _ => (200, String::new()),
        };
        Ok(Answer { status, retry_after: None, body: body.into() })
    });
    let lookups = world.lookups(NAME, LOOKUPS);
    let acks = SyncRequestAcks {
        dacs: world.target("dacs", dacs.clone()),
        release: "25.4".parse().unwrap(),
        exception: ExceptionCode::new(90_000, 1).unwrap(),
        lookups,
    };
    let mut kit = world.file_kit(NAME, LOOKUPS);
    kit.in_order = false;
    let flow = Flow { kit, to_calls: to_calls(acks, 4) };
    let object = world.objects.put("ouai-outbox", "enrollment-ack/ACK_1.csv", format!("{HEADER}\n{rows}"));
    let trigger = Trigger::Queue(vec![world.notification(&object)]);
    let reply = flow.handle(trigger, world.invocation("one")).await.unwrap();
    assert_eq!(reply, Reply::Batch { failed: vec![] });
    let run = world.run(NAME, &object).unwrap();
    (world, dacs, run)
}

#[tokio::test]
async fn each_record_is_one_call_and_a_negative_one_carries_its_exception_or_the_configured_one() {
    let rows = "10000000000001,SUCCESS,,,\n10000000000002,ERROR,7,42,no meter\n10000000000003,ERROR,,,no meter\n";
    let (_, dacs, run) = dropped(rows).await;
    assert_eq!((run.counts.rows, run.counts.delivered), (3, 3));
    let mut bodies: Vec<Value> = Vec::new();
    for call in dacs.calls() {
        let Payload::Json(body) = &call.payload else { panic!("no JSON") };
        bodies.push(serde_json::from_slice(body).unwrap());
    }
    bodies.sort_by_key(|body| body["syncRequestId"].to_string());
    assert_eq!(bodies[0], json!({"hasError": false, "syncRequestId": "10000000000001"}));
    let number = |body: &Value| body["exceptionInfo"][0]["messageNumber"].clone();
    assert_eq!((number(&bodies[1]), number(&bodies[2])), (json!(42), json!(1)));
}

#[tokio::test]
async fn one_that_was_acknowledged_before_is_done_and_one_that_dacs_refuses_is_in_the_reject_file() {
    let (world, _, run) = dropped("10000000000009,SUCCESS,,,\n10000000000404,SUCCESS,,,\n,SUCCESS,,,\n").await;
    assert_eq!((run.counts.delivered, run.counts.rejected), (1, 2));
    let key = world.objects.keys("rejects").into_iter().find(|key| key.ends_with("reasons.csv")).unwrap();
    let reasons = String::from_utf8(world.objects.bytes("rejects", &key).unwrap().to_vec()).unwrap();
    assert!(reasons.contains("3,,\"DACS answered 400, message number 20023\""), "{reasons}");
    assert!(reasons.contains("4,syncRequestId,"), "{reasons}");
}

#[tokio::test]
async fn the_sync_requests_that_dacs_has_heard_of_are_listed_the_negative_ones_too() {
    let rows = "10000000000001,SUCCESS,,,\n10000000000002,ERROR,7,42,no meter\n10000000000009,SUCCESS,,,\n10000000000404,SUCCESS,,,\n";
    let (world, ..) = dropped(rows).await;
    let lists: Vec<_> = world.objects.keys("rejects").into_iter().filter(|key| key.contains("/ids/")).collect();
    let listed = world.objects.bytes("rejects", &lists[0]).unwrap().to_vec();
    let mut listed: Vec<_> = String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect();
    listed.sort();
    assert_eq!(
        (lists.len(), listed),
        (1, ["10000000000001", "10000000000002", "10000000000009"].map(Into::into).into())
    );
    assert_eq!(world.open(NAME), [], "nobody answers an answer");
}
