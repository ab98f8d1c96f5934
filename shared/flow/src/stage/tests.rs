//! Stages over the in-memory ports and a program system that keeps its rules strictly.

mod dacs;
mod interleavings;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use domain::stage::StageStatus::{self, Canceled, Completed, InProgress, Scheduled};
use domain::stage::{Ground, Limits, Terms};
use jiff::{SignedDuration, Timestamp};

use super::{Ask, Brought, Calling, Errand, ProgramEvents, Stages};
use crate::Transient;
use crate::ledger::stage::{Reserving, Stage};
use crate::ledger::{Committed, Ledger};
use crate::memory::{CONFIG, Table, World};
use crate::message::Context;
use crate::ports::{Clock, CommitError, Item, Key, Store, Write};
use dacs::{Books, Dacs};

const FLOW: &str = "derms-dacs-event-status";

/// One event with its stages, one instance, and DACS.
struct Bench {
    world: World,
    stages: Stages,
    dacs: Dacs,
}

fn world() -> World {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let programs = "programId,programCode,programExternalIdentifier\n1,SUMMER-T,PRG-SUMMER-T\n2,NAMELESS,\n";
    world.objects.put(CONFIG, "lookups/Program.csv", programs);
    world
}

fn terms(program: &str) -> Terms {
    Terms {
        program_code: program.parse().unwrap(),
        category: "X1EC".into(),
        start: "2026-07-01T12:00:00Z".parse().unwrap(),
        end: "2026-07-01T14:00:00Z".parse().unwrap(),
    }
}

fn ask(by: &str, status: StageStatus) -> Ask {
    let drms_instance_id = "DERMS-1".parse().unwrap();
    Ask { by: by.into(), drms_instance_id, status, terms: terms("SUMMER-T"), cancel_reason: None }
}

impl Bench {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let (world, dacs) = (world(), Dacs::default());
        let program_events = ProgramEvents {
            dacs: world.target("dacs", dacs.targets()),
            release: "25.4".parse().unwrap(),
            lookups: world.lookups(FLOW, ProgramEvents::LOOKUPS),
        };
        let stages = Stages::new(world.ledger(), Arc::new(world.clock.clone()), program_events, limits);
        Self { world, stages, dacs }
    }

    async fn bring(&self, ask: Ask) -> Result<Brought, Transient> {
        let (event, stage) = ("E-1".parse().unwrap(), "S-1".parse().unwrap());
        let invocation = self.world.invocation("one");
        let context = Context {
            flow: "derms-dacs-event-status",
            invocation: &invocation,
            correlation: "c-1",
            attempt: "M#1",
            beside: None,
        };
        self.stages.bring(&Errand { event: &event, stage: &stage, ask: Some(ask), read: None }, &context).await
    }

    /// Brings the stage to `status`, which must be possible at once.
    async fn settle(&self, status: StageStatus) -> Stage {
        match self.bring(ask(&format!("M-{status}"), status)).await.unwrap() {
            Brought::Settled(stage) => *stage,
            other => panic!("{other:?}"),
        }
    }

    async fn later(&self, by: &str, status: StageStatus) -> Duration {
        match self.bring(ask(by, status)).await.unwrap() {
            Brought::Later(_, delay) => delay,
            other => panic!("{other:?}"),
        }
    }

    fn key(&self) -> Key {
        Stage::key(&"E-1".parse().unwrap(), &"S-1".parse().unwrap())
    }

    async fn stage(&self) -> Stage {
        self.world.ledger().get(&self.key()).await.unwrap().unwrap().value
    }

    async fn reserve(&self, until: Timestamp) {
        let seen = self.world.ledger().get::<Stage>(&self.key()).await.unwrap().unwrap();
        let stage = Stage { reserving: Some(Reserving { by: "run".into(), until }), ..seen.value };
        assert_eq!(self.stages.write(&stage, Some(seen.rev)).await.unwrap(), Committed::Yes);
    }

    fn pass(&self, span: SignedDuration) {
        self.world.clock.advance(span.unsigned_abs());
    }
}

