//! DACS's sync requests as contracts.md §4 and §9 have them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod neighbours;

use neighbours::{named, start};
use sandbox::Release;
use serde_json::{Value, json};

fn success(id: &str) -> Value {
    json!({"hasError": false, "syncRequestId": id})
}

fn failure(id: &str, comments: &str) -> Value {
    json!({"hasError": true, "syncRequestId": id, "exceptionInfo": [
        {"messageCategory": 11000, "messageNumber": 30001, "comments": comments, "sequence": 1}
    ]})
}

#[tokio::test]
async fn an_acknowledgement_without_exceptions_synchronizes() {
    let it = start().await;
    it.control("dacs/sync-requests", &json!({"ids": ["SR-1"]})).await;
    assert_eq!(it.books("dacs").await["syncRequests"]["SR-1"]["state"], "sent");
    assert_eq!(it.patch("SR-1", &success("SR-1")).await.0, 200);
    let books = it.books("dacs").await;
    assert_eq!(books["syncRequests"]["SR-1"]["state"], "Synchronized");
    assert_eq!(books["effects"], 1);
}

#[tokio::test]
async fn a_synchronized_request_is_not_acknowledged_again() {
    let it = start().await;
    it.control("dacs/sync-requests", &json!({"ids": ["SR-1"]})).await;
    it.patch("SR-1", &success("SR-1")).await;
    let (status, problem) = it.patch("SR-1", &success("SR-1")).await;
    assert_eq!(status, 400);
    assert_eq!(problem["messageNumber"], 20001);
    assert_eq!(problem["status"], 400);
    assert_eq!(problem["instance"], "/dacs/rest/apis/common/sync/syncRequest/SR-1");
    let books = &it.books("dacs").await["syncRequests"]["SR-1"];
    assert_eq!(books["effects"], 1);
    assert_eq!(books["calls"], 2);
    assert_eq!(books["refusals"], 1);
}

