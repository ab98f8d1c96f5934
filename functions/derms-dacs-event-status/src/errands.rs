//! From a message to what is asked of each stage, and what became of it.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::event_status::{EventStatus, NO_PROGRAM, Request, StageEntry};
use domain::ids::StageId;
use domain::lookups::Lookups;
use domain::msg_ack::ResponseCode;
use domain::stage::{StageStatus, Terms};
use flow::Transient;
use flow::ledger::stage::Stage;
use flow::message::Context;
use flow::stage::{Ask, Brought, Errand};
use futures_util::{StreamExt, stream};

use crate::ack::Line;
use crate::{Calls, Outcome};

/// A stage without an end and without a wait: it is looked at again after this.
const UNSETTLED: Duration = Duration::from_secs(2);

/// What is to be done about one stage.
pub(crate) enum Work {
    /// Nothing: this is the response.
    Answered(Line),
    /// These are asked for one after another; the response is about the last one.
    Ask { stage_id: StageId, asks: Vec<Ask>, request: Request },
}

/// What became of it.
enum End {
    Answered(Line),
    Later(Duration),
}

impl Calls {
    /// One piece of work for each stage that the message lists, and for each other one that a cancel of the event concerns.
    pub(crate) async fn errands(
        &self,
        message: &EventStatus,
        lookups: &Lookups,
        context: &Context<'_>,
    ) -> Result<Vec<Work>, Transient> {
        let cancels_event = message.cancels_event(lookups).unwrap_or(false);
        let known = if cancels_event || message.stages.iter().any(|entry| entry.program_code.is_none()) {
            self.stages.known(&message.event_id).await?
        } else {
            Vec::new()
        };
        let asked = Asked { message, lookups, by: context.attempt, cancels_event };
        let mut all: Vec<Work> = message.stages.iter().map(|entry| asked.of_entry(entry, &known)).collect();
        if cancels_event {
            let listed: BTreeSet<&StageId> = message.stages.iter().map(|entry| &entry.stage_id).collect();
            let others = known.iter().filter(|stage| !listed.contains(&stage.stage_id) && is_scheduled(stage));
            all.extend(others.map(|stage| asked.cancel(stage)));
        }
        Ok(all)
    }

    /// Does all of it, some side by side. The first fault is told after the rest is done.
    pub(crate) async fn run(
        &self,
        message: &EventStatus,
        all: Vec<Work>,
        context: &Context<'_>,
    ) -> Result<Outcome, Transient> {
        let ends = stream::iter(all).map(|work| self.one(message, work, context)).buffered(self.side_by_side.max(1));
        let (mut lines, mut later) = (Vec::new(), None::<Duration>);
        for end in ends.collect::<Vec<_>>().await {
            match end? {
                End::Answered(line) => lines.push(line),
                End::Later(delay) => later = Some(later.map_or(delay, |earlier| earlier.min(delay))),
            }
        }
        Ok(later.map_or(Outcome::Settled(lines), Outcome::Later))
    }

    async fn one(&self, message: &EventStatus, work: Work, context: &Context<'_>) -> Result<End, Transient> {
        let (stage_id, asks, request) = match work {
            Work::Answered(line) => return Ok(End::Answered(line)),
            Work::Ask { stage_id, asks, request } => (stage_id, asks, request),
        };
        let line = |(code, value)| Line { stage_id: stage_id.clone(), code, value };
        let mut delay = UNSETTLED;
        let mut stage = None;
        // A cancel of the event has been written since; and what is asked first changes the stage.
        let mut beside = context.beside.filter(|_| !request.whole_event);
        for ask in asks {
            let read = beside.take();
            let errand = Errand { event: &message.event_id, stage: &stage_id, ask: Some(ask), read };
            match self.stages.bring(&errand, context).await? {
                Brought::Refused(reason) => return Ok(End::Answered(line((ResponseCode::Error, reason)))),
                Brought::Settled(settled) => stage = Some(settled),
                // No message but this one may look at the stage again.
                Brought::Later(waiting, after) if waiting.follows_its_event() => return Ok(End::Later(after)),
                Brought::Later(waiting, after) => (stage, delay) = (Some(waiting), after),
                Brought::Unknown => {}
            }
        }
        let response = stage.and_then(|stage| request.response(stage.applied, &stage.wanted, self.refusal));
        Ok(response.map_or(End::Later(delay), |response| End::Answered(line(response))))
    }
}

/// Whether DACS has a program event for it, or is to have one.
fn is_scheduled(stage: &Stage) -> bool {
    let wish = stage.wanted.get(&StageStatus::Scheduled);
    stage.applied.is_some() || wish.is_some_and(|wish| wish.refused.is_none())
}

/// What a message asks, stage by stage.
struct Asked<'a> {
    message: &'a EventStatus,
    lookups: &'a Lookups,
    by: &'a str,
    cancels_event: bool,
}

impl Asked<'_> {
    /// Of a stage that it lists. If the event is canceled too, that comes last, and the response is about it.
    fn of_entry(&self, entry: &StageEntry, known: &[Stage]) -> Work {
        let stage_id = entry.stage_id.clone();
        let answered = |code, value: String| Work::Answered(Line { stage_id: stage_id.clone(), code, value });
        let stage = known.iter().find(|stage| stage.stage_id == stage_id);
        let status = match entry.status(self.lookups) {
            Ok(status) => status,
            Err(fault) => return answered(ResponseCode::Error, fault.to_string()),
        };
        // A stage is known by its program; a message about it need not repeat that, unless it schedules it.
        let program = match (&entry.program_code, stage) {
            (Some(program), _) => program.clone(),
            (None, Some(stage)) if status != StageStatus::Scheduled => stage.terms.program_code.clone(),
            (None, Some(_)) => {
                let reason = "the stage is known with a program; cancel it and send a new stage id";
                return answered(ResponseCode::Error, reason.to_owned());
            }
            (None, None) => return answered(ResponseCode::Success, NO_PROGRAM.to_owned()),
        };
        let terms = match self.message.category(self.lookups) {
            Ok(category) => entry.terms(program, category),
            Err(miss) => return answered(ResponseCode::Error, miss.to_string()),
        };
        let reason = entry.cancel_reason.as_ref().or(self.message.cancel_reason.as_ref()).cloned();
        let mut asks = vec![self.ask(status, terms.clone(), reason.clone())];
        if self.cancels_event && status != StageStatus::Canceled {
            asks.push(self.ask(StageStatus::Canceled, terms, reason));
        }
        let status = if self.cancels_event { StageStatus::Canceled } else { status };
        Work::Ask { stage_id, asks, request: Request { status, whole_event: self.cancels_event } }
    }

    /// Of another stage of an event that is canceled.
    fn cancel(&self, stage: &Stage) -> Work {
        let reason = self.message.cancel_reason.clone();
        let asks = vec![self.ask(StageStatus::Canceled, stage.terms.clone(), reason)];
        let request = Request { status: StageStatus::Canceled, whole_event: true };
        Work::Ask { stage_id: stage.stage_id.clone(), asks, request }
    }

    fn ask(&self, status: StageStatus, terms: Terms, cancel_reason: Option<String>) -> Ask {
        let drms_instance_id = self.message.drms_instance_id.clone();
        Ask { by: self.by.to_owned(), drms_instance_id, status, terms, cancel_reason }
    }
}
