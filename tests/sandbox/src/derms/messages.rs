//! The messages of DACS that DERMS takes beside enrollments: programs with their rules, aggregators,
//! status checks, opt-outs and times of unavailability (contracts.md §5). Each is a shape and the
//! names of its ids; how they are answered and kept is the same for all.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::answers::Answer;
use super::msg_ack;
use super::upserts::Upserts;
use crate::problem::{Problem, Violation};
use crate::shape::{Field, Kind, may, must, violations};
use crate::text::{day, instant};
use crate::{Shared, json_response, message};

const ID: Kind = Kind::Text(254);
const DAY_CODE: Kind =
    Kind::Code(&["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY", "HOLIDAY"]);

const RULE: &[Field] = &[
    must("ruleId", Kind::Text(120)),
    must("ruleType", ID),
    may("action", Kind::Code(&["ASSOCIATE", "UPDATE", "DISASSOCIATE"])),
    must("effectiveDate", Kind::Day),
    may("expirationDate", Kind::Day),
    may("cycleFrequency", Kind::Code(&["WEEKLY", "MONTHLY"])),
    may("weekStart", DAY_CODE),
    may("participationLimit", Kind::Whole(0, 4_294_967_295)),
    may("participationDuration", Kind::Length),
    may("durationBetweenParticipation", Kind::Length),
    must("allowedEventDays", Kind::Each(&DAY_CODE)),
    may("minimumEventDuration", Kind::Length),
    may("maximumEventDuration", Kind::Length),
    may("customerOverrideLimit", Kind::Whole(0, 4_294_967_295)),
    must("eventCategories", Kind::Each(&ID)),
];

const PROGRAM: &[Field] = &[
    must("dacsMessageId", Kind::Text(14)),
    must("programId", Kind::Text(120)),
    must("programCode", Kind::Text(120)),
    may("programExternalIdentifier", Kind::Text(120)),
    may("programName", ID),
    may("programType", ID),
    may("division", Kind::Text(120)),
    must("timeZone", Kind::Zone),
    must("status", Kind::Code(&["PENDING", "ACTIVE", "INACTIVE"])),
    must("startDate", Kind::Day),
    may("endDate", Kind::Day),
    must("changeDateTimeISO", Kind::Utc),
    must("rules", Kind::List(RULE)),
];

const CONTACT: &[Field] = &[may("name", ID), may("email", ID), may("phone", Kind::Text(24))];

const GATEWAY: &[Field] = &[
    must("connectionName", ID),
    must("protocol", ID),
    must("endpointUrl", Kind::Text(2000)),
    may("credentialRef", ID),
    may("caRef", ID),
    may("timeZone", Kind::Zone),
];

const AGGREGATOR: &[Field] = &[
    must("dacsMessageId", Kind::Text(14)),
    must("action", Kind::Code(&["ADD", "UPDATE"])),
    must("aggregatorId", Kind::Text(120)),
    must("name", ID),
    must("headEndSystem", Kind::Text(50)),
    must("status", Kind::Code(&["ACTIVE", "INACTIVE"])),
    must("effectiveDate", Kind::Day),
    may("expirationDate", Kind::Day),
    must("changeDateTimeISO", Kind::Utc),
    may("contact", Kind::Object(CONTACT)),
    must("assetTypes", Kind::Each(&ID)),
    must("programCodes", Kind::Each(&Kind::Text(120))),
    may("gateway", Kind::Object(GATEWAY)),
];

// "`communicationId` ≤30": DACS's `transactionID`.
const COMMUNICATION: Kind = Kind::Text(30);

const DEVICE_INFO: &[Field] = &[
    may("division", Kind::Text(120)),
    may("deviceType", ID),
    may("specification", ID),
    must("headEndSystem", Kind::Text(50)),
    must("nicid", Kind::Text(100)),
];

const STATUS_CHECK: &[Field] = &[must("dacsMessageId", COMMUNICATION), must("DeviceInfo", Kind::Object(DEVICE_INFO))];

const OPT_OUT: &[Field] = &[
    must("dacsMessageId", COMMUNICATION),
    must("eventId", Kind::Text(120)),
    must("stageId", Kind::Text(120)),
    must("headEndSystem", Kind::Text(50)),
    must("nicId", Kind::Text(100)),
    must("optOutDateTimeISO", Kind::Utc),
    may("reason", ID),
];

