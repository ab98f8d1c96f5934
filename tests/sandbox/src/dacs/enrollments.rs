//! `programEnrollments/enroll` and `unenroll`: requests that DACS takes one by one (contracts.md §4).
//! A request is known by its `transactionId`: sent again it is refused with 10589, nothing happens.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Books, REFUSED};
use crate::clock::locked;
use crate::problem::{Problem, Violation};
use crate::shape::{Field, Kind, may, must, violations};
use crate::{json_response, message};

/// "Message number 10589 = this request already exists."
const EXISTS: i32 = 10589;

const ID: Kind = Kind::Text(254);

const CUSTOMER: &[Field] = &[
    may("cisPersonId", Kind::Text(30)),
    may("cisAccountId", Kind::Text(30)),
    may("name", ID),
    may("homePhone", Kind::Text(24)),
    may("businessPhone", Kind::Text(24)),
    may("email", ID),
];

const PROGRAM: &[Field] = &[may("cisServiceAgreementId", ID), must("programCode", ID), must("startDate", Kind::Day)];

const LOCATION: &[Field] = &[
    may("locationId", ID),
    may("division", ID),
    may("cisPremiseId", ID),
    may("cisServicePointId", ID),
    must("timeZone", Kind::Zone),
    may("address1", ID),
    may("address2", ID),
    may("address3", ID),
    may("address4", ID),
    may("city", ID),
    may("country", ID),
    may("county", ID),
    may("state", ID),
    may("postal", ID),
];

const ASSET: &[Field] = &[
    may("sequence", Kind::Whole(0, 4_294_967_295)),
    may("assetId", ID),
    must("assetType", ID),
    may("specification", ID),
    may("badgeNo", ID),
    may("serialNo", ID),
    must("nicId", Kind::Text(100)),
    must("headEndSystem", Kind::Text(50)),
];

const ASSETS: &[Field] = &[
    must("installationMethod", Kind::Code(&["X1SD", "X1SI", "X1UI", "X1RE"])),
    must("assetOwnership", Kind::Code(&["W1CO", "W1OW"])),
    must("assetList", Kind::List(ASSET)),
];

const ENROLL: &[Field] = &[
    must("transactionId", Kind::Text(120)),
    must("enrollmentSource", Kind::Code(&["X1BY", "X1CC", "X1SS"])),
    must("customerInfo", Kind::Object(CUSTOMER)),
    must("programInfo", Kind::Object(PROGRAM)),
    must("locationInfo", Kind::Object(LOCATION)),
    must("assetInfo", Kind::Object(ASSETS)),
];

const UNENROLL: &[Field] = &[
    must("transactionId", Kind::Text(120)),
    must("unenrollReason", Kind::Code(&["LSSL", "CUSTOMEROPTOUT", "INACTIVESERVICE", "INELIGIBLERATE"])),
    must("customerInfo", Kind::Object(CUSTOMER)),
    must("programInfo", Kind::Object(PROGRAM)),
    must("locationInfo", Kind::Object(LOCATION)),
    must("assetInfo", Kind::Object(ASSETS)),
];

/// A business error that DACS is to answer, for one request or for all.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refusal {
    /// Only for this request; for all others when absent.
    #[serde(default)]
    transaction_id: Option<String>,
    /// For so many answers; for ever when absent.
    #[serde(default)]
    count: Option<u64>,
    /// `VAL-ERROR` or `ERROR`.
    status: String,
    message_number: i32,
    message: String,
    /// The HTTP status, 200 or 400.
    #[serde(default = "ok")]
    http: u16,
}

fn ok() -> u16 {
    200
}

/// The requests, the enrollments they made, and how the next ones are refused.
#[derive(Debug, Default)]
pub struct Enrollments(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    requests: BTreeMap<String, Taken>,
    refusals: Vec<Refusal>,
    effects: u64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    calls: u64,
    effects: u64,
    repeats: u64,
    refusals: u64,
    order: u64,
    kind: &'static str,
    enrollment_id: Option<String>,
    body: Option<Value>,
}

/// What DACS makes of a request.
enum Outcome {
    Pending(String),
    Exists,
    Refused(Refusal),
}

