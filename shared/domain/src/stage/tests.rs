//! Every order and repetition of statuses, against a program system that refuses what is not legal.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::StageStatus::{self, Canceled, Completed, InProgress, Scheduled};
use super::{Course, Ground, Limits, Next, Reached, Refused, Wanted, Wish};

const START: Timestamp = Timestamp::constant(1_782_907_200, 0);

fn at(seconds: i64) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

/// A stage, and the program system that it is told to.
#[derive(Debug, Clone, Default)]
struct World {
    wanted: Wanted,
    applied: Option<(StageStatus, Timestamp)>,
    event_canceled: bool,
    reserving_until: Option<Timestamp>,
    seen: Vec<StageStatus>,
}

impl World {
    fn course(&self) -> Course<'_> {
        Course {
            wanted: &self.wanted,
            applied: self.applied,
            event_canceled: self.event_canceled,
            reserving_until: self.reserving_until,
            end: at(7200),
        }
    }

    fn next(&self, seconds: i64) -> Next {
        self.course().next(at(seconds), &Limits::default())
    }

    fn ask(&mut self, status: StageStatus, seconds: i64) {
        self.wanted.entry(status).or_insert_with(|| Wish::new(at(seconds), "M-1"));
    }

    /// Does what follows until nothing does; calls of a stage never seen are refused.
    fn settle(&mut self, seconds: i64, limits: &Limits) -> Next {
        loop {
            let next = self.course().next(at(seconds), limits);
            match &next {
                Next::Call(status) => {
                    let before = self.applied.map(|(status, _)| status);
                    assert!(StageStatus::after(before).contains(status), "{before:?} does not become {status}");
                    self.applied = Some((*status, at(seconds)));
                    self.seen.push(*status);
                }
                Next::CallUnseen(_) => self.refuse(&self.course().overdue(at(seconds), limits)),
                Next::InVain(statuses) => self.refuse(statuses),
                Next::Nothing | Next::Hold { .. } | Next::Reserving { .. } => return next,
            }
        }
    }

    fn refuse(&mut self, statuses: &[StageStatus]) {
        assert!(!statuses.is_empty());
        for status in statuses {
            let refused = Refused { reason: "in vain".into(), ground: Ground::Early };
            self.wanted.get_mut(status).unwrap().refused = Some(refused);
        }
    }
}

fn asked(statuses: &[StageStatus]) -> World {
    let mut world = World::default();
    for status in statuses {
        world.ask(*status, 0);
    }
    world
}

#[test]
fn statuses_in_order_are_told_one_by_one() {
    let mut world = World::default();
    for status in [Scheduled, InProgress, Completed] {
        world.ask(status, 0);
        assert_eq!(world.next(0), Next::Call(status));
        world.applied = Some((status, at(0)));
        assert_eq!(world.next(0), Next::Nothing);
    }
}

#[test]
fn a_status_before_its_predecessor_is_held_and_then_goes_to_the_operator() {
    let mut world = asked(&[Scheduled]);
    world.settle(0, &Limits::default());
    world.ask(Completed, 100);
    assert_eq!(world.next(100), Next::Hold { until: at(700) });
    assert_eq!(world.next(699), Next::Hold { until: at(700) });
    assert_eq!(world.next(700), Next::InVain(vec![Completed]));
}

#[test]
fn a_stage_never_seen_is_held_and_then_told_all_the_same_in_case_it_is_older_than_we_are() {
    assert_eq!(asked(&[InProgress]).next(599), Next::Hold { until: at(600) });
    assert_eq!(asked(&[InProgress, Completed]).next(600), Next::CallUnseen(InProgress));
    assert_eq!(asked(&[Canceled]).next(600), Next::CallUnseen(Canceled));
}

#[test]
fn a_stage_cannot_be_canceled_before_it_is_scheduled() {
    let mut world = asked(&[Canceled]);
    assert_eq!(world.next(0), Next::Hold { until: at(600) });
    world.ask(Scheduled, 10);
    world.settle(10, &Limits::default());
    assert_eq!(world.seen, [Scheduled, Canceled]);
}

