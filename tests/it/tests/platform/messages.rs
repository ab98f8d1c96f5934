//! Enrollments: from DACS to the DERMS, and the DERMS's answer back to DACS's sync request.

use it::repo;
use serde_json::{Value, json};

use crate::neighbours::eventually_told;
use crate::support::{MESSAGES, Platform, eventually, sync_request_id, unique};

pub const SYNC: &str = "/v1/dacs/enrollment-sync";
pub const ACK: &str = "/v1/derms/enrollment-ack";

/// A message of DACS with ids of its own.
pub struct Sent {
    /// Its sync request.
    pub id: String,
    /// Its subscription.
    pub subscription: String,
    /// Its body.
    pub body: Value,
}

impl Sent {
    /// From an example.
    pub fn of(example: &str) -> Self {
        let text = repo::text(format!("events/dacs-derms-enrollment-sync/examples/{example}"));
        let mut body: Value = serde_json::from_str(&text).unwrap();
        let (id, subscription) = (sync_request_id(), format!("S-{}", unique()));
        body["sendDetails"]["syncRequestId"] = json!(id);
        body["sendDetails"]["subscriptionInfo"]["subscriptionId"] = json!(subscription);
        Self { id, subscription, body }
    }

    /// What the DERMS must be sent: the same content under its own names, times in UTC (contracts.md §5).
    fn enroll(&self) -> Value {
        let mut enroll = derms_names(&self.body["sendDetails"]);
        let id = enroll.as_object_mut().unwrap().remove("syncRequestId").unwrap();
        enroll["dacsMessageId"] = id;
        enroll
    }
}

