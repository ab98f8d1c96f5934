//! Devices in program events: reserved for a stage while it is Scheduled, and what each did (contracts.md §4). A device is
//! known by head-end and NIC id; those that a test names as unknown are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::program_events::Standing;
use super::{Books, REFUSED};
use crate::clock::locked;
use crate::problem::{Problem, Violation};
use crate::shape::{Field, Kind, may, must, violations};
use crate::{Shared, json_response, message};

const RESERVED: &[Field] = &[
    must("headEndSystem", Kind::Text(50)),
    must("nicId", Kind::Text(100)),
    may("reservationStartDateTime", Kind::Time),
    may("reservationEndDateTime", Kind::Time),
];

const RESERVE: &[Field] = &[
    must("eventExternalIdentifier", Kind::Text(120)),
    must("eventStartDateTime", Kind::Time),
    must("eventEndDateTime", Kind::Time),
    must("deviceList", Kind::List(RESERVED)),
];

const OUTCOME: &[Field] = &[
    must("eventExternalIdentifier", Kind::Text(120)),
    must("headEndSystem", Kind::Text(50)),
    must("nicId", Kind::Text(100)),
    must("outcome", Kind::Code(&["D1SP", "D1IO", "D1ND", "D1ER", "D1CN"])),
    may("errorMessage", Kind::Text(100)),
    may("participationStartDateTime", Kind::Time),
    may("participationEndDateTime", Kind::Time),
];
/// The list is a message of its own; this gives it a name.
const OUTCOMES: &[Field] = &[must("outcomes", Kind::List(OUTCOME))];

/// "At most 500 devices a call".
const MOST_DEVICES: usize = 500;

/// Message numbers of this group (contracts.md §4, "on repeat").
const ALREADY_RESERVED: i32 = 20004;
const EVENT_UNKNOWN: i32 = 20011;
const NOT_SCHEDULED: i32 = 20012;
const DEVICE_UNKNOWN: i32 = 20021;
const RESERVED_ELSEWHERE: i32 = 20022;

/// Reservations and outcomes.
#[derive(Debug, Default)]
pub struct Participations(Mutex<Book>);

/// Head-end and NIC id.
type Device = (String, String);

#[derive(Debug, Default)]
struct Book {
    unknown: BTreeSet<String>,
    reserved: BTreeMap<Device, BTreeSet<String>>,
    outcomes: BTreeMap<(String, Device), Outcome>,
    effects: u64,
    repeats: u64,
    largest_call: usize,
}

#[derive(Debug, Serialize)]
struct Outcome {
    order: u64,
    calls: u64,
    body: Value,
}

impl Participations {
    /// Forgets all.
    pub fn clear(&self) {
        *locked(&self.0) = Book::default();
    }

    /// The NIC ids of devices that DACS does not have.
    pub fn set_unknown(&self, nics: Vec<String>) {
        locked(&self.0).unknown = nics.into_iter().collect();
    }

    /// The books as JSON: by stage, the devices that are reserved, and by stage and device what they did.
    pub fn state(&self) -> Value {
        let book = locked(&self.0);
        let mut reservations: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((head_end, nic), stages) in &book.reserved {
            for stage in stages {
                reservations.entry(stage).or_default().push(format!("{head_end}/{nic}"));
            }
        }
        let mut outcomes: BTreeMap<&str, BTreeMap<String, &Outcome>> = BTreeMap::new();
        for ((stage, (head_end, nic)), outcome) in &book.outcomes {
            outcomes.entry(stage).or_default().insert(format!("{head_end}/{nic}"), outcome);
        }
        json!({
            "reservations": reservations,
            "outcomes": outcomes,
            "effects": book.effects,
            "repeats": book.repeats,
            "largestCall": book.largest_call,
        })
    }

    fn reserve(&self, sandbox: &Shared, stage: &str, devices: &[Value]) -> Vec<Value> {
        let mut book = locked(&self.0);
        book.largest_call = book.largest_call.max(devices.len());
        let mut errors = Vec::new();
        for device in devices {
            let key = key(device);
            let stages = book.reserved.get(&key).cloned().unwrap_or_default();
            // A stage that is over holds no device any more.
            let is_open = |other: &&String| {
                *other != stage && sandbox.dacs.program_events.standing(other).is_some_and(|it| !it.is_final())
            };
            if book.unknown.contains(&key.1) {
                errors.push(error(&key, DEVICE_UNKNOWN, "There is no such device."));
            } else if stages.contains(stage) {
                book.repeats = book.repeats.saturating_add(1);
                errors.push(error(&key, ALREADY_RESERVED, "The device is reserved for this event already."));
            } else if stages.iter().any(|other| is_open(&other)) {
                errors.push(error(&key, RESERVED_ELSEWHERE, "The device is reserved for another event."));
            } else {
                book.effects = book.effects.saturating_add(1);
                book.reserved.entry(key).or_default().insert(stage.to_owned());
            }
        }
        errors
    }