#[test]
fn a_canceled_event_cancels_what_is_scheduled_later_and_waits_for_nothing_else() {
    let mut world = World { event_canceled: true, ..World::default() };
    assert_eq!(world.next(0), Next::Nothing);
    world.ask(Scheduled, 5);
    world.settle(5, &Limits::default());
    assert_eq!(world.seen, [Scheduled, Canceled]);
}

#[test]
fn a_canceled_event_leaves_a_completed_stage_alone() {
    let mut world = asked(&[Scheduled, InProgress, Completed]);
    world.settle(0, &Limits::default());
    world.event_canceled = true;
    assert_eq!(world.settle(1, &Limits::default()), Next::Nothing);
    assert_eq!(world.seen, [Scheduled, InProgress, Completed]);
}

#[test]
fn in_progress_waits_for_a_running_reservation_and_no_longer_than_its_limit() {
    let mut world = asked(&[Scheduled]);
    world.settle(0, &Limits::default());
    world.ask(InProgress, 10);
    world.reserving_until = Some(at(40));
    assert_eq!(world.next(10), Next::Reserving { until: at(40) });
    world.reserving_until = Some(at(500));
    assert_eq!(world.next(69), Next::Reserving { until: at(70) });
    assert_eq!(world.next(70), Next::Call(InProgress));
}

#[test]
fn the_wait_for_a_reservation_counts_from_when_the_stage_could_have_begun() {
    let mut world = asked(&[InProgress]);
    world.ask(Scheduled, 300);
    world.applied = Some((Scheduled, at(300)));
    world.reserving_until = Some(at(340));
    assert_eq!(world.next(310), Next::Reserving { until: at(340) });
}

#[test]
fn a_canceled_stage_does_not_wait_for_a_reservation() {
    let mut world = asked(&[Scheduled]);
    world.settle(0, &Limits::default());
    world.ask(Canceled, 0);
    world.reserving_until = Some(at(40));
    assert_eq!(world.next(0), Next::Call(Canceled));
}

#[test]
fn what_is_missing_is_supplied_after_the_end_if_the_utility_wants_it_so() {
    let limits = Limits { supply_after_end: true, ..Limits::default() };
    let mut world = asked(&[Completed]);
    assert_eq!(
        world.course().next(at(7199), &Limits { hold: SignedDuration::MAX, ..limits }),
        Next::Hold { until: Timestamp::MAX }
    );
    world.settle(7200, &limits);
    assert_eq!(world.seen, [Scheduled, InProgress, Completed]);
}

#[test]
fn what_the_program_system_has_refused_is_never_supplied() {
    let limits = Limits { supply_after_end: true, ..Limits::default() };
    let mut world = asked(&[Scheduled, InProgress]);
    world.wanted.get_mut(&Scheduled).unwrap().refused =
        Some(Refused { reason: "no".into(), ground: Ground::ProgramSystem });
    assert_eq!(world.settle(7200, &limits), Next::Nothing);
    assert_eq!(world.seen, []);
}

#[test]
fn what_a_status_means_for_a_stage_that_is_further_or_elsewhere() {
    use Reached::{Contradicted, Done, Overtaken};
    let table = [
        (None, [None, None, None, None]),
        (Some(Scheduled), [Some(Done), None, None, None]),
        (Some(InProgress), [Some(Done), Some(Done), None, None]),
        (Some(Completed), [Some(Done), Some(Done), Some(Done), Some(Contradicted)]),
        (Some(Canceled), [Some(Done), Some(Overtaken), Some(Contradicted), Some(Done)]),
    ];
    for (applied, row) in table {
        for (status, reached) in StageStatus::ALL.into_iter().zip(row) {
            assert_eq!(status.reached(applied), reached, "{status} when {applied:?}");
        }
    }
}

