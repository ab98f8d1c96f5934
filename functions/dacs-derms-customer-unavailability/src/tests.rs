use flow::memory::{Targets, World};
use flow::message::{Forwarded, MessageCalls};
use flow::ports::Payload;
use flow::to_derms::Derms;
use flow::{Failure, Rejected};
use serde_json::{Value, json};

use super::*;

const MESSAGE: &[u8] = include_bytes!("../../../events/dacs-derms-customer-unavailability/examples/valid-add.json");

/// What becomes of the message when the DERMS answers so, and what it was sent.
async fn forward(status: u16, answer: &'static str) -> (Result<Forwarded, Failure>, Value) {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let derms = Targets::answering(status, answer);
    let target = world.target("derms", derms.clone());
    let calls = OneWayCalls::<Unavailability>::new(Derms { target, lookups: world.lookups(NAME, LOOKUPS) });
    let invocation = world.invocation("one");
    let forwarded = calls.forward(MESSAGE, &world.context(&invocation)).await;
    let Payload::Json(body) = derms.calls().remove(0).payload else { panic!("no JSON") };
    (forwarded, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn an_unavailability_is_taken_at_once_or_with_202() {
    for (status, answer) in [(200, r#"{"MsgAck":{"ackType":"SUCCESS"}}"#), (202, "")] {
        let (forwarded, sent) = forward(status, answer).await;
        let wanted = json!({"messageKey": "C-50003#ADD", "status": "DELIVERED"});
        assert_eq!(forwarded.unwrap(), Forwarded::Taken(wanted), "{status}");
        assert_eq!((&sent["action"], &sent["endDateTimeISO"]), (&json!("ADD"), &json!("2026-07-20T05:00:00.000Z")));
    }
}

#[tokio::test]
async fn a_refusal_is_final_even_if_the_answer_as_a_whole_calls_itself_a_success() {
    let answer = r#"{"MsgAck":{"ackType":"SUCCESS","responses":{"response":[{"value":"no such device","responseCode":"ERROR"}]}}}"#;
    let Err(Failure::Rejected(Rejected { subject, reason })) = forward(200, answer).await.0 else { panic!("taken") };
    assert_eq!((subject.as_str(), reason.as_str()), ("C-50003#ADD", "the DERMS refused the message: no such device"));
}

#[tokio::test]
async fn a_failure_of_the_derms_machinery_is_tried_again() {
    assert!(matches!(forward(200, r#"{"MsgAck":{"ackType":"FAILURE"}}"#).await.0, Err(Failure::Transient(_))));
}
