//! Who may call, and what the door answers through the deployed API.

use serde_json::{Value, json};

use crate::support::Platform;

const SYNC: &str = "/v1/dacs/enrollment-sync";
const ACK: &str = "/v1/derms/enrollment-ack";

#[tokio::test]
async fn without_a_token_it_is_401_and_without_the_scope_of_the_route_403() {
    let platform = Platform::here().await;
    let (dacs, derms) = (platform.token("dacs").await, platform.token("derms").await);
    for (path, foreign) in [(SYNC, &derms), (ACK, &dacs)] {
        for token in [None, Some("no.token.atall")] {
            let (status, body) = platform.post(path, token, "{}").await;
            assert_eq!((status, body.get("message").is_some()), (401, true), "{path}: {body}");
        }
        let (status, body) = platform.post(path, Some(foreign), "{}").await;
        assert_eq!((status, body.get("message").is_some()), (403, true), "{path}: {body}");
    }
}

#[tokio::test]
async fn the_operator_may_send_for_both_systems() {
    let platform = Platform::here().await;
    let token = platform.token("operator").await;
    for path in [SYNC, ACK] {
        assert_eq!(platform.post(path, Some(&token), "{}").await.0, 400, "{path}: let in, and refused by the door");
    }
}

#[tokio::test]
async fn the_door_names_every_offending_field_and_takes_nothing_over_its_limit() {
    let platform = Platform::here().await;
    let token = platform.token("dacs").await;
    let (status, problem) = platform.post(SYNC, Some(&token), r#"{"sendDetails":{"syncRequestId":7}}"#).await;
    assert_eq!((status, &problem["status"]), (400, &json!(400)));
    let named: Vec<_> =
        problem["errors"].as_array().unwrap().iter().filter_map(|fault| fault["pointer"].as_str()).collect();
    assert!(named.contains(&"/sendDetails/syncRequestId") && named.len() > 1, "{problem}");
    let large = json!({"padding": "x".repeat(1 << 20)}).to_string();
    assert_eq!(platform.post(SYNC, Some(&token), large).await.0, 413);
}

#[tokio::test]
async fn what_is_no_route_is_404() {
    let platform = Platform::here().await;
    let token = platform.token("operator").await;
    let (status, body) = platform.post("/v1/derms/nothing", Some(&token), "{}").await;
    assert_eq!(status, 404, "{body}");
    assert_ne!(body, Value::Null);
}