fn derms_names(node: &Value) -> Value {
    match node {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match name.as_str() {
                "startDateTime" | "endDateTime" => (format!("{name}ISO"), json!(utc(value.as_str().unwrap()))),
                _ => (name.clone(), derms_names(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(derms_names).collect(),
        other => other.clone(),
    }
}

fn utc(time: &str) -> String {
    let instant: jiff::Timestamp = time.parse().unwrap();
    format!("{instant:.3}")
}

/// DACS sends a message: it has a sync request, and posts it.
pub async fn send(platform: &Platform, sent: &Sent) -> (u16, Value) {
    platform.set("dacs/sync-requests", &json!({"ids": [sent.id]})).await;
    platform.post_as("dacs", SYNC, &sent.body).await
}

/// The DERMS is to answer this message so.
pub async fn derms_answers(platform: &Platform, sent: &Sent, mut answer: Value) {
    answer["dacsMessageId"] = json!(sent.id);
    platform.set("derms/answers", &answer).await;
}

/// DACS's sync request.
pub async fn sync_request(platform: &Platform, id: &str) -> Value {
    platform.books("dacs").await["syncRequests"][id].clone()
}

/// Waits until DACS's sync request is in this state.
pub async fn becomes(platform: &Platform, id: &str, state: &str, seconds: u64) -> Value {
    eventually(&format!("sync request {id} is {state}"), seconds, async || {
        let found = sync_request(platform, id).await;
        (found["state"] == state).then_some(found)
    })
    .await
}

/// The DERMS's book of a message.
pub async fn message(platform: &Platform, id: &str) -> Value {
    platform.books("derms").await["messages"][id].clone()
}

async fn derms_has(platform: &Platform, id: &str) -> Value {
    eventually(&format!("the DERMS has {id}"), 30, async || {
        let found = message(platform, id).await;
        (!found.is_null()).then_some(found)
    })
    .await
}

#[tokio::test]
async fn an_enrollment_reaches_the_derms_field_by_field_and_its_positive_answer_synchronizes_it() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    for example in
        ["valid-enroll-two-devices.json", "valid-replacement.json", "valid-unenroll.json", "valid-no-location.json"]
    {
        let sent = Sent::of(example);
        let (status, answer) = send(&platform, &sent).await;
        assert_eq!((status, &answer["messageKey"]), (202, &json!(sent.id)), "{example}: {answer}");
        let done = becomes(&platform, &sent.id, "Synchronized", 30).await;
        assert_eq!(done["history"][1]["body"], json!({"hasError": false, "syncRequestId": sent.id}), "{example}");
        let book = message(&platform, &sent.id).await;
        assert_eq!((&book["calls"], &book["effects"]), (&json!(1), &json!(1)), "{example}");
        let mut seen = book["history"][0]["body"].clone();
        let wanted = sent.enroll();
        // What DACS left out: the action, derived; empty groups; the program's external id, which this stack's lookup lacks.
        complete(&mut seen, &wanted);
        assert_eq!(seen, wanted, "{example}");
    }
}

/// Takes from `seen` what the contract lets the platform add to what was sent.
fn complete(seen: &mut Value, wanted: &Value) {
    if wanted.get("action").is_none() {
        let action = seen.as_object_mut().unwrap().remove("action");
        assert!(action.is_some_and(|action| ["ENROLL", "UNENROLL", "REPLACE"].iter().any(|known| action == *known)));
    }
    let subscription = seen["subscriptionInfo"].as_object_mut().unwrap();
    if wanted["subscriptionInfo"].get("programExternalIdentifier").is_none() {
        subscription.remove("programExternalIdentifier");
    }
    let wanted = &wanted["locationInfo"]["controllableDevices"];
    let devices = seen.get_mut("locationInfo").and_then(|location| location["controllableDevices"].as_array_mut());
    for (n, device) in devices.into_iter().flatten().enumerate() {
        if wanted[n].get("deviceGroups").is_none() && device["deviceGroups"] == json!([]) {
            device.as_object_mut().unwrap().remove("deviceGroups");
        }
    }
    if seen["locationInfo"]["controllableDevices"] == json!([]) && wanted.is_null() {
        seen.as_object_mut().unwrap().remove("locationInfo");
    }
}

/// DACS sends a corrected message again. DACS hears of an error a moment before the platform has written it down; until
/// then the message is unfinished, and its correction refused. And a door may answer 503: whoever sends repeats.
pub async fn resend_corrected(platform: &Platform, body: &Value) {
    eventually("the corrected message is accepted", 30, async || {
        let (status, answer) = platform.post_as("dacs", SYNC, body).await;
        assert!([202, 422, 503].contains(&status), "{status} {answer}");
        (status == 202).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_negative_answer_is_an_error_with_its_reason_and_the_corrected_message_synchronizes_it() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let mut sent = Sent::of("valid-enroll-two-devices.json");
    let text = format!("no feeder is known for {}", sent.id);
    derms_answers(&platform, &sent, json!({"answer": "error", "text": text, "count": 1})).await;
    assert_eq!(send(&platform, &sent).await.0, 202);
    let failed = becomes(&platform, &sent.id, "Error", 30).await;
    let told = &failed["history"][1]["body"];
    assert_eq!((&told["hasError"], &told["exceptionInfo"][0]["comments"]), (&json!(true), &json!(text)));
    let number = (&told["exceptionInfo"][0]["messageCategory"], &told["exceptionInfo"][0]["messageNumber"]);
    assert_eq!(number, (&json!(90_000), &json!(1)));
    assert!(eventually_told(&platform, &sent.id, 1).await[0].topic.ends_with("business"));

    sent.body["sendDetails"]["locationInfo"]["division"] = json!("SOUTH");
    resend_corrected(&platform, &sent.body).await;
    becomes(&platform, &sent.id, "Synchronized", 30).await;
    let book = message(&platform, &sent.id).await;
    assert_eq!(book["history"][1]["body"]["locationInfo"]["division"], "SOUTH");
    let devices = platform.books("derms").await["devices"].clone();
    let own =
        devices.as_array().unwrap().iter().filter(|device| device["subscriptionId"] == sent.subscription.as_str());
    assert!(own.clone().count() == 2 && own.clone().all(|device| device["eligible"] == true), "{devices}");
}

#[tokio::test]
async fn the_same_message_again_is_taken_done_or_refused_by_its_state_and_body() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let mut sent = Sent::of("valid-enroll-two-devices.json");
    assert_eq!(send(&platform, &sent).await.0, 202);
    becomes(&platform, &sent.id, "Synchronized", 30).await;
    let done = eventually("the message is delivered", 10, async || {
        let (status, answer) = platform.post_as("dacs", SYNC, &sent.body).await;
        (status == 200).then_some(answer)
    });
    assert_eq!(done.await, json!({"messageKey": sent.id, "status": "DELIVERED"}));
    let reprinted = sent.body.to_string().replace("\":", "\" : ");
    let token = platform.token("dacs").await;
    assert_eq!(platform.post(SYNC, Some(&token), reprinted).await.0, 200, "printed otherwise, it is the same body");
    sent.body["sendDetails"]["locationInfo"]["division"] = json!("SOUTH");
    let (status, problem) = platform.post_as("dacs", SYNC, &sent.body).await;
    assert_eq!((status, &problem["status"]), (422, &json!(422)));
    assert_eq!(message(&platform, &sent.id).await["effects"], 1);
}

#[tokio::test]
async fn an_answer_that_comes_later_through_the_ack_route_is_taken_once_and_a_positive_one_may_follow_a_negative() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let sent = Sent::of("valid-enroll-two-devices.json");
    derms_answers(&platform, &sent, json!({"answer": "later", "count": 1})).await;
    assert_eq!(send(&platform, &sent).await.0, 202);
    derms_has(&platform, &sent.id).await;
    assert_eq!(sync_request(&platform, &sent.id).await["state"], "sent");

    let text = "head-end did not answer";
    let late = json!({"dacsMessageId": sent.id, "answer": "error", "message": text});
    let negative = platform.set("derms/late-acks", &late).await;
    let negative = body_of(&negative);
    assert_eq!(platform.post_as("derms", ACK, &negative).await.0, 202);
    let failed = becomes(&platform, &sent.id, "Error", 30).await;
    assert_eq!(failed["history"][1]["body"]["exceptionInfo"][0]["comments"], text);

    let positive = json!({"dacsMessageId": sent.id, "responseCode": "SUCCESS"});
    assert_eq!(platform.post_as("derms", ACK, &positive).await.0, 202);
    becomes(&platform, &sent.id, "Synchronized", 30).await;
    let again = eventually("the acknowledgement is done", 10, async || {
        let (status, answer) = platform.post_as("derms", ACK, &positive).await;
        (status == 200).then_some(answer)
    });
    assert_eq!(again.await["status"], "ACKNOWLEDGED");
    assert_eq!(sync_request(&platform, &sent.id).await["effects"], 2, "one negative, one positive");
}

/// The body that the DERMS would post, however the sandbox wraps it.
fn body_of(late: &Value) -> Value {
    let body = late.get("body").unwrap_or(late).clone();
    assert!(body.get("dacsMessageId").is_some(), "{late}");
    body
}

#[tokio::test]
async fn an_acknowledgement_that_dacs_has_taken_already_is_done() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let sent = Sent::of("valid-empty-device-list.json");
    assert_eq!(send(&platform, &sent).await.0, 202);
    becomes(&platform, &sent.id, "Synchronized", 30).await;
    let late = json!({"dacsMessageId": sent.id, "responseCode": "SUCCESS"});
    assert_eq!(platform.post_as("derms", ACK, &late).await.0, 202);
    let done = eventually("the acknowledgement is done", 30, async || {
        let (status, answer) = platform.post_as("derms", ACK, &late).await;
        (status == 200).then_some(answer)
    });
    assert_eq!(done.await["status"], "ALREADY_ACKNOWLEDGED");
    assert_eq!(sync_request(&platform, &sent.id).await["effects"], 1);
}

#[tokio::test]
async fn messages_of_one_subscription_reach_the_derms_in_the_order_in_which_they_were_accepted() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let subscription = format!("S-{}", unique());
    let mut ids = Vec::new();
    for example in ["valid-enroll-two-devices.json", "valid-replacement.json", "valid-unenroll.json"] {
        let mut sent = Sent::of(example);
        sent.body["sendDetails"]["subscriptionInfo"]["subscriptionId"] = json!(subscription);
        assert_eq!(send(&platform, &sent).await.0, 202);
        ids.push(sent.id);
    }
    let mut orders = Vec::new();
    for id in &ids {
        becomes(&platform, id, "Synchronized", 60).await;
        orders.push(message(&platform, id).await["history"][0]["order"].as_u64().unwrap());
    }
    assert!(orders.is_sorted(), "{orders:?}");
    assert_eq!(platform.books("derms").await["subscriptions"][&subscription]["status"], "INACTIVE");
}

