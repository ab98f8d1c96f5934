//! Messages of DACS about one device: can it be reached, a customer opts out of a stage, a customer is away.

use serde_json::{Value, json};

use crate::neighbours::eventually_told;
use crate::support::{MESSAGES, Platform, eventually, unique};

const CHECK: &str = "/v1/dacs/device-status-check";
const ANSWER: &str = "/v1/derms/device-status-ack";
const OPT_OUT: &str = "/v1/dacs/event-opt-out";
const UNAVAILABLE: &str = "/v1/dacs/customer-unavailability";

fn check(id: &str) -> Value {
    json!({"sendDetails": {"communicationId": id, "deviceInfo": {
        "division": "NORTH", "headEndSystem": "HES-NORTH", "nicid": format!("nic-{id}"),
    }}})
}

fn opt_out(id: &str) -> Value {
    json!({
        "communicationId": id, "eventExternalIdentifier": format!("E-{id}"), "externalIdentifier": format!("E-{id}-S1"),
        "headEndSystem": "HES-NORTH", "nicId": format!("nic-{id}"), "optOutDateTime": "2026-07-01T09:12:00-05:00",
        "reason": "guests",
    })
}

/// A book of the DERMS of one message, once it has it.
async fn derms_has(platform: &Platform, books: &str, key: &str) -> Value {
    eventually(&format!("the DERMS has {key} among {books}"), 30, async || {
        let found = platform.books("derms").await[books]["messages"][key].clone();
        (!found.is_null()).then_some(found)
    })
    .await
}

/// DACS's answer to a status check, once it is this.
async fn dacs_hears(platform: &Platform, id: &str, status: &str) -> Value {
    eventually(&format!("the check {id} is answered with {status}"), 30, async || {
        let found = platform.books("dacs").await["deviceStatuses"][id].clone();
        (found["status"] == status).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_status_check_is_asked_at_once_and_answered_when_the_derms_knows() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let id = format!("C-{}", unique());
    assert_eq!(platform.post_as("dacs", CHECK, &check(&id)).await.0, 202);
    let asked = derms_has(&platform, "statusChecks", &id).await;
    let wanted = json!({"dacsMessageId": id, "DeviceInfo": {
        "division": "NORTH", "headEndSystem": "HES-NORTH", "nicid": format!("nic-{id}"),
    }});
    assert_eq!(asked["history"][0]["body"], wanted);
    assert!(platform.books("dacs").await["deviceStatuses"][&id].is_null(), "nobody knows yet");
    for status in ["FAILURE", "SUCCESS"] {
        let answer = json!({"dacsMessageId": id, "responseCode": status});
        assert_eq!(platform.post_as("derms", ANSWER, &answer).await.0, 202);
        dacs_hears(&platform, &id, status).await;
    }
    let again = json!({"dacsMessageId": id, "responseCode": "SUCCESS"});
    assert_eq!(platform.post_as("derms", ANSWER, &again).await.0, 200);
    assert_eq!(dacs_hears(&platform, &id, "SUCCESS").await["calls"], 2);
}

#[tokio::test]
async fn a_status_check_that_the_derms_refuses_is_answered_with_failure() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let id = format!("C-{}", unique());
    let text = format!("no device has the NIC id nic-{id}");
    platform.set("derms/answers", &json!({"answer": "error", "text": text, "dacsMessageId": id, "count": 1})).await;
    assert_eq!(platform.post_as("dacs", CHECK, &check(&id)).await.0, 202);
    assert_eq!(dacs_hears(&platform, &id, "FAILURE").await["effects"], 1);
}

#[tokio::test]
async fn an_opt_out_reaches_the_derms_under_event_and_stage_and_a_refused_one_is_a_notification() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let id = format!("C-{}", unique());
    assert_eq!(platform.post_as("dacs", OPT_OUT, &opt_out(&id)).await.0, 202);
    let book = derms_has(&platform, "optOuts", &id).await;
    let wanted = json!({
        "dacsMessageId": id, "eventId": format!("E-{id}"), "stageId": format!("E-{id}-S1"),
        "headEndSystem": "HES-NORTH", "nicId": format!("nic-{id}"), "optOutDateTimeISO": "2026-07-01T14:12:00.000Z",
        "reason": "guests",
    });
    assert_eq!((&book["history"][0]["body"], &book["effects"]), (&wanted, &json!(1)));

    let late = format!("C-{}", unique());
    let text = format!("the cut-off of stage E-{late}-S1 is over");
    platform.set("derms/answers", &json!({"answer": "error", "text": text, "dacsMessageId": late, "count": 1})).await;
    assert_eq!(platform.post_as("dacs", OPT_OUT, &opt_out(&late)).await.0, 202);
    let told = eventually_told(&platform, &text, 1).await;
    assert!(told[0].topic.ends_with("business"), "{told:?}");
}

#[tokio::test]
async fn an_unavailability_and_its_cancellation_reach_the_derms_in_order_though_the_first_had_to_be_retried() {
    let _alone = MESSAGES.write().await;
    let platform = Platform::here().await;
    let id = format!("C-{}", unique());
    let mut message = json!({
        "communicationId": id, "unavailabilityId": format!("U-{id}"), "action": "ADD", "headEndSystem": "HES-NORTH",
        "nicId": format!("nic-{id}"), "startDateTime": "2026-07-10T00:00:00-05:00",
        "endDateTime": "2026-07-20T00:00:00-05:00",
    });
    let fault = json!({"path": "/derms/device_unavailability", "count": 5, "fault": {"kind": "down"}});
    let fault = platform.fault(&fault).await;
    assert_eq!(platform.post_as("dacs", UNAVAILABLE, &message).await.0, 202);
    message["action"] = json!("CANCEL");
    assert_eq!(
        platform.post_as("dacs", UNAVAILABLE, &message).await.0,
        202,
        "another message of the same communication"
    );
    let canceled = derms_has(&platform, "unavailabilities", &format!("{id}#CANCEL")).await;
    let added = derms_has(&platform, "unavailabilities", &format!("{id}#ADD")).await;
    platform.end_fault(&fault).await;
    assert!(added["history"][0]["order"].as_u64() < canceled["history"][0]["order"].as_u64(), "{added} {canceled}");
    let latest = platform.books("derms").await["unavailabilities"]["latest"][format!("U-{id}")]["body"].clone();
    assert_eq!((&latest["action"], &latest["endDateTimeISO"]), (&json!("CANCEL"), &json!("2026-07-20T05:00:00.000Z")));
}
