use std::collections::HashSet;
use std::fmt::Write as _;

use async_trait::async_trait;
use domain::csv::Record;
use domain::layout::{HeaderFault, RowFault};
use domain::lookups::Lookups;

use super::*;
use crate::Failure;
use crate::file::tests::harness::{Bench, Ticking, open_answered};
use crate::file::{CallRow, CallTarget, FileFlow, FileToCalls, Next, ReadRow, handle};
use crate::ledger::open::Matter;
use crate::ledger::run::{Run, RunState};
use crate::memory::REJECTS;
use crate::operate::Runs;
use crate::ports::ObjectRef;
use crate::trigger::Invocation;

const SYNC: &str = "dacs-ouai-enrollment-sync";
const ACKS: &str = "ouai-dacs-enrollment-ack";
const DAY: Duration = Duration::from_secs(86_400);

/// A row of an acknowledgement file: its first field is what it answers.
fn open(_: &Record<'_>, _: &Lookups, _: &Run) -> Result<ReadRow, HeaderFault> {
    Ok(Box::new(|row| {
        let field = |place: usize| row.get(place).unwrap_or_default().to_vec();
        let (key, content) = (field(0), field(1));
        if content == b"unreadable" {
            return Err(RowFault::at("value", "is neither SUCCESS nor ERROR"));
        }
        Ok(CallRow { key, group: Vec::new(), content })
    }))
}

/// Takes every answer but one that says `refused`.
struct Dacs;

#[async_trait]
impl CallTarget for Dacs {
    async fn call(&self, _: &Run, rows: &[CallRow], _: &Invocation) -> Result<Vec<(usize, RowFault)>, Failure> {
        let refused = rows.iter().enumerate().filter(|(_, row)| row.content == b"refused");
        Ok(refused.map(|(place, _)| (place, RowFault::row("refused"))).collect())
    }
}

/// Both flows in one world.
struct Pair {
    sync: Bench,
    acks: Bench,
    to_calls: FileToCalls,
}

impl Pair {
    fn new() -> Self {
        let mut sync = Bench::of(SYNC);
        sync.to_file.open = open_answered;
        let mut acks = Bench::over(sync.world.clone(), ACKS);
        acks.kit.in_order = false;
        let to_calls = FileToCalls {
            open: Box::new(open),
            rows_per_call: 1,
            side_by_side: 4,
            target: Arc::new(Dacs),
            gate: None,
            ack: None,
            is_answer: true,
        };
        Self { sync, acks, to_calls }
    }

    fn world(&self) -> &World {
        &self.sync.world
    }

    /// A file with these ids is delivered.
    async fn send(&self, name: &str, ids: &[&str]) -> ObjectRef {
        let rows: String = ids.iter().map(|id| format!("{id},1\n")).collect();
        let object = self.sync.drop_file(name, format!("key,value\n{rows}"));
        assert_eq!(self.sync.publish(&object).await, Next::Settled(RunState::Delivered));
        object
    }

    /// A file of acknowledgements: what it answers, and with what.
    async fn answer(&self, name: &str, rows: &[(&str, &str)]) -> ObjectRef {
        let rows: String = rows.iter().map(|(id, answer)| format!("{id},{answer}\n")).collect();
        let object = self.acks.drop_file(name, format!("key,value\n{rows}"));
        let delivery = self.world().notification(&object);
        let flow = FileFlow::ToCalls(&self.to_calls);
        assert!(matches!(handle(&self.acks.kit, &flow, &delivery, &self.acks.invocation()).await, Next::Settled(_)));
        object
    }

    fn told(&self) -> Vec<Notice> {
        told(self.world(), "answers are missing")
    }

    fn open(&self) -> Vec<Matter> {
        self.world().open(SYNC).into_iter().map(|(matter, _)| matter).collect()
    }

