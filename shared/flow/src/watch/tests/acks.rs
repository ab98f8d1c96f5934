use super::*;
use crate::ledger::open::Matter;
use crate::memory::Fifo;
use crate::message::tests::{Bench, Plan};

const FLOW: &str = "dacs-derms-enrollment-sync";
const ACKS: &str = "derms-dacs-enrollment-ack";

/// The flow of the messages, and in the same ledger the flow of their acknowledgements, whose order is the message's key.
fn benches() -> (Bench, Bench) {
    let sync = Bench::of(FLOW, World::new("2026-07-01T10:00:00Z".parse().unwrap()));
    let queue = Fifo::new(std::sync::Arc::new(sync.world.clock.clone()), Duration::from_secs(70));
    let acks = Bench::of(ACKS, World { queue, ..sync.world.clone() });
    (sync, acks)
}

/// Messages that the target took and answers later.
async fn send(sync: &Bench, ids: &[&str]) {
    sync.target_will(&vec![Plan::Later; ids.len()]);
    for id in ids {
        sync.post(id, id, 1).await;
    }
    sync.drain().await;
}

async fn acknowledge(acks: &Bench, id: &str) {
    acks.post(&format!("ack-{id}"), id, 1).await;
    acks.drain().await;
}

#[tokio::test]
async fn messages_without_their_acknowledgement_are_reported_in_one_notice_once_and_stay_listed() {
    let (sync, acks) = benches();
    send(&sync, &["m1", "m2", "m3"]).await;
    acknowledge(&acks, "m2").await;
    watch_for(&sync.world, 50 * HOUR / 60).await;
    assert_eq!(told(&sync.world, "answers are missing"), [], "within the limit");
    watch_for(&sync.world, 5 * HOUR).await;
    let told = told(&sync.world, "answers are missing");
    assert_eq!((told.len(), told[0].audience), (1, Audience::Business));
    assert!(told[0].text.contains("minutes: 2\n"), "{}", told[0].text);
    assert!(told[0].text.contains("m1 (sent") && told[0].text.contains("m3 (sent") && !told[0].text.contains("m2 ("));
    let overdue = |id: &str| (Matter::Overdue, id.to_owned());
    assert_eq!(sync.world.open(FLOW), [overdue("m1"), overdue("m3")]);
    assert_eq!(sync.world.reports.tallied(FLOW, "MissingAcks"), 2);
}

#[tokio::test]
async fn an_acknowledgement_that_comes_after_the_limit_closes_the_matter() {
    let (sync, acks) = benches();
    send(&sync, &["m1"]).await;
    watch_for(&sync.world, 2 * HOUR).await;
    assert_eq!(sync.world.open(FLOW).len(), 1);
    acknowledge(&acks, "m1").await;
    watch(&sync.world).await;
    assert_eq!(sync.world.open(FLOW), []);
    assert_eq!(told(&sync.world, "answers are missing").len(), 1);
}

#[tokio::test]
async fn an_acknowledgement_that_is_faster_than_the_worker_counts() {
    let (sync, acks) = benches();
    sync.target_will(&[Plan::Later]);
    sync.post("m1", "m1", 1).await;
    // The target has answered before the worker has written down that it took the message.
    acknowledge(&acks, "m1").await;
    sync.drain().await;
    watch_for(&sync.world, 2 * HOUR).await;
    assert_eq!(sync.world.open(FLOW), []);
    assert_eq!(told(&sync.world, "answers are missing"), []);
}

#[tokio::test]
async fn the_acknowledgement_of_an_earlier_attempt_is_none_of_the_later_one() {
    let (sync, acks) = benches();
    send(&sync, &["m1"]).await;
    acknowledge(&acks, "m1").await;
    sync.world.clock.advance(HOUR / 2);
    // It was negative; the message is corrected and sent again.
    sync.target_will(&[Plan::Later]);
    assert_eq!(sync.post("m1", "m1", 2).await, 202);
    assert_eq!(sync.world.open(FLOW), [], "nothing is awaited while it is on its way");
    sync.drain().await;
    watch_for(&sync.world, 2 * HOUR).await;
    assert_eq!(sync.world.open(FLOW), [(Matter::Overdue, "m1".into())]);
}

#[tokio::test]
async fn an_overdue_message_that_is_sent_again_is_not_overdue_any_more() {
    let (sync, _) = benches();
    send(&sync, &["m1"]).await;
    watch_for(&sync.world, 2 * HOUR).await;
    assert_eq!(sync.post("m1", "m1", 2).await, 202);
    assert_eq!(sync.world.open(FLOW), []);
    sync.drain().await;
    assert_eq!(sync.world.open(FLOW), [], "it was answered at once");
}

#[tokio::test]
async fn a_message_that_was_refused_or_given_up_is_listed_until_it_is_sent_again() {
    let (sync, _) = benches();
    sync.target_will(&[Plan::Refuse]);
    sync.post("m1", "m1", 1).await;
    sync.drain().await;
    sync.target_will(&vec![Plan::Fail; 5000]);
    sync.post("m2", "m2", 1).await;
    sync.drain().await;
    assert_eq!(sync.world.open(FLOW), [(Matter::Failed, "m2".into()), (Matter::Refused, "m1".into())]);
    sync.target_will(&[]);
    assert_eq!(sync.post("m1", "m1", 2).await, 202);
    assert_eq!(sync.world.open(FLOW), [(Matter::Failed, "m2".into())]);
}

#[tokio::test]
async fn a_thousand_missing_acknowledgements_are_one_notice() {
    let (sync, _) = benches();
    let ids: Vec<String> = (0..1000).map(|n| format!("m{n:04}")).collect();
    sync.target_will(&vec![Plan::Later; ids.len()]);
    for id in &ids {
        sync.post(id, id, 1).await;
    }
    while sync.world.queue.waiting() > 0 {
        sync.batch().await;
    }
    watch_for(&sync.world, 2 * HOUR).await;
    assert_eq!(told(&sync.world, "answers are missing").len(), 1);
    assert_eq!(sync.world.open(FLOW).len(), 1000);
}
