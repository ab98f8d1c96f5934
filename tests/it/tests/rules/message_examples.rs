//! Every message example goes through its real door: refused with exactly the faults that `expected.csv` lists, or
//! accepted, queued and brought to its target.

use std::collections::BTreeSet;

use domain::json::Problem;
use flow::ports::Call;
use flow::trigger::HttpReply;
use it::examples::{self, Example};
use it::repo;
use serde_json::{Value, json};

use crate::message_world::{Door, FLOWS, body};

/// Pointer and reason of every fault of a problem document.
fn faults(reply: &HttpReply) -> BTreeSet<(String, String)> {
    let problem: Value = serde_json::from_str(&reply.body).unwrap();
    let errors = problem["errors"].as_array().unwrap().iter();
    errors.map(|fault| (fault["pointer"].as_str().unwrap().into(), fault["reason"].as_str().unwrap().into())).collect()
}

#[test]
fn every_message_flow_is_held_by_its_examples() {
    let messages = |flow: &String| repo::entries(format!("events/{flow}")).contains("schema.json");
    let flows: BTreeSet<_> = repo::flows().into_iter().filter(messages).collect();
    assert_eq!(FLOWS.iter().map(|flow| flow.name.to_owned()).collect::<BTreeSet<_>>(), flows);
}

#[tokio::test]
async fn every_invalid_message_is_answered_400_with_each_fault_and_leaves_nothing_behind() {
    for door in FLOWS.iter().map(|flow| Door::new(flow.name)) {
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
    for flow in FLOWS.iter().filter(|flow| flow.name != derms_dacs_enrollment_request::NAME) {
        for Example { name, bytes } in examples::of(flow.name) {
            if !name.starts_with("valid-") {
                continue;
            }
            let door = Door::new(flow.name);
            let message: Value = serde_json::from_slice(&bytes).unwrap();
            let id = message.pointer(flow.id).unwrap();
            assert_eq!(door.post(bytes).await.status, 202, "{}/{name}", flow.name);
            let (derms, dacs) = door.work().await;
            for (calls, place) in [(derms, flow.derms), (dacs, flow.dacs)] {
                if flow.name == derms_dacs_event_status::NAME && place.is_none() {
                    continue;
                }
                let seen: Vec<_> = calls.iter().map(|call| found(call, place)).collect();
                let wanted: Vec<_> = place.map(|_| id.clone()).into_iter().collect();
                assert_eq!(seen, wanted, "{}/{name}: {:?}", flow.name, door.world.notices.all());
            }
        }
    }
}

#[tokio::test]
async fn every_stage_of_a_valid_event_status_reaches_dacs() {
    let flow = derms_dacs_event_status::NAME;
    for Example { name, bytes } in examples::of(flow).into_iter().filter(|it| it.name.starts_with("valid-")) {
        let door = Door::new(flow);
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(door.post(bytes).await.status, 202, "{name}");
        let (_, dacs) = door.work().await;
        let told: BTreeSet<String> = dacs.iter().map(|call| body(call)["externalIdentifier"].to_string()).collect();
        let stages = message["stages"].as_array().unwrap().iter().filter(|stage| stage["programCode"].is_string());
        assert_eq!(told, stages.map(|stage| stage["stageId"].to_string()).collect(), "{name}");
    }
}

#[tokio::test]
async fn every_request_of_a_valid_list_reaches_dacs_and_is_answered_at_once_in_its_place() {
    let flow = derms_dacs_enrollment_request::NAME;
    for Example { name, bytes } in examples::of(flow).into_iter().filter(|it| it.name.starts_with("valid-")) {
        let door = Door::new(flow);
        let list: Value = serde_json::from_slice(&bytes).unwrap();
        let wanted: Vec<_> = list.as_array().unwrap().iter().map(|request| request["messageId"].clone()).collect();
        let reply = door.post(bytes).await;
        let answer: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((reply.status, &answer["MsgAck"]["ackType"]), (200, &json!("SUCCESS")), "{name}: {answer}");
        let responses = answer["MsgAck"]["responses"]["response"].as_array().unwrap();
        assert_eq!(responses.iter().skip(1).map(|it| it["id"].clone()).collect::<Vec<_>>(), wanted, "{name}");
        let (derms, dacs) = door.work().await;
        assert_eq!(dacs.iter().map(|call| body(call)["transactionId"].clone()).collect::<Vec<_>>(), wanted, "{name}");
        assert!(derms.is_empty(), "{name}");
    }
}

fn found(call: &Call, place: Option<&str>) -> Value {
    place.and_then(|place| body(call).pointer(place).cloned()).unwrap_or_else(|| panic!("{call:?}"))
}

#[tokio::test]
async fn a_message_over_the_limit_is_answered_413_and_leaves_nothing_behind() {
    for door in FLOWS.iter().map(|flow| Door::new(flow.name)) {
        let valid = examples::of(door.name).into_iter().find(|example| example.name.starts_with("valid-")).unwrap();
        let mut message: Value = serde_json::from_slice(&valid.bytes).unwrap();
        let padded = if message.is_array() { &mut message[0] } else { &mut message };
        padded["padding"] = json!("x".repeat(domain::json::BODY_LIMIT));
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
