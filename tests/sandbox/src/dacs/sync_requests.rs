//! Sync requests: Pending → sent → Synchronized | Error; after Error a resend may synchronize
//! (contracts.md §9). Acknowledged by PATCH, or since 25.10 by `postAcknowledgement`.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Books, REFUSED, since};
use crate::clock::locked;
use crate::problem::{Problem, Violation};
use crate::shape::{Field, Kind, may, must, violations};
use crate::{Release, Shared, json_response, message};

const PARAMETER: &[Field] =
    &[must("parameterSequence", Kind::Whole(1, 99_999)), must("messageParameterValue", Kind::Text(2000))];

const EXCEPTION: &[Field] = &[
    must("messageCategory", Kind::Whole(-99_999, 99_999)),
    must("messageNumber", Kind::Whole(-99_999, 99_999)),
    may("comments", Kind::Text(254)),
    must("sequence", Kind::Whole(1, 99_999)),
    may("messageParameters", Kind::List(PARAMETER)),
];

// "externalPk1.." : a DACS key has at most five parts.
const EXTERNAL_ID: &[Field] = &[
    must("entity", Kind::Text(60)),
    must("externalPk1", Kind::Text(60)),
    may("externalPk2", Kind::Text(60)),
    may("externalPk3", Kind::Text(60)),
    may("externalPk4", Kind::Text(60)),
    may("externalPk5", Kind::Text(60)),
];

const PATCH: &[Field] = &[
    must("hasError", Kind::Flag),
    must("syncRequestId", Kind::Text(14)),
    may("exceptionInfo", Kind::List(EXCEPTION)),
    may("externalIds", Kind::List(EXTERNAL_ID)),
];

const DEVICE: &[Field] = &[
    must("deviceId", Kind::Text(12)),
    must("headEndRegistration", Kind::Code(&["D1RE", "D1NR", "D1DR"])),
    may("message", Kind::Text(2000)),
];

const ACKNOWLEDGEMENT: &[Field] = &[
    must("syncRequestId", Kind::Text(14)),
    must("hasError", Kind::Flag),
    may("exceptionInfo", Kind::List(EXCEPTION)),
    may("deviceHeadendStatus", Kind::List(DEVICE)),
];

/// Message numbers of this group (contracts.md §4, "on repeat").
const ALREADY_ACKNOWLEDGED: i32 = 20001;
const NOT_ALLOWED_YET: i32 = 20013;

/// Where a sync request stands.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Standing {
    /// Made, not yet sent: nothing to acknowledge.
    Pending,
    /// Sent, awaiting its acknowledgement.
    #[default]
    #[serde(rename = "sent")]
    Sent,
    /// Acknowledged; does not move any more.
    Synchronized,
    /// Refused by the receiver; somebody's work.
    Error,
}

/// All sync requests by id, and the registrations that acknowledgements carried.
#[derive(Debug)]
pub struct SyncRequests(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    create_unknown: bool,
    requests: BTreeMap<String, SyncRequest>,
    registrations: BTreeMap<String, String>,
    effects: u64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct SyncRequest {
    state: Standing,
    calls: u64,
    effects: u64,
    repeats: u64,
    refusals: u64,
    history: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    order: u64,
    call: &'static str,
    state: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl SyncRequests {
    /// No sync request; `create_unknown` takes acknowledgements of unknown ones as if sent.
    pub fn new(create_unknown: bool) -> Self {
        let book = Book { create_unknown, ..Book::default() };
        Self(Mutex::new(book))
    }

    /// DACS makes a sync request or, when it is known, sends it again.
    pub fn put(&self, order: u64, id: &str, state: Standing) {
        let mut book = locked(&self.0);
        let request = book.requests.entry(id.to_owned()).or_default();
        request.state = state;
        request.history.push(Entry { order, call: "control", state, body: None });
    }

    /// Whether acknowledgements of unknown sync requests are taken.
    pub fn create_unknown(&self, create: bool) {
        locked(&self.0).create_unknown = create;
    }

    /// Forgets all.
    pub fn clear(&self) {
        let mut book = locked(&self.0);
        *book = Book { create_unknown: book.create_unknown, ..Book::default() };
    }

    /// The books as JSON.
    pub fn state(&self) -> Value {
        let book = locked(&self.0);
        json!({
            "syncRequests": book.requests,
            "registrations": book.registrations,
            "effects": book.effects,
            "createUnknownSyncRequests": book.create_unknown,
        })
    }

    fn acknowledge(&self, order: u64, id: &str, call: &'static str, body: Value) -> Result<Standing, Problem> {
        let mut book = locked(&self.0);
        if !book.create_unknown && !book.requests.contains_key(id) {
            return Err(Problem::at("syncRequestId", format!("{id} is not a sync request")).numbered(REFUSED));
        }
        let request = book.requests.entry(id.to_owned()).or_default();
        request.calls = request.calls.saturating_add(1);
        if let Err(problem) = request.may_be_acknowledged(id) {
            request.refusals = request.refusals.saturating_add(1);
            return Err(problem);
        }
        let state = if listed(&body, "exceptionInfo") { Standing::Error } else { Standing::Synchronized };
        let repeated = request.state == state && request.history.last().and_then(Entry::body) == Some(&body);
        if repeated {
            request.repeats = request.repeats.saturating_add(1);
            return Ok(state);
        }
        request.state = state;
        request.effects = request.effects.saturating_add(1);
        let registrations = registrations(&body);
        request.history.push(Entry { order, call, state, body: Some(body) });
        book.effects = book.effects.saturating_add(1);
        book.registrations.extend(registrations);
        Ok(state)
    }
}

impl Entry {
    fn body(&self) -> Option<&Value> {
        self.body.as_ref()
    }
}

impl SyncRequest {
    fn may_be_acknowledged(&self, id: &str) -> Result<(), Problem> {
        match self.state {
            Standing::Sent | Standing::Error => Ok(()),
            Standing::Synchronized => {
                Err(refusal(format!("Sync request {id} is already acknowledged."), ALREADY_ACKNOWLEDGED))
            }
            Standing::Pending => Err(refusal(format!("Sync request {id} has not been sent yet."), NOT_ALLOWED_YET)),
        }
    }
}

fn refusal(message: String, number: i32) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, message).numbered(number)
}

