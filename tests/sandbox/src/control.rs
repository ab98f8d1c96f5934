//! The control API: state, settings and faults, for tests and for trying by hand. No credentials.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::dacs::enrollments::Refusal;
use crate::dacs::inbox;
use crate::dacs::sync_requests::Standing;
use crate::derms::answers::{Answer, Devices, Line, Unknown};
use crate::faults::Rule;
use crate::problem::Problem;
use crate::{Release, Shared, json_response, message};

type Outcome = Result<Response, Problem>;

/// The routes under `/control`.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/control/reset", post(reset))
        .route("/control/requests", get(requests))
        .route("/control/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/control/faults/{id}", delete(remove_fault))
        .route("/control/oauth/revoke", post(revoke))
        .route("/control/oauth", put(oauth))
        .route("/control/dacs", get(dacs).put(set_dacs))
        .route("/control/dacs/sync-requests", post(sync_requests))
        .route("/control/dacs/program-events", post(program_events))
        .route("/control/dacs/unknown-devices", put(unknown_devices))
        .route("/control/dacs/enrollment-refusals", post(enrollment_refusals))
        .route("/control/dacs/inbox", get(inbox::get))
        .route("/control/dacs/inbox/{*key}", put(inbox::put).layer(DefaultBodyLimit::max(inbox::LIMIT)))
        .route("/control/derms", get(derms))
        .route("/control/derms/scores", get(scores).put(set_scores))
        .route("/control/derms/answers", post(answers))
        .route("/control/derms/unknown", put(unknown))
        .route("/control/derms/late-acks", post(late_acks))
}

