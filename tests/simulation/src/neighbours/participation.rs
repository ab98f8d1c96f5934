use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flow::ports::Answer;
use serde_json::{Value, json};

use super::program_events::text;
use crate::engine::Shared;
use crate::ports::plain;

#[derive(Default)]
struct State {
    reserved: BTreeSet<(String, String)>,
    outcomes: BTreeMap<(String, String), String>,
}

/// Which devices DACS has reserved for which stage, and what they did in it.
pub struct Participation {
    shared: Shared,
    state: Mutex<State>,
}

/// A NIC id that begins so is of a device that DACS does not have.
pub const UNKNOWN: &str = "nic-unknown";

impl Participation {
    /// Nothing yet.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self { shared, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The NIC ids that are reserved for `stage`.
    #[must_use]
    pub fn reserved(&self, stage: &str) -> BTreeSet<String> {
        let state = self.state();
        state.reserved.iter().filter(|(of, _)| of == stage).map(|(_, nic)| nic.clone()).collect()
    }

    /// What the device `nic` did in `stage`.
    #[must_use]
    pub fn outcome_of(&self, stage: &str, nic: &str) -> Option<String> {
        self.state().outcomes.get(&(stage.to_owned(), nic.to_owned())).cloned()
    }

    /// "the device is already reserved *for this stage* = done".
    pub(super) fn reserve(&self, stage: &str, body: &Value) -> Answer {
        let mut state = self.state();
        let mut errors = Vec::new();
        for device in body.get("deviceList").and_then(Value::as_array).into_iter().flatten() {
            let nic = text(device, "nicId");
            if nic.starts_with(UNKNOWN) {
                errors.push(error(device, 20021));
            } else if !state.reserved.insert((stage.to_owned(), nic)) && self.shared.lock().dice.chance(50) {
                errors.push(error(device, 20004));
            }
        }
        plain(200, &json!({ "errors": errors }).to_string())
    }

    /// "upsert by (stage, head-end, nic)".
    pub(super) fn outcomes(&self, items: &[Value]) -> Answer {
        let mut state = self.state();
        let mut errors = Vec::new();
        for item in items {
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

fn error(device: &Value, number: u32) -> Value {
    let (head_end, nic) = (text(device, "headEndSystem"), text(device, "nicId"));
    json!({ "headEndSystem": head_end, "nicId": nic, "messageNumber": number, "message": "as the number says" })
}
