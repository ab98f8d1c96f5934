//! `controllableDeviceStatus/response`: what became of a question whether a device can be reached
//! (contracts.md §4). "On repeat: device status → done."

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Books, REFUSED};
use crate::clock::locked;
use crate::problem::Problem;
use crate::shape::{Field, Kind, must, violations};
use crate::{json_response, message};

const RESULT: &[Field] = &[must("status", Kind::Code(&["SUCCESS", "FAILURE"]))];
const DETAIL: &[Field] = &[must("transactionID", Kind::Text(30)), must("result", Kind::Object(RESULT))];
const RESPONSE: &[Field] = &[must("responseDetail", Kind::Object(DETAIL))];

/// The answers by the id of their question.
#[derive(Debug, Default)]
pub struct DeviceStatuses(Mutex<BTreeMap<String, Answers>>);

#[derive(Debug, Default, Serialize)]
struct Answers {
    calls: u64,
    effects: u64,
    repeats: u64,
    status: String,
    history: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    order: u64,
    status: String,
}

impl DeviceStatuses {
    /// Forgets all.
    pub fn clear(&self) {
        locked(&self.0).clear();
    }

    /// The books as JSON.
    pub fn state(&self) -> Value {
        json!(*locked(&self.0))
    }

    fn take(&self, order: u64, id: &str, status: &str) {
        let mut books = locked(&self.0);
        let answers = books.entry(id.to_owned()).or_default();
        answers.calls = answers.calls.saturating_add(1);
        if answers.status == status {
            answers.repeats = answers.repeats.saturating_add(1);
            return;
        }
        answers.effects = answers.effects.saturating_add(1);
        answers.status = status.to_owned();
        answers.history.push(Entry { order, status: status.to_owned() });
    }
}

/// Answers `POST …/controllableDeviceStatus/response`.
pub async fn response(sandbox: Books, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let found = violations(&body, RESPONSE);
    if !found.is_empty() {
        return Err(Problem::invalid(found).numbered(REFUSED));
    }
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let id = text("/responseDetail/transactionID");
    sandbox.dacs.device_statuses.take(sandbox.order.next(), id, text("/responseDetail/result/status"));
    Ok(json_response(StatusCode::OK, &json!({ "transactionID": id })))
}
