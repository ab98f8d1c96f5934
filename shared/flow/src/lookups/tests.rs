//! Lookups that change while instances run.

use std::time::Duration;

use super::LookupBook;
use crate::memory::World;

const FLOW: &str = "test-flow";
const GOOD: &str = "programId,programCode,programExternalIdentifier\n1,ONE,X1\n";
const BROKEN: &str = "programId,programCode,programExternalIdentifier\n1,ONE,X1\n2,ONE,X2\n";

fn world() -> World {
    World::new("2026-07-01T12:00:00Z".parse().unwrap())
}

fn instance(world: &World) -> LookupBook {
    world.lookups(FLOW, &["Program"])
}

fn put(world: &World, text: &'static str) {
    world.objects.put("config", "lookups/Program.csv", text);
}

async fn lists(book: &LookupBook, code: &str) -> bool {
    book.current().await.unwrap().programs().by_code(code).is_ok()
}

async fn after_a_minute(world: &World, book: &LookupBook, code: &str) -> bool {
    world.clock.advance(Duration::from_secs(61));
    lists(book, code).await
}

#[tokio::test]
async fn a_new_version_is_taken_within_a_minute() {
    let world = world();
    let book = instance(&world);
    assert!(!lists(&book, "ONE").await);
    put(&world, GOOD);
    assert!(!lists(&book, "ONE").await, "looked a moment ago");
    assert!(after_a_minute(&world, &book, "ONE").await);
}

#[tokio::test]
async fn a_broken_version_is_refused_and_the_last_good_one_stays_for_cold_starts_too() {
    let world = world();
    put(&world, GOOD);
    let warm = instance(&world);
    assert!(lists(&warm, "ONE").await);
    put(&world, BROKEN);
    assert!(after_a_minute(&world, &warm, "ONE").await);
    assert!(lists(&instance(&world), "ONE").await);
}

#[tokio::test]
async fn people_are_told_once_of_a_broken_version_however_many_instances_see_it() {
    let world = world();
    put(&world, GOOD);
    let instances = [instance(&world), instance(&world), instance(&world)];
    for book in &instances {
        assert!(lists(book, "ONE").await);
    }
    put(&world, BROKEN);
    for _ in 0..2 {
        for book in &instances {
            assert!(after_a_minute(&world, book, "ONE").await);
        }
    }
    assert!(lists(&instance(&world), "ONE").await);
    let notices = world.notices.all();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].text.contains("line 3"), "{}", notices[0].text);
}
