use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flow::ports::Answer;
use serde_json::{Value, json};

use crate::engine::{Micros, Shared};
use crate::ports::plain;

/// Where a program event stands in DACS. One that was never created is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    /// Devices can be reserved.
    Scheduled,
    /// It runs; outcomes may come, but the platform holds them until it is over.
    InProgress,
    /// It is over.
    Final,
}

#[derive(Default)]
struct State {
    events: BTreeMap<String, EventState>,
    /// Outcomes of stages that run, and how long they are to be held.
    held_until: BTreeMap<String, Micros>,
    reserved: BTreeSet<(String, String)>,
    outcomes: BTreeMap<(String, String), String>,
}

/// DACS's program events: which devices are reserved for them, and what those did.
pub struct ProgramEvents {
    shared: Shared,
    state: Mutex<State>,
}

/// A NIC id that begins so is of a device that DACS does not have.
pub const UNKNOWN: &str = "nic-unknown";

impl ProgramEvents {
    /// None yet.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self { shared, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Program event `stage` is `state` from now on.
    pub fn set(&self, stage: &str, state: EventState) {
        self.state().events.insert(stage.to_owned(), state);
    }

    /// Outcomes of `stage` are not to come before `until`, unless it is over.
    pub fn hold_outcomes(&self, stage: &str, until: Micros) {
        self.state().held_until.insert(stage.to_owned(), until);
    }

    /// The NIC ids that are reserved for `stage`.
    #[must_use]
    pub fn reserved(&self, stage: &str) -> BTreeSet<String> {
        let state = self.state();
        state.reserved.iter().filter(|(of, _)| of == stage).map(|(_, nic)| nic.clone()).collect()
    }

    /// By NIC id: what the devices did in `stage`.
    #[must_use]
    pub fn outcomes_of(&self, stage: &str) -> BTreeMap<String, String> {
        let state = self.state();
        let of_stage = state.outcomes.iter().filter(|((of, _), _)| of == stage);
        of_stage.map(|((_, nic), outcome)| (nic.clone(), outcome.clone())).collect()
    }

    /// `reserveDevice` → "the device is already reserved *for this stage* = done"; 400 when the event is unknown or not
    /// Scheduled.
    pub fn reserve(&self, body: &Value) -> Answer {
        let stage = text(body, "eventExternalIdentifier");
        let mut state = self.state();
        match state.events.get(&stage) {
            None => return plain(400, r#"{"messageNumber":20011,"message":"no such program event"}"#),
            Some(EventState::Scheduled) => {}
            Some(_) => return plain(400, r#"{"messageNumber":20012,"message":"not Scheduled"}"#),
        }
        let mut errors = Vec::new();
        for device in body.get("deviceList").and_then(Value::as_array).into_iter().flatten() {
            let nic = text(device, "nicId");
            if nic.starts_with(UNKNOWN) {
                errors.push(error(device, 20021));
            } else if !state.reserved.insert((stage.clone(), nic)) && self.shared.lock().dice.chance(50) {
                errors.push(error(device, 20004));
            }
        }
        plain(200, &json!({ "errors": errors }).to_string())
    }

    /// `postEventOutcome` → "upsert by (stage, head-end, nic)"; one stage per call.
    pub fn outcomes(&self, body: &Value) -> Answer {
        let items = body.as_array().cloned().unwrap_or_default();
        let stages: BTreeSet<String> = items.iter().map(|item| text(item, "eventExternalIdentifier")).collect();
        let mut state = self.state();
        let now = self.shared.lock().now;
        if stages.len() != 1 {
            self.shared.lock().violated(format!("DACS was sent outcomes of the stages {stages:?} in one call"));
        }
        for stage in &stages {
            let early = state.held_until.get(stage).is_some_and(|until| now < *until);
            if early && state.events.get(stage) != Some(&EventState::Final) {
                self.shared.lock().violated(format!("DACS was sent outcomes of {stage}, which is not over"));
            }
        }
        let mut errors = Vec::new();
        for item in &items {
            let nic = text(item, "nicId");
            if nic.starts_with(UNKNOWN) {
                errors.push(error(item, 20021));
            } else {
                state.outcomes.insert((text(item, "eventExternalIdentifier"), nic), text(item, "outcome"));
            }
        }
        plain(200, &json!({ "errors": errors }).to_string())
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn error(device: &Value, number: u32) -> Value {
    let (head_end, nic) = (text(device, "headEndSystem"), text(device, "nicId"));
    json!({ "headEndSystem": head_end, "nicId": nic, "messageNumber": number, "message": "as the number says" })
}
