//! Credentials, and faults on demand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod neighbours;

use neighbours::{Neighbours, read, start, start_with};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn statuses(it: &Neighbours, calls: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..calls {
        let answer = it.health().await;
        statuses.push(answer.map_or(0, |answer| answer.status().as_u16()));
    }
    statuses
}

async fn made(it: &Neighbours) {
    it.control("dacs/sync-requests", &json!({"ids": ["SR-1"]})).await;
}

async fn try_patch(it: &Neighbours) -> reqwest::Result<reqwest::Response> {
    let path = it.url("/dacs/rest/apis/common/sync/syncRequest/SR-1");
    let body = json!({"hasError": false, "syncRequestId": "SR-1"});
    it.as_dacs(it.http.patch(path).json(&body)).send().await
}

async fn sync_request(it: &Neighbours) -> Value {
    it.books("dacs").await["syncRequests"]["SR-1"].clone()
}

#[tokio::test]
async fn dacs_takes_only_a_token_and_derms_only_basic() {
    let it = start().await;
    let dacs = it.http.get(it.url("/dacs/health"));
    let answer = dacs.basic_auth("platform", Some("password")).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 401);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer"));
    let derms = it.http.post(it.url("/derms/enroll")).json(&json!({}));
    let (status, problem) = read(it.as_dacs(derms).send().await.unwrap()).await;
    assert_eq!((status, &problem["status"]), (401, &json!(401)));
    assert_eq!(it.health().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_token_is_given_for_good_credentials_only() {
    let it = start().await;
    let ask = |form: &'static [(&'static str, &'static str)]| {
        let call = it.http.post(it.url("/oauth/token")).form(form);
        async { read(call.send().await.unwrap()).await }
    };
    let good = [("grant_type", "client_credentials"), ("client_id", "platform"), ("client_secret", "client-secret")];
    let call = it.http.post(it.url("/oauth/token")).form(&good);
    let (status, body) = read(call.send().await.unwrap()).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")));
    let (status, body) =
        ask(&[("grant_type", "client_credentials"), ("client_id", "platform"), ("client_secret", "guess")]).await;
    assert_eq!((status, body), (401, json!({"error": "invalid_client"})));
    let (status, _) = ask(&[("grant_type", "password")]).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_revoked_or_expired_token_is_refused_until_it_is_renewed() {
    let mut it = start().await;
    let revoked = it.control("oauth/revoke", &json!({})).await;
    assert_eq!(revoked, json!({"revoked": 1}));
    assert_eq!(statuses(&it, 1).await, [401]);
    it.renew().await;
    assert_eq!(statuses(&it, 1).await, [200]);
    let mut it = start_with(sandbox::Config { token_seconds: 0, ..neighbours::config() }).await;
    assert_eq!(statuses(&it, 1).await, [401]);
    it.set("oauth", &json!({"tokenSeconds": 60})).await;
    it.renew().await;
    assert_eq!(statuses(&it, 1).await, [200]);
}

#[tokio::test]
async fn an_error_hits_the_next_calls_of_its_scope_only() {
    let it = start().await;
    let fault = json!({"system": "dacs", "path": "/dacs/health", "skip": 1, "count": 2,
        "fault": {"kind": "error", "status": 503, "retryAfterSeconds": 7}});
    it.fault(&fault).await;
    assert_eq!(statuses(&it, 4).await, [200, 503, 503, 200]);
    let other = json!({"system": "derms", "fault": {"kind": "down"}});
    it.fault(&other).await;
    assert_eq!(statuses(&it, 1).await, [200]);
}

#[tokio::test]
async fn the_same_seed_draws_the_same_errors() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let it = start().await;
        let fault = json!({"percent": 40, "system": "dacs", "fault": {"kind": "error", "status": 500}});
        it.fault(&fault).await;
        runs.push(statuses(&it, 50).await);
    }
    assert_eq!(runs[0], runs[1]);
    let failed = runs[0].iter().filter(|status| **status == 500).count();
    assert!((10..=30).contains(&failed), "{failed}");
}