const UNAVAILABILITY: &[Field] = &[
    must("dacsMessageId", COMMUNICATION),
    must("unavailabilityId", Kind::Text(120)),
    must("action", Kind::Code(&["ADD", "UPDATE", "CANCEL"])),
    must("headEndSystem", Kind::Text(50)),
    must("nicId", Kind::Text(100)),
    must("startDateTimeISO", Kind::Utc),
    must("endDateTimeISO", Kind::Utc),
    may("reason", ID),
];

/// Answers `PUT /derms/programs/{code}`.
pub async fn program(state: State<Shared>, path: Path<String>, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let mut found = violations(&body, PROGRAM);
    named_in_the_path(&body, "programCode", &path.0, &mut found);
    let rules = body.get("rules").and_then(Value::as_array);
    for (position, rule) in rules.into_iter().flatten().enumerate() {
        not_backwards(rule, &format!("rules[{position}]."), ("effectiveDate", "expirationDate"), &mut found);
    }
    not_backwards(&body, "", ("startDate", "endDate"), &mut found);
    taken(&state, &state.derms.programs, (&["dacsMessageId"], &["programCode"]), body, found)
}

/// Answers `PUT /derms/aggregators/{id}`.
pub async fn aggregator(state: State<Shared>, path: Path<String>, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let mut found = violations(&body, AGGREGATOR);
    named_in_the_path(&body, "aggregatorId", &path.0, &mut found);
    not_backwards(&body, "", ("effectiveDate", "expirationDate"), &mut found);
    taken(&state, &state.derms.aggregators, (&["dacsMessageId"], &["aggregatorId"]), body, found)
}

/// Answers `POST /derms/status_check`.
pub async fn status_check(state: State<Shared>, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let found = violations(&body, STATUS_CHECK);
    taken(&state, &state.derms.status_checks, (&["dacsMessageId"], &["dacsMessageId"]), body, found)
}

/// Answers `POST /derms/event_opt_out`.
pub async fn event_opt_out(state: State<Shared>, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let found = violations(&body, OPT_OUT);
    let about = &["eventId", "stageId", "headEndSystem", "nicId"];
    taken(&state, &state.derms.opt_outs, (&["dacsMessageId"], about), body, found)
}

/// Answers `POST /derms/device_unavailability`.
pub async fn device_unavailability(state: State<Shared>, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let mut found = violations(&body, UNAVAILABILITY);
    not_backwards(&body, "", ("startDateTimeISO", "endDateTimeISO"), &mut found);
    let id = &["dacsMessageId", "action"];
    taken(&state, &state.derms.unavailabilities, (id, &["unavailabilityId"]), body, found)
}

fn named_in_the_path(body: &Value, name: &str, path: &str, found: &mut Vec<Violation>) {
    if body.get(name).and_then(Value::as_str) != Some(path) {
        found.push(Violation::new(name, "is not the one in the URL"));
    }
}

/// The later of two days or times is not before the earlier one.
fn not_backwards(body: &Value, path: &str, (start, end): (&str, &str), found: &mut Vec<Violation>) {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let days = day(text(start)).ok().zip(day(text(end)).ok()).is_some_and(|(start, end)| end < start);
    let times = instant(text(start)).ok().zip(instant(text(end)).ok()).is_some_and(|(start, end)| end < start);
    if days || times {
        found.push(Violation::new(format!("{path}{end}"), format!("is before {start}")));
    }
}

/// Books a message under its id, and its content under the id of what it is about; then answers as
/// the script says.
fn taken(
    sandbox: &Shared,
    books: &Upserts,
    (id, about): (&[&str], &[&str]),
    body: Value,
    found: Vec<Violation>,
) -> Result<Response, Problem> {
    if !found.is_empty() {
        return Err(Problem::invalid(found));
    }
    let joined = |names: &[&str]| {
        let texts = names.iter().map(|name| body.get(name).and_then(Value::as_str).unwrap_or_default());
        texts.collect::<Vec<_>>().join("#")
    };
    let (key, about) = (joined(id), joined(about));
    let id = joined(&["dacsMessageId"]);
    let answer = sandbox.derms.answers.next(&id).answer;
    books.received(sandbox.order.next(), &key, &about, body, &answer);
    let ack = |code, value: &str| {
        let ack = msg_ack((code, value), &id, &[], &sandbox.clock.now_iso());
        json_response(StatusCode::OK, &ack)
    };
    Ok(match answer {
        Answer::Positive => ack("SUCCESS", "taken"),
        Answer::Error(reason) => ack("ERROR", &reason),
        Answer::Failure(reason) => ack("FAILURE", &reason),
        Answer::Later => json_response(StatusCode::ACCEPTED, &json!({ "dacsMessageId": id })),
    })
}
