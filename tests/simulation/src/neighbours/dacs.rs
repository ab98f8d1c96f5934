use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use flow::ports::{Answer, Call, Payload};
use serde_json::Value;

use super::{Enrollments, Outages, ProgramEvents, StatusChecks};
use crate::engine::{Micros, Shared};
use crate::ports::{Neighbour, plain};

/// Where a sync request stands in DACS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncState {
    /// Sent; no acknowledgement yet.
    Sent,
    /// Acknowledged with exceptions.
    Error,
    /// Acknowledged; final.
    Synchronized,
}

/// One sync request.
#[derive(Debug, Clone)]
pub struct SyncRequest {
    /// Where it stands.
    pub state: SyncState,
    /// The acknowledgements that changed it, in order: whether each had an error, and what it said.
    pub heard: Vec<(bool, String)>,
}

/// DACS: the program system.
pub struct Dacs {
    shared: Shared,
    /// When it is down.
    pub outages: Outages,
    requests: Mutex<BTreeMap<String, SyncRequest>>,
    /// Program events, reservations and outcomes.
    pub events: ProgramEvents,
    /// Questions whether devices can be reached.
    pub checks: StatusChecks,
    /// Enrollments.
    pub enrollments: Enrollments,
}

impl Dacs {
    /// A DACS without sync requests.
    #[must_use]
    pub fn new(shared: Shared, down: Vec<(Micros, Micros)>) -> Self {
        let outages = Outages::new(shared.clone(), "dacs", down);
        let events = ProgramEvents::new(shared.clone());
        let enrollments = Enrollments::new(shared.clone());
        Self { enrollments, shared, outages, requests: Mutex::default(), events, checks: StatusChecks::default() }
    }

    /// A sync request is sent, for the first time or again.
    pub fn send(&self, id: &str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let request = requests.entry(id.to_owned());
        let request = request.or_insert(SyncRequest { state: SyncState::Sent, heard: Vec::new() });
        if request.state == SyncState::Error {
            request.state = SyncState::Sent;
        }
    }

    /// How a sync request stands; `None` when DACS has none of this id.
    #[must_use]
    pub fn request(&self, id: &str) -> Option<SyncRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Neighbour for Dacs {
    fn name(&self) -> &'static str {
        "dacs"
    }

    fn act(&self, call: &Call, begun: Micros) -> Answer {
        self.outages.watch(begun);
        if call.path == "/health" {
            return plain(200, "{}");
        }
        let Payload::Json(body) = &call.payload else { return plain(400, r#"{"messageNumber":20023}"#) };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match call.path.rsplit('/').next() {
            Some("") => self.events.create(&body),
            Some("lifecycle") => self.events.lifecycle(&body),
            Some(path @ ("enroll" | "unenroll")) => self.enrollments.enroll(path, &body),
            Some("response") => self.checks.respond(&body),
            Some("reserveDevice") => self.events.reserve(&body),
            Some("postEventOutcome") => self.events.outcomes(&body),
            _ => self.acknowledge(&body),
        }
    }

    fn is_down(&self) -> bool {
        self.outages.is_down()
    }

    fn throttled_until(&self, until: Micros) {
        self.outages.throttle(until);
    }
}

impl Dacs {
    /// "sync request PATCH / postAcknowledgement → accepted while sent or in Error, 400 when already Synchronized".
    fn acknowledge(&self, body: &Value) -> Answer {
        let id = body.get("syncRequestId").and_then(Value::as_str).unwrap_or_default();
        let has_error = body.get("hasError").and_then(Value::as_bool);
        let exceptions = body.get("exceptionInfo").and_then(Value::as_array).map_or(0, Vec::len);
        if has_error.is_none_or(|has_error| has_error != (exceptions > 0)) {
            self.shared.lock().violated(format!("DACS was sent an acknowledgement that contradicts itself: {body}"));
            return plain(400, r#"{"messageNumber":20023}"#);
        }
        let has_error = has_error.unwrap_or_default();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(request) = requests.get_mut(id) else {
            return plain(400, r#"{"messageNumber":20090,"message":"no such sync request"}"#);
        };
        if request.state == SyncState::Synchronized {
            return plain(400, r#"{"messageNumber":20001,"message":"already acknowledged"}"#);
        }
        request.state = if has_error { SyncState::Error } else { SyncState::Synchronized };
        let said = body.to_string();
        if request.heard.last().is_none_or(|(_, last)| *last != said) {
            request.heard.push((has_error, said));
        }
        plain(200, "{}")
    }
}
