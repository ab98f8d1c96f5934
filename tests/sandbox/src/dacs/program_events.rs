//! Program events, each one stage: none → Scheduled → In Progress → Completed, or Canceled from either of the first two;
//! final states don't move (contracts.md §4 and §9).

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Books, REFUSED};
use crate::clock::locked;
use crate::problem::{Problem, Violation};
use crate::shape::{Field, Kind, may, must, violations};
use crate::text::instant;
use crate::{Release, json_response, message};

const CREATE: &[Field] = &[
    must("programExternalIdentifier", Kind::Text(120)),
    must("eventExternalIdentifier", Kind::Text(120)),
    must("externalIdentifier", Kind::Text(120)),
    must("programEventCategory", Kind::Code(&["X1DT", "X1EC", "X1EM", "X1RE"])),
    must("startDateTime", Kind::Time),
    must("endDateTime", Kind::Time),
];

const ACTION: Kind = Kind::Code(&["X1SD", "X1IP", "F1CO", "F1CN"]);

/// Up to 25.4; the reference of 25.10 names the same id otherwise.
const LIFECYCLE: &[Field] =
    &[must("action", ACTION), may("cancelReason", Kind::Text(254)), must("externalIdentifier", Kind::Text(120))];
const LIFECYCLE_25_10: &[Field] =
    &[must("action", ACTION), may("cancelReason", Kind::Text(254)), must("eventExternalIdentifier", Kind::Text(120))];

/// Message numbers of this group (contracts.md §4, "on repeat").
const EXISTS: i32 = 20002;
const ALREADY_THERE: i32 = 20003;
const UNKNOWN: i32 = 20011;
const NOT_ALLOWED_YET: i32 = 20013;

/// Where a program event stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Standing {
    /// Devices can be reserved.
    Scheduled,
    /// It runs.
    #[serde(rename = "In Progress")]
    InProgress,
    /// It ran to its end.
    Completed,
    /// It was ended early.
    Canceled,
}

impl Standing {
    /// Whether it does not move any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled)
    }

    fn of_action(action: &str) -> Option<Self> {
        match action {
            "X1SD" => Some(Self::Scheduled),
            "X1IP" => Some(Self::InProgress),
            "F1CO" => Some(Self::Completed),
            "F1CN" => Some(Self::Canceled),
            _ => None,
        }
    }

    fn next_actions(self) -> &'static [&'static str] {
        match self {
            Self::Scheduled => &["X1IP", "F1CN"],
            Self::InProgress => &["F1CO", "F1CN"],
            Self::Completed | Self::Canceled => &[],
        }
    }
}

/// All program events by stage.
#[derive(Debug, Default)]
pub struct ProgramEvents(Mutex<BTreeMap<String, ProgramEvent>>);

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProgramEvent {
    state: Standing,
    created: Value,
    calls: u64,
    effects: u64,
    repeats: u64,
    refusals: u64,
    history: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    order: u64,
    state: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl ProgramEvents {
    /// Forgets all.
    pub fn clear(&self) {
        locked(&self.0).clear();
    }

    /// The books as JSON.
    pub fn state(&self) -> Value {
        json!(*locked(&self.0))
    }

    /// Where the program event of `stage` stands.
    pub fn standing(&self, stage: &str) -> Option<Standing> {
        locked(&self.0).get(stage).map(|event| event.state)
    }

    /// Stages are Scheduled, as if somebody had told DACS past us.
    pub fn schedule(&self, order: u64, stages: &[String]) {
        let mut events = locked(&self.0);
        for stage in stages {
            let (state, created) = (Standing::Scheduled, Value::Null);
            let history = vec![Entry { order, state, reason: None }];
            let event = ProgramEvent { state, created, calls: 0, effects: 0, repeats: 0, refusals: 0, history };
            events.entry(stage.clone()).or_insert(event);
        }
    }

    fn create(&self, order: u64, stage: &str, body: Value) -> Result<Value, Problem> {
        let mut events = locked(&self.0);
        if let Some(known) = events.get_mut(stage) {
            known.calls = known.calls.saturating_add(1);
            if known.created == body {
                known.repeats = known.repeats.saturating_add(1);
            } else {
                known.refusals = known.refusals.saturating_add(1);
            }
            return Err(refusal(format!("Program event {stage} exists."), EXISTS, known.state));
        }
        let state = Standing::Scheduled;
        let history = vec![Entry { order, state, reason: None }];
        let event = ProgramEvent { state, created: body, calls: 1, effects: 1, repeats: 0, refusals: 0, history };
        events.insert(stage.to_owned(), event);
        Ok(json!({"externalIdentifier": stage, "nextActions": state.next_actions()}))
    }

    fn tell(&self, order: u64, stage: &str, action: &str, reason: Option<String>) -> Result<Value, Problem> {
        let mut events = locked(&self.0);
        let Some(event) = events.get_mut(stage) else {
            let message = format!("There is no program event {stage}.");
            return Err(Problem::new(StatusCode::BAD_REQUEST, message).numbered(UNKNOWN));
        };
        event.calls = event.calls.saturating_add(1);
        let wanted = Standing::of_action(action);
        if wanted == Some(event.state) {
            event.repeats = event.repeats.saturating_add(1);
            return Err(refusal(format!("Program event {stage} is there already."), ALREADY_THERE, event.state));
        }
        let Some(wanted) = wanted.filter(|_| event.state.next_actions().contains(&action)) else {
            event.refusals = event.refusals.saturating_add(1);
            let number = if event.state.is_final() { REFUSED } else { NOT_ALLOWED_YET };
            return Err(refusal(format!("Program event {stage} cannot do {action} now."), number, event.state));
        };
        event.state = wanted;
        event.effects = event.effects.saturating_add(1);
        event.history.push(Entry { order, state: wanted, reason });
        Ok(json!({"externalIdentifier": stage, "nextActions": wanted.next_actions()}))
    }
}

fn refusal(message: String, number: i32, state: Standing) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, message).numbered(number).with("nextActions", json!(state.next_actions()))
}

/// `POST …/programEvent/`.
pub async fn create(sandbox: Books, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let mut found = violations(&body, CREATE);
    let time = |name: &str| instant(body.get(name)?.as_str()?).ok();
    if let (Some(start), Some(end)) = (time("startDateTime"), time("endDateTime"))
        && end <= start
    {
        found.push(Violation::new("endDateTime", "is not after the start"));
    }
    if !found.is_empty() {
        return Err(Problem::invalid(found).numbered(REFUSED));
    }
    let stage = text(&body, "externalIdentifier");
    let answer = sandbox.dacs.program_events.create(sandbox.order.next(), &stage, body)?;
    Ok(json_response(StatusCode::OK, &answer))
}

/// `POST …/programEvent/lifecycle`.
pub async fn lifecycle(sandbox: Books, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let (shape, id) = if sandbox.dacs.release() >= Release(25, 10) {
        (LIFECYCLE_25_10, "eventExternalIdentifier")
    } else {
        (LIFECYCLE, "externalIdentifier")
    };
    let mut found = violations(&body, shape);
    let reason = body.get("cancelReason").and_then(Value::as_str).map(str::to_owned);
    let action = text(&body, "action");
    if reason.is_some() && action != "F1CN" {
        found.push(Violation::new("cancelReason", "goes with F1CN only"));
    }
    if !found.is_empty() {
        return Err(Problem::invalid(found).numbered(REFUSED));
    }
    let answer = sandbox.dacs.program_events.tell(sandbox.order.next(), &text(&body, id), &action, reason)?;
    Ok(json_response(StatusCode::OK, &answer))
}

fn text(body: &Value, name: &str) -> String {
    body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
