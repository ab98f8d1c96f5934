//! What a person does with a message. (With a run: `file::tests::operator`.)

use std::sync::Arc;

use serde_json::json;

use super::{Messages, Refused, open};
use crate::ledger::message::MessageState;
use crate::ledger::open::Matter;
use crate::message::tests::{Bench, Plan};

fn messages(bench: &Bench) -> Messages {
    Messages {
        flow: bench.kit.flow.into(),
        ledger: bench.world.ledger(),
        queue: Arc::new(bench.world.queue.clone()),
        clock: Arc::new(bench.world.clock.clone()),
    }
}

async fn refused() -> Bench {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    bench
}

#[tokio::test]
async fn what_waits_for_somebody_is_listed_and_leaves_the_list_with_the_decision() {
    let bench = refused().await;
    let listed = open(&bench.world.ledger(), bench.kit.flow).await.unwrap();
    assert_eq!((listed.len(), listed[0].matter, listed[0].id.as_str()), (1, Matter::Refused, "m1"));
    assert_eq!(listed[0].reason.as_deref(), Some("unknown service point"));
    let dropped = messages(&bench).discard("m1").await.unwrap();
    assert_eq!(dropped.state, MessageState::Discarded);
    assert_eq!(open(&bench.world.ledger(), bench.kit.flow).await.unwrap(), []);
    let twice = messages(&bench).discard("m1").await.unwrap_err();
    assert_eq!(
        twice.to_string(),
        "message m1 is discarded; only one that did not end well, or whose answer does not come, can be dropped"
    );
}

#[tokio::test]
async fn a_refused_message_that_is_sent_again_is_a_new_attempt_with_the_body_that_it_has() {
    let bench = refused().await;
    let again = messages(&bench).resend("m1", false).await.unwrap();
    assert_eq!((again.state, again.attempt), (MessageState::Accepted, 2));
    assert_eq!(open(&bench.world.ledger(), bench.kit.flow).await.unwrap(), []);
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1"]);
    assert_eq!(bench.told(), [json!("Business: unknown service point"), json!("positive")]);
    assert_eq!(bench.message("m1").state, MessageState::Delivered);
}

#[tokio::test]
async fn a_message_that_was_dropped_may_be_sent_again_by_a_person_and_by_its_source() {
    let bench = refused().await;
    messages(&bench).discard("m1").await.unwrap();
    messages(&bench).resend("m1", false).await.unwrap();
    bench.target_will(&[Plan::Refuse]);
    bench.drain().await;
    messages(&bench).discard("m1").await.unwrap();
    assert_eq!(bench.post("m1", "s1", 2).await, 202);
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=2"]);
}

#[tokio::test]
async fn an_older_message_is_sent_over_a_newer_one_only_by_force() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.post("m2", "s1", 2).await;
    bench.drain().await;
    let overtaken = messages(&bench).resend("m1", false).await.unwrap_err();
    assert!(matches!(&overtaken, Refused::Overtaken { newer, .. } if newer == "m2"), "{overtaken}");
    assert_eq!(bench.message("m1").state, MessageState::Refused, "nothing has changed");
    messages(&bench).resend("m1", true).await.unwrap();
    bench.drain().await;
    assert_eq!(bench.sent(), ["m2=2", "m1=1"]);
    assert_eq!(bench.message("m1").state, MessageState::Delivered);
}

#[tokio::test]
async fn a_message_that_is_lost_from_its_queue_is_queued_again_and_one_that_was_delivered_is_not() {
    let bench = Bench::new();
    bench.post("m1", "s1", 1).await;
    for delivery in bench.world.queue.take(10) {
        bench.world.queue.remove(delivery.receipt.as_ref().unwrap());
    }
    assert_eq!(messages(&bench).resend("m1", false).await.unwrap().attempt, 1);
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1"]);
    let delivered = messages(&bench).resend("m1", true).await.unwrap_err();
    assert_eq!(delivered.to_string(), "message m1 is delivered; only one that did not end well can be sent again");
    assert_eq!(messages(&bench).get("m9").await.unwrap_err().to_string(), "there is no message m9");
}

#[tokio::test]
async fn when_only_the_source_could_not_be_told_the_target_is_not_called_again() {
    let bench = Bench::new();
    bench.source_will(&vec![Plan::Fail; 5000]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert_eq!(bench.message("m1").state, MessageState::Failed);
    bench.forget_plans();
    messages(&bench).resend("m1", false).await.unwrap();
    bench.drain().await;
    assert_eq!((bench.sent(), bench.told()), (vec!["m1=1".to_owned()], vec![json!("positive")]));
    assert_eq!(bench.message("m1").state, MessageState::Delivered);
}

#[tokio::test]
async fn a_message_whose_answer_does_not_come_may_be_sent_again_or_dropped() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Later, Plan::Later]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    messages(&bench).resend("m1", false).await.unwrap();
    assert_eq!(open(&bench.world.ledger(), bench.kit.flow).await.unwrap(), []);
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1", "m1=1"]);
    assert_eq!(open(&bench.world.ledger(), bench.kit.flow).await.unwrap().len(), 1);
    messages(&bench).discard("m1").await.unwrap();
    assert_eq!(open(&bench.world.ledger(), bench.kit.flow).await.unwrap(), []);
}