/// `PATCH …/syncRequest/{id}`.
pub async fn patch(sandbox: Books, Path(id): Path<String>, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let mut found = wrong(&body, PATCH);
    if body.get("syncRequestId").and_then(Value::as_str) != Some(&id) {
        found.push(Violation::new("syncRequestId", "is not the one in the URL"));
    }
    acknowledge(&sandbox, "PATCH", body, found)
}

/// `POST …/programEnrollments/postAcknowledgement` (25.10).
pub async fn post_acknowledgement(sandbox: Books, request: Request) -> Result<Response, Problem> {
    since(&sandbox, Release(25, 10))?;
    let body = message(request).await?;
    let mut found = wrong(&body, ACKNOWLEDGEMENT);
    found.extend(twice(&body, "deviceHeadendStatus", "deviceId"));
    acknowledge(&sandbox, "postAcknowledgement", body, found)
}

fn acknowledge(sandbox: &Shared, call: &'static str, body: Value, found: Vec<Violation>) -> Result<Response, Problem> {
    if !found.is_empty() {
        return Err(Problem::invalid(found).numbered(REFUSED));
    }
    let id = body.get("syncRequestId").and_then(Value::as_str);
    let id = id.unwrap_or_default().to_owned();
    let books = &sandbox.dacs.sync_requests;
    let state = books.acknowledge(sandbox.order.next(), &id, call, body)?;
    let answer = json!({"syncRequestId": id, "status": state});
    Ok(json_response(StatusCode::OK, &answer))
}

/// Everything wrong with the message's fields, and with `hasError` against the exceptions.
fn wrong(body: &Value, shape: &[Field]) -> Vec<Violation> {
    let mut found = violations(body, shape);
    let exceptions = listed(body, "exceptionInfo");
    // **Interpretation:** exceptions decide the state (contracts.md §4); a flag that says otherwise
    // is a contradiction.
    match body.get("hasError").and_then(Value::as_bool) {
        Some(true) if !exceptions => {
            found.push(Violation::new("hasError", "is true without exceptionInfo"));
        }
        Some(false) if exceptions => {
            found.push(Violation::new("hasError", "is false with exceptionInfo"));
        }
        _ => {}
    }
    found.extend(twice(body, "exceptionInfo", "sequence"));
    found
}

fn listed(body: &Value, name: &str) -> bool {
    body.get(name).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}

/// Items of `list` whose `key` an earlier item has too.
fn twice(body: &Value, list: &str, key: &str) -> Vec<Violation> {
    let empty = Vec::new();
    let items = body.get(list).and_then(Value::as_array).unwrap_or(&empty);
    let keys: Vec<_> = items.iter().map(|item| item.get(key)).collect();
    keys.iter()
        .enumerate()
        .filter(|(position, it)| it.is_some() && keys.iter().take(*position).any(|other| other == *it))
        .map(|(position, _)| Violation::new(format!("{list}[{position}].{key}"), "is there twice"))
        .collect()
}

fn registrations(body: &Value) -> Vec<(String, String)> {
    let empty = Vec::new();
    let devices = body.get("deviceHeadendStatus").and_then(Value::as_array);
    devices
        .unwrap_or(&empty)
        .iter()
        .filter_map(|device| {
            let text = |name: &str| device.get(name)?.as_str().map(str::to_owned);
            Some((text("deviceId")?, text("headEndRegistration")?))
        })
        .collect()
}
