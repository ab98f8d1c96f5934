use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::csv::Record;
use domain::layout::{HeaderFault, RowFault, Spelling};
use domain::lookups::Lookups;

use super::harness::{Bench, LAYOUT};
use crate::file::{CallRow, CallTarget, FileFlow, FileToCalls, Next, ReadRow, handle};
use crate::ledger::run::{Run, RunState};
use crate::trigger::Invocation;
use crate::{Failure, Transient};

fn open(header: &Record<'_>, _: &Lookups, _: &Run) -> Result<ReadRow, HeaderFault> {
    let columns = LAYOUT.resolve(header, &Spelling::default())?;
    let (key, value) = (columns.place(0).unwrap(), columns.place(1).unwrap());
    Ok(Box::new(move |row| {
        columns.check_width(row.len())?;
        let field = |place: usize| row.get(place).unwrap().to_vec();
        match field(value).as_slice() {
            b"bad" => Err(RowFault::at("value", "is bad")),
            content => Ok(CallRow { key: field(key), group: b"one".to_vec(), content: content.to_vec() }),
        }
    }))
}

/// A target that keeps the history of each key, and refuses the value `no`.
#[derive(Clone, Default)]
struct Keys {
    taken: Arc<Mutex<Vec<(String, String)>>>,
    largest_call: Arc<Mutex<usize>>,
    failures: Arc<Mutex<usize>>,
}

#[async_trait]
impl CallTarget for Keys {
    async fn call(&self, _: &Run, rows: &[CallRow], _: &Invocation) -> Result<Vec<(usize, RowFault)>, Failure> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut largest = self.largest_call.lock().unwrap();
        *largest = rows.len().max(*largest);
        let mut refused = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            if row.content == b"no" {
                refused.push((place, RowFault::row("refused by the target")));
            } else {
                self.taken.lock().unwrap().push((text(&row.key), text(&row.content)));
            }
        }
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(Transient::new("the answer was lost").into());
        }
        Ok(refused)
    }
}

impl Keys {
    /// What was taken under `key`, repeats in a row left out.
    fn history(&self, key: &str) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let mut history: Vec<String> = taken.iter().filter(|(k, _)| k == key).map(|(_, value)| value.clone()).collect();
        history.dedup();
        history
    }
}

async fn deliver(bench: &Bench, keys: &Keys, rows: &str) -> (Run, Next) {
    let flow = FileToCalls {
        open: Box::new(open),
        rows_per_call: 3,
        side_by_side: 4,
        target: Arc::new(keys.clone()),
        gate: None,
        ack: None,
        is_answer: false,
    };
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    loop {
        let delivery = bench.world.notification(&object);
        let next = handle(&bench.kit, &FileFlow::ToCalls(&flow), &delivery, &bench.invocation()).await;
        match next {
            Next::Again(delay) => bench.world.clock.advance(delay.max(std::time::Duration::from_secs(1))),
            next => return (bench.run(&object), next),
        }
    }
}

#[tokio::test]
async fn rows_go_in_small_calls_and_rows_of_one_key_in_file_order() {
    let (bench, keys) = (Bench::new(), Keys::default());
    let rows: String = (0..200).map(|n| format!("k{},{n}\n", n % 7)).collect();
    let (run, next) = deliver(&bench, &keys, &rows).await;
    assert_eq!((next, run.counts.rows), (Next::Settled(RunState::Delivered), 200));
    assert!(*keys.largest_call.lock().unwrap() <= 3);
    for key in 0..7 {
        let history = keys.history(&format!("k{key}"));
        let numbers: Vec<u32> = history.iter().map(|value| value.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "k{key}: {numbers:?}");
    }
    assert!(run.counts.balance());
}

#[tokio::test]
async fn rows_refused_here_and_by_the_target_are_in_the_reject_file_in_file_order() {
    let (bench, keys) = (Bench::new(), Keys::default());
    let (run, _) = deliver(&bench, &keys, "a,1\nb,no\nc,bad\nd,no\ne,5\n").await;
    assert_eq!((run.counts.delivered, run.counts.rejected), (2, 3));
    let object = bench.world.objects.versions(super::harness::OUTBOX, "f.csv").remove(0);
    let (rows, reasons) = bench.rejects(&object);
    assert_eq!(rows.unwrap().lines().count(), 4);
    let reasons = reasons.unwrap();
    assert!(reasons.contains("3,,refused by the target") && reasons.contains("4,value,is bad"), "{reasons}");
}

#[tokio::test]
async fn lost_answers_are_repeats_and_the_books_are_the_same() {
    let (bench, keys) = (Bench::new(), Keys::default());
    *keys.failures.lock().unwrap() = 5;
    let rows: String = (0..50).map(|n| format!("k{n},{n}\n")).collect();
    let (run, next) = deliver(&bench, &keys, &rows).await;
    assert_eq!((next, run.counts.delivered), (Next::Settled(RunState::Delivered), 50));
    assert!((0..50).all(|n| keys.history(&format!("k{n}")) == [n.to_string()]));
}

#[tokio::test]
async fn a_row_that_is_repeated_within_a_call_shares_the_fate_of_the_first() {
    let (bench, keys) = (Bench::new(), Keys::default());
    let (run, _) = deliver(&bench, &keys, "a,no\na,no\nb,1\nb,1\n").await;
    assert_eq!((run.counts.delivered, run.counts.repeated, run.counts.rejected), (1, 1, 2));
    let object = bench.world.objects.versions(super::harness::OUTBOX, "f.csv").remove(0);
    let (rows, _) = bench.rejects(&object);
    assert_eq!(rows.unwrap(), "key,value\na,no\na,no\n");
}

/// A target whose first call fails at once, and the others later.
#[derive(Clone, Default)]
struct Staggered {
    begun: Arc<Mutex<u32>>,
    ended: Arc<Mutex<u32>>,
}

#[async_trait]
impl CallTarget for Staggered {
    async fn call(&self, _: &Run, _: &[CallRow], _: &Invocation) -> Result<Vec<(usize, RowFault)>, Failure> {
        let is_first = {
            let mut begun = self.begun.lock().unwrap();
            *begun += 1;
            *begun == 1
        };
        if !is_first {
            tokio::task::yield_now().await;
        }
        *self.ended.lock().unwrap() += 1;
        Err(Transient::new("down").into())
    }
}

#[tokio::test]
async fn when_a_call_fails_those_on_their_way_are_waited_for() {
    let bench = Bench::new();
    let target = Staggered::default();
    let flow = FileToCalls {
        open: Box::new(open),
        rows_per_call: 1,
        side_by_side: 8,
        target: Arc::new(target.clone()),
        gate: None,
        ack: None,
        is_answer: false,
    };
    let rows: String = (0..40).map(|n| format!("k{n},{n}\n")).collect();
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    let delivery = bench.world.notification(&object);
    let next = handle(&bench.kit, &FileFlow::ToCalls(&flow), &delivery, &bench.invocation()).await;
    assert!(matches!(next, Next::Again(_)));
    let (begun, ended) = (*target.begun.lock().unwrap(), *target.ended.lock().unwrap());
    assert!(begun > 1 && begun == ended, "{begun} calls begun, {ended} ended");
}
