use flow::memory::{Targets, World};
use flow::message::{Forwarded, Ground, MessageCalls};
use flow::ports::{Method, Payload};
use flow::to_derms::Derms;
use serde_json::{Value, json};

use super::*;

const MESSAGE: &[u8] = include_bytes!("../../../events/dacs-derms-aggregators/examples/valid-add.json");

/// What the flow makes of a message when the DERMS answers so; the DERMS, and DACS once it was told.
async fn told(status: u16, body: &'static str) -> (Forwarded, Targets, Targets) {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let (derms, dacs) = (Targets::answering(status, body), Targets::answering(200, ""));
    let lookups = world.lookups(NAME, LOOKUPS);
    let acks = world.sync_request_acks(&lookups, "25.4".parse().unwrap(), dacs.clone());
    let calls = SyncCalls::<Aggregator>::new(Derms { target: world.target("derms", derms.clone()), lookups }, acks);
    let invocation = world.invocation("one");
    let context = world.context(&invocation);
    let forwarded = calls.forward(MESSAGE, &context).await.unwrap();
    if let Forwarded::Answered(answer) = &forwarded {
        calls.answer(&answer.ack, &context).await.unwrap();
    }
    (forwarded, derms, dacs)
}

fn body(targets: &Targets) -> Value {
    let Payload::Json(body) = targets.calls().remove(0).payload else { panic!("no JSON") };
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn an_aggregator_is_put_under_its_id_and_a_refusal_brings_its_sync_request_to_error() {
    let refused = r#"{"MsgAck":{"ackType":"ERROR","responses":{"response":[
        {"value":"the gateway refuses the credential","responseCode":"ERROR"}]}}}"#;
    let (forwarded, derms, dacs) = told(200, refused).await;
    let Forwarded::Answered(answer) = forwarded else { panic!("no answer") };
    assert_eq!(answer.refused.as_deref(), Some("the DERMS refused the message: the gateway refuses the credential"));
    let call = derms.calls().remove(0);
    assert_eq!((call.method, call.path.as_str()), (Method::Put, "/aggregators/AGG-7"));
    assert_eq!(body(&derms)["gateway"]["credentialRef"], "derms/aggregators/bright");
    assert_eq!(body(&dacs)["exceptionInfo"][0]["comments"], "the gateway refuses the credential");
}

#[tokio::test]
async fn an_aggregator_that_the_derms_answers_later_waits_for_its_acknowledgement() {
    let (forwarded, _, dacs) = told(202, "").await;
    let wanted = json!({"messageKey": "10000000000001", "status": "AWAITING_ACK"});
    assert_eq!(forwarded, Forwarded::Awaited(wanted));
    assert_eq!(dacs.calls().len(), 0);
}

#[tokio::test]
async fn an_aggregator_that_is_given_up_is_a_failure_for_dacs() {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let lookups = world.lookups(NAME, LOOKUPS);
    let acks = world.sync_request_acks(&lookups, "25.4".parse().unwrap(), Targets::answering(200, ""));
    let derms = Derms { target: world.target("derms", Targets::answering(503, "")), lookups };
    let ack = SyncCalls::<Aggregator>::new(derms, acks).negative(MESSAGE, Ground::Technical, "no answer").unwrap();
    assert_eq!(ack, json!({"dacsMessageId": "10000000000001", "responseCode": "FAILURE", "message": "no answer"}));
}

#[tokio::test]
async fn an_aggregator_goes_to_every_derms_and_one_refusal_is_what_dacs_hears() {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let targets = "name,kind,url,secret,rate\nNMS-NORTH,derms,https://nms.example.com,targets/derms/n,10\n";
    world.objects.put(flow::memory::CONFIG, "lookups/Targets.csv", targets);
    let ack = |code: &str| {
        format!(r#"{{"MsgAck":{{"ackType":"{code}","responses":{{"response":[{{"responseCode":"{code}"}}]}}}}}}"#)
    };
    for (answers, refused) in
        [(["SUCCESS", "SUCCESS"], false), (["ERROR", "SUCCESS"], true), (["SUCCESS", "ERROR"], true)]
    {
        let [derms, north] = answers.map(|code| Targets::answering(200, ack(code)));
        let lookups = world.lookups(NAME, LOOKUPS);
        let acks = world.sync_request_acks(&lookups, "25.4".parse().unwrap(), Targets::answering(200, ""));
        let target = world.targets("derms", derms.clone(), &[("NMS-NORTH", north.clone())]);
        let calls = SyncCalls::<Aggregator>::new(Derms { target, lookups }, acks);
        let invocation = world.invocation("one");
        let forwarded = calls.forward(MESSAGE, &world.context(&invocation)).await.unwrap();
        let Forwarded::Answered(answer) = forwarded else { panic!("{forwarded:?}") };
        assert_eq!(answer.refused.is_some(), refused, "{answers:?}");
        assert_eq!((derms.calls().len(), north.calls().len()), (1, 1), "{answers:?}");
    }
}
