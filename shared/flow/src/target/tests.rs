mod rate;
mod routing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Pacer;
use crate::memory::World;
use crate::ports::Clock;

const TARGET: &str = "dacs";

fn pacer(world: &World, owner: &str) -> Pacer {
    Pacer::new(world.ledger(), TARGET, 10, owner.into())
}

fn world() -> World {
    World::new("2026-07-01T10:00:00Z".parse().unwrap())
}

/// A clock by which, whenever somebody has slept, another instance is told to pause, while there are pauses left.
struct Interrupted {
    world: World,
    other: Pacer,
    pauses: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Clock for Interrupted {
    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    async fn sleep(&self, span: Duration) {
        let pause = self.pauses.lock().unwrap().pop();
        if let Some(pause) = pause {
            self.other.push_back(&self.world.clock, pause).await.unwrap();
        }
        self.world.clock.sleep(span).await;
    }
}

#[tokio::test]
async fn a_slot_that_was_reserved_before_a_pause_is_not_used_in_it() {
    let world = world();
    let (one, other) = (pacer(&world, "one"), pacer(&world, "other"));
    let start = world.clock.now();
    one.push_back(&world.clock, Duration::from_secs(2)).await.unwrap();
    let clock = Interrupted { world: world.clone(), other, pauses: Mutex::new(vec![Duration::from_secs(30)]) };
    one.slot(&clock, Timestamp::MAX).await.unwrap();
    let waited = world.clock.now().duration_since(start).as_secs();
    assert!(waited >= 30, "called {waited} s after a pause of 30 s was asked for");
}

#[tokio::test]
async fn a_pause_that_outlasts_the_invocation_is_not_slept_through() {
    let world = world();
    let pacer = pacer(&world, "one");
    let start = world.clock.now();
    pacer.push_back(&world.clock, Duration::from_secs(3600)).await.unwrap();
    let latest = start.saturating_add(jiff::SignedDuration::from_secs(90)).unwrap();
    let refused = pacer.slot(&world.clock, latest).await.unwrap_err();
    assert!(refused.chain().contains("not to be called before 2026-07-01T11:00"), "{}", refused.chain());
    assert_eq!(world.clock.now(), start);
}

#[tokio::test]
async fn two_instances_share_one_rate() {
    let world = world();
    let pacers: Vec<Arc<Pacer>> = ["one", "two"].map(|owner| Arc::new(pacer(&world, owner))).into();
    let start = world.clock.now();
    for round in 0..100 {
        pacers[round % 2].slot(&world.clock, Timestamp::MAX).await.unwrap();
    }
    let took = world.clock.now().duration_since(start).as_millis();
    assert!((9_500..=10_200).contains(&took), "100 calls at 10 a second took {took} ms");
}

/// How often the target's item was written.
fn writes(world: &World) -> u64 {
    world.table.items().first().map_or(0, |item| item.rev)
}

#[tokio::test]
async fn a_slot_that_was_made_ready_is_used_without_another_write() {
    let world = world();
    let pacer = pacer(&world, "one");
    pacer.make_ready(&world.clock, Timestamp::MAX).await.unwrap();
    pacer.make_ready(&world.clock, Timestamp::MAX).await.unwrap();
    assert_eq!(writes(&world), 1, "one is enough");
    world.clock.advance(Duration::from_millis(25));
    pacer.slot(&world.clock, Timestamp::MAX).await.unwrap();
    assert_eq!(writes(&world), 1);
}

#[tokio::test]
async fn a_call_that_comes_too_late_for_the_slot_that_was_made_ready_reserves_another() {
    let world = world();
    let pacer = pacer(&world, "one");
    pacer.make_ready(&world.clock, Timestamp::MAX).await.unwrap();
    world.clock.advance(Duration::from_millis(26));
    let start = world.clock.now();
    pacer.slot(&world.clock, Timestamp::MAX).await.unwrap();
    assert_eq!(writes(&world), 2);
    let waited = world.clock.now().duration_since(start).as_millis();
    assert_eq!(waited, 76, "the next one, 102 ms after the one that was lost");
}

#[tokio::test]
async fn a_pause_voids_a_slot_that_was_made_ready() {
    let (one, other) = ("one", "other");
    for who in [one, other] {
        let world = world();
        let [pacer, told] = [one, who].map(|owner| Arc::new(pacer(&world, owner)));
        let told = if who == one { pacer.clone() } else { told };
        let start = world.clock.now();
        pacer.push_back(&world.clock, Duration::from_secs(2)).await.unwrap();
        pacer.make_ready(&world.clock, Timestamp::MAX).await.unwrap();
        told.push_back(&world.clock, Duration::from_secs(30)).await.unwrap();
        pacer.slot(&world.clock, Timestamp::MAX).await.unwrap();
        let waited = world.clock.now().duration_since(start).as_secs();
        assert!(waited >= 30, "called {waited} s after {who} was asked for a pause of 30 s");
    }
}

#[tokio::test]
async fn nothing_is_made_ready_for_a_call_that_would_come_too_late() {
    let world = world();
    let pacer = pacer(&world, "one");
    pacer.push_back(&world.clock, Duration::from_secs(3600)).await.unwrap();
    let latest = world.clock.now().saturating_add(jiff::SignedDuration::from_secs(90)).unwrap();
    pacer.make_ready(&world.clock, latest).await.unwrap_err();
    assert_eq!(writes(&world), 1, "the pause");
}
