//! What a person does with a run.

use std::sync::Arc;

use super::harness::{Bench, FLOW};
use crate::file::Next;
use crate::ledger::run::RunState;
use crate::operate::Runs;
use crate::ports::ObjectRef;

fn runs(bench: &Bench) -> Runs {
    Runs {
        flow: FLOW.into(),
        ledger: bench.world.ledger(),
        queue: Arc::new(bench.world.queue.clone()),
        clock: Arc::new(bench.world.clock.clone()),
    }
}

/// A file of which 101 of 1,000 rows are bad.
async fn held() -> (Bench, ObjectRef) {
    let bench = Bench::new();
    let rows: String = (0..1000).map(|n| if n < 101 { "b,x\n".into() } else { format!("k{n},{n}\n") }).collect();
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    assert_eq!(bench.publish(&object).await, Next::Settled(RunState::Held));
    (bench, object)
}

#[tokio::test]
async fn a_held_run_that_is_released_delivers_its_valid_rows() {
    let (bench, object) = held().await;
    runs(&bench).release(&bench.run(&object).id).await.unwrap();
    let nudge = bench.world.queue.take(1).remove(0);
    assert_eq!(bench.publish_delivery(&nudge).await, Next::Settled(RunState::Delivered));
    assert_eq!(bench.delivered("f.csv").unwrap().lines().count(), 900);
    let counts = bench.counts(&object);
    assert_eq!((counts.delivered, counts.rejected), (899, 101));
    assert!(counts.balance());
}

#[tokio::test]
async fn a_held_run_that_is_discarded_delivers_nothing_and_closes_its_books() {
    let (bench, object) = held().await;
    let run = runs(&bench).discard(&bench.run(&object).id).await.unwrap();
    assert_eq!((run.state, run.counts.undelivered), (RunState::Discarded, 899));
    assert!(run.counts.balance());
    assert_eq!(bench.publish(&object).await, Next::Settled(RunState::Discarded), "its event again");
    assert_eq!(bench.delivered("f.csv"), None);
    let twice = runs(&bench).release(&run.id).await.unwrap_err();
    assert!(twice.to_string().contains("is discarded; only one that is held"), "{twice}");
}

#[tokio::test]
async fn a_run_that_was_given_up_is_replayed_from_where_it_stopped() {
    let bench = Bench::new();
    bench.taken.lost_answers.lock().unwrap().extend(2..4000);
    let rows: String = (10..22).map(|n| format!("key{n},{n}\n")).collect();
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    while let Next::Again(delay) = bench.send(&object).await {
        bench.world.clock.advance(delay);
    }
    let run = bench.run(&object);
    assert_eq!((run.state, run.counts.delivered + run.counts.undelivered), (RunState::GivenUp, 12));
    runs(&bench).replay(&run.id).await.unwrap();
    bench.taken.lost_answers.lock().unwrap().clear();
    let nudge = bench.world.queue.take(1).remove(0);
    assert_eq!(bench.send_delivery(&nudge).await, Next::Settled(RunState::Delivered));
    assert_eq!(bench.taken.rows().lines().count(), 12);
    let counts = bench.counts(&object);
    assert_eq!((counts.delivered, counts.undelivered), (12, 0));
}

#[tokio::test]
async fn a_corrected_reject_file_is_a_new_run_with_its_parent_and_its_parents_envelope() {
    use crate::ports::{Destination, Outlet};
    let bench = Bench::new();
    let metadata = [("as-of".to_owned(), "2026-07-01".to_owned()), ("row-count".to_owned(), "2".to_owned())].into();
    let to = Destination { key: "in/f.csv".into(), metadata };
    let outbox = bench.world.objects.outlet(super::harness::OUTBOX);
    outbox.put(&to, "key,value\na,1\nb,x\n".into()).await.unwrap();
    let first = bench.world.objects.versions(super::harness::OUTBOX, "in/f.csv").remove(0);
    bench.publish(&first).await;
    let parent = bench.run(&first);
    let corrected = bench.rejects(&first).0.unwrap().replace(",x", ",7");
    let again = bench.drop_file(&format!("in/f.csv.{}.rows.csv", parent.id), corrected);
    assert_eq!(bench.publish(&again).await, Next::Settled(RunState::Delivered));
    let run = bench.run(&again);
    assert_eq!(run.parent, Some(parent.id));
    assert_eq!(run.envelope.keys().collect::<Vec<_>>(), ["as-of"]);
}

#[tokio::test]
async fn the_runs_of_a_flow_are_listed_newest_first() {
    let bench = Bench::new();
    for name in ["1.csv", "2.csv", "3.csv"] {
        let object = bench.drop_file(name, "key,value\na,1\n");
        bench.publish(&object).await;
        bench.world.clock.advance(std::time::Duration::from_secs(60));
    }
    let names: Vec<String> = runs(&bench).latest(2).await.unwrap().into_iter().map(|run| run.source.key).collect();
    assert_eq!(names, ["3.csv", "2.csv"]);
}

#[tokio::test]
async fn a_run_that_was_given_up_before_its_header_was_read_is_replayed_without_taking_the_header_for_a_row() {
    let mut bench = Bench::new();
    bench.kit.limits.retry = jiff::SignedDuration::from_secs(1);
    bench.taken.lost_answers.lock().unwrap().push(1);
    let object = bench.drop_file("f.csv", "key,value\na,1\nb,2\n");
    while let Next::Again(delay) = bench.send(&object).await {
        bench.world.clock.advance(delay);
    }
    assert_eq!(bench.run(&object).state, RunState::GivenUp);
    runs(&bench).replay(&bench.run(&object).id).await.unwrap();
    assert_eq!(bench.send(&object).await, Next::Settled(RunState::Delivered));
    let counts = bench.counts(&object);
    assert_eq!((counts.rows, counts.delivered, counts.rejected), (2, 2, 0));
}
