//! AWS, as far as the flows call it, on one address: what `AWS_ENDPOINT_URL` points at.
//!
//! Which service a request is for shows in `x-amz-target` (DynamoDB, SQS, Secrets Manager), in its form (SNS), or it is
//! for S3, path style. Signatures are not looked at. Every request is counted by its operation.

mod counts;
mod dynamodb;
mod form;
mod objects;
mod s3;
mod small;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

pub use counts::Counts;
pub use objects::{Object, Stored};
pub use small::Queued;

use crate::server::Server;
use crate::{Fault, clock};

/// The largest body that is taken: a part of 8 MiB, and the one row that crosses its end.
const BODY_LIMIT: usize = 32 << 20;

/// What the writes of targets' rates are charged.
pub const SLOTS: &str = "DynamoDB write units of slots";

/// What the stub holds.
#[derive(Default)]
pub struct Aws {
    /// Requests by operation.
    pub counts: Counts,
    /// Objects of all buckets.
    pub objects: Mutex<objects::Objects>,
    table: Mutex<dynamodb::Table>,
    queues: small::Queues,
    secrets: small::Secrets,
    /// How long each request takes at least, in milliseconds.
    after: AtomicU64,
}

impl Aws {
    /// Serves until the server is dropped.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(self: &Arc<Self>) -> Result<Server, Fault> {
        let router = Router::new().fallback(serve).with_state(Arc::clone(self));
        Server::start(router).await
    }

    /// Keeps a secret.
    pub fn set_secret(&self, name: &str, text: &str) {
        self.secrets.set(name, text);
    }

    /// Answers each request after `after`, as services do that are some way off.
    pub fn answer_after(&self, after: Duration) {
        self.after.store(u64::try_from(after.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Takes the messages that were sent to a queue, in order.
    pub fn take_messages(&self, queue: &str) -> Vec<Queued> {
        self.queues.take(queue)
    }

    /// After how long a message is to be shown again, if it was handed back under this receipt.
    pub fn handed_back(&self, receipt: &str) -> Option<Duration> {
        self.queues.handed_back(receipt).map(Duration::from_secs)
    }

    /// The furthest byte of any made object that was handed out: how far a function is, but for what lies in buffers.
    pub fn read_up_to(&self) -> u64 {
        locked(&self.objects).furthest.load(Ordering::Relaxed)
    }

    /// Takes where each reading of a made object began.
    pub fn take_starts(&self) -> Vec<u64> {
        std::mem::take(&mut *locked(&locked(&self.objects).starts))
    }

    /// The contents of the ledger's items with this sort key.
    pub fn ledger(&self, sort: &str) -> Vec<serde_json::Value> {
        locked(&self.table).bodies(sort)
    }

    /// Forgets everything but secrets, configuration and what is given to read.
    pub fn reset(&self) {
        self.counts.take();
        self.counts.take_in_sequence();
        *locked(&self.table) = dynamodb::Table::default();
        locked(&self.objects).forget_written();
        self.queues.clear();
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(State(aws): State<Arc<Aws>>, request: Request) -> Response {
    let began = clock::instant();
    let (parts, body) = request.into_parts();
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = kind.starts_with("application/x-www-form-urlencoded");
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "");
    };
    match aws.after.load(Ordering::Relaxed) {
        0 => {}
        after => tokio::time::sleep(Duration::from_millis(after)).await,
    }
    let (operation, response) = match target {
        Some(target) => by_target(&aws, &target, &body),
        None if is_form => small::sns(&body),
        None => s3::serve(&aws, &parts, body),
    };
    aws.counts.add(&operation, 1);
    aws.counts.span(began, clock::instant());
    response
}

fn by_target(aws: &Aws, target: &str, body: &Bytes) -> (String, Response) {
    let (service, operation) = target.split_once('.').unwrap_or((target, ""));
    let service = service.split_once('_').map_or(service, |(name, _)| name);
    let response = match service {
        "DynamoDB" => {
            let mut table = locked(&aws.table);
            let response = dynamodb::serve(&mut table, operation, body);
            let charged = std::mem::take(&mut table.charged);
            aws.counts.add("DynamoDB read units", charged.read);
            aws.counts.add("DynamoDB write units", charged.write);
            aws.counts.add(SLOTS, charged.slots);
            response
        }
        "AmazonSQS" => aws.queues.serve(operation, body),
        "secretsmanager" => aws.secrets.serve(operation, body),
        _ => json(StatusCode::BAD_REQUEST, r#"{"__type":"UnknownOperationException"}"#),
    };
    (format!("{service}.{operation}"), response)
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    typed(status, "application/x-amz-json-1.0", body)
}

fn xml(status: StatusCode, body: impl Into<Body>) -> Response {
    typed(status, "text/xml", body)
}

fn plain(status: StatusCode, body: impl Into<Body>) -> Response {
    typed(status, "text/plain", body)
}

fn typed(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert("x-amzn-requestid", HeaderValue::from_static("bench"));
    response
}
