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
