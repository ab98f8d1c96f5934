//! The duties over the in-memory ports.

mod acks;
mod expected;
mod file_acks;
mod holds;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::{
    WatchKit, check_expected_files, discard_expired_holds, report_missing_acks, report_missing_file_acks,
    tell_kept_notices,
};
use crate::memory::World;
use crate::notices::OncePerWindow;
use crate::ports::{Audience, Notice, Notifier};

const HOUR: Duration = Duration::from_secs(3600);

/// Everything is looked after once, by a function that has just started.
async fn watch(world: &World) {
    look(&world.watch_kit(), world).await;
}

async fn look(kit: &WatchKit, world: &World) {
    let invocation = world.invocation("watch");
    discard_expired_holds(kit, &invocation).await.unwrap();
    report_missing_acks(kit, &invocation).await.unwrap();
    check_expected_files(kit, &invocation).await.unwrap();
    tell_kept_notices(kit, &invocation).await.unwrap();
    report_missing_file_acks(kit, &invocation).await.unwrap();
}

/// Everything is looked after every five minutes for `time`.
async fn watch_for(world: &World, time: Duration) {
    let kit = world.watch_kit();
    for _ in 0..time.as_secs() / 300 {
        world.clock.advance(Duration::from_secs(300));
        look(&kit, world).await;
    }
}

/// The notices whose subject contains `what`.
fn told(world: &World, what: &str) -> Vec<Notice> {
    world.notices.all().into_iter().filter(|notice| notice.subject.contains(what)).collect()
}

#[tokio::test]
async fn what_a_flow_has_kept_for_people_is_told_when_its_window_is_over() {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let (people, clock) = (Arc::new(world.notices.clone()), Arc::new(world.clock.clone()));
    let flow = (world.ledger(), "derms-dacs-event-status");
    let gathering = OncePerWindow::new(people, flow, clock, SignedDuration::from_mins(15), "one".into());
    for message in ["m1", "m2"] {
        let (audience, text) = (Audience::Business, message.to_owned());
        gathering.notify(&Notice { audience, subject: "refused".into(), text }).await.unwrap();
    }
    watch_for(&world, HOUR).await;
    let subjects: Vec<String> = world.notices.all().into_iter().map(|notice| notice.subject).collect();
    assert_eq!(subjects, ["refused", "refused (1 more)"]);
}

#[tokio::test]
async fn only_one_looks_after_everything_at_a_time_and_whoever_died_is_followed() {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let kit = world.watch_kit();
    let (one, two) = (world.invocation("one"), world.invocation("two"));
    assert!(kit.take_turn(&one).await.unwrap());
    assert!(!kit.take_turn(&two).await.unwrap());
    assert!(kit.take_turn(&one).await.unwrap(), "the same invocation, repeated");
    world.clock.advance(Duration::from_secs(121));
    assert!(kit.take_turn(&two).await.unwrap(), "the first one was ended");
    kit.leave(&two).await.unwrap();
    assert!(kit.take_turn(&world.invocation("three")).await.unwrap());
}
