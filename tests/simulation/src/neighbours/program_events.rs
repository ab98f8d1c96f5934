use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::stage::StageStatus;
use flow::ports::Answer;
use serde_json::{Value, json};

use super::Participation;
use crate::engine::{Micros, Shared, seconds};
use crate::ports::plain;

/// A program of this external id is one that DACS refuses.
pub const REFUSED_PROGRAM: &str = "PRG-CLOSED";
/// A stage whose id holds this cannot be canceled any more once it runs.
pub const UNSTOPPABLE: &str = "unstoppable";

/// "A status that arrives before its predecessor is held (default 10 minutes)", less what clocks may differ by.
const HOLD: Micros = seconds(600);
/// Clocks of instances, on a good day and on a bad one.
const TOLERANCE: (Micros, Micros) = (seconds(1), seconds(62));

/// One program event: one stage.
#[derive(Debug, Clone)]
pub struct ProgramEvent {
    /// Where it was, in order; the last one is where it is.
    pub history: Vec<StageStatus>,
    /// Its program, category and times, as it was created.
    pub terms: String,
    /// When it was created.
    pub created: Micros,
    /// "moves itself to Scheduled": from then on.
    scheduled: Micros,
    /// DACS has it from before the platform: what the platform does not know of it may be wrong.
    pub cut_over: bool,
}

impl ProgramEvent {
    /// Where it is.
    #[must_use]
    pub fn status(&self) -> StageStatus {
        self.history.last().copied().unwrap_or(StageStatus::Scheduled)
    }
}

/// What the DERMS has said of a stage, and since when.
#[derive(Debug, Clone, Default)]
struct Told {
    since: BTreeMap<StageStatus, Micros>,
}

#[derive(Default)]
struct State {
    events: BTreeMap<String, ProgramEvent>,
    told: BTreeMap<String, Told>,
}

/// DACS's program events, what is reserved for them, and what their devices did. It watches what it is told: no call that
/// is illegal, or that the DERMS never asked for, may reach it.
pub struct ProgramEvents {
    shared: Shared,
    state: Mutex<State>,
    /// Devices.
    pub devices: Participation,
}

impl ProgramEvents {
    /// None yet.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self { devices: Participation::new(shared.clone()), shared, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The program event of `stage` was here before the platform, and is in `status`.
    pub fn has_from_before(&self, stage: &str, status: StageStatus) {
        let history = match status {
            StageStatus::Scheduled => vec![status],
            other => vec![StageStatus::Scheduled, other],
        };
        let event = ProgramEvent { history, terms: String::new(), created: 0, scheduled: 0, cut_over: true };
        self.state().events.insert(stage.to_owned(), event);
    }

    /// The DERMS says, for the first time or again, that `stage` is `status`.
    pub fn is_told(&self, stage: &str, status: StageStatus) {
        let now = self.shared.lock().now;
        self.state().told.entry(stage.to_owned()).or_default().since.entry(status).or_insert(now);
    }

    /// The program event of `stage`; `None` when there is none.
    #[must_use]
    pub fn of(&self, stage: &str) -> Option<ProgramEvent> {
        self.state().events.get(stage).cloned()
    }

    /// `POST …/programEvent/`: "400 'exists' = done when ours was the same".
    pub fn create(&self, body: &Value) -> Answer {
        let stage = text(body, "externalIdentifier");
        let [program, category, start, end] =
            ["programExternalIdentifier", "programEventCategory", "startDateTime", "endDateTime"]
                .map(|name| text(body, name));
        if program == REFUSED_PROGRAM {
            return refuse(20023, &[]);
        }
        let terms = format!("{program} {category} {start} {end}");
        let (now, settles) = self.now_and_a_moment();
        let mut state = self.state();
        let is_told = state.told.get(&stage).is_some_and(|told| told.since.contains_key(&StageStatus::Scheduled));
        if !is_told {
            self.violated(format!("DACS was asked to create {stage}, which the DERMS never scheduled"));
        }
        if let Some(known) = state.events.get(&stage) {
            if !known.cut_over && known.terms != terms {
                self.violated(format!("DACS was asked to create {stage} for {terms}; it is there for {}", known.terms));
            }
            return refuse(20002, &[]);
        }
        let history = vec![StageStatus::Scheduled];
        let event = ProgramEvent { history, terms, created: now, scheduled: now + settles, cut_over: false };
        state.events.insert(stage, event);
        plain(200, "{}")
    }

    fn now_and_a_moment(&self) -> (Micros, Micros) {
        let mut core = self.shared.lock();
        let settles = match core.dice.below(10) {
            0..=4 => 0,
            5..=8 => core.dice.below(seconds(8)),
            _ => core.dice.below(seconds(60)),
        };
        (core.now, settles)
    }

