use super::*;
use crate::file::Next;
use crate::file::tests::harness::Bench;
use crate::ledger::open::Matter;
use crate::ledger::run::RunState;
use crate::operate::Runs;
use crate::ports::ObjectRef;

const FLOW: &str = "ouai-dacs-kwh-avoided";

/// A file of which 101 of 1,000 rows are bad.
async fn held() -> (Bench, ObjectRef) {
    let bench = Bench::of(FLOW);
    let rows: String = (0..1000).map(|n| if n < 101 { "b,x\n".into() } else { format!("k{n},{n}\n") }).collect();
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    assert_eq!(bench.publish(&object).await, Next::Settled(RunState::Held));
    (bench, object)
}

fn runs(bench: &Bench) -> Runs {
    Runs {
        flow: FLOW.into(),
        ledger: bench.world.ledger(),
        queue: Arc::new(bench.world.queue.clone()),
        clock: Arc::new(bench.world.clock.clone()),
    }
}

#[tokio::test]
async fn a_run_that_is_held_for_longer_than_the_limit_is_discarded_and_business_recipients_are_told() {
    let (bench, object) = held().await;
    assert_eq!(bench.world.open(FLOW), [(Matter::Held, bench.run(&object).id.to_string())]);
    bench.world.clock.advance(71 * HOUR);
    watch(&bench.world).await;
    assert_eq!(bench.run(&object).state, RunState::Held, "there is an hour left");
    bench.world.clock.advance(HOUR);
    watch(&bench.world).await;
    watch(&bench.world).await;
    let run = bench.run(&object);
    assert_eq!((run.state, run.counts.undelivered), (RunState::Discarded, 899));
    assert!(run.counts.balance() && run.expires().is_some());
    assert_eq!(bench.world.open(FLOW), []);
    let told = told(&bench.world, "file discarded");
    assert_eq!((told.len(), told[0].audience), (1, Audience::Business));
    assert!(told[0].text.contains("held for 72 hours, and nobody decided"), "{}", told[0].text);
    assert_eq!(bench.world.reports.tallied(FLOW, "ExpiredHolds"), 1);
    assert_eq!(bench.publish(&object).await, Next::Settled(RunState::Discarded), "its event again");
}

#[tokio::test]
async fn a_run_that_a_person_released_or_discarded_is_no_open_matter_any_more() {
    let (bench, object) = held().await;
    runs(&bench).release(&bench.run(&object).id).await.unwrap();
    assert_eq!(bench.world.open(FLOW), []);
    bench.world.clock.advance(100 * HOUR);
    watch(&bench.world).await;
    assert_eq!(bench.run(&object).state, RunState::Waiting);

    let (bench, object) = held().await;
    runs(&bench).discard(&bench.run(&object).id).await.unwrap();
    assert_eq!(bench.world.open(FLOW), []);
}

#[tokio::test]
async fn a_run_that_was_given_up_is_listed_until_it_is_replayed_or_discarded() {
    let bench = Bench::of(FLOW);
    bench.taken.lost_answers.lock().unwrap().extend(1..2000);
    let object = bench.drop_file("f.csv", "key,value\na,1\nb,2\n");
    while let Next::Again(delay) = bench.send(&object).await {
        bench.world.clock.advance(delay);
    }
    let id = bench.run(&object).id;
    assert_eq!(bench.world.open(FLOW), [(Matter::GivenUp, id.to_string())]);
    bench.world.clock.advance(100 * HOUR);
    watch(&bench.world).await;
    assert_eq!(bench.run(&object).state, RunState::GivenUp, "the hold limit is for held runs");
    runs(&bench).replay(&id).await.unwrap();
    assert_eq!(bench.world.open(FLOW), []);
    while let Next::Again(delay) = bench.send(&object).await {
        bench.world.clock.advance(delay);
    }
    assert_eq!(bench.world.open(FLOW), [(Matter::GivenUp, id.to_string())], "given up again");
    assert_eq!(runs(&bench).discard(&id).await.unwrap().state, RunState::Discarded);
    assert_eq!(bench.world.open(FLOW), []);
    assert!(bench.counts(&object).balance());
}
