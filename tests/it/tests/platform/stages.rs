//! Stages of events: what the DERMS says of them, in any order, and what becomes of DACS's program events.

use std::sync::Arc;

use aws::{SqsQueue, SystemClock};
use flow::stage::StageDesk;
use serde_json::{Value, json};

use crate::devices::{acknowledged, reserve};
use crate::neighbours::eventually_told;
use crate::support::{MESSAGES, Platform, eventually, unique};

const ROUTE: &str = "/v1/derms/event-status";
const FLOW: &str = "derms-dacs-event-status";

/// A message about stages (id, status) of event `E-<id>`.
fn message(id: &str, number: &str, stages: &[(&str, &str)]) -> Value {
    let stage = |(stage, status): &(&str, &str)| {
        json!({"stageId": format!("{stage}-{id}"), "programCode": "SUMMER-T", "status": status,
            "startDateTime": "2026-07-01T14:00:00-05:00", "endDateTime": "2026-07-01T16:00:00-05:00"})
    };
    json!({"messageId": format!("M-{number}-{id}"), "drmsInstanceId": "DERMS-1", "eventId": format!("E-{id}"),
        "eventType": "RELIABILITY", "stages": stages.iter().map(stage).collect::<Vec<_>>()})
}

async fn send(platform: &Platform, message: &Value) {
    let (status, answer) = platform.post_as("derms", ROUTE, message).await;
    assert_eq!(status, 202, "{answer}");
}

/// The acknowledgement of a message: its type, and `stage=value` of each of its stages.
async fn ack(platform: &Platform, message: &Value) -> (String, Vec<String>) {
    let (kind, responses) = acknowledged(platform, message["messageId"].as_str().unwrap()).await;
    (kind, responses.into_iter().skip(1).map(|(id, value)| format!("{id}={value}")).collect())
}

/// The states that a program event went through, once it is in the last of these.
async fn went_through(platform: &Platform, stage: &str, states: &[&str]) -> Value {
    let what = format!("{stage} is {:?}", states.last());
    let event = eventually(&what, 60, async || {
        let event = platform.books("dacs").await["programEvents"][stage].clone();
        (event["state"].as_str() == states.last().copied()).then_some(event)
    });
    let event = event.await;
    let history: Vec<_> = event["history"].as_array().unwrap().iter().map(|entry| entry["state"].clone()).collect();
    assert_eq!(history, states, "{stage}");
    event
}

/// The statuses of a stage that runs, in order.
const LIFE: [&str; 3] = ["SCHEDULED", "IN_PROGRESS", "COMPLETED"];

#[tokio::test]
async fn a_stage_told_backwards_and_twice_goes_through_its_life_once_and_in_order() {
    let _with_others = MESSAGES.read().await;
    let (platform, id) = (Platform::here().await, unique());
    let messages = ["COMPLETED", "IN_PROGRESS", "SCHEDULED"].map(|status| message(&id, status, &[("S", status)]));
    for message in &messages {
        tokio::join!(send(&platform, message), send(&platform, message));
    }
    let event = went_through(&platform, &format!("S-{id}"), &["Scheduled", "In Progress", "Completed"]).await;
    assert_eq!((&event["calls"], &event["refusals"]), (&json!(3), &json!(0)), "{event}");
    assert_eq!(event["created"]["programExternalIdentifier"], "PRG-SUMMER-T");
    assert_eq!(event["created"]["programEventCategory"], "X1RE");
    // An acknowledgement says what DACS has by then: what its message asked for, or what came after it.
    for (message, later) in messages.iter().zip([&LIFE[2..], &LIFE[1..], &LIFE]) {
        let (code, values) = ack(&platform, message).await;
        let may_be: Vec<_> = later.iter().map(|status| vec![format!("S-{id}={status}")]).collect();
        assert!(code == "SUCCESS" && may_be.contains(&values), "{code} {values:?}");
    }
    let (status, first) = platform.post_as("derms", ROUTE, &messages[2]).await;
    assert_eq!((status, &first["status"]), (200, &json!("DELIVERED")), "the first answer again");
}

#[tokio::test]
async fn a_canceled_event_cancels_its_stages_listed_or_not_and_those_that_come_later() {
    let _with_others = MESSAGES.read().await;
    let (platform, id) = (Platform::here().await, unique());
    let scheduled = message(&id, "1", &[("A", "SCHEDULED"), ("B", "SCHEDULED")]);
    send(&platform, &scheduled).await;
    ack(&platform, &scheduled).await;
    let mut canceled = message(&id, "2", &[("A", "CANCELLED")]);
    canceled["status"] = json!("CANCELED");
    canceled["cancelReason"] = json!("the grid recovered");
    send(&platform, &canceled).await;
    let values = vec![format!("A-{id}=CANCELED"), format!("B-{id}=CANCELED")];
    assert_eq!(ack(&platform, &canceled).await, ("SUCCESS".into(), values));
    let late = message(&id, "3", &[("C", "SCHEDULED")]);
    send(&platform, &late).await;
    assert_eq!(ack(&platform, &late).await, ("SUCCESS".into(), vec![format!("C-{id}=CANCELED")]));
    for stage in ["A", "B", "C"] {
        let event = went_through(&platform, &format!("{stage}-{id}"), &["Scheduled", "Canceled"]).await;
        assert_eq!(event["history"][1]["reason"], "the grid recovered");
    }
}

