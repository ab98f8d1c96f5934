use std::time::Duration;

use super::*;
use crate::memory::World;
use crate::ports::{CommitError, Item, Store};

const FUNCTION: &str = "dacs-derms-enrollment-sync";

fn world() -> World {
    World::new("2026-07-01T10:00:00Z".parse().unwrap())
}

fn gathering(world: &World, owner: &str, minutes: i64) -> OncePerWindow {
    let (inner, clock) = (Arc::new(world.notices.clone()), Arc::new(world.clock.clone()));
    let window = SignedDuration::from_mins(minutes);
    OncePerWindow::new(inner, (world.ledger(), FUNCTION), clock, window, owner.into())
}

fn refused(message: &str) -> Notice {
    let subject = format!("{FUNCTION}: a message was refused");
    Notice { audience: Audience::Business, subject, text: format!("Message: {message}\n") }
}

async fn rest(world: &World) {
    tell_the_rest(&world.ledger(), FUNCTION, &world.notices, world.clock.now()).await.unwrap();
}

fn subjects(world: &World) -> Vec<String> {
    world.notices.all().into_iter().map(|notice| notice.subject).collect()
}

#[tokio::test]
async fn the_first_of_a_cause_is_told_at_once_and_the_others_together_when_its_window_is_over() {
    let world = world();
    let (one, two) = (gathering(&world, "one", 15), gathering(&world, "two", 15));
    for message in ["m1", "m2"] {
        one.notify(&refused(message)).await.unwrap();
    }
    two.notify(&refused("m3")).await.unwrap();
    assert_eq!(world.notices.all(), [refused("m1")]);
    world.clock.advance(Duration::from_secs(15 * 60));
    rest(&world).await;
    assert_eq!(world.notices.all().len(), 1, "somebody's clock may be behind");
    world.clock.advance(Duration::from_secs(60));
    rest(&world).await;
    rest(&world).await;
    let told = world.notices.all();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].subject, format!("{FUNCTION}: a message was refused (2 more)"));
    assert!(told[1].text.contains("m2") && told[1].text.contains("m3") && !told[1].text.contains("m1"));
    assert_eq!(world.table.items(), vec![], "nothing is left");
}

#[tokio::test]
async fn one_of_a_kind_is_told_once_and_the_next_after_the_window_at_once() {
    let world = world();
    let one = gathering(&world, "one", 15);
    one.notify(&refused("m1")).await.unwrap();
    world.clock.advance(Duration::from_secs(16 * 60));
    one.notify(&refused("m2")).await.unwrap();
    assert_eq!(world.notices.all(), [refused("m1"), refused("m2")]);
    world.clock.advance(Duration::from_secs(17 * 60));
    rest(&world).await;
    assert_eq!(world.notices.all().len(), 2);
}

#[tokio::test]
async fn other_causes_and_other_recipients_do_not_wait() {
    let world = world();
    let one = gathering(&world, "one", 15);
    let failed = Notice { subject: format!("{FUNCTION}: a message was failed"), ..refused("m2") };
    let technical = Notice { audience: Audience::Technical, ..refused("m3") };
    for notice in [&refused("m1"), &failed, &technical] {
        one.notify(notice).await.unwrap();
    }
    assert_eq!(world.notices.all(), [refused("m1"), failed, technical]);
}

#[tokio::test]
async fn a_thousand_of_a_kind_are_two_notices_of_which_the_second_is_not_endless() {
    let world = world();
    let one = gathering(&world, "one", 15);
    for n in 0..1000 {
        one.notify(&refused(&format!("m{n}"))).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(16 * 60));
    rest(&world).await;
    let told = world.notices.all();
    assert_eq!(subjects(&world)[1], format!("{FUNCTION}: a message was refused (999 more)"));
    assert_eq!(told[1].text.matches("Message: ").count(), TOLD);
    assert!(told[1].text.contains("and 979 that are not shown"));
    assert_eq!(world.table.items(), vec![]);
}

#[tokio::test]
async fn without_a_window_every_notice_is_told_at_once_and_nothing_is_written() {
    let world = world();
    let one = gathering(&world, "one", 0);
    for message in ["m1", "m2"] {
        one.notify(&refused(message)).await.unwrap();
    }
    assert_eq!(world.notices.all(), [refused("m1"), refused("m2")]);
    assert_eq!(world.table.items(), vec![]);
}

/// The window that is over is closed at the moment when somebody opens the next one.
struct Closing(World);

#[async_trait]
impl Store for Closing {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        self.0.table.get(keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        rest(&self.0).await;
        self.0.table.commit(writes).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        self.0.table.list(partition, after, limit).await
    }
}

#[tokio::test]
async fn what_comes_when_the_window_before_it_is_being_closed_is_told_and_not_kept_for_nobody() {
    let world = world();
    gathering(&world, "one", 15).notify(&refused("m1")).await.unwrap();
    world.clock.advance(Duration::from_secs(16 * 60));
    let ledger = Ledger::new(Arc::new(Closing(world.clone())));
    let two = OncePerWindow { ledger: (ledger, FUNCTION), ..gathering(&world, "two", 15) };
    two.notify(&refused("m2")).await.unwrap();
    assert_eq!(world.notices.all(), [refused("m1"), refused("m2")]);
    world.clock.advance(Duration::from_secs(16 * 60));
    rest(&world).await;
    assert_eq!(world.table.items(), vec![], "nothing is left");
}

/// The first commit fails.
struct Failing(World, std::sync::atomic::AtomicBool);

#[async_trait]
impl Store for Failing {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        self.0.table.get(keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        if self.1.swap(false, Ordering::Relaxed) {
            return Err(Transient::new("throttled").into());
        }
        self.0.table.commit(writes).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        self.0.table.list(partition, after, limit).await
    }
}

#[tokio::test]
async fn what_could_not_be_taken_away_once_it_was_told_is_told_again_the_next_time_and_not_left() {
    let world = world();
    let one = gathering(&world, "one", 15);
    for n in 0..60 {
        one.notify(&refused(&format!("m{n}"))).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(16 * 60));
    let ledger = Ledger::new(Arc::new(Failing(world.clone(), true.into())));
    tell_the_rest(&ledger, FUNCTION, &world.notices, world.clock.now()).await.unwrap_err();
    rest(&world).await;
    assert_eq!(world.table.items(), vec![], "nothing is left");
}

struct Deaf;

#[async_trait]
impl Notifier for Deaf {
    async fn notify(&self, _: &Notice) -> Result<(), Transient> {
        Err(Transient::new("nobody hears"))
    }
}

#[tokio::test]
async fn a_first_notice_that_could_not_be_told_is_told_when_the_window_is_over() {
    let world = world();
    let deaf = OncePerWindow { inner: Arc::new(Deaf), ..gathering(&world, "one", 15) };
    deaf.notify(&refused("m1")).await.unwrap_err();
    // Whoever was told of the fault tries again.
    deaf.notify(&refused("m1")).await.unwrap();
    world.clock.advance(Duration::from_secs(16 * 60));
    rest(&world).await;
    assert!(world.notices.all().remove(0).text.contains("m1"));
}
