//! Messages that are sent again: repeated, or corrected.

use super::*;
use crate::ledger::open::Matter;
use crate::ports::Clock;

#[tokio::test]
async fn a_message_that_the_target_answers_later_can_be_corrected_and_sent_again() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Later]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert_eq!(bench.message("m1").state, MessageState::AwaitingAck);
    // The negative answer came through another flow.
    assert_eq!(bench.post("m1", "s1", 2).await, 202, "corrected");
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1", "m1=2"]);
    assert_eq!(bench.message("m1").state, MessageState::Delivered);
}

#[tokio::test]
async fn a_message_that_awaits_its_answer_and_is_repeated_unchanged_is_never_sent_over_a_newer_one() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Later, Plan::Later]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    bench.post("m2", "s1", 2).await;
    assert_eq!(bench.post("m1", "s1", 1).await, 202, "nothing newer has been delivered yet");
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1", "m2=2"]);
    assert_eq!(bench.message("m1").state, MessageState::AwaitingAck);
    assert_eq!(bench.told(), Vec::<Value>::new(), "it had been taken, so nobody hears that it was not");
    assert_eq!(bench.post("m1", "s1", 1).await, 200);
}

#[tokio::test]
async fn a_corrected_message_does_not_slip_in_front_with_a_nudge_of_its_earlier_attempt() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.post("m1", "s1", 1).await;
    let first = bench.world.queue.take(1);
    work(&bench.kit, &bench.neighbours, &first, &bench.world.invocation("worker")).await;
    bench.world.queue.remove(first[0].receipt.as_ref().unwrap());
    // The second nudge of the first attempt is still queued, before the newer message and the correction.
    bench.post("m2", "s1", 2).await;
    assert_eq!(bench.post("m1", "s1", 3).await, 202, "corrected");
    bench.drain().await;
    assert_eq!(bench.sent(), ["m2=2", "m1=3"]);
}

#[tokio::test]
async fn the_source_of_a_message_that_was_overtaken_hears_of_it() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.post("m2", "s1", 2).await;
    let first = bench.world.queue.take(1);
    work(&bench.kit, &bench.neighbours, &first, &bench.world.invocation("worker")).await;
    bench.world.queue.remove(first[0].receipt.as_ref().unwrap());
    assert_eq!(bench.post("m1", "s1", 1).await, 202, "sent again before the newer one was delivered");
    bench.drain().await;
    assert_eq!(bench.sent(), ["m2=2"]);
    assert_eq!(bench.message("m1").state, MessageState::Refused);
    let overtaken = json!("Business: message m2 of the same order was delivered after this one was first sent");
    assert_eq!(bench.told(), [json!("Business: unknown service point"), json!("positive"), overtaken]);
}

#[tokio::test]
async fn a_message_that_is_sent_again_and_not_queued_is_still_what_it_was_and_listed_as_that() {
    let bench = Bench::of("dacs-derms-enrollment-sync", World::new("2026-07-01T10:00:00Z".parse().unwrap()));
    for (id, plan, state, matter) in [
        ("m1", Plan::Later, MessageState::AwaitingAck, Matter::AwaitingAck),
        ("m2", Plan::Refuse, MessageState::Refused, Matter::Refused),
    ] {
        bench.target_will(&[plan]);
        bench.post(id, id, 1).await;
        bench.drain().await;
        let before = bench.message(id);
        bench.post(id, id, 1).await;
        // As if the door had ended before it queued the message: its sender has a 202 of the first post, and is content.
        for delivery in bench.world.queue.take(10) {
            bench.world.queue.remove(delivery.receipt.as_ref().unwrap());
        }
        assert_eq!((bench.message(id), before.state), (before, state));
        assert!(bench.world.open(bench.kit.flow).contains(&(matter, id.to_owned())));
        assert_eq!(bench.post(id, id, 1).await, 202);
        bench.drain().await;
        assert_eq!((bench.message(id).state, bench.message(id).attempt), (MessageState::Delivered, 2));
    }
    assert_eq!(bench.sent(), ["m1=1", "m1=1", "m2=1"]);
    assert_eq!(bench.world.open(bench.kit.flow), []);
}

#[tokio::test]
async fn a_correction_does_not_slip_in_front_with_the_nudge_of_a_repeat() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Later]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert_eq!(bench.post("m1", "s1", 1).await, 202, "repeated");
    bench.post("m2", "s1", 2).await;
    assert_eq!(bench.post("m1", "s1", 3).await, 202, "corrected");
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1", "m2=2", "m1=3"]);
    assert_eq!((bench.message("m1").state, bench.message("m1").attempt), (MessageState::Delivered, 2));
}

