//! What arrived, whether it took effect or not: per system, route and status, and how dense.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::{count, locked};
use crate::faults::System;

/// Counts of all calls since the last reset.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<BTreeMap<System, Calls>>);

#[derive(Debug, Default)]
struct Calls {
    requests: u64,
    by_route: BTreeMap<String, BTreeMap<String, u64>>,
    last_second: VecDeque<Duration>,
    most_in_a_second: u64,
    first: Option<Duration>,
    last: Duration,
    per_second: BTreeMap<u64, u64>,
}

impl Traffic {
    /// A call arrived at `now` (time since the start).
    pub fn arrived(&self, system: System, now: Duration) {
        let mut all = locked(&self.0);
        let calls = all.entry(system).or_default();
        calls.requests = calls.requests.saturating_add(1);
        calls.first.get_or_insert(now);
        calls.last = calls.last.max(now);
        let second = calls.per_second.entry(now.as_secs()).or_default();
        *second = second.saturating_add(1);
        calls.last_second.push_back(now);
        let Some(start) = now.checked_sub(Duration::from_secs(1)) else {
            calls.most_in_a_second = count(calls.last_second.len());
            return;
        };
        while calls.last_second.front().is_some_and(|at| *at <= start) {
            calls.last_second.pop_front();
        }
        calls.most_in_a_second = calls.most_in_a_second.max(count(calls.last_second.len()));
    }

    /// A call on `route` ended with `result`: an HTTP status, or what was done to the connection.
    pub fn answered(&self, system: System, route: String, result: String) {
        let mut all = locked(&self.0);
        let calls = all.entry(system).or_default();
        let results = calls.by_route.entry(route).or_default();
        let number = results.entry(result).or_default();
        *number = number.saturating_add(1);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        locked(&self.0).clear();
    }

    /// The counts, times in milliseconds since the start.
    pub fn state(&self) -> Value {
        let all = locked(&self.0);
        let mut state = serde_json::Map::new();
        for (system, calls) in &*all {
            let name = match system {
                System::Oauth => "oauth",
                System::Dacs => "dacs",
                System::Derms => "derms",
            };
            let millis = |at: Duration| u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
            let value = json!({
                "requests": calls.requests,
                "byRoute": calls.by_route,
                "mostInAnySecond": calls.most_in_a_second,
                "perSecond": calls.per_second,
                "firstMillis": calls.first.map(millis),
                "lastMillis": millis(calls.last),
            });
            state.insert(name.to_owned(), value);
        }
        Value::Object(state)
    }
}
