//! Lambda's runtime API, as far as a function that runs well needs it.
//!
//! ```text
//! invoke ─▶ pending ─▶ GET …/next ─▶ function ─▶ POST …/{id}/response | error ─▶ the answer
//! ```

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::server::Server;
use crate::{Fault, clock};

/// Lambda's limit of a response, for synchronous invocations.
const RESPONSE_LIMIT: usize = 6 << 20;

/// What a function made of an event.
#[derive(Debug)]
pub struct Answer {
    /// The response, or the error that was reported.
    pub body: Result<Bytes, Bytes>,
    /// When it had arrived.
    pub at: Instant,
}

struct Event {
    id: String,
    body: String,
    timeout: Duration,
}

struct Inner {
    coming: mpsc::UnboundedSender<Event>,
    pending: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    number: AtomicU64,
    asked: OnceLock<Instant>,
}

/// The runtime API of one function.
pub struct Runtime {
    inner: Arc<Inner>,
    server: Server,
}

impl Runtime {
    /// Waits for a function to ask for events.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self, Fault> {
        let (coming, pending) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            coming,
            pending: tokio::sync::Mutex::new(pending),
            waiting: Mutex::default(),
            number: AtomicU64::new(1),
            asked: OnceLock::new(),
        });
        let invocation = "/2018-06-01/runtime/invocation";
        let router = Router::new()
            .route(&format!("{invocation}/next"), get(next))
            .route(&format!("{invocation}/{{id}}/response"), post(response))
            .route(&format!("{invocation}/{{id}}/error"), post(error))
            .with_state(Arc::clone(&inner));
        let server = Server::start(router).await?;
        Ok(Self { inner, server })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` holds.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.server.address
    }

    /// A request id that was not used before.
    #[must_use]
    pub fn request_id(&self) -> String {
        let number = self.inner.number.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.server.address)
    }

    /// Lets the function handle an event. The deadline begins when the function takes it.
    ///
    /// # Errors
    /// When the function is gone: nobody will answer.
    pub async fn invoke(&self, id: String, body: String, timeout: Duration) -> Result<Answer, Fault> {
        let (answer, answered) = oneshot::channel();
        locked(&self.inner.waiting).insert(id.clone(), answer);
        self.inner.coming.send(Event { id, body, timeout })?;
        Ok(answered.await?)
    }

    /// When the function asked for its first event.
    #[must_use]
    pub fn asked(&self) -> Option<Instant> {
        self.inner.asked.get().copied()
    }

    /// Nobody waits any more: the function is dead.
    pub fn forget(&self) {
        locked(&self.inner.waiting).clear();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn next(State(inner): State<Arc<Inner>>) -> Response {
    inner.asked.get_or_init(clock::instant);
    let event = inner.pending.lock().await.recv().await;
    let Some(event) = event else {
        return status(StatusCode::GONE);
    };
    let timeout = i64::try_from(event.timeout.as_millis()).unwrap_or(i64::MAX);
    let deadline = clock::timestamp().as_millisecond().saturating_add(timeout);
    let answer = Response::builder()
        .header("lambda-runtime-aws-request-id", event.id)
        .header("lambda-runtime-deadline-ms", deadline)
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:bench")
        .header("content-type", "application/json")
        .body(Body::from(event.body));
    answer.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn response(State(inner): State<Arc<Inner>>, Path(id): Path<String>, request: Request) -> StatusCode {
    done(&inner, &id, request, Ok).await
}

async fn error(State(inner): State<Arc<Inner>>, Path(id): Path<String>, request: Request) -> StatusCode {
    done(&inner, &id, request, Err).await
}

async fn done(inner: &Inner, id: &str, request: Request, ended: fn(Bytes) -> Result<Bytes, Bytes>) -> StatusCode {
    let Ok(body) = axum::body::to_bytes(request.into_body(), RESPONSE_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let waiting = locked(&inner.waiting).remove(id);
    let answer = Answer { body: ended(body), at: clock::instant() };
    match waiting.map(|waiting| waiting.send(answer)) {
        Some(Ok(())) => StatusCode::ACCEPTED,
        _ => StatusCode::NOT_FOUND,
    }
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