/// All sequences of up to six statuses, with repetitions: 5,460 of them.
fn all_sequences() -> Vec<Vec<StageStatus>> {
    let mut all: Vec<Vec<StageStatus>> = vec![Vec::new()];
    let mut first = 0;
    for _ in 0..6 {
        let until = all.len();
        for i in first..until {
            for status in StageStatus::ALL {
                let mut longer = all[i].clone();
                longer.push(status);
                all.push(longer);
            }
        }
        first = until;
    }
    all
}

/// Where a stage ends, whatever the order of these wishes, if all of them are known before anything is told.
fn expected(statuses: &[StageStatus]) -> &'static [StageStatus] {
    let has = |status| statuses.contains(&status);
    match (has(Scheduled), has(InProgress), has(Completed), has(Canceled)) {
        (false, ..) => &[],
        (true, true, true, _) => &[Scheduled, InProgress, Completed],
        (true, true, false, true) => &[Scheduled, InProgress, Canceled],
        (true, true, false, false) => &[Scheduled, InProgress],
        (true, false, _, true) => &[Scheduled, Canceled],
        (true, false, _, false) => &[Scheduled],
    }
}

#[test]
fn every_order_and_repetition_that_is_known_at_once_ends_alike() {
    for statuses in all_sequences() {
        let mut world = asked(&statuses);
        world.settle(0, &Limits::default());
        assert_eq!(world.seen, expected(&statuses), "{statuses:?}");
        assert_eq!(world.settle(600, &Limits::default()), Next::Nothing, "{statuses:?}");
    }
}

#[test]
fn every_order_and_repetition_told_one_by_one_is_legal_at_each_step_and_leaves_nothing_open() {
    for statuses in all_sequences() {
        let mut world = World::default();
        for (seconds, status) in (0..).zip(&statuses) {
            world.ask(*status, seconds);
            world.settle(seconds, &Limits::default());
        }
        let without_cancel = !statuses.contains(&Canceled);
        if without_cancel {
            assert_eq!(world.seen, expected(&statuses), "{statuses:?}");
        }
        assert_eq!(world.settle(700, &Limits::default()), Next::Nothing, "{statuses:?}");
        for (status, wish) in &world.wanted {
            let has_an_end = wish.refused.is_some() || status.reached(world.applied.map(|(it, _)| it)).is_some();
            assert!(has_an_end, "{status} of {statuses:?} stays open");
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ask(StageStatus),
    CancelEvent,
    Reserve(i64),
    Settle,
    Pass(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::sample::select(StageStatus::ALL.to_vec()).prop_map(Step::Ask),
        1 => Just(Step::CancelEvent),
        1 => (0_i64..200).prop_map(Step::Reserve),
        3 => Just(Step::Settle),
        2 => (0_i64..400).prop_map(Step::Pass),
    ]
}

proptest! {
    /// `World::settle` asserts that each call is legal; a status that is told twice would not be.
    #[test]
    fn whatever_happens_the_program_system_sees_legal_transitions_once_and_in_order(
        steps in prop::collection::vec(any_step(), 0..30),
        supply_after_end: bool,
    ) {
        let limits = Limits { supply_after_end, ..Limits::default() };
        let (mut world, mut now) = (World::default(), 0);
        for step in steps {
            match step {
                Step::Ask(status) => world.ask(status, now),
                Step::CancelEvent => world.event_canceled = true,
                Step::Reserve(seconds) => world.reserving_until = Some(at(now + seconds)),
                Step::Settle => { world.settle(now, &limits); }
                Step::Pass(seconds) => now += seconds,
            }
        }
        world.settle(now, &limits);
        prop_assert_eq!(world.settle(now + 20_000, &limits), Next::Nothing);
        let last = world.seen.last().copied();
        prop_assert_eq!(last, world.applied.map(|(status, _)| status));
        if world.event_canceled && world.seen.contains(&Scheduled) {
            prop_assert!(last.is_some_and(StageStatus::is_final));
        }
    }
}
