//! The program system's program events, strictly by contracts.md §4.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use domain::program_event::CREATE;
use domain::stage::StageStatus::{self, Canceled, Completed, InProgress, Scheduled};
use serde_json::{Value, json};

use crate::Transient;
use crate::memory::Targets;
use crate::ports::{Answer, Call, Payload};

/// A handle to one program system.
#[derive(Clone, Default)]
pub(super) struct Dacs(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    stages: BTreeMap<String, Vec<StageStatus>>,
    reasons: Vec<String>,
    calls: usize,
    refused: usize,
    lose: usize,
    not_yet: bool,
    refuse_creates: bool,
    unnumbered: bool,
}

/// What became of all calls: the statuses of each stage in order, and how many calls were refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) acted: Vec<(String, Vec<StageStatus>)>,
    pub(super) refused: usize,
}

impl Dacs {
    pub(super) fn targets(&self) -> Targets {
        let state = self.0.clone();
        Targets::new(move |call| state.lock().unwrap().answer(call))
    }

    pub(super) fn books(&self) -> Books {
        let state = self.0.lock().unwrap();
        Books { acted: state.stages.clone().into_iter().collect(), refused: state.refused }
    }

    pub(super) fn acted(&self, stage: &str) -> Vec<StageStatus> {
        self.0.lock().unwrap().stages.get(stage).cloned().unwrap_or_default()
    }

    /// The reasons of the cancels, in order.
    pub(super) fn reasons(&self) -> Vec<String> {
        self.0.lock().unwrap().reasons.clone()
    }

    pub(super) fn calls(&self) -> usize {
        self.0.lock().unwrap().calls
    }

    pub(super) fn refused(&self) -> usize {
        self.0.lock().unwrap().refused
    }

    /// The next `calls` take effect, and nobody hears of it.
    pub(super) fn lose_answers(&self, calls: usize) {
        self.0.lock().unwrap().lose = calls;
    }

    pub(super) fn not_yet(&self, not_yet: bool) {
        self.0.lock().unwrap().not_yet = not_yet;
    }

    pub(super) fn refuse_creates(&self, refuse: bool) {
        self.0.lock().unwrap().refuse_creates = refuse;
    }

    pub(super) fn number_its_refusals(&self, number: bool) {
        self.0.lock().unwrap().unnumbered = !number;
    }

    /// From before us.
    pub(super) fn has(&self, stage: &str, status: StageStatus) {
        self.0.lock().unwrap().stages.insert(stage.into(), vec![status]);
    }
}

impl State {
    fn answer(&mut self, call: &Call) -> Result<Answer, Transient> {
        self.calls += 1;
        let Payload::Json(body) = &call.payload else { panic!("no JSON") };
        let body: Value = serde_json::from_slice(body).unwrap();
        self.reasons.extend(body["cancelReason"].as_str().map(str::to_owned));
        let stage = body["externalIdentifier"].as_str().unwrap().to_owned();
        let outcome = if call.path == CREATE { self.create(&stage) } else { self.tell(&stage, &body["action"]) };
        let (status, mut answer) = match outcome {
            Ok(()) => (200, json!({})),
            Err((number, message)) => {
                self.refused += 1;
                let number = if self.unnumbered { Value::Null } else { json!(number) };
                (400, json!({"messageNumber": number, "message": message}))
            }
        };
        if call.path != CREATE && self.stages.contains_key(&stage) {
            answer["nextActions"] = json!(self.next_actions(&stage));
        }
        if self.lose > 0 {
            self.lose -= 1;
            return Err(Transient::new("the connection broke"));
        }
        Ok(Answer { status, retry_after: None, body: answer.to_string().into() })
    }

    fn create(&mut self, stage: &str) -> Result<(), (u32, &'static str)> {
        if self.refuse_creates {
            return Err((20023, "field invalid"));
        }
        if self.stages.contains_key(stage) {
            return Err((20002, "program event exists"));
        }
        self.stages.insert(stage.to_owned(), vec![Scheduled]);
        Ok(())
    }

    fn tell(&mut self, stage: &str, action: &Value) -> Result<(), (u32, &'static str)> {
        let wanted = match action.as_str().unwrap() {
            "X1SD" => Scheduled,
            "X1IP" => InProgress,
            "F1CO" => Completed,
            "F1CN" => Canceled,
            other => panic!("{other}"),
        };
        let not_yet = self.not_yet;
        let Some(history) = self.stages.get_mut(stage) else { return Err((20011, "program event unknown")) };
        if not_yet {
            return Err((20012, "not Scheduled yet"));
        }
        match (history.last().copied(), wanted) {
            (Some(now), wanted) if now == wanted => Err((20003, "already in that state")),
            (Some(Scheduled), InProgress | Canceled) | (Some(InProgress), Completed | Canceled) => {
                history.push(wanted);
                Ok(())
            }
            _ => Err((20013, "action not allowed yet")),
        }
    }

    fn next_actions(&self, stage: &str) -> &'static [&'static str] {
        match self.stages[stage].last() {
            Some(Scheduled) => &["X1IP", "F1CN"],
            Some(InProgress) => &["F1CO", "F1CN"],
            _ => &[],
        }
    }
}
