//! The flows that are measured, and what each is held to.

use std::time::Duration;

use super::TIMEOUT;
use crate::events;
use crate::function::{
    ACKNOWLEDGEMENTS, AGGREGATOR_ACKS, AGGREGATORS, ENROLLMENT_REQUESTS, ENROLLMENTS, EVENT_STATUS, OPT_OUTS,
    PROGRAM_RULES, PROGRAM_RULES_ACKS, STATUS_ANSWERS, STATUS_CHECKS, UNAVAILABILITIES,
};

/// AWS calls in sequence (architecture.md §6).
const CALLS: u64 = 3;

/// A message flow.
pub(super) struct Flow {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is called in figures.
    pub(super) called: &'static str,
    /// Its route.
    pub(super) path: &'static str,
    /// A body by its number.
    pub(super) body: fn(u64) -> String,
    /// How long its door is given.
    pub(super) patience: Duration,
    /// What its door answers: by 200 the message has had its end, and its worker gets nothing to do.
    pub(super) status: u64,
    /// AWS calls in sequence that its worker may make: what the architecture says, or what it is known to need instead.
    pub(super) calls: u64,
    /// All of its calls, those included that are made side by side.
    pub(super) calls_in_all: u64,
}

/// All of them: outbound, acknowledgements, those whose sender waits, stages.
pub(super) fn all() -> Vec<Flow> {
    let flow = |name, path, body| {
        let (patience, status, calls) = (TIMEOUT, 202, CALLS);
        Flow { name, called: name, path, body, patience, status, calls, calls_in_all: calls }
    };
    let requests = flow(ENROLLMENT_REQUESTS, "/v1/derms/enrollment-request", events::enrollment_request);
    vec![
        flow(ENROLLMENTS, "/v1/dacs/enrollment-sync", events::enrollment),
        flow(PROGRAM_RULES, "/v1/dacs/program-rules", events::program_rules),
        flow(AGGREGATORS, "/v1/dacs/aggregators", events::aggregator),
        flow(STATUS_CHECKS, "/v1/dacs/device-status-check", events::status_check),
        flow(OPT_OUTS, "/v1/dacs/event-opt-out", events::opt_out),
        flow(UNAVAILABILITIES, "/v1/dacs/customer-unavailability", events::unavailability),
        flow(ACKNOWLEDGEMENTS, "/v1/derms/enrollment-ack", events::acknowledgement),
        flow(PROGRAM_RULES_ACKS, "/v1/derms/program-rules-ack", events::program_rules_ack),
        flow(AGGREGATOR_ACKS, "/v1/derms/aggregators-ack", events::aggregator_ack),
        flow(STATUS_ANSWERS, "/v1/derms/device-status-ack", events::status_answer),
        // Once in time; once by a door that has no time left for a call, so that it is promised, a write more, and
        // acknowledged later.
        Flow { status: 200, called: "derms-dacs-enrollment-request, at once", ..requests },
        Flow { patience: Duration::from_secs(5), called: "derms-dacs-enrollment-request, later", ..requests },
        // Decision 11: a call to DACS is announced before, and what became of it is noted after.
        Flow { calls: 4, calls_in_all: 5, ..flow(EVENT_STATUS, "/v1/derms/event-status", events::event_status) },
    ]
}

impl Flow {
    /// Whether its door has time to do what it can.
    pub(super) fn is_patient(&self) -> bool {
        self.patience == TIMEOUT
    }

    /// The bar of AWS calls in the worker, in words.
    pub(super) fn calls_bar(&self) -> String {
        match self.calls {
            CALLS => format!("≤ {CALLS} in sequence"),
            known => format!("≤ {CALLS} in sequence; known to miss it, held to {known}"),
        }
    }
}