impl Enrollments {
    /// Refuses requests from now on.
    pub fn refuse(&self, refusal: Refusal) {
        locked(&self.0).refusals.push(refusal);
    }

    /// Forgets all.
    pub fn clear(&self) {
        *locked(&self.0) = Book::default();
    }

    /// The books as JSON.
    pub fn state(&self) -> Value {
        let book = locked(&self.0);
        json!({"requests": book.requests, "effects": book.effects, "refusals": book.refusals})
    }

    fn take(&self, order: u64, id: &str, kind: &'static str, body: Value) -> Outcome {
        let mut book = locked(&self.0);
        let refusal = book.refusal(id);
        let request = book.requests.entry(id.to_owned()).or_default();
        request.calls = request.calls.saturating_add(1);
        if request.enrollment_id.is_some() {
            request.repeats = request.repeats.saturating_add(1);
            return Outcome::Exists;
        }
        if let Some(refusal) = refusal {
            request.refusals = request.refusals.saturating_add(1);
            return Outcome::Refused(refusal);
        }
        let enrollment = format!("EN{order:010}");
        let effects = request.effects.saturating_add(1);
        let (enrollment_id, body) = (Some(enrollment.clone()), Some(body));
        *request = Taken { effects, order, kind, enrollment_id, body, ..std::mem::take(request) };
        book.effects = book.effects.saturating_add(1);
        Outcome::Pending(enrollment)
    }
}

impl Book {
    /// How the request `id` is to be refused: its own lines come before those for all.
    fn refusal(&mut self, id: &str) -> Option<Refusal> {
        self.refusals.retain(|refusal| refusal.count != Some(0));
        let own = self.refusals.iter().position(|it| it.transaction_id.as_deref() == Some(id));
        let place = own.or_else(|| self.refusals.iter().position(|it| it.transaction_id.is_none()))?;
        let refusal = self.refusals.get_mut(place)?;
        refusal.count = refusal.count.map(|count| count.saturating_sub(1));
        Some(refusal.clone())
    }
}

/// Answers `POST …/programEnrollments/enroll`.
pub async fn enroll(sandbox: Books, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    take(&sandbox, "enroll", ENROLL, body)
}

/// Answers `POST …/programEnrollments/unenroll`.
pub async fn unenroll(sandbox: Books, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    take(&sandbox, "unenroll", UNENROLL, body)
}

fn take(sandbox: &Books, kind: &'static str, shape: &[Field], body: Value) -> Result<Response, Problem> {
    let mut found = violations(&body, shape);
    sequences_differ(&body, &mut found);
    if !found.is_empty() {
        return Err(Problem::invalid(found).numbered(REFUSED));
    }
    let id = body.get("transactionId").and_then(Value::as_str).unwrap_or_default().to_owned();
    match sandbox.dacs.enrollments.take(sandbox.order.next(), &id, kind, body) {
        Outcome::Pending(enrollment) => {
            let answer = json!({"enrollmentId": enrollment, "status": "PENDING"});
            Ok(json_response(StatusCode::OK, &answer))
        }
        Outcome::Exists => {
            let message = format!("Enrollment request {id} already exists.");
            Err(Problem::new(StatusCode::BAD_REQUEST, message).numbered(EXISTS))
        }
        Outcome::Refused(refusal) => {
            let answer = json!({
                "status": refusal.status, "messageNumber": refusal.message_number, "message": refusal.message,
            });
            let status = StatusCode::from_u16(refusal.http).unwrap_or(StatusCode::OK);
            Ok(json_response(status, &answer))
        }
    }
}

fn sequences_differ(body: &Value, found: &mut Vec<Violation>) {
    let assets = body.pointer("/assetInfo/assetList").and_then(Value::as_array);
    let sequences: Vec<_> = assets.into_iter().flatten().map(|asset| asset.get("sequence")).collect();
    for (position, sequence) in sequences.iter().enumerate() {
        if sequence.is_some() && sequences.iter().take(position).any(|other| other == sequence) {
            let field = format!("assetInfo.assetList[{position}].sequence");
            found.push(Violation::new(field, "is there twice"));
        }
    }
}