#[tokio::test]
async fn a_message_that_is_sent_again_twice_is_attempted_anew_once() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert_eq!((bench.post("m1", "s1", 1).await, bench.post("m1", "s1", 1).await), (202, 202));
    bench.drain().await;
    assert_eq!((bench.sent(), bench.message("m1").attempt), (vec!["m1=1".to_owned()], 2));
}

/// What happens to a message flow.
#[derive(Debug, Clone)]
enum Event {
    /// A sender posts message `id` of order `id % 3`, for the first time or again.
    Post(u32),
    /// The function gets a batch.
    Batch,
    /// The next call of the target fails.
    TargetFails,
    /// The next call of the source fails.
    SourceFails,
    /// The function gets a batch, and the queue's deletion of it is lost: it is delivered again.
    BatchAgain,
    /// Time passes.
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        5 => (0..12_u32).prop_map(Event::Post),
        3 => Just(Event::Batch),
        1 => Just(Event::BatchAgain),
        1 => Just(Event::TargetFails),
        1 => Just(Event::SourceFails),
        2 => (1..400_u64).prop_map(Event::Wait),
    ];
    proptest::collection::vec(event, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever fails, repeats or waits: every accepted message is delivered, its source is told, and within an order the
    /// target sees messages in the order of their acceptance.
    #[test]
    fn accepted_means_delivered_once_in_effect_and_in_order(events in events()) {
        let accepted = run(events).now_or_never().unwrap();
        let (bench, first_accepted) = accepted;
        for order in 0..3 {
            let mut sent: Vec<u32> = Vec::new();
            for text in bench.sent() {
                let id: u32 = text.split('=').next().unwrap().trim_start_matches('m').parse().unwrap();
                if id % 3 == order && sent.last() != Some(&id) {
                    sent.push(id);
                }
            }
            let expected: Vec<u32> = first_accepted.iter().copied().filter(|id| id % 3 == order).collect();
            prop_assert_eq!(sent, expected);
        }
        for id in first_accepted {
            prop_assert_eq!(bench.message(&format!("m{id}")).state, MessageState::Delivered);
        }
    }
}

/// Runs the events, then lets everything settle; the messages in the order in which they were first accepted.
async fn run(events: Vec<Event>) -> (Bench, Vec<u32>) {
    let (bench, mut accepted) = (Bench::new(), Vec::new());
    for event in events {
        match event {
            Event::Post(id) => {
                let status = bench.post(&format!("m{id}"), &format!("s{}", id % 3), id).await;
                assert!(status == 202 || status == 200, "{status}");
                if !accepted.contains(&id) {
                    accepted.push(id);
                }
            }
            Event::Batch => drop(bench.batch().await),
            Event::BatchAgain => {
                let deliveries = bench.world.queue.take(10);
                work(&bench.kit, &bench.neighbours, &deliveries, &bench.world.invocation("lost")).await;
            }
            Event::TargetFails => bench.target_will(&[Plan::Fail]),
            Event::SourceFails => bench.source_will(&[Plan::Fail]),
            Event::Wait(seconds) => bench.world.clock.advance(Duration::from_secs(seconds)),
        }
    }
    bench.drain().await;
    (bench, accepted)
}

#[tokio::test]
async fn a_message_that_was_stored_and_never_queued_does_not_refuse_its_correction_for_ever() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    // As if the door had died before it queued the message.
    for delivery in bench.world.queue.take(10) {
        bench.world.queue.remove(delivery.receipt.as_ref().unwrap());
    }
    assert_eq!(bench.post("m1", "s1", 2).await, 422, "another body while it is open");
    bench.drain().await;
    assert_eq!(bench.message("m1").state, MessageState::Refused);
    assert_eq!(bench.post("m1", "s1", 2).await, 202);
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=2"]);
}

#[tokio::test]
async fn a_message_that_waits_is_looked_at_when_it_said_and_is_never_given_up_for_that() {
    let bench = Bench::new();
    bench.target_will(&vec![Plan::Wait; 3]);
    bench.post("m1", "s1", 1).await;
    assert_eq!(bench.batch().await, 1);
    assert_eq!(bench.world.queue.next_visible(), Some(bench.world.clock.now() + Duration::from_secs(15)));
    bench.world.clock.advance(Duration::from_secs(48 * 3600));
    bench.batch().await;
    bench.drain().await;
    assert_eq!(bench.message("m1").state, MessageState::Delivered);
    let outcomes: Vec<_> = bench.world.reports.all().into_iter().map(|report| report.outcome).collect();
    assert_eq!(outcomes, ["waiting", "waiting", "waiting", "delivered"]);
}
