//! Enrollments and acknowledgements whose neighbours are down, busy, strange, or have no business with them.

use serde_json::json;

use crate::messages::{ACK, SYNC, Sent, becomes, derms_answers, message, send, sync_request};
use crate::neighbours::eventually_told;
use crate::support::{MESSAGES, Platform, sync_request_id, unique};

#[tokio::test]
async fn neighbours_that_are_down_busy_or_lose_their_answers_get_each_message_all_the_same_and_once() {
    let _alone = MESSAGES.write().await;
    let platform = Platform::here().await;
    for rule in [
        json!({"path": "/derms/enroll", "count": 6, "fault": {"kind": "down"}}),
        json!({"path": "/derms/enroll", "count": 1, "fault": {"kind": "error", "status": 429, "retryAfterSeconds": 2}}),
        json!({"path": "/derms/enroll", "count": 1, "fault": {"kind": "dropAnswer"}}),
        json!({"system": "dacs", "count": 5, "fault": {"kind": "error", "status": 503}}),
        json!({"system": "dacs", "count": 1, "fault": {"kind": "dropAnswer"}}),
    ] {
        let sent = Sent::of("valid-enroll-two-devices.json");
        let fault = platform.fault(&rule).await;
        assert_eq!(send(&platform, &sent).await.0, 202);
        becomes(&platform, &sent.id, "Synchronized", 60).await;
        platform.end_fault(&fault).await;
        let book = message(&platform, &sent.id).await;
        assert_eq!(book["effects"], 1, "{rule}: {book}");
        let request = sync_request(&platform, &sent.id).await;
        assert_eq!(request["effects"], 1, "{rule}: {request}");
    }
}

#[tokio::test]
async fn a_revoked_credential_is_renewed_once_and_the_message_goes_on() {
    let _alone = MESSAGES.write().await;
    let platform = Platform::here().await;
    let warm = Sent::of("valid-enroll-two-devices.json");
    assert_eq!(send(&platform, &warm).await.0, 202);
    becomes(&platform, &warm.id, "Synchronized", 30).await;
    let tokens =
        async || platform.books("requests").await["oauth"]["byRoute"]["POST /oauth/token"]["200"].as_u64().unwrap_or(0);
    let before = tokens().await;
    platform.set("oauth/revoke", &json!({})).await;
    let sent = Sent::of("valid-enroll-two-devices.json");
    assert_eq!(send(&platform, &sent).await.0, 202);
    becomes(&platform, &sent.id, "Synchronized", 30).await;
    assert_eq!(tokens().await - before, 1, "one new token");
    assert_eq!(sync_request(&platform, &sent.id).await["calls"], 1, "DACS let the call in once");
}

#[tokio::test]
async fn an_unfinished_message_is_taken_again_with_the_same_body_and_refused_with_another() {
    let _alone = MESSAGES.write().await;
    let platform = Platform::here().await;
    let fault = platform.fault(&json!({"path": "/derms/enroll", "fault": {"kind": "error", "status": 503}})).await;
    let sent = Sent::of("valid-enroll-two-devices.json");
    assert_eq!(send(&platform, &sent).await.0, 202);
    for _ in 0..2 {
        assert_eq!(platform.post_as("dacs", SYNC, &sent.body).await.0, 202);
    }
    let mut other = sent.body.clone();
    other["sendDetails"]["locationInfo"]["division"] = json!("SOUTH");
    assert_eq!(platform.post_as("dacs", SYNC, &other).await.0, 422);
    platform.end_fault(&fault).await;
    becomes(&platform, &sent.id, "Synchronized", 60).await;
    let book = message(&platform, &sent.id).await;
    assert_eq!(
        (&book["effects"], &book["history"][0]["body"]["locationInfo"]["division"]),
        (&json!(1), &json!("NORTH"))
    );
}

#[tokio::test]
async fn a_failure_of_the_derms_machinery_is_tried_again() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let sent = Sent::of("valid-enroll-two-devices.json");
    derms_answers(&platform, &sent, json!({"answer": "failure", "text": "queue full", "count": 2})).await;
    assert_eq!(send(&platform, &sent).await.0, 202);
    let done = becomes(&platform, &sent.id, "Synchronized", 60).await;
    assert_eq!(done["effects"], 1, "DACS hears of the end only: {done}");
    assert_eq!(message(&platform, &sent.id).await["calls"], 3);
}

#[tokio::test]
async fn a_target_that_refuses_renewed_credentials_is_told_to_technical_recipients_at_once() {
    let _alone = MESSAGES.write().await;
    let platform = Platform::here().await;
    let flow = "derms-dacs-enrollment-ack";
    // An instance tells once; another variable makes a new instance.
    let mut variables = platform.function(flow).await["Environment"]["Variables"].clone();
    variables["TEST"] = json!(unique());
    platform.set_variables(flow, &variables).await;
    let id = sync_request_id();
    platform.set("dacs/sync-requests", &json!({"ids": [id]})).await;
    let rule = json!({"path": "/dacs", "count": 2, "fault": {"kind": "error", "status": 401}});
    let fault = platform.fault(&rule).await;
    let ack = json!({"dacsMessageId": id, "responseCode": "SUCCESS"});
    assert_eq!(platform.post_as("derms", ACK, &ack).await.0, 202);
    becomes(&platform, &id, "Synchronized", 60).await;
    platform.end_fault(&fault).await;
    let told = eventually_told(&platform, "dacs refuses our credentials", 1).await;
    assert!(told[0].topic.ends_with("technical") && told[0].text.contains("401"), "{told:?}");
}

#[tokio::test]
async fn an_acknowledgement_of_a_sync_request_that_dacs_does_not_know_is_somebodys_work() {
    let _alone = MESSAGES.write().await;
    let platform = Platform::here().await;
    let knows = async |all: bool| {
        let setting = json!({"createUnknownSyncRequests": all}).to_string();
        platform.tell(reqwest::Method::PUT, "dacs", setting).await;
    };
    let before = platform.books("dacs").await["createUnknownSyncRequests"] == true;
    knows(false).await;
    let id = sync_request_id();
    let ack = json!({"dacsMessageId": id, "responseCode": "SUCCESS"});
    assert_eq!(platform.post_as("derms", ACK, &ack).await.0, 202);
    let told = eventually_told(&platform, &id, 1).await;
    knows(before).await;
    assert!(told[0].topic.ends_with("business") && told[0].text.contains("20023"), "{told:?}");
}
