//! The reconcile: look, do what follows, look again.

use std::time::Duration;

use domain::ids::{EventId, StageId};
use domain::stage::{Course, Next, StageStatus};
use futures_util::future::{join, join3};
use jiff::{SignedDuration, Timestamp};

use super::note::{self, Told};
use super::{Ask, Calling, Stages};
use crate::Transient;
use crate::ledger::stage::{Event, EventCanceled, Stage};
use crate::ledger::{Committed, Items, Seen};
use crate::message::Context;
use crate::ports::over_for_all;

/// A stage that is held is looked at this often: its predecessor may have come.
const HOLD: SignedDuration = SignedDuration::from_secs(15);
/// A reservation may end before it said.
const RESERVING: SignedDuration = SignedDuration::from_secs(5);
/// The program system says "not yet": a program event moves itself to Scheduled.
const NOT_YET: SignedDuration = SignedDuration::from_secs(5);
/// Somebody else calls the program system for the stage.
const BUSY: SignedDuration = SignedDuration::from_secs(2);

/// A stage, and what is asked of it; without `ask`, only what follows from what is known is done.
#[derive(Debug, Clone)]
pub struct Errand<'a> {
    /// Its event.
    pub event: &'a EventId,
    /// The stage.
    pub stage: &'a StageId,
    /// What is asked.
    pub ask: Option<Ask>,
    /// What was read a moment ago: stage and event, perhaps.
    pub read: Option<&'a Items>,
}

impl Errand<'_> {
    /// What was known a moment ago, if both were read. Whatever has changed since is found out before anything is called: the
    /// stage is written over what was read, and the event is looked at again after that.
    fn read_before(&self) -> Result<Option<Looked>, Transient> {
        let (stage, event) = (Stage::key(self.event, self.stage), Event::key(self.event));
        let Some(read) = self.read.filter(|read| read.has(&stage) && read.has(&event)) else { return Ok(None) };
        Ok(Some(Looked::new(read.get(&stage)?, read.get(&event)?)))
    }
}

impl Looked {
    fn new(stage: Option<Seen<Stage>>, event: Option<Seen<Event>>) -> Self {
        Self { stage, canceled: event.and_then(|event| event.value.canceled) }
    }
}

/// How far a stage was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brought {
    /// Nothing is known of it, and nothing was asked.
    Unknown,
    /// What was asked contradicts what it is known for; nothing was written.
    Refused(String),
    /// It is so now, and there is nothing to do.
    Settled(Box<Stage>),
    /// It is so now, and something is to be done later: look again after this time.
    Later(Box<Stage>, Duration),
}

/// A call that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) status: StageStatus,
    /// The stage was never SCHEDULED here.
    pub(super) unseen: bool,
    /// The same call was made before, and nobody knows what became of it.
    pub(super) repeated: bool,
}

/// What is known at an instant.
struct Looked {
    stage: Option<Seen<Stage>>,
    canceled: Option<EventCanceled>,
}

/// What became of a call.
enum Called {
    /// Another has written first; nothing was called.
    Overtaken,
    /// It is so now, and not what was asked: look again after this time.
    Later(Stage, Duration),
    /// It is so now.
    Noted(Looked),
}

enum Step {
    Nothing,
    Later(Duration),
    InVain(Vec<StageStatus>),
    Call(Due),
}

impl Stages {
    /// Writes down what is asked, and does what follows, until nothing does now.
    ///
    /// # Errors
    /// [`Transient`] when ledger or program system do not answer. What was written stays, and what follows from it is done
    /// by whoever looks next.
    pub async fn bring(&self, errand: &Errand<'_>, context: &Context<'_>) -> Result<Brought, Transient> {
        let owner = self.owner(context.invocation);
        let mut looked = errand.read_before()?;
        loop {
            let Looked { stage, canceled } = match looked.take() {
                Some(looked) => looked,
                None => self.look(errand).await?,
            };
            let now = self.clock.now();
            let (mut stage, rev) = match (stage, &errand.ask) {
                (Some(seen), _) => (seen.value, Some(seen.rev)),
                (None, Some(ask)) => (Stage::new(errand.event.clone(), errand.stage.clone(), ask.terms.clone()), None),
                (None, None) => return Ok(Brought::Unknown),
            };
            let asked = match errand.ask.as_ref().map_or(Ok(false), |ask| ask.write_into(&mut stage, now)) {
                Ok(asked) => asked,
                Err(reason) => return Ok(Brought::Refused(reason)),
            };
            match self.step(&stage, canceled.is_some(), now) {
                Step::Nothing if !asked => return Ok(Brought::Settled(Box::new(stage))),
                Step::Later(delay) if !asked => return Ok(Brought::Later(Box::new(stage), delay)),
                Step::Call(due) => {
                    let seen = Seen { value: stage, rev: rev.unwrap_or(0) };
                    match self.call(seen, &due, &owner, (&canceled, context)).await? {
                        Called::Later(stage, delay) => return Ok(Brought::Later(Box::new(stage), delay)),
                        Called::Noted(noted) => looked = Some(noted),
                        Called::Overtaken => {}
                    }
                }
                Step::InVain(statuses) => {
                    note::in_vain(&mut stage, &statuses, &self.limits);
                    self.write(&stage, rev).await?;
                }
                // Written, it is looked at again: what another has written meanwhile is seen then.
                Step::Nothing | Step::Later(_) => {
                    self.write(&stage, rev).await?;
                }
            }
        }
    }