fn ok(body: &Value) -> Response {
    json_response(StatusCode::OK, body)
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let value = message(request).await?;
    serde_json::from_value(value).map_err(|error| Problem::at("(message)", error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reset {
    seed: Option<u64>,
}

async fn reset(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let empty = request.headers().get("content-type").is_none();
    let Reset { seed } = if empty { Reset { seed: None } } else { read(request).await? };
    sandbox.faults.clear(seed);
    sandbox.traffic.clear();
    sandbox.dacs.clear();
    sandbox.derms.clear();
    Ok(ok(&json!({"reset": true})))
}

async fn requests(State(sandbox): State<Shared>) -> Response {
    ok(&sandbox.traffic.state())
}

async fn faults(State(sandbox): State<Shared>) -> Response {
    ok(&sandbox.faults.state())
}

async fn add_fault(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let rule: Rule = read(request).await?;
    Ok(ok(&json!({"id": sandbox.faults.add(rule)})))
}

async fn remove_fault(State(sandbox): State<Shared>, Path(id): Path<u64>) -> Outcome {
    if sandbox.faults.remove(id) {
        return Ok(ok(&json!({"removed": id})));
    }
    let message = format!("There is no fault {id}.");
    Err(Problem::new(StatusCode::NOT_FOUND, message))
}

async fn clear_faults(State(sandbox): State<Shared>) -> Response {
    sandbox.faults.clear(None);
    ok(&json!({"removed": "all"}))
}

async fn revoke(State(sandbox): State<Shared>) -> Response {
    ok(&json!({"revoked": sandbox.tokens.revoke()}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Oauth {
    token_seconds: u64,
}

async fn oauth(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let Oauth { token_seconds } = read(request).await?;
    sandbox.tokens.live_for(Duration::from_secs(token_seconds));
    Ok(ok(&json!({"tokenSeconds": token_seconds})))
}

async fn dacs(State(sandbox): State<Shared>) -> Response {
    ok(&sandbox.dacs.state())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SetDacs {
    release: Option<String>,
    create_unknown_sync_requests: Option<bool>,
}

async fn set_dacs(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let settings: SetDacs = read(request).await?;
    if let Some(text) = settings.release {
        let release: Release = text.parse().map_err(|reason: String| Problem::at("release", reason))?;
        sandbox.dacs.upgrade(release);
    }
    if let Some(create) = settings.create_unknown_sync_requests {
        sandbox.dacs.sync_requests.create_unknown(create);
    }
    Ok(ok(&sandbox.dacs.state()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MakeSyncRequests {
    ids: Vec<String>,
    #[serde(default)]
    state: Standing,
}

async fn sync_requests(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let make: MakeSyncRequests = read(request).await?;
    for id in &make.ids {
        let order = sandbox.order.next();
        sandbox.dacs.sync_requests.put(order, id, make.state);
    }
    Ok(ok(&json!({"made": make.ids, "state": make.state})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MakeProgramEvents {
    stages: Vec<String>,
}

async fn program_events(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let MakeProgramEvents { stages } = read(request).await?;
    sandbox.dacs.program_events.schedule(sandbox.order.next(), &stages);
    Ok(ok(&json!({"scheduled": stages})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UnknownDevices {
    nic_ids: Vec<String>,
}

async fn unknown_devices(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let UnknownDevices { nic_ids } = read(request).await?;
    let answer = json!({"unknown": nic_ids});
    sandbox.dacs.participations.set_unknown(nic_ids);
    Ok(ok(&answer))
}

async fn enrollment_refusals(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let refusal: Refusal = read(request).await?;
    let answer = json!(refusal);
    sandbox.dacs.enrollments.refuse(refusal);
    Ok(ok(&answer))
}

async fn derms(State(sandbox): State<Shared>) -> Response {
    ok(&sandbox.derms.state())
}

async fn scores(State(sandbox): State<Shared>) -> Response {
    ok(&sandbox.derms.scores.state())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetScores {
    status: u16,
}

async fn set_scores(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let SetScores { status } = read(request).await?;
    match status {
        200 => sandbox.derms.answers.accept_scores(false),
        202 => sandbox.derms.answers.accept_scores(true),
        _ => return Err(Problem::at("status", "must be 200 or 202")),
    }
    Ok(ok(&json!({ "status": status })))
}

async fn answers(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let line: Line = read(request).await?;
    let answer = json!(line);
    sandbox.derms.answers.add(line);
    Ok(ok(&answer))
}

async fn unknown(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let unknown: Unknown = read(request).await?;
    let answer = json!(unknown);
    sandbox.derms.answers.forget(unknown);
    Ok(ok(&answer))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LateAck {
    dacs_message_id: String,
    #[serde(default)]
    answer: LateAnswer,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    devices: Devices,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LateAnswer {
    #[default]
    Positive,
    Error,
    Failure,
}

/// DERMS settles a message it answered 202; returns the body it would post to the platform's ack
/// route of this kind of message (flows 6, 16, 17 and 19, contracts.md §5).
async fn late_acks(State(sandbox): State<Shared>, request: Request) -> Outcome {
    let late: LateAck = read(request).await?;
    let id = &late.dacs_message_id;
    let reason = late.message.clone().unwrap_or_default();
    let (code, answer) = match late.answer {
        LateAnswer::Positive => ("SUCCESS", Answer::Positive),
        LateAnswer::Error => ("ERROR", Answer::Error(reason)),
        LateAnswer::Failure => ("FAILURE", Answer::Failure(reason)),
    };
    let (derms, order) = (&sandbox.derms, sandbox.order.next());
    let told = match derms.enrollments.awaiting(id) {
        Some(devices) => {
            let told = late.devices.told(&devices, answer.is_negative());
            derms.enrollments.settle(order, id, &answer, &told);
            told
        }
        None if derms.upserts().iter().any(|(_, books)| books.settle(order, id, &answer)) => Vec::new(),
        None => {
            let message = format!("No message {id} awaits its acknowledgement.");
            return Err(Problem::new(StatusCode::NOT_FOUND, message));
        }
    };
    let mut body = json!({"dacsMessageId": id, "responseCode": code});
    if let Some(fields) = body.as_object_mut() {
        if let Some(message) = &late.message {
            fields.insert("message".to_owned(), json!(message));
        }
        if !told.is_empty() {
            fields.insert("devices".to_owned(), json!(told));
        }
    }
    Ok(ok(&body))
}