#[tokio::test]
async fn a_stage_goes_through_its_life_with_one_call_each() {
    let bench = Bench::new();
    for status in [Scheduled, InProgress, Completed] {
        let stage = bench.settle(status).await;
        assert_eq!((stage.applied, stage.calling), (Some(status), None));
    }
    assert_eq!(
        bench.dacs.books(),
        Books { acted: vec![("S-1".into(), vec![Scheduled, InProgress, Completed])], refused: 0 }
    );
    bench.settle(Scheduled).await;
    bench.settle(Completed).await;
    assert_eq!(bench.dacs.calls(), 3, "a repeat is answered as done, without a call");
}

#[tokio::test]
async fn statuses_that_wait_are_told_as_soon_as_their_predecessor_is() {
    let bench = Bench::new();
    assert_eq!(bench.later("M-3", Completed).await, Duration::from_secs(15));
    assert_eq!(bench.later("M-2", InProgress).await, Duration::from_secs(15));
    assert_eq!(bench.dacs.calls(), 0);
    let stage = bench.settle(Scheduled).await;
    assert_eq!(stage.applied, Some(Completed));
    assert_eq!(bench.dacs.refused(), 0);
}

#[tokio::test]
async fn a_stage_known_with_other_terms_is_refused_by_what_differs_and_nothing_is_written() {
    let bench = Bench::new();
    bench.settle(Scheduled).await;
    let before = bench.stage().await;
    let retimed = Ask {
        terms: Terms { end: before.terms.end + SignedDuration::from_hours(1), ..terms("WINTER-T") },
        ..ask("M-2", Scheduled)
    };
    let Ok(Brought::Refused(reason)) = bench.bring(retimed).await else { panic!("taken") };
    assert_eq!(reason, "the stage is known with other times and program; cancel it and send a new stage id");
    assert_eq!(bench.stage().await, before);
}

#[tokio::test]
async fn a_stage_that_was_refused_can_be_corrected_and_sent_again() {
    let bench = Bench::new();
    let nameless = Ask { terms: terms("NAMELESS"), ..ask("M-1#1", Scheduled) };
    let Ok(Brought::Settled(stage)) = bench.bring(nameless.clone()).await else { panic!("not settled") };
    let refused = stage.wanted[&Scheduled].refused.clone().unwrap();
    assert_eq!(refused.reason, "lookup Program has no programExternalIdentifier for \"NAMELESS\"");
    assert_eq!(refused.ground, Ground::Unlisted);
    assert!(matches!(bench.bring(nameless).await, Ok(Brought::Settled(_))), "the same attempt is not made again");
    bench.bring(ask("M-1#2", Scheduled)).await.unwrap();
    assert_eq!(bench.stage().await.applied, Some(Scheduled));
    assert_eq!(bench.dacs.calls(), 1);
}

