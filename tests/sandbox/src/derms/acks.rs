//! `POST /acks`: DERMS takes a `MsgAck` (contracts.md §3), an upsert by the first response's id.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use crate::clock::locked;
use crate::problem::{Problem, Violation};
use crate::shape::{Field, Kind, may, must, violations};
use crate::{Shared, json_response, message};

const CODE: Kind = Kind::Code(&["SUCCESS", "ERROR", "FAILURE"]);

const RESPONSE: &[Field] = &[
    must("id", Kind::Text(255)),
    must("value", Kind::Text(4000)),
    must("responseCode", CODE),
    must("responseTimeISO", Kind::Utc),
    may("dacsMessageId", Kind::Text(255)),
];

const RESPONSES: &[Field] = &[must("response", Kind::List(RESPONSE))];

const INNER: &[Field] =
    &[must("ackType", CODE), must("whenISO", Kind::Utc), must("responses", Kind::Object(RESPONSES))];

const MSG_ACK: &[Field] = &[must("MsgAck", Kind::Object(INNER))];

/// Above so many records only failures follow the envelope's own response.
const ALL_RECORDS: usize = 1_000;
/// Above so many failures the path of the reject file follows instead.
const ALL_FAILURES: usize = 10_000;

/// The acknowledgements by their first response's id.
#[derive(Debug, Default)]
pub struct Acks(Mutex<BTreeMap<String, Ack>>);

#[derive(Debug, Default, Serialize)]
struct Ack {
    calls: u64,
    effects: u64,
    repeats: u64,
    history: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    order: u64,
    body: Value,
}

impl Acks {
    /// Forgets all.
    pub fn clear(&self) {
        locked(&self.0).clear();
    }

    /// The books as JSON.
    pub fn state(&self) -> Value {
        json!(*locked(&self.0))
    }

    fn take(&self, order: u64, id: String, body: Value) {
        let mut acks = locked(&self.0);
        let ack = acks.entry(id).or_default();
        ack.calls = ack.calls.saturating_add(1);
        if ack.history.last().is_some_and(|last| without_times(&last.body) == without_times(&body)) {
            ack.repeats = ack.repeats.saturating_add(1);
            return;
        }
        ack.effects = ack.effects.saturating_add(1);
        ack.history.push(Entry { order, body });
    }
}

/// What an acknowledgement says, whenever it says it: one that is made again has a time of its own.
fn without_times(body: &Value) -> Value {
    match body {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| !matches!(name.as_str(), "whenISO" | "responseTimeISO"));
            Value::Object(fields.map(|(name, value)| (name.clone(), without_times(value))).collect())
        }
        Value::Array(items) => items.iter().map(without_times).collect(),
        scalar => scalar.clone(),
    }
}

/// Answers `POST /derms/acks`.
pub async fn acks(State(sandbox): State<Shared>, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let mut found = violations(&body, MSG_ACK);
    if found.is_empty() {
        check(&body, &mut found);
    }
    if !found.is_empty() {
        return Err(Problem::invalid(found));
    }
    let first = body.pointer("/MsgAck/responses/response/0/id");
    let id = first.and_then(Value::as_str).unwrap_or_default().to_owned();
    sandbox.derms.acks.take(sandbox.order.next(), id.clone(), body);
    Ok(json_response(StatusCode::OK, &json!({ "id": id })))
}

/// The rules between the fields.
fn check(body: &Value, found: &mut Vec<Violation>) {
    let list = "MsgAck.responses.response";
    let responses = body.pointer("/MsgAck/responses/response");
    let Some([envelope, records @ ..]) = responses.and_then(Value::as_array).map(Vec::as_slice) else {
        found.push(Violation::new(list, "must hold the envelope's own response"));
        return;
    };
    let value = envelope.get("value").and_then(Value::as_str);
    if !value.is_some_and(is_summary) {
        let reason = "the first response's value must be delivered=…;failed=…";
        found.push(Violation::new(format!("{list}[0].value"), reason));
    }
    let failed = |it: &&Value| it.get("responseCode").and_then(Value::as_str) != Some("SUCCESS");
    let failures = records.iter().filter(failed).count();
    let ack_type = body.pointer("/MsgAck/ackType").and_then(Value::as_str);
    if ack_type == Some("SUCCESS") && failures > 0 {
        found.push(Violation::new("MsgAck.ackType", "is SUCCESS, yet a record failed"));
    }
    if records.len() > ALL_RECORDS && failures < records.len() {
        let reason = "above 1,000 records only failures follow";
        found.push(Violation::new(list, reason));
    }
    if failures > ALL_FAILURES {
        let reason = "above 10,000 failures the path of the reject file follows instead";
        found.push(Violation::new(list, reason));
    }
}

/// `delivered=…;failed=…` with whole numbers.
fn is_summary(text: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().is_ok();
    text.strip_prefix("delivered=")
        .and_then(|rest| rest.split_once(";failed="))
        .is_some_and(|(delivered, failed)| number(delivered) && number(failed))
}