#[tokio::test]
async fn a_system_that_is_down_answers_nothing_and_does_nothing() {
    let it = start().await;
    made(&it).await;
    it.fault(&json!({"system": "dacs", "count": 1, "fault": {"kind": "down"}})).await;
    assert!(try_patch(&it).await.is_err());
    assert_eq!(sync_request(&it).await["state"], "sent");
    assert_eq!(try_patch(&it).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_dropped_answer_is_lost_after_the_act() {
    let it = start().await;
    made(&it).await;
    it.fault(&json!({"system": "dacs", "count": 1, "fault": {"kind": "dropAnswer"}})).await;
    assert!(try_patch(&it).await.is_err());
    assert_eq!(sync_request(&it).await["state"], "Synchronized");
    assert_eq!(try_patch(&it).await.unwrap().status(), 400);
    let routes = it.books("requests").await["dacs"]["byRoute"].clone();
    assert_eq!(routes["PATCH /dacs/rest/apis/common/sync/syncRequest/{id}"], json!({"200 dropped": 1, "400": 1}));
}

#[tokio::test]
async fn a_partial_answer_breaks_off_after_the_act() {
    let it = start().await;
    made(&it).await;
    it.fault(&json!({"system": "dacs", "count": 1, "fault": {"kind": "partialAnswer"}})).await;
    let answer = try_patch(&it).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.is_err());
    assert_eq!(sync_request(&it).await["state"], "Synchronized");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the delay is real time on purpose")]
async fn latency_and_slowness_delay_the_answer() {
    let it = start().await;
    let faults = [json!({"kind": "latency", "millis": 80}), json!({"kind": "slow", "millis": 40})];
    for fault in faults {
        it.fault(&json!({"system": "dacs", "count": 1, "fault": fault})).await;
        let before = Instant::now();
        let text = it.health().await.unwrap().text().await.unwrap();
        assert_eq!(text, "{\"status\":\"UP\"}");
        assert!(before.elapsed() >= Duration::from_millis(75));
    }
}

#[tokio::test]
async fn calls_over_the_rate_are_told_when_to_come_back() {
    let it = start().await;
    let fault = json!({"system": "dacs", "fault": {"kind": "rateLimit", "perSecond": 3, "retryAfterSeconds": 1}});
    it.fault(&fault).await;
    let mut passed = 0;
    let mut refused = 0;
    for _ in 0..20 {
        let answer = it.health().await.unwrap();
        if answer.status() == 429 {
            assert_eq!(answer.headers()["retry-after"], "1");
            refused += 1;
        } else {
            passed += 1;
        }
    }
    assert!((3..=6).contains(&passed) && refused >= 14, "{passed}");
    let requests = it.books("requests").await["dacs"].clone();
    assert_eq!(requests["requests"], 20);
    assert_eq!(requests["mostInAnySecond"], 20);
}

#[tokio::test]
async fn reset_forgets_books_faults_and_counts() {
    let it = start().await;
    made(&it).await;
    it.fault(&json!({"fault": {"kind": "down"}})).await;
    it.control("derms/answers", &json!({"answer": "later"})).await;
    it.control("reset", &json!({})).await;
    assert_eq!(it.books("dacs").await["syncRequests"], json!({}));
    assert_eq!(it.books("faults").await["rules"], json!([]));
    assert_eq!(it.books("derms").await["script"]["answers"], json!([]));
    assert_eq!(it.books("requests").await, json!({}));
    assert_eq!(statuses(&it, 1).await, [200]);
}

#[tokio::test]
async fn what_does_not_exist_is_a_problem_document_too() {
    let it = start().await;
    let calls = [(it.http.get(it.url("/dacs/rest/nothing")), 404), (it.http.put(it.url("/dacs/health")), 405)];
    for (call, expected) in calls {
        let (status, problem) = read(it.as_dacs(call).send().await.unwrap()).await;
        assert_eq!((status, &problem["status"]), (expected, &json!(expected)));
    }
    let scores = it.http.post(it.url("/derms/device_scores")).body("");
    let (status, problem) = read(it.as_derms(scores).send().await.unwrap()).await;
    assert_eq!((status, &problem["status"]), (415, &json!(415)));
}

#[tokio::test]
async fn a_message_that_is_not_json_is_refused_with_its_reason() {
    let it = start().await;
    let send = |kind: &'static str, body: String| {
        let call = it.http.post(it.url("/derms/enroll"));
        let call = call.header("content-type", kind).body(body);
        let call = it.as_derms(call);
        async { read(call.send().await.unwrap()).await.0 }
    };
    assert_eq!(send("application/json", "{\"a\":".to_owned()).await, 400);
    assert_eq!(send("application/json", String::new()).await, 400);
    assert_eq!(send("text/plain", "{}".to_owned()).await, 415);
    let deep = "[".repeat(500);
    assert_eq!(send("application/json", deep).await, 400);
    let long = format!("\"{}\"", "x".repeat(1_100_000));
    assert_eq!(send("application/json", long).await, 413);
}
