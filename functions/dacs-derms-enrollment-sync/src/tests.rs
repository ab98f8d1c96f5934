use flow::Failure;
use flow::memory::{Targets, World};
use flow::message::{Forwarded, Ground, MessageCalls};
use flow::ports::Payload;
use flow::to_derms::Derms;
use serde_json::{Value, json};

use super::*;

const MESSAGE: &[u8] =
    include_bytes!("../../../events/dacs-derms-enrollment-sync/examples/valid-enroll-two-devices.json");

struct Told {
    world: World,
    derms: Targets,
    dacs: Targets,
    calls: SyncCalls<EnrollmentSync>,
}

/// A flow whose DERMS answers so, and whose DACS takes everything.
fn told(status: u16, body: &'static str) -> Told {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let (derms, dacs) = (Targets::answering(status, body), Targets::answering(200, ""));
    let lookups = world.lookups(NAME, LOOKUPS);
    let acks = world.sync_request_acks(&lookups, "25.4".parse().unwrap(), dacs.clone());
    let calls = SyncCalls::new(Derms { target: world.target("derms", derms.clone()), lookups }, acks);
    Told { world, derms, dacs, calls }
}

async fn forward(told: &Told) -> Result<Forwarded, Failure> {
    let invocation = told.world.invocation("one");
    told.calls.forward(MESSAGE, &told.world.context(&invocation)).await
}

fn sent(targets: &Targets) -> Value {
    let Payload::Json(body) = targets.calls().remove(0).payload else { panic!("no JSON") };
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn the_derms_gets_the_whole_state_of_the_devices_under_the_sync_requests_id() {
    let told = told(202, "");
    let Ok(Forwarded::Awaited(result)) = forward(&told).await else { panic!("not taken") };
    assert_eq!(result["status"], "AWAITING_ACK");
    let body = sent(&told.derms);
    let message: Value = serde_json::from_slice(MESSAGE).unwrap();
    assert_eq!(body["dacsMessageId"], message["sendDetails"]["syncRequestId"]);
    assert_eq!(body["locationInfo"]["controllableDevices"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_negative_answer_turns_the_sync_request_to_error_with_the_derms_reason() {
    let told = told(
        200,
        r#"{"MsgAck":{"ackType":"ERROR","whenISO":"2026-07-01T10:00:00.000Z","responses":{"response":[
            {"id":"x","value":"unknown service point SP-2001","responseCode":"ERROR"}]}}}"#,
    );
    let Ok(Forwarded::Answered(answer)) = forward(&told).await else { panic!("no answer") };
    assert_eq!(answer.refused.as_deref(), Some("the DERMS refused the message: unknown service point SP-2001"));
    let invocation = told.world.invocation("one");
    told.calls.answer(&answer.ack, &told.world.context(&invocation)).await.unwrap();
    let body = sent(&told.dacs);
    assert_eq!(body["hasError"], true);
    assert_eq!(body["exceptionInfo"][0]["comments"], "unknown service point SP-2001");
}

#[tokio::test]
async fn a_failure_of_the_derms_machinery_is_tried_again_and_a_refused_form_is_not() {
    let failure = r#"{"MsgAck":{"ackType":"FAILURE","responses":{"response":[]}}}"#;
    assert!(matches!(forward(&told(200, failure)).await, Err(Failure::Transient(_))));
    assert!(matches!(forward(&told(500, "")).await, Err(Failure::Transient(_))));
    let Err(Failure::Rejected(rejected)) = forward(&told(400, r#"{"detail":"programCode"}"#)).await else {
        panic!("not rejected")
    };
    assert_eq!(rejected.reason, "the DERMS answered 400: programCode");
}

#[tokio::test]
async fn what_is_given_up_is_a_failure_for_dacs_and_what_is_refused_an_error() {
    let told = told(202, "");
    for (ground, code) in [(Ground::Technical, "FAILURE"), (Ground::Business, "ERROR")] {
        let ack = told.calls.negative(MESSAGE, ground, "the reason").unwrap();
        assert_eq!((&ack["responseCode"], &ack["message"]), (&json!(code), &json!("the reason")));
        let invocation = told.world.invocation("one");
        told.calls.answer(&ack, &told.world.context(&invocation)).await.unwrap();
    }
    assert_eq!(told.dacs.calls().len(), 2);
}