    fn record(&self, order: u64, items: &[Value]) -> Vec<Value> {
        let mut book = locked(&self.0);
        book.largest_call = book.largest_call.max(items.len());
        let mut errors = Vec::new();
        for item in items {
            let key = key(item);
            if book.unknown.contains(&key.1) {
                errors.push(error(&key, DEVICE_UNKNOWN, "There is no such device."));
                continue;
            }
            let stage = text(item, "eventExternalIdentifier");
            let is_repeat = book.outcomes.get(&(stage.clone(), key.clone())).is_some_and(|it| it.body == *item);
            let known = book.outcomes.entry((stage, key)).or_insert(Outcome { order, calls: 0, body: Value::Null });
            known.calls = known.calls.saturating_add(1);
            if !is_repeat {
                (known.order, known.body) = (order, item.clone());
            }
            let count = if is_repeat { &mut book.repeats } else { &mut book.effects };
            *count = count.saturating_add(1);
        }
        errors
    }
}

/// `POST …/programEventParticipation/reserveDevice`.
pub async fn reserve(sandbox: Books, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let mut found = violations(&body, RESERVE);
    let devices = body.get("deviceList").and_then(Value::as_array).cloned().unwrap_or_default();
    found.extend(too_many("deviceList", devices.len()));
    if !found.is_empty() {
        return Err(Problem::invalid(found).numbered(REFUSED));
    }
    let stage = text(&body, "eventExternalIdentifier");
    match sandbox.dacs.program_events.standing(&stage) {
        None => return Err(refusal(format!("There is no program event {stage}."), EVENT_UNKNOWN)),
        Some(Standing::Scheduled) => {}
        Some(_) => return Err(refusal(format!("Program event {stage} is not Scheduled."), NOT_SCHEDULED)),
    }
    let errors = sandbox.dacs.participations.reserve(&sandbox, &stage, &devices);
    Ok(json_response(StatusCode::OK, &json!({ "errors": errors })))
}

/// `POST …/programEventParticipation/postEventOutcome`: a list.
pub async fn outcomes(sandbox: Books, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let items = body.as_array().cloned().unwrap_or_default();
    let mut found = violations(&json!({ "outcomes": body }), OUTCOMES);
    found.extend(too_many("outcomes", items.len()));
    let stages: BTreeSet<String> = items.iter().map(|item| text(item, "eventExternalIdentifier")).collect();
    if stages.len() > 1 {
        found.push(Violation::new("outcomes", "are of several program events"));
    }
    for (position, item) in items.iter().enumerate() {
        let took_part = matches!(text(item, "outcome").as_str(), "D1SP" | "D1IO");
        let times = ["participationStartDateTime", "participationEndDateTime"];
        if took_part && times.iter().any(|name| item.get(*name).is_none()) {
            found.push(Violation::new(format!("outcomes[{position}]"), "took part and has no times"));
        }
        if text(item, "outcome") == "D1SP" && item.get("errorMessage").is_some() {
            found.push(Violation::new(format!("outcomes[{position}].errorMessage"), "is there on success"));
        }
    }
    if !found.is_empty() {
        return Err(Problem::invalid(found).numbered(REFUSED));
    }
    for stage in &stages {
        if sandbox.dacs.program_events.standing(stage).is_none() {
            return Err(refusal(format!("There is no program event {stage}."), EVENT_UNKNOWN));
        }
    }
    let errors = sandbox.dacs.participations.record(sandbox.order.next(), &items);
    Ok(json_response(StatusCode::OK, &json!({ "errors": errors })))
}

fn too_many(list: &str, number: usize) -> Option<Violation> {
    let reason = format!("has {number} devices, 1 to {MOST_DEVICES} are taken");
    (!(1..=MOST_DEVICES).contains(&number)).then(|| Violation::new(list, reason))
}

fn refusal(message: String, number: i32) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, message).numbered(number)
}

fn key(device: &Value) -> Device {
    (text(device, "headEndSystem"), text(device, "nicId"))
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn error((head_end, nic): &Device, number: i32, message: &str) -> Value {
    json!({ "headEndSystem": head_end, "nicId": nic, "messageNumber": number, "message": message })
}
