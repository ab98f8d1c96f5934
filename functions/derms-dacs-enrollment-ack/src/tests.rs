use flow::Failure;
use flow::memory::{Targets, World};
use flow::message::{Forwarded, MessageCalls};
use flow::ports::{Method, Payload};
use serde_json::{Value, json};

use super::*;

const POSITIVE: &[u8] = br#"{"dacsMessageId":"10000000000001","responseCode":"SUCCESS"}"#;

struct Told {
    world: World,
    dacs: Targets,
    calls: AckCalls,
}

fn told(release: &str, status: u16, body: &'static str) -> Told {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let dacs = Targets::answering(status, body);
    let acks = world.sync_request_acks(&world.lookups(NAME, LOOKUPS), release.parse().unwrap(), dacs.clone());
    Told { world, dacs, calls: AckCalls { acks, read: READ } }
}

async fn forward(told: &Told, body: &[u8]) -> Result<Forwarded, Failure> {
    let invocation: Invocation = told.world.invocation("one");
    told.calls.forward(body, &told.world.context(&invocation)).await
}

#[tokio::test]
async fn a_positive_acknowledgement_synchronizes_the_sync_request_under_the_senders_correlation_id() {
    let told = told("25.4", 200, "");
    assert!(matches!(forward(&told, POSITIVE).await, Ok(Forwarded::Taken(_))));
    let call = told.dacs.calls().remove(0);
    assert_eq!((call.method, call.correlation.as_str()), (Method::Patch, "correlation-one"));
    assert_eq!(call.path, "/rest/apis/common/sync/syncRequest/10000000000001");
    let Payload::Json(body) = call.payload else { panic!("no JSON") };
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body, json!({"hasError": false, "syncRequestId": "10000000000001"}));
}

#[tokio::test]
async fn an_acknowledgement_that_dacs_has_taken_before_is_done() {
    let told = told("25.4", 400, r#"{"messageNumber":20001,"message":"already acknowledged"}"#);
    let Ok(Forwarded::Taken(result)) = forward(&told, POSITIVE).await else { panic!("not taken") };
    assert_eq!(result["status"], "ALREADY_ACKNOWLEDGED");
}

#[tokio::test]
async fn an_unknown_refusal_is_rejected_and_not_yet_is_tried_again() {
    let unknown = told("25.4", 400, r#"{"messageNumber":77777}"#);
    assert!(matches!(forward(&unknown, POSITIVE).await, Err(Failure::Rejected(_))));
    let early = told("25.4", 400, r#"{"messageNumber":20013}"#);
    assert!(matches!(forward(&early, POSITIVE).await, Err(Failure::Transient(_))));
}

#[tokio::test]
async fn from_25_10_on_devices_are_told_one_by_one() {
    let told = told("25.10", 200, "");
    let ack = br#"{"dacsMessageId":"10000000000001","responseCode":"SUCCESS","devices":[{"deviceId":"D1","registration":"REGISTERED"}]}"#;
    assert!(forward(&told, ack).await.is_ok());
    let call = told.dacs.calls().remove(0);
    assert!(call.path.ends_with("/postAcknowledgement"), "{}", call.path);
}

#[test]
fn the_same_acknowledgement_is_one_message_and_another_one_for_the_same_request_is_another_in_its_order() {
    let one = identify(POSITIVE).unwrap();
    let again = identify(br#" {"responseCode":"SUCCESS", "dacsMessageId":"10000000000001"}"#).unwrap();
    let other = identify(br#"{"dacsMessageId":"10000000000001","responseCode":"ERROR"}"#).unwrap();
    assert_eq!(one, again);
    assert_ne!(one.key, other.key);
    assert_eq!(one.ordering, other.ordering);
}
