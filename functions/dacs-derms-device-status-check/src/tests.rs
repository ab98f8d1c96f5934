use flow::lookups::LookupBook;
use flow::memory::{Targets, World};
use flow::ports::Payload;

use super::*;

const MESSAGE: &[u8] =
    include_bytes!("../../../events/dacs-derms-device-status-check/examples/valid-status-check.json");

struct Asked {
    world: World,
    derms: Targets,
    dacs: Targets,
    calls: Calls,
}

/// A flow whose DERMS answers so.
fn asked(status: u16, body: &'static str) -> Asked {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let (derms, dacs) = (Targets::answering(status, body), Targets::answering(200, ""));
    let lookups: LookupBook = world.lookups(NAME, LOOKUPS);
    let answers = StatusAnswers { dacs: world.target("dacs", dacs.clone()), lookups: lookups.clone() };
    let calls = Calls { derms: Derms { target: world.target("derms", derms.clone()), lookups }, answers };
    Asked { world, derms, dacs, calls }
}

async fn forward(asked: &Asked) -> Result<Forwarded, Failure> {
    let invocation = asked.world.invocation("one");
    asked.calls.forward(MESSAGE, &asked.world.context(&invocation)).await
}

fn body(targets: &Targets) -> Value {
    let Payload::Json(body) = targets.calls().remove(0).payload else { panic!("no JSON") };
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn a_question_that_the_derms_has_awaits_its_answer_whether_it_says_success_or_202() {
    for (status, answer) in [(202, ""), (200, r#"{"MsgAck":{"ackType":"SUCCESS","responses":{"response":[]}}}"#)] {
        let asked = asked(status, answer);
        assert!(matches!(forward(&asked).await, Ok(Forwarded::Awaited(_))), "{status}");
        assert_eq!(body(&asked.derms)["DeviceInfo"]["nicid"], "nic-0001");
        assert!(asked.dacs.calls().is_empty(), "nobody knows yet");
    }
}

#[tokio::test]
async fn a_question_that_the_derms_refuses_is_answered_with_failure_at_once() {
    let refused = r#"{"MsgAck":{"ackType":"ERROR","responses":{"response":[{"value":"no such device","responseCode":"ERROR"}]}}}"#;
    let asked = asked(200, refused);
    let Ok(Forwarded::Answered(answer)) = forward(&asked).await else { panic!("no answer") };
    assert_eq!(answer.refused.as_deref(), Some("the DERMS refused the message: no such device"));
    let invocation = asked.world.invocation("one");
    asked.calls.answer(&answer.ack, &asked.world.context(&invocation)).await.unwrap();
    let expected = json!({"responseDetail": {"transactionID": "C-50001", "result": {"status": "FAILURE"}}});
    assert_eq!(body(&asked.dacs), expected);
}

#[tokio::test]
async fn a_failure_of_the_derms_machinery_is_tried_again_and_what_is_given_up_is_answered_with_failure() {
    let asked = asked(200, r#"{"MsgAck":{"ackType":"FAILURE"}}"#);
    assert!(matches!(forward(&asked).await, Err(Failure::Transient(_))));
    let ack = asked.calls.negative(MESSAGE, Ground::Technical, "the DERMS answered FAILURE").unwrap();
    assert_eq!(ack, json!({"dacsMessageId": "C-50001", "responseCode": "FAILURE"}));
}