#[tokio::test]
async fn after_an_error_a_later_acknowledgement_may_synchronize() {
    let it = start().await;
    it.control("dacs/sync-requests", &json!({"ids": ["SR-1"]})).await;
    for expected in [200, 200] {
        let (status, _) = it.patch("SR-1", &failure("SR-1", "unknown device")).await;
        assert_eq!(status, expected);
    }
    let books = &it.books("dacs").await["syncRequests"]["SR-1"];
    assert_eq!(books["state"], "Error");
    assert_eq!((&books["effects"], &books["repeats"]), (&json!(1), &json!(1)));
    assert_eq!(it.patch("SR-1", &success("SR-1")).await.0, 200);
    let books = &it.books("dacs").await["syncRequests"]["SR-1"];
    assert_eq!(books["state"], "Synchronized");
    let states: Vec<_> =
        books["history"].as_array().unwrap().iter().map(|entry| entry["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["sent", "Error", "Synchronized"]);
}

#[tokio::test]
async fn a_request_that_was_not_sent_is_not_acknowledged_yet() {
    let it = start().await;
    it.control("dacs/sync-requests", &json!({"ids": ["SR-1"], "state": "Pending"})).await;
    let (status, problem) = it.patch("SR-1", &success("SR-1")).await;
    assert_eq!((status, &problem["messageNumber"]), (400, &json!(20013)));
}

#[tokio::test]
async fn an_unknown_request_is_refused_unless_dacs_was_told_otherwise() {
    let it = start().await;
    let (status, problem) = it.patch("SR-9", &success("SR-9")).await;
    assert_eq!((status, &problem["messageNumber"]), (400, &json!(20023)));
    assert_eq!(it.books("dacs").await["effects"], 0);
    it.set("dacs", &json!({"createUnknownSyncRequests": true})).await;
    assert_eq!(it.patch("SR-9", &success("SR-9")).await.0, 200);
}

#[tokio::test]
async fn every_field_that_breaks_the_contract_is_named() {
    let it = start().await;
    it.control("dacs/sync-requests", &json!({"ids": ["SR-1"]})).await;
    let exception = |comments: &str, number: i64| json!({"messageCategory": 1, "messageNumber": number, "comments": comments, "sequence": 1});
    let long = "x".repeat(255);
    let cases = [
        (json!({"syncRequestId": "SR-1"}), "hasError"),
        (json!({"hasError": "false", "syncRequestId": "SR-1"}), "hasError"),
        (json!({"hasError": false}), "syncRequestId"),
        (json!({"hasError": false, "syncRequestId": "SR-2"}), "syncRequestId"),
        (json!({"hasError": false, "syncRequestId": "SR-1", "extra": 1}), "extra"),
        (json!({"hasError": true, "syncRequestId": "SR-1"}), "hasError"),
        (json!({"hasError": false, "syncRequestId": "SR-1", "exceptionInfo": [exception("a", 1)]}), "hasError"),
        (
            json!({"hasError": true, "syncRequestId": "SR-1", "exceptionInfo": [exception(&long, 1)]}),
            "exceptionInfo[0].comments",
        ),
        (
            json!({"hasError": true, "syncRequestId": "SR-1", "exceptionInfo": [exception("a", 100_000)]}),
            "exceptionInfo[0].messageNumber",
        ),
        (
            json!({"hasError": true, "syncRequestId": "SR-1", "exceptionInfo": [exception("a", 1), exception("b", 1)]}),
            "exceptionInfo[1].sequence",
        ),
        (
            json!({"hasError": false, "syncRequestId": "SR-1", "externalIds": [{"entity": "E"}]}),
            "externalIds[0].externalPk1",
        ),
        (json!([]), "(message)"),
    ];
    for (body, field) in cases {
        let (status, problem) = it.patch("SR-1", &body).await;
        assert_eq!((status, &problem["messageNumber"]), (400, &json!(20023)));
        assert!(named(&problem).contains(&field), "{body}: {problem}");
    }
    assert_eq!(it.books("dacs").await["effects"], 0);
}

#[tokio::test]
async fn an_acknowledgement_with_devices_keeps_their_registration() {
    let it = start().await;
    it.control("dacs/sync-requests", &json!({"ids": ["SR-1"]})).await;
    let body = json!({"syncRequestId": "SR-1", "hasError": false, "deviceHeadendStatus": [
        {"deviceId": "D-1", "headEndRegistration": "D1RE"},
        {"deviceId": "D-2", "headEndRegistration": "D1NR", "message": "no answer"},
    ]});
    assert_eq!(it.post_acknowledgement(&body).await.0, 200);
    let books = it.books("dacs").await;
    assert_eq!(books["registrations"], json!({"D-1": "D1RE", "D-2": "D1NR"}));
    assert_eq!(books["syncRequests"]["SR-1"]["state"], "Synchronized");
    let wrong = json!({"syncRequestId": "SR-1", "hasError": false, "deviceHeadendStatus": [
        {"deviceId": "D-12345678901", "headEndRegistration": "REGISTERED"},
    ]});
    let (status, problem) = it.post_acknowledgement(&wrong).await;
    assert_eq!(status, 400);
    assert_eq!(named(&problem), ["deviceHeadendStatus[0].deviceId", "deviceHeadendStatus[0].headEndRegistration"]);
}

#[tokio::test]
async fn an_older_dacs_has_no_acknowledgement_with_devices() {
    let it = neighbours::start_with(sandbox::Config { dacs_release: Release(25, 4), ..neighbours::config() }).await;
    let body = json!({"syncRequestId": "SR-1", "hasError": false});
    assert_eq!(it.post_acknowledgement(&body).await.0, 404);
    it.set("dacs", &json!({"release": "25.10"})).await;
    it.control("dacs/sync-requests", &json!({"ids": ["SR-1"]})).await;
    assert_eq!(it.post_acknowledgement(&body).await.0, 200);
}