    /// The ids that are listed as missing of a file.
    fn missing(&self, object: &ObjectRef) -> Vec<String> {
        let run = self.sync.run(object);
        let key = format!("{SYNC}/unanswered/{}.{}.csv", run.file_name(), run.id);
        let text = self.world().objects.bytes(REJECTS, &key).unwrap().to_vec();
        String::from_utf8(text).unwrap().lines().skip(1).map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn ids_that_were_not_acknowledged_within_a_day_are_told_in_one_notice_and_listed_with_since_when() {
    let pair = Pair::new();
    let one = pair.send("one.csv", &["a", "b", "c"]).await;
    let two = pair.send("two.csv", &["d"]).await;
    pair.answer("ack.csv", &[("b", "SUCCESS")]).await;
    watch_for(pair.world(), DAY - HOUR).await;
    assert_eq!((pair.told(), pair.open()), (vec![], vec![Matter::AwaitingAck; 2]), "within the limit");
    watch_for(pair.world(), 3 * DAY).await;
    let told = pair.told();
    assert_eq!((told.len(), told[0].audience), (1, Audience::Business));
    let says = |part: &str| assert!(told[0].text.contains(part), "{part}: {}", told[0].text);
    says("minutes after they were delivered: 2\n");
    says(&format!("one.csv (run {}, delivered 2026-07-01T10:00:00Z): 2 rows", pair.sync.run(&one).id));
    says(&format!("s3://rejects/{SYNC}/unanswered/one.csv.{}.csv", pair.sync.run(&one).id));
    assert_eq!((pair.missing(&one), pair.missing(&two)), (vec!["a".into(), "c".into()], vec!["d".to_owned()]));
    assert_eq!(pair.open(), [Matter::Overdue; 2]);
    assert_eq!(pair.world().reports.tallied(SYNC, "MissingAcks"), 3);
}

#[tokio::test]
async fn a_file_that_was_answered_before_anybody_looked_is_closed_silently() {
    let pair = Pair::new();
    pair.send("one.csv", &["a", "b"]).await;
    pair.answer("1.csv", &[("a", "SUCCESS"), ("a", "SUCCESS")]).await;
    pair.answer("2.csv", &[("b", "ERROR"), ("a", "SUCCESS")]).await;
    pair.world().clock.advance(3 * DAY);
    watch(pair.world()).await;
    assert_eq!((pair.told(), pair.open()), (vec![], vec![]), "a negative acknowledgement is one");
}

#[tokio::test]
async fn answers_that_come_after_all_shorten_the_list_and_the_last_one_closes_the_matter() {
    let pair = Pair::new();
    let one = pair.send("one.csv", &["a", "b", "c"]).await;
    watch_for(pair.world(), DAY + HOUR).await;
    assert_eq!(pair.missing(&one), ["a", "b", "c"]);
    pair.answer("1.csv", &[("b", "SUCCESS")]).await;
    watch(pair.world()).await;
    assert_eq!((pair.missing(&one), pair.open()), (vec!["a".into(), "c".into()], vec![Matter::Overdue]));
    let open = crate::operate::open(&pair.world().ledger(), SYNC).await.unwrap();
    assert!(open[0].reason.as_ref().unwrap().starts_with("2 rows are not acknowledged: s3://"), "{open:?}");
    pair.answer("2.csv", &[("a", "SUCCESS"), ("c", "ERROR")]).await;
    watch(pair.world()).await;
    assert_eq!((pair.missing(&one), pair.open(), pair.told().len()), (Vec::new(), vec![], 1));
}

#[tokio::test]
async fn an_answer_that_could_not_be_read_or_was_refused_is_none_until_it_is_corrected() {
    let pair = Pair::new();
    let one = pair.send("one.csv", &["a", "b", "c"]).await;
    let acks = pair.answer("ack.csv", &[("a", "refused"), ("b", "unreadable"), ("c", "SUCCESS")]).await;
    watch_for(pair.world(), DAY + HOUR).await;
    assert_eq!(pair.missing(&one), ["a", "b"]);
    let corrected = format!("ack.csv.{}.rows.csv", pair.acks.run(&acks).id);
    let corrected = pair.answer(&corrected, &[("a", "SUCCESS"), ("b", "ERROR")]).await;
    assert!(pair.acks.run(&corrected).parent.is_some());
    watch(pair.world()).await;
    assert_eq!(pair.open(), []);
}

#[tokio::test]
async fn the_answer_to_an_earlier_file_is_none_to_the_later_one_that_sends_the_same_id_again() {
    let pair = Pair::new();
    pair.send("one.csv", &["a"]).await;
    pair.answer("ack.csv", &[("a", "ERROR")]).await;
    pair.world().clock.advance(HOUR);
    let two = pair.send("two.csv", &["a"]).await;
    watch_for(pair.world(), DAY + 2 * HOUR).await;
    assert_eq!((pair.missing(&two), pair.open()), (vec!["a".to_owned()], vec![Matter::Overdue]));
    pair.answer("again.csv", &[("a", "SUCCESS")]).await;
    watch(pair.world()).await;
    assert_eq!(pair.open(), []);
}

#[tokio::test]
async fn a_person_may_leave_a_file_without_its_answers_and_only_one_that_waits_for_some() {
    let pair = Pair::new();
    let one = pair.send("one.csv", &["a"]).await;
    watch_for(pair.world(), DAY + HOUR).await;
    let (queue, clock) = (Arc::new(pair.world().queue.clone()), Arc::new(pair.world().clock.clone()));
    let desk = Runs { flow: SYNC.into(), ledger: pair.world().ledger(), queue, clock };
    let id = pair.sync.run(&one).id;
    assert_eq!(desk.drop_answers(&id).await.unwrap().state, RunState::Delivered);
    watch_for(pair.world(), DAY).await;
    assert_eq!((pair.open(), pair.told().len()), (vec![], 1));
    let twice = desk.drop_answers(&id).await.unwrap_err().to_string();
    assert!(twice.contains("waits for nothing; only one that waits for acknowledgements"), "{twice}");
}

#[tokio::test]
async fn a_file_without_answers_is_listed_no_longer_than_the_ledger_remembers_answers() {
    let pair = Pair::new();
    pair.send("one.csv", &["a"]).await;
    watch_for(pair.world(), 2 * DAY).await;
    assert_eq!(pair.open(), [Matter::Overdue]);
    pair.world().clock.advance(29 * DAY);
    watch(pair.world()).await;
    assert_eq!(pair.open(), []);
}

/// Fourteen digits, as sync requests have them.
fn id(number: u32) -> String {
    format!("{number:014}")
}

#[tokio::test]
async fn two_million_ids_are_compared_a_stretch_at_a_time_and_over_several_invocations() {
    const IDS: u32 = 2_000_000;
    let pair = Pair::new();
    let one = pair.send("one.csv", &["a"]).await;
    let run = pair.sync.run(&one);
    // As its flow would have listed them, 50,000 in a piece; every 1,000th is not answered.
    let mut sent = run.clone();
    let acks = pair.answer("ack.csv", &[("other", "SUCCESS")]).await;
    let mut answering = pair.acks.run(&acks);
    let missing: HashSet<u32> = (0..IDS).step_by(1000).collect();
    for (flow, run, left_out) in [(SYNC, &mut sent, &HashSet::new()), (ACKS, &mut answering, &missing)] {
        run.ids = crate::ledger::run::Pieces::default();
        for first in (0..IDS).step_by(50_000) {
            let mut piece = String::new();
            for number in (first..first + 50_000).filter(|number| !left_out.contains(number)) {
                writeln!(piece, "{}", id(number)).unwrap();
            }
            let number = run.ids.add(1);
            let key = format!("{flow}/ids/{}/{number:06}-001", run.id);
            pair.world().objects.put(REJECTS, &key, piece);
        }
        let key = Run::key(flow, &run.id);
        let seen = pair.world().ledger().get::<Run>(&key).await.unwrap().unwrap();
        let write = crate::ports::Write::put(key, run, Some(seen.rev), None).unwrap();
        pair.world().ledger().commit(&[write]).await.unwrap();
    }
    pair.world().clock.advance(DAY + HOUR);
    let stretches = || {
        let keys = pair.world().objects.keys(REJECTS);
        keys.iter().filter(|key| key.contains("/unanswered/") && !key.ends_with(".csv")).count()
    };
    let mut slow = pair.world().watch_kit();
    slow.clock = Arc::new(Ticking(pair.world().clock.clone(), Duration::from_secs(14)));
    report_missing_file_acks(&slow, &pair.world().invocation("slow")).await.unwrap();
    assert_eq!((stretches(), pair.told(), pair.open()), (1, vec![], vec![Matter::AwaitingAck]), "16 MiB of 30 MB");
    watch(pair.world()).await;
    let mut wanted: Vec<u32> = missing.into_iter().collect();
    wanted.sort_unstable();
    assert!(pair.missing(&one) == wanted.into_iter().map(id).collect::<Vec<_>>());
    assert_eq!(pair.world().reports.tallied(SYNC, "MissingAcks"), 2000);
    assert_eq!(stretches(), 2);
}
