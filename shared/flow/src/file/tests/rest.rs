use super::harness::Bench;
use crate::file::Next;
use crate::ledger::run::RunState;
use crate::ports::Clock;

#[tokio::test]
async fn valid_rows_are_sent_in_numbered_parts_of_which_only_the_last_says_so() {
    let bench = Bench::new();
    let rows: String = (10..22).map(|n| format!("key{n},{n}\n")).collect();
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    assert_eq!(bench.send(&object).await, Next::Settled(RunState::Delivered));
    let parts = bench.taken.parts();
    let last: Vec<bool> = parts.values().map(|(_, last)| *last).collect();
    assert_eq!(last, [false, false, false, true]);
    assert!(parts.values().all(|(rows, _)| rows.len() <= 30));
    assert_eq!(bench.taken.rows().lines().count(), 12);
    assert!(bench.counts(&object).balance());
}

#[tokio::test]
async fn the_same_row_twice_in_one_call_is_sent_once_and_another_row_under_its_key_is_rejected() {
    let bench = Bench::new();
    let object = bench.drop_file("f.csv", "key,value\na,1\na,1\na,2\n");
    bench.send(&object).await;
    assert_eq!(bench.taken.rows(), "a=1\n");
    let counts = bench.counts(&object);
    assert_eq!((counts.rows, counts.delivered, counts.repeated, counts.rejected), (3, 1, 1, 1));
    assert!(bench.rejects(&object).1.unwrap().contains("4,,duplicate of line 2"));
}

#[tokio::test]
async fn a_file_without_a_valid_row_makes_no_call() {
    let bench = Bench::new();
    let object = bench.drop_file("f.csv", "key,value\na,x\nb,y\n");
    assert_eq!(bench.send(&object).await, Next::Settled(RunState::Rejected));
    assert!(bench.taken.parts().is_empty());
    assert!(bench.counts(&object).balance());
}

#[tokio::test]
async fn invalid_rows_at_the_end_do_not_keep_the_last_part_from_being_the_last() {
    let bench = Bench::new();
    let bad = "b,x\n".repeat(50);
    let object = bench.drop_file("f.csv", format!("key,value\na,1\n{bad}"));
    bench.send(&object).await;
    assert_eq!(bench.taken.parts().remove(&1), Some(("a=1\n".into(), true)));
    assert_eq!(bench.counts(&object).rejected, 50);
}

#[tokio::test]
async fn a_gzip_that_breaks_off_keeps_what_was_valid_before_and_is_rejected_from_there() {
    use std::io::Write;
    let bench = Bench::new();
    let rows: String = (0..50_000).map(|n| format!("k{n},{n}\n")).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(format!("key,value\n{rows}").as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    let object = bench.drop_file("f.csv.gz", whole[..whole.len() / 2].to_vec());
    assert_eq!(bench.send(&object).await, Next::Settled(RunState::Delivered));
    let counts = bench.counts(&object);
    assert!(counts.delivered > 1000 && counts.rejected == 1 && counts.balance(), "{counts:?}");
    assert!(bench.run(&object).reason.unwrap().contains("breaks off"));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_a_repeat_of_the_same_part() {
    let bench = Bench::new();
    bench.taken.lost_answers.lock().unwrap().extend([1, 3]);
    let rows: String = (10..22).map(|n| format!("key{n},{n}\n")).collect();
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    while let Next::Again(delay) = bench.send(&object).await {
        bench.world.clock.advance(delay);
    }
    assert_eq!(bench.taken.rows().lines().count(), 12);
    assert_eq!(bench.counts(&object).delivered, 12);
}

#[tokio::test]
async fn an_outage_within_the_retry_limit_gives_no_file_up_however_often_it_is_tried() {
    let bench = Bench::new();
    let started = bench.world.clock.now();
    bench.taken.lost_answers.lock().unwrap().extend(1..10_000);
    let object = bench.drop_file("f.csv", "key,value\na,1\nb,2\n");
    let down = || bench.world.clock.now().duration_since(started).as_hours() < 20;
    while down() {
        let Next::Again(delay) = bench.send(&object).await else { panic!("given up") };
        assert!(delay <= std::time::Duration::from_secs(300));
        bench.world.clock.advance(delay);
    }
    assert!(bench.run(&object).attempt > 200);
    bench.taken.lost_answers.lock().unwrap().clear();
    assert_eq!(bench.send(&object).await, Next::Settled(RunState::Delivered));
}

#[tokio::test]
async fn a_target_that_stays_down_is_given_up_after_the_limit_and_every_row_is_accounted_for() {
    let bench = Bench::new();
    bench.taken.lost_answers.lock().unwrap().extend(1..1000);
    let object = bench.drop_file("f.csv", "key,value\na,1\nb,2\n");
    while let Next::Again(delay) = bench.send(&object).await {
        bench.world.clock.advance(delay);
    }
    let run = bench.run(&object);
    assert_eq!((run.state, run.counts.undelivered), (RunState::GivenUp, 2));
    assert!(run.counts.balance());
}
