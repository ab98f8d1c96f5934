use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::csv::Record;
use domain::layout::{HeaderFault, RowFault, Spelling};
use domain::lookups::Lookups;
use jiff::Timestamp;

use super::harness::{Bench, LAYOUT};
use crate::file::{CallRow, CallTarget, FileFlow, FileToCalls, Gate, Next, ReadRow, Verdict, handle};
use crate::ledger::run::{Run, RunState};
use crate::ports::ObjectRef;
use crate::trigger::Invocation;
use crate::{Failure, Transient};

/// Rows are grouped by their value.
fn open(header: &Record<'_>, _: &Lookups, _: &Run) -> Result<ReadRow, HeaderFault> {
    LAYOUT.resolve(header, &Spelling::default())?;
    Ok(Box::new(|row| {
        let field = |place: usize| row.get(place).unwrap().to_vec();
        Ok(CallRow { key: field(0), group: field(1), content: field(1) })
    }))
}

/// A target and its gate: which groups are shut or over, and what was sent in which call.
#[derive(Clone, Default)]
struct Stages {
    shut: Arc<Mutex<Vec<&'static str>>>,
    over: Arc<Mutex<Vec<&'static str>>>,
    calls: Arc<Mutex<Vec<Vec<String>>>>,
    left: Arc<Mutex<u32>>,
    deadline: Option<Timestamp>,
    down: bool,
}

#[async_trait]
impl Gate for Stages {
    fn deadline(&self, _: &Run) -> Option<Timestamp> {
        self.deadline
    }

    async fn look(&self, _: &Run, group: &[u8], _: &Invocation) -> Result<Verdict, Failure> {
        let is_in = |list: &Mutex<Vec<&'static str>>| list.lock().unwrap().iter().any(|it| it.as_bytes() == group);
        Ok(match (is_in(&self.shut), is_in(&self.over)) {
            (true, _) => Verdict::Wait("shut".into()),
            (_, true) => Verdict::Closed("over".into()),
            _ => Verdict::Open,
        })
    }

    async fn leave(&self, _: &Run) -> Result<(), Transient> {
        *self.left.lock().unwrap() += 1;
        Ok(())
    }
}

#[async_trait]
impl CallTarget for Stages {
    async fn call(&self, _: &Run, rows: &[CallRow], _: &Invocation) -> Result<Vec<(usize, RowFault)>, Failure> {
        if self.down {
            return Err(Transient::new("the target is down").into());
        }
        assert!(rows.iter().all(|row| row.group == rows[0].group), "a call of several groups");
        let keys = rows.iter().map(|row| String::from_utf8(row.key.clone()).unwrap()).collect();
        self.calls.lock().unwrap().push(keys);
        Ok(Vec::new())
    }
}

impl Stages {
    fn flow(&self) -> FileToCalls {
        FileToCalls {
            open: Box::new(open),
            rows_per_call: 10,
            side_by_side: 2,
            target: Arc::new(self.clone()),
            gate: Some(Arc::new(self.clone())),
            ack: None,
            is_answer: false,
        }
    }

    fn sent(&self) -> Vec<String> {
        let mut sent: Vec<String> = self.calls.lock().unwrap().concat();
        sent.sort();
        sent
    }
}

async fn attempt(bench: &Bench, stages: &Stages, object: &ObjectRef) -> Next {
    let delivery = bench.world.notification(object);
    handle(&bench.kit, &FileFlow::ToCalls(&stages.flow()), &delivery, &bench.invocation()).await
}

#[tokio::test]
async fn a_file_waits_where_its_gate_is_shut_for_days_if_need_be_and_then_goes_on_from_there() {
    let (bench, stages) = (Bench::new(), Stages::default());
    stages.shut.lock().unwrap().push("later");
    let object = bench.drop_file("f.csv", "key,value\na,now\nb,later\nc,now\n");
    for _ in 0..100 {
        let Next::Again(wait) = attempt(&bench, &stages, &object).await else { panic!("it did not wait") };
        assert!(wait >= Duration::from_secs(10), "{wait:?}");
        bench.world.clock.advance(wait.max(Duration::from_secs(3600)));
    }
    assert_eq!((stages.sent(), bench.counts(&object).rows), (vec!["a".to_owned()], 1));
    stages.shut.lock().unwrap().clear();
    assert_eq!(attempt(&bench, &stages, &object).await, Next::Settled(RunState::Delivered));
    assert_eq!((stages.sent().concat(), bench.counts(&object).delivered), ("abc".to_owned(), 3));
}

#[tokio::test]
async fn rows_of_a_closed_group_are_rejected_with_the_reason_and_the_others_are_sent() {
    let (bench, stages) = (Bench::new(), Stages::default());
    stages.over.lock().unwrap().push("gone");
    let object = bench.drop_file("f.csv", "key,value\na,gone\nb,on\nc,gone\n");
    assert_eq!(attempt(&bench, &stages, &object).await, Next::Settled(RunState::Delivered));
    let run = bench.run(&object);
    assert_eq!((run.counts.delivered, run.counts.rejected, run.counts.balance()), (1, 2, true));
    assert_eq!(bench.rejects(&object).1.unwrap(), "line,column,reason\n2,,over\n4,,over\n");
    assert_eq!(*stages.left.lock().unwrap(), 1);
}

#[tokio::test]
async fn at_its_own_deadline_a_run_is_given_up_and_nothing_is_sent_any_more() {
    let bench = Bench::new();
    let start = bench.world.invocation("x").deadline;
    let deadline = start.saturating_add(jiff::SignedDuration::from_hours(30)).unwrap();
    let mut stages = Stages { deadline: Some(deadline), down: true, ..Stages::default() };
    let object = bench.drop_file("f.csv", "key,value\na,on\nb,on\n");
    let now = || bench.world.invocation("x").deadline.saturating_sub(jiff::SignedDuration::from_secs(120)).unwrap();
    // Tried for longer than the retry limit, but before the deadline: it goes on.
    loop {
        bench.world.clock.advance(Duration::from_secs(2 * 3600));
        if now() > deadline.saturating_sub(jiff::SignedDuration::from_hours(3)).unwrap() {
            break;
        }
        assert!(matches!(attempt(&bench, &stages, &object).await, Next::Again(_)));
    }
    let Next::Again(wait) = attempt(&bench, &stages, &object).await else { panic!("it did not wait") };
    assert!(wait <= Duration::from_secs(300));
    bench.world.clock.advance(Duration::from_secs(4 * 3600));
    stages.down = false;
    assert_eq!(attempt(&bench, &stages, &object).await, Next::Settled(RunState::GivenUp));
    assert_eq!((stages.sent().len(), bench.counts(&object).undelivered), (0, 2));
}

#[tokio::test]
async fn rows_of_groups_that_alternate_still_fill_their_calls() {
    let (bench, stages) = (Bench::new(), Stages::default());
    let rows: String = (0..400).map(|n| format!("k{n},{}\n", n % 5)).collect();
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    assert_eq!(attempt(&bench, &stages, &object).await, Next::Settled(RunState::Delivered));
    assert_eq!(stages.sent().len(), 400);
    assert_eq!(stages.calls.lock().unwrap().len(), 40);
}