    /// `POST …/programEvent/lifecycle`: 400 when the stage is there already, or cannot be there now.
    pub fn lifecycle(&self, body: &Value) -> Answer {
        let ids = [text(body, "externalIdentifier"), text(body, "eventExternalIdentifier")];
        let stage = ids.iter().find(|id| !id.is_empty()).cloned().unwrap_or_default();
        let Some(status) = status_of(&text(body, "action")) else { return refuse(20023, &[]) };
        let mut state = self.state();
        self.check_that_it_was_asked_for(&state, &stage, status);
        let now = self.shared.lock().now;
        let Some(event) = state.events.get_mut(&stage) else { return refuse(20011, &[]) };
        let is = event.status();
        if is == status || status == StageStatus::Scheduled {
            // Numbers are optional: what may follow says where it is, too.
            let by_number = self.shared.lock().dice.chance(50);
            return if by_number && is == status { refuse(20003, &[]) } else { refuse(20090, next_actions(is)) };
        }
        if now < event.scheduled {
            return refuse(20012, &[]);
        }
        if status == StageStatus::Canceled && is == StageStatus::InProgress && stage.contains(UNSTOPPABLE) {
            return refuse(20090, next_actions(is));
        }
        if !StageStatus::after(Some(is)).contains(&status) {
            // Where clocks differ by more than a lease allows for, two may tell the same; the later one is refused.
            let is_repeat = event.history.contains(&status) && self.shared.lock().skewed;
            if !event.cut_over && !is_repeat {
                self.violated(format!("DACS was told that {stage} is {status}; it is {is}"));
            }
            return refuse(20013, next_actions(is));
        }
        event.history.push(status);
        plain(200, &json!({ "nextActions": next_actions(status) }).to_string())
    }

    /// The DERMS has said so, and of a stage that was never scheduled it is said after the hold, not before.
    fn check_that_it_was_asked_for(&self, state: &State, stage: &str, status: StageStatus) {
        let none = Told::default();
        let told = state.told.get(stage).unwrap_or(&none);
        if status != StageStatus::Scheduled && !told.since.contains_key(&status) {
            self.violated(format!("DACS was told that {stage} is {status}, and the DERMS never said so"));
        }
        let (now, skewed) = {
            let core = self.shared.lock();
            (core.now, core.skewed)
        };
        let tolerance = if skewed { TOLERANCE.1 } else { TOLERANCE.0 };
        let first = told.since.values().min().copied().unwrap_or(now);
        let is_probe = status == StageStatus::Scheduled;
        if !is_probe && !state.events.contains_key(stage) && now + tolerance < first + HOLD {
            self.violated(format!("DACS was told that {stage} is {status} before it was created, and before its hold"));
        }
    }

    fn violated(&self, what: String) {
        self.shared.lock().violated(what);
    }

    /// `reserveDevice`: "400 when the event is unknown or not Scheduled".
    pub fn reserve(&self, body: &Value) -> Answer {
        let stage = text(body, "eventExternalIdentifier");
        let now = self.shared.lock().now;
        match self.of(&stage) {
            None => refuse(20011, &[]),
            Some(event) if event.status() == StageStatus::Scheduled && now >= event.scheduled => {
                self.devices.reserve(&stage, body)
            }
            Some(_) => refuse(20012, &[]),
        }
    }

    /// `postEventOutcome`: of one stage per call, and not while the platform knows that the stage runs.
    pub fn outcomes(&self, body: &Value) -> Answer {
        let items = body.as_array().cloned().unwrap_or_default();
        let stages: std::collections::BTreeSet<String> =
            items.iter().map(|item| text(item, "eventExternalIdentifier")).collect();
        let now = self.shared.lock().now;
        if stages.len() != 1 {
            self.violated(format!("DACS was sent outcomes of the stages {stages:?} in one call"));
        }
        for stage in &stages {
            let open = self.of(stage).filter(|event| !event.status().is_final() && !event.cut_over);
            // Whoever looked before the stage was known has called long ago, unless it stood still.
            let known_long = open.is_some_and(|event| now > event.created + LONGEST_PAUSE);
            if known_long && now < WAITS - seconds(62) {
                self.violated(format!("DACS was sent outcomes of {stage}, which is not over"));
            }
        }
        self.devices.outcomes(&items)
    }
}

/// Between a look at a stage and the calls that follow from it: a function's time, and the longest stand-still.
const LONGEST_PAUSE: Micros = seconds(420);
/// Outcomes wait so long for their stage.
const WAITS: Micros = seconds(24 * 3600);

fn status_of(action: &str) -> Option<StageStatus> {
    match action {
        "X1SD" => Some(StageStatus::Scheduled),
        "X1IP" => Some(StageStatus::InProgress),
        "F1CO" => Some(StageStatus::Completed),
        "F1CN" => Some(StageStatus::Canceled),
        _ => None,
    }
}

fn next_actions(is: StageStatus) -> &'static [&'static str] {
    match is {
        StageStatus::Scheduled => &["X1IP", "F1CN"],
        StageStatus::InProgress => &["F1CO", "F1CN"],
        StageStatus::Completed | StageStatus::Canceled => &[],
    }
}

/// 400 with this number; 20090 is one that no lookup has. What may follow is said where there is an event.
fn refuse(number: u32, next: &[&str]) -> Answer {
    let mut body = json!({ "messageNumber": number, "message": "as the number says" });
    if let Some(body) = body.as_object_mut().filter(|_| number == 20090) {
        body.insert("nextActions".into(), json!(next));
    }
    plain(400, &body.to_string())
}

/// A text of a call, or nothing.
pub(super) fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
