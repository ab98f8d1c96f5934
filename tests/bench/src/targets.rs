//! DERMS and DACS that cost nothing: they take whatever they are sent, after a given time, and note when it came. Where
//! books matter the sandbox answers instead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{any, post, put};
use serde_json::{Value, json};

use crate::server::Server;
use crate::{Fault, clock};

/// A call as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// The last segment of its path: of an acknowledgement, the sync request.
    pub about: String,
    /// Whether it was refused with 429.
    pub refused: bool,
}

struct Answers {
    after: Duration,
    arrivals: Mutex<Vec<Arrival>>,
    /// Until then every call is answered 429 and how long to wait.
    refusing: Mutex<Option<Instant>>,
}

/// Both systems at one address.
pub struct Targets {
    /// Where they listen.
    pub server: Server,
    answers: Arc<Answers>,
}

impl Targets {
    /// Answers each call after `after`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(after: Duration) -> Result<Self, Fault> {
        let answers = Arc::new(Answers { after, arrivals: Mutex::default(), refusing: Mutex::default() });
        let router = Router::new()
            .route("/oauth/token", post(token))
            .route("/derms/enroll", post(acknowledge))
            .route("/derms/programs/{code}", put(acknowledge))
            .route("/derms/aggregators/{id}", put(acknowledge))
            .route("/derms/status_check", post(acknowledge))
            .route("/derms/event_opt_out", post(acknowledge))
            .route("/derms/device_unavailability", post(acknowledge))
            .route("/dacs/rest/apis/cross/digitalAssets/programEnrollments/enroll", post(enroll))
            .fallback(any(taken))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&answers));
        Ok(Self { server: Server::start(router).await?, answers })
    }

    /// The calls since they were taken last, in order, those for tokens left out.
    #[must_use]
    pub fn take_arrivals(&self) -> Vec<Arrival> {
        std::mem::take(&mut locked(&self.answers.arrivals))
    }

    /// Answers 429 from now on for `pause`, with a `Retry-After` up to its end.
    pub fn refuse_for(&self, pause: Duration) {
        *locked(&self.answers.refusing) = clock::instant().checked_add(pause);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn token() -> Response {
    answer(&json!({ "access_token": "bench", "token_type": "Bearer", "expires_in": 3600 }))
}

/// DERMS takes a message.
async fn acknowledge(State(answers): State<Arc<Answers>>, uri: Uri, body: Bytes) -> Response {
    if let Some(refusal) = come_in(&answers, about(&uri)).await {
        return refusal;
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = request.get("dacsMessageId").and_then(Value::as_str).unwrap_or_default();
    let when = "2026-07-01T18:00:00.000Z";
    let response = json!({
        "id": id, "value": "delivered=1;failed=0", "responseCode": "SUCCESS", "responseTimeISO": when,
        "dacsMessageId": id,
    });
    answer(&json!({ "MsgAck": { "ackType": "SUCCESS", "whenISO": when, "responses": { "response": [response] } } }))
}

/// DACS takes a request for enrollment.
async fn enroll(State(answers): State<Arc<Answers>>, _: Bytes) -> Response {
    let refusal = come_in(&answers, "enroll").await;
    refusal.unwrap_or_else(|| answer(&json!({ "enrollmentId": "E-1001", "status": "PENDING" })))
}

/// The last segment of a path.
fn about(uri: &Uri) -> &str {
    uri.path().rsplit('/').next().unwrap_or_default()
}

async fn taken(State(answers): State<Arc<Answers>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // A part of a score file is read to its end, as a server must before it answers.
    if axum::body::to_bytes(body, usize::MAX).await.is_err() {
        return Response::new(Body::empty());
    }
    come_in(&answers, about(&parts.uri)).await.unwrap_or_else(|| answer(&json!({})))
}

/// Notes a call and takes its time; the answer, if it is refused.
async fn come_in(answers: &Answers, about: &str) -> Option<Response> {
    let at = clock::instant();
    let pause = locked(&answers.refusing).map(|until| until.saturating_duration_since(at)).unwrap_or_default();
    let refused = !pause.is_zero();
    locked(&answers.arrivals).push(Arrival { at, about: about.to_owned(), refused });
    if !answers.after.is_zero() {
        tokio::time::sleep(answers.after).await;
    }
    refused.then(|| too_many(pause))
}

/// `Retry-After` in whole seconds, and not too few of them.
fn too_many(pause: Duration) -> Response {
    let seconds = pause.as_millis().div_ceil(1000).to_string();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    response
        .headers_mut()
        .extend(HeaderValue::from_str(&seconds).map(|value| (axum::http::header::RETRY_AFTER, value)));
    response
}

fn answer(body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}
