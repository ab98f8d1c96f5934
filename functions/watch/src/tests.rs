use std::sync::Arc;
use std::time::Duration;

use flow::Transient;
use flow::memory::{CONFIG, World};
use flow::ports::{Notice, Notifier};

use super::*;

fn world() -> World {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let row = "flow,cron,timeZone,grace,minimumRows\nouai-dacs-kwh-avoided,0 11 * * *,UTC,PT0M,0\n";
    world.objects.put(CONFIG, "lookups/ExpectedFiles.csv", row);
    world
}

#[tokio::test]
async fn everything_is_looked_after_once_and_what_goes_well_is_no_metric() {
    let world = world();
    let watch = Watch { kit: world.watch_kit() };
    watch.handle(world.invocation("one")).await.unwrap();
    world.clock.advance(Duration::from_secs(2 * 3600));
    watch.handle(world.invocation("two")).await.unwrap();
    let subjects: Vec<String> = world.notices.all().into_iter().map(|notice| notice.subject).collect();
    assert_eq!(subjects, ["ouai-dacs-kwh-avoided: an expected file is missing"]);
    assert_eq!(world.reports.all(), [], "a metric of its own every five minutes costs more than it says");
}

#[tokio::test]
async fn while_another_invocation_watches_nothing_is_done() {
    let world = world();
    let watch = Watch { kit: world.watch_kit() };
    assert!(watch.kit.take_turn(&world.invocation("one")).await.unwrap());
    watch.handle(world.invocation("two")).await.unwrap();
    assert_eq!(world.reports.all(), []);
}

struct Deaf;

#[async_trait::async_trait]
impl Notifier for Deaf {
    async fn notify(&self, _: &Notice) -> Result<(), Transient> {
        Err(Transient::new("nobody hears"))
    }
}

#[tokio::test]
async fn a_duty_that_fails_is_reported_and_the_turn_is_left_to_the_next() {
    let world = world();
    let mut kit = world.watch_kit();
    kit.notifier = Arc::new(Deaf);
    let watch = Watch { kit };
    watch.handle(world.invocation("one")).await.unwrap();
    world.clock.advance(Duration::from_secs(2 * 3600));
    let fault = watch.handle(world.invocation("two")).await.unwrap_err();
    assert_eq!(fault.chain(), "nobody hears");
    assert_eq!(world.reports.all().pop().unwrap().outcome, "handed-back");
    assert!(watch.kit.take_turn(&world.invocation("three")).await.unwrap());
}