    async fn look(&self, errand: &Errand<'_>) -> Result<Looked, Transient> {
        let (event, stage) = (Event::key(errand.event), Stage::key(errand.event, errand.stage));
        let (stage, event) = self.ledger.get_two::<Stage, Event>(&stage, &event).await?;
        Ok(Looked::new(stage, event))
    }

    fn step(&self, stage: &Stage, event_canceled: bool, now: Timestamp) -> Step {
        if let Some(calling) = &stage.calling {
            if let Some(until) = calling.until.map(over_for_all).filter(|until| *until > now) {
                return Step::Later(soon(until, now, BUSY));
            }
            return Step::Call(Due { status: calling.status, unseen: calling.unseen, repeated: true });
        }
        let due = |status, unseen| Step::Call(Due { status, unseen, repeated: false });
        match course(stage, event_canceled).next(now, &self.limits) {
            Next::Nothing => Step::Nothing,
            Next::Call(status) => due(status, false),
            Next::CallUnseen(status) => due(status, true),
            Next::Hold { until } => Step::Later(soon(until, now, HOLD)),
            Next::Reserving { until } => Step::Later(soon(until, now, RESERVING)),
            Next::InVain(statuses) => Step::InVain(statuses),
        }
    }

    /// Announces the call while its slot is made ready, makes it, and writes down what became of it. Whether the event is
    /// canceled by now is asked meanwhile: later than the stage was written, as whoever cancels needs it, and without a wait of
    /// its own.
    async fn call(
        &self,
        seen: Seen<Stage>,
        due: &Due,
        owner: &str,
        (canceled, context): (&Option<EventCanceled>, &Context<'_>),
    ) -> Result<Called, Transient> {
        let mut announced = seen.value;
        let event = Event::key(&announced.event_id);
        let (status, unseen, until) = (due.status, due.unseen, Some(context.invocation.deadline));
        announced.calling = Some(Calling { status, owner: owner.to_owned(), until, unseen });
        let announcing = self.write(&announced, Some(seen.rev).filter(|rev| *rev > 0));
        let (written, ()) = join(announcing, self.program_events.make_ready(context.invocation)).await;
        if written? == Committed::LostRace {
            return Ok(Called::Overtaken);
        }
        let told = self.program_events.tell(&announced, due, canceled.as_ref(), context).await;
        let noting = self.note(Seen { value: announced, rev: seen.rev + 1 }, due, &told, owner);
        let (noted, event, ()) =
            join3(noting, self.ledger.get::<Event>(&event), self.make_ready_to_tell(context)).await;
        let (noted, told) = (noted?, told?);
        let is_open = noted.value.wanted.get(&due.status).is_some_and(|wish| wish.refused.is_none());
        if matches!(told, Told::NotYet(_)) && !due.unseen && is_open {
            return Ok(Called::Later(noted.value, Duration::try_from(NOT_YET).unwrap_or_default()));
        }
        let canceled = event?.and_then(|event| event.value.canceled);
        Ok(Called::Noted(Looked { stage: Some(noted), canceled }))
    }

    /// Whoever asked is told when the stage is where it was to be.
    async fn make_ready_to_tell(&self, context: &Context<'_>) {
        if let Some(source) = &self.told_next {
            source.make_ready(&self.program_events.lookups, context.invocation.deadline).await;
        }
    }

    /// Others may ask for more while a call is made: what became of it is written into whatever the stage is now.
    async fn note(
        &self,
        mut seen: Seen<Stage>,
        due: &Due,
        told: &Result<Told, Transient>,
        owner: &str,
    ) -> Result<Seen<Stage>, Transient> {
        loop {
            let mut stage = seen.value;
            note::told(&mut stage, due, told.as_ref().ok(), &self.limits, self.clock.now());
            if self.write(&stage, Some(seen.rev)).await? == Committed::Yes {
                return Ok(Seen { value: stage, rev: seen.rev + 1 });
            }
            let now = self.ledger.get::<Stage>(&Stage::key(&stage.event_id, &stage.stage_id)).await?;
            let still_ours = |stage: &Stage| stage.calling.as_ref().is_some_and(|calling| calling.owner == owner);
            match now {
                Some(now) if still_ours(&now.value) => seen = now,
                _ => return Err(Transient::new("another invocation took the stage over")),
            }
        }
    }
}

/// What decides about the stage.
pub(super) fn course(stage: &Stage, event_canceled: bool) -> Course<'_> {
    Course {
        wanted: &stage.wanted,
        applied: stage.applied.zip(stage.applied_at),
        event_canceled,
        reserving_until: stage.reserving.as_ref().map(|reserving| reserving.until),
        end: stage.terms.end,
    }
}

/// At `until`, but no later than after `most`.
fn soon(until: Timestamp, now: Timestamp, most: SignedDuration) -> Duration {
    Duration::try_from(until.duration_since(now).min(most)).unwrap_or_default()
}