#[tokio::test]
async fn what_the_program_system_does_not_take_yet_is_tried_until_the_hold_is_over() {
    let bench = Bench::new();
    bench.settle(Scheduled).await;
    bench.dacs.not_yet(true);
    assert_eq!(bench.later("M-2", InProgress).await, Duration::from_secs(5));
    bench.pass(SignedDuration::from_mins(9));
    bench.later("M-2", InProgress).await;
    bench.pass(SignedDuration::from_mins(1));
    let Ok(Brought::Settled(stage)) = bench.bring(ask("M-2", InProgress)).await else { panic!("not settled") };
    let refused = stage.wanted[&InProgress].refused.clone().unwrap();
    assert_eq!(
        refused.reason,
        "DACS does not take IN_PROGRESS yet: message number 20012, not Scheduled yet, for 10 minutes"
    );
    bench.dacs.not_yet(false);
    bench.bring(ask("M-2#2", InProgress)).await.unwrap();
    assert_eq!(bench.stage().await.applied, Some(InProgress));
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_found_to_be_there_whatever_number_the_refusal_has() {
    for numbers in [true, false] {
        let bench = Bench::new();
        bench.dacs.number_its_refusals(numbers);
        bench.dacs.lose_answers(4);
        bench.bring(ask("M-1", Scheduled)).await.unwrap_err();
        assert!(bench.stage().await.calling.is_some(), "nobody knows what became of the call");
        let stage = bench.settle(Scheduled).await;
        assert_eq!((stage.applied, stage.calling), (Some(Scheduled), None));
        assert_eq!(bench.dacs.acted("S-1"), [Scheduled]);
    }
}

#[tokio::test]
async fn a_cancel_whose_answer_is_lost_is_done_by_the_actions_that_are_left() {
    let bench = Bench::new();
    bench.settle(Scheduled).await;
    bench.dacs.number_its_refusals(false);
    bench.dacs.lose_answers(1);
    assert_eq!(bench.settle(Canceled).await.applied, Some(Canceled));
    assert_eq!(bench.dacs.acted("S-1"), [Scheduled, Canceled]);
}

#[tokio::test]
async fn a_call_that_was_announced_and_never_answered_is_repeated_before_anything_else() {
    let bench = Bench::new();
    bench.settle(Scheduled).await;
    bench.dacs.lose_answers(4);
    bench.bring(ask("M-2", Canceled)).await.unwrap_err();
    // IN_PROGRESS would be next now, and illegal: the stage is canceled, only nobody knows.
    let stage = bench.settle(InProgress).await;
    assert_eq!(stage.applied, Some(Canceled));
    assert_eq!(bench.dacs.acted("S-1"), [Scheduled, Canceled]);
}

#[tokio::test]
async fn a_call_of_another_is_left_alone_until_it_is_over_by_whatever_clock_that_one_has() {
    let bench = Bench::new();
    bench.settle(Scheduled).await;
    let seen = bench.world.ledger().get::<Stage>(&bench.key()).await.unwrap().unwrap();
    let until = Some(bench.world.clock.now() + SignedDuration::from_secs(60));
    let calling = Some(Calling { status: InProgress, owner: "two".into(), until, unseen: false });
    bench.stages.write(&Stage { calling, ..seen.value }, Some(seen.rev)).await.unwrap();
    bench.pass(SignedDuration::from_secs(60 + 59));
    assert_eq!(bench.later("M-2", InProgress).await, Duration::from_secs(1), "its clock may be a minute behind");
    bench.pass(SignedDuration::from_secs(1));
    assert_eq!(bench.settle(InProgress).await.applied, Some(InProgress));
    assert_eq!(bench.dacs.acted("S-1"), [Scheduled, InProgress]);
}

#[tokio::test]
async fn a_create_that_is_refused_is_not_looked_for_when_it_was_made_once() {
    let bench = Bench::new();
    bench.dacs.refuse_creates(true);
    let Ok(Brought::Settled(stage)) = bench.bring(ask("M-1", Scheduled)).await else { panic!("not settled") };
    let reason = stage.wanted[&Scheduled].refused.clone().unwrap().reason;
    assert_eq!(reason, "DACS refuses SCHEDULED: message number 20023, field invalid");
    assert_eq!(bench.dacs.calls(), 1);
}

#[tokio::test]
async fn a_stage_never_seen_is_told_after_its_hold_and_stays_where_the_program_system_has_it() {
    let (known, unknown) = (Bench::new(), Bench::new());
    known.dacs.has("S-1", Scheduled);
    for bench in [&known, &unknown] {
        bench.later("M-1", InProgress).await;
        bench.pass(SignedDuration::from_mins(10));
    }
    let Ok(Brought::Settled(stage)) = known.bring(ask("M-1", InProgress)).await else { panic!("not settled") };
    assert_eq!(stage.applied, Some(InProgress));
    let Ok(Brought::Settled(stage)) = unknown.bring(ask("M-1", InProgress)).await else { panic!("not settled") };
    let refused = stage.wanted[&InProgress].refused.clone().unwrap();
    assert_eq!(refused.ground, Ground::Early);
    assert!(refused.reason.starts_with("IN_PROGRESS came before SCHEDULED, which did not come within 10 minutes"));
}

#[tokio::test]
async fn a_canceled_event_is_remembered_for_a_stage_that_is_scheduled_later() {
    let bench = Bench::new();
    let (event, now) = ("E-1".parse().unwrap(), bench.world.clock.now());
    bench.stages.cancel_event(&event, ("M-1#1", Some("storm")), now).await.unwrap();
    bench.stages.cancel_event(&event, ("M-2#1", Some("again")), now).await.unwrap();
    assert_eq!(bench.settle(Scheduled).await.applied, Some(Canceled));
    assert_eq!(bench.dacs.acted("S-1"), [Scheduled, Canceled]);
    assert_eq!(bench.dacs.reasons(), ["storm"], "the first one's");
}

#[tokio::test]
async fn in_progress_waits_for_a_running_reservation() {
    let bench = Bench::new();
    bench.settle(Scheduled).await;
    let start = bench.world.clock.now();
    bench.reserve(start + SignedDuration::from_secs(3)).await;
    assert_eq!(bench.later("M-2", InProgress).await, Duration::from_secs(3));
    bench.reserve(start + SignedDuration::from_secs(600)).await;
    assert_eq!(bench.later("M-2", InProgress).await, Duration::from_secs(5), "it may end before it said");
    bench.pass(SignedDuration::from_secs(60));
    assert_eq!(bench.settle(InProgress).await.applied, Some(InProgress));
}

#[tokio::test]
async fn a_stage_stays_with_the_dacs_of_its_derms_whatever_routing_says_later() {
    let mut bench = Bench::new();
    let north = Dacs::default();
    let targets = "name,kind,url,secret,rate\ndacs-north,dacs,https://n.example.com,targets/dacs/n,10\n";
    let routing = |dacs: &str| format!("by,value,target\ndrmsInstanceId,DERMS-1,{dacs}\ndrmsInstanceId,*,dacs\n");
    bench.world.objects.put(crate::memory::CONFIG, "lookups/Targets.csv", targets);
    bench.world.objects.put(crate::memory::CONFIG, "lookups/Routing.csv", routing("dacs-north"));
    let others = [("dacs-north", north.targets())];
    bench.stages.program_events.dacs = bench.world.targets("dacs", bench.dacs.targets(), &others);
    bench.settle(StageStatus::Scheduled).await;
    bench.world.objects.put(crate::memory::CONFIG, "lookups/Routing.csv", routing("dacs"));
    bench.pass(SignedDuration::from_mins(5));
    bench.settle(StageStatus::InProgress).await;
    assert_eq!((bench.dacs.calls(), north.calls()), (0, 2));
}

/// A table that keeps which calls were made, and of what.
struct Counted {
    table: Table,
    calls: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Store for Counted {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        let sorts: Vec<&str> = keys.iter().map(|key| key.sort.as_str()).collect();
        self.calls.lock().unwrap().push(format!("read {}", sorts.join(", ")));
        self.table.get(keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        let sorts: Vec<&str> = writes.iter().map(|write| write.key().sort.as_str()).collect();
        self.calls.lock().unwrap().push(format!("write {}", sorts.join(", ")));
        self.table.commit(writes).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        self.calls.lock().unwrap().push("list".into());
        self.table.list(partition, after, limit).await
    }
}

#[tokio::test]
async fn a_stage_that_goes_well_is_read_once_announced_and_noted_while_its_event_is_looked_at() {
    let mut bench = Bench::new();
    let calls = Arc::default();
    let table = Counted { table: bench.world.table.clone(), calls: Arc::clone(&calls) };
    bench.stages.ledger = Ledger::new(Arc::new(table));
    bench.settle(Scheduled).await;
    let (stage, event) = (Stage::key(&"E-1".parse().unwrap(), &"S-1".parse().unwrap()).sort, "event");
    let [read, announced, noted, looked] =
        [format!("read {stage}, {event}"), format!("write {stage}"), format!("write {stage}"), format!("read {event}")];
    assert_eq!(*calls.lock().unwrap(), [read, announced, noted, looked], "the last two side by side");
}
