use flow::memory::{Targets, World};
use flow::ports::{Method, Payload};

use super::*;

const SUCCESS: &[u8] = br#"{"dacsMessageId":"C-50001","responseCode":"SUCCESS"}"#;

/// What becomes of an answer of the DERMS when DACS answers so, and what DACS was sent.
async fn forward(status: u16, answer: &'static str) -> (Result<Forwarded, Failure>, Targets) {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let dacs = Targets::answering(status, answer);
    let answers = StatusAnswers { dacs: world.target("dacs", dacs.clone()), lookups: world.lookups(NAME, LOOKUPS) };
    let invocation = world.invocation("one");
    let forwarded = Calls { answers }.forward(SUCCESS, &world.context(&invocation)).await;
    (forwarded, dacs)
}

#[tokio::test]
async fn an_answer_reaches_dacs_under_the_id_of_its_question() {
    let (forwarded, dacs) = forward(200, "").await;
    assert_eq!(forwarded.unwrap(), Forwarded::Taken(json!({"messageKey": "C-50001", "status": "ANSWERED"})));
    let call = dacs.calls().remove(0);
    let path = "/rest/apis/cross/digitalAssets/controllableDeviceStatus/response";
    assert_eq!((call.method, call.path.as_str()), (Method::Post, path));
    let Payload::Json(body) = call.payload else { panic!("no JSON") };
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body, json!({"responseDetail": {"transactionID": "C-50001", "result": {"status": "SUCCESS"}}}));
}

#[tokio::test]
async fn an_answer_that_dacs_has_is_done_and_one_that_it_refuses_is_rejected() {
    let (had, _) = forward(400, r#"{"messageNumber":20003}"#).await;
    assert!(matches!(had, Ok(Forwarded::Taken(result)) if result["status"] == "ALREADY_ANSWERED"));
    assert!(matches!(forward(400, r#"{"messageNumber":20023}"#).await.0, Err(Failure::Rejected(_))));
    assert!(matches!(forward(503, "").await.0, Err(Failure::Transient(_))));
}

#[test]
fn one_answer_may_follow_another_to_the_same_question() {
    let (one, other) =
        (identify(SUCCESS).unwrap(), identify(br#"{"dacsMessageId":"C-50001","responseCode":"FAILURE"}"#));
    let other = other.unwrap();
    assert_ne!(one.key, other.key);
    assert_eq!((one.ordering.as_deref(), other.ordering.as_deref()), (Some("C-50001"), Some("C-50001")));
}