#[tokio::test]
async fn a_stage_cannot_be_moved_and_one_without_a_program_is_not_for_dacs() {
    let _with_others = MESSAGES.read().await;
    let (platform, id) = (Platform::here().await, unique());
    let mut scheduled = message(&id, "1", &[("A", "SCHEDULED"), ("B", "SCHEDULED")]);
    scheduled["stages"][1]["programCode"] = Value::Null;
    send(&platform, &scheduled).await;
    let values = vec![format!("A-{id}=SCHEDULED"), format!("B-{id}=NO_PROGRAM")];
    assert_eq!(ack(&platform, &scheduled).await, ("SUCCESS".into(), values));
    let mut moved = message(&id, "2", &[("A", "SCHEDULED")]);
    moved["stages"][0]["endDateTime"] = json!("2026-07-01T17:00:00-05:00");
    send(&platform, &moved).await;
    let reason = "the stage is known with other times; cancel it and send a new stage id";
    assert_eq!(ack(&platform, &moved).await, ("ERROR".into(), vec![format!("A-{id}={reason}")]));
    let told = eventually_told(&platform, &format!("M-2-{id}"), 1).await;
    assert!(told[0].topic.ends_with("business") && told[0].text.contains(&format!("E-{id}/A-{id}: {reason}")));
    assert!(platform.books("dacs").await["programEvents"][format!("B-{id}")].is_null());
}

#[tokio::test]
async fn a_status_whose_predecessor_was_lost_goes_to_the_operator_who_supplies_it() {
    let _with_others = MESSAGES.read().await;
    let (platform, id) = (Platform::here().await, unique());
    let early = message(&id, "1", &[("S", "IN PROGRESS")]);
    send(&platform, &early).await;
    let (kind, values) = ack(&platform, &early).await;
    assert_eq!(kind, "ERROR");
    assert!(values[0].starts_with(&format!("S-{id}=IN_PROGRESS came before SCHEDULED")), "{values:?}");
    let desk = StageDesk {
        ledger: platform.ledger.clone(),
        queue: Arc::new(SqsQueue::of_flow(&platform.clients, "local", FLOW)),
        clock: Arc::new(SystemClock),
    };
    let (event, stage) = (format!("E-{id}").parse().unwrap(), format!("S-{id}").parse().unwrap());
    desk.supply_predecessor(&event, &stage).await.unwrap();
    went_through(&platform, &format!("S-{id}"), &["Scheduled", "In Progress"]).await;
}

#[tokio::test]
async fn a_file_of_reserved_devices_waits_for_its_stage_to_be_scheduled() {
    let _with_others = MESSAGES.read().await;
    let (platform, id) = (Platform::here().await, unique());
    reserve(&platform, &id, &format!("r1,a-{id},HES\n")).await;
    let scheduled = message(&id, "1", &[("S", "SCHEDULED")]);
    send(&platform, &scheduled).await;
    ack(&platform, &scheduled).await;
    let (kind, _) = acknowledged(&platform, &format!("M-{id}")).await;
    assert_eq!(kind, "SUCCESS");
    let reserved = platform.books("dacs").await["participations"]["reservations"][format!("S-{id}")].clone();
    assert_eq!(reserved, json!([format!("HES/a-{id}")]));
}

#[tokio::test]
async fn whatever_answers_dacs_loses_each_transition_happens_once() {
    let _alone = MESSAGES.write().await;
    let (platform, id) = (Platform::here().await, unique());
    let path = "/dacs/rest/apis/cross/service/programEvent/";
    let lost = platform.fault(&json!({"path": path, "percent": 50, "fault": {"kind": "dropAnswer"}})).await;
    let messages = ["SCHEDULED", "IN_PROGRESS", "COMPLETED"].map(|status| message(&id, status, &[("S", status)]));
    for message in &messages {
        send(&platform, message).await;
        assert_eq!(ack(&platform, message).await.0, "SUCCESS");
    }
    platform.end_fault(&lost).await;
    let event = went_through(&platform, &format!("S-{id}"), &["Scheduled", "In Progress", "Completed"]).await;
    assert_eq!((&event["effects"], &event["refusals"]), (&json!(3), &json!(0)), "{event}");
}
