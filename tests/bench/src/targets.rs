//! DERMS and DACS that cost nothing: they take whatever they are sent, after a given time. Where books matter the
//! sandbox answers instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, post};
use serde_json::{Value, json};

use crate::Fault;
use crate::server::Server;

struct Answers {
    after: Duration,
    calls: AtomicU64,
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
        let answers = Arc::new(Answers { after, calls: AtomicU64::new(0) });
        let router = Router::new()
            .route("/oauth/token", post(token))
            .route("/derms/enroll", post(enroll))
            .fallback(any(taken))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&answers));
        Ok(Self { server: Server::start(router).await?, answers })
    }

    /// Calls since they were counted last, tokens left out.
    #[must_use]
    pub fn take_calls(&self) -> u64 {
        self.answers.calls.swap(0, Ordering::Relaxed)
    }
}

async fn token() -> Response {
    answer(&json!({ "access_token": "bench", "token_type": "Bearer", "expires_in": 3600 }))
}

async fn enroll(State(answers): State<Arc<Answers>>, body: Bytes) -> Response {
    wait(&answers).await;
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = request.get("dacsMessageId").and_then(Value::as_str).unwrap_or_default();
    let when = "2026-07-01T18:00:00.000Z";
    let response = json!({
        "id": id, "value": "delivered=1;failed=0", "responseCode": "SUCCESS", "responseTimeISO": when,
        "dacsMessageId": id,
    });
    answer(&json!({ "MsgAck": { "ackType": "SUCCESS", "whenISO": when, "responses": { "response": [response] } } }))
}

async fn taken(State(answers): State<Arc<Answers>>, body: Body) -> Response {
    // A part of a score file is read to its end, as a server must before it answers.
    if axum::body::to_bytes(body, usize::MAX).await.is_err() {
        return Response::new(Body::empty());
    }
    wait(&answers).await;
    answer(&json!({}))
}

async fn wait(answers: &Answers) {
    answers.calls.fetch_add(1, Ordering::Relaxed);
    if !answers.after.is_zero() {
        tokio::time::sleep(answers.after).await;
    }
}

fn answer(body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static("application/json"));
    response
}