#[tokio::test]
async fn registrations_go_device_by_device_from_release_25_10_on_and_as_exceptions_before() {
    let _alone = MESSAGES.write().await;
    let platform = Platform::here().await;
    let flow = "derms-dacs-enrollment-ack";
    let before = platform.function(flow).await["Environment"]["Variables"].clone();
    let mut newer = before.clone();
    newer["DACS_RELEASE"] = json!("25.10");
    for (variables, call) in [(&before, "PATCH"), (&newer, "postAcknowledgement")] {
        platform.set_variables(flow, variables).await;
        dacs_is_of(&platform, variables["DACS_RELEASE"].as_str().unwrap()).await;
        let id = sync_request_id();
        platform.set("dacs/sync-requests", &json!({"ids": [id]})).await;
        let device = |n: u32| format!("D{}{n}", unique());
        let (taken, failed) = (device(1), device(2));
        let ack = json!({"dacsMessageId": id, "responseCode": "ERROR", "message": "one of two", "devices": [
            {"deviceId": taken, "registration": "REGISTERED"},
            {"deviceId": failed, "registration": "NOT_REGISTERED", "message": "serial number unknown"},
        ]});
        assert_eq!(platform.post_as("derms", ACK, &ack).await.0, 202);
        let told = becomes(&platform, &id, "Error", 30).await;
        let step = &told["history"][1];
        assert!(step["call"].as_str().unwrap().contains(call), "{step}");
        if call == "PATCH" {
            assert!(step["body"].get("deviceHeadendStatus").is_none());
            assert!(step["body"]["exceptionInfo"].to_string().contains(&failed), "{step}");
        } else {
            assert_eq!(
                step["body"]["deviceHeadendStatus"],
                json!([
                    {"deviceId": taken, "headEndRegistration": "D1RE"},
                    {"deviceId": failed, "headEndRegistration": "D1NR", "message": "serial number unknown"},
                ])
            );
            let books = platform.books("dacs").await["registrations"].clone();
            assert!(books.to_string().contains(&failed), "{books}");
        }
    }
    platform.set_variables(flow, &before).await;
    dacs_is_of(&platform, before["DACS_RELEASE"].as_str().unwrap()).await;
}

/// The sandbox's DACS is of this release from now on.
async fn dacs_is_of(platform: &Platform, release: &str) {
    platform.tell(reqwest::Method::PUT, "dacs", json!({ "release": release }).to_string()).await;
}

#[tokio::test]
async fn a_body_over_100_kilobytes_reaches_the_derms() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let mut sent = Sent::of("valid-enroll-two-devices.json");
    sent.body["notForUs"] = json!("x".repeat(300 * 1024));
    assert_eq!(send(&platform, &sent).await.0, 202);
    becomes(&platform, &sent.id, "Synchronized", 30).await;
}
