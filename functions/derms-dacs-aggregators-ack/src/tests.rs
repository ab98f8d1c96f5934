use flow::memory::{Targets, World};
use flow::message::{Forwarded, MessageCalls};
use flow::ports::{Method, Payload};
use serde_json::{Value, json};

use super::*;

/// What DACS is told when the DERMS posts this.
async fn told(body: &Value) -> (Method, String, Value) {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let dacs = Targets::answering(200, "");
    let acks = world.sync_request_acks(&world.lookups(NAME, LOOKUPS), "25.10".parse().unwrap(), dacs.clone());
    let calls = AckCalls { acks, read: READ };
    let invocation = world.invocation("one");
    let taken = calls.forward(body.to_string().as_bytes(), &world.context(&invocation)).await;
    assert!(matches!(taken, Ok(Forwarded::Taken(_))), "{taken:?}");
    let call = dacs.calls().remove(0);
    let Payload::Json(body) = call.payload else { panic!("no JSON") };
    (call.method, call.path, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_positive_acknowledgement_synchronizes_the_sync_request_whatever_else_it_carries() {
    let ack = json!({"dacsMessageId": "10000000000001", "responseCode": "SUCCESS", "devices": [{"deviceId": "D1"}]});
    let path = "/rest/apis/common/sync/syncRequest/10000000000001".to_owned();
    let expected = json!({"hasError": false, "syncRequestId": "10000000000001"});
    assert_eq!(told(&ack).await, (Method::Patch, path, expected));
}

#[tokio::test]
async fn a_negative_acknowledgement_brings_it_to_error_with_the_reason() {
    for code in ["ERROR", "FAILURE"] {
        let reason = "the gateway does not answer";
        let ack = json!({"dacsMessageId": "10000000000001", "responseCode": code, "message": reason});
        let (_, _, body) = told(&ack).await;
        assert_eq!((&body["hasError"], &body["exceptionInfo"][0]["comments"]), (&json!(true), &json!(reason)));
    }
}
