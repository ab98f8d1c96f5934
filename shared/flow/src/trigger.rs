//! What starts a flow, as plain data: the pipelines take these, the `aws` crate reads them out of Lambda's events.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::json::Problem;
use jiff::Timestamp;
use serde_json::json;

use crate::ports::Receipt;

/// The longest correlation id that is taken over from a sender.
const LONGEST_CORRELATION: usize = 128;

/// Whether a sender's text may be taken over as correlation id: only if it can stand in a header and in a line of log.
#[must_use]
pub fn is_correlation(id: &str) -> bool {
    (1..=LONGEST_CORRELATION).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// One delivery of one message of the flow's own queue. For a file flow `body` is an S3 notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The text.
    pub body: String,
    /// The handle of this delivery; `None` when the event did not come through a queue (`cargo lambda invoke` with a bare
    /// S3 event), so that there is nothing to hand back.
    pub receipt: Option<Receipt>,
    /// How often it was delivered, this time included; it also counts deliveries that no code saw.
    pub receive_count: u32,
    /// The FIFO group; `None` from a standard queue.
    pub group: Option<String>,
    /// The FIFO sequence number: 20 digits, growing within a group; `None` from a standard queue.
    pub sequence: Option<String>,
    /// The queue's id of the message, the same in every delivery.
    pub message_id: String,
    /// When the queue took it.
    pub sent: Timestamp,
}

/// A request at the flow's door, already let in by the authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The body, base64 undone.
    pub body: Bytes,
    /// Its media type as sent.
    pub content_type: Option<String>,
    /// The gateway's id of the request.
    pub request_id: String,
    /// The sender's `X-Correlation-Id`, else the request id.
    pub correlation: String,
    /// The path, without stage and query.
    pub path: String,
    /// The query, decoded; of a repeated name the gateway gives one value, joined by commas.
    pub query: BTreeMap<String, String>,
    /// The claims of the token, as the gateway checked them; empty when the route has no JWT authorizer.
    pub claims: BTreeMap<String, String>,
}

/// What the door answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The HTTP status.
    pub status: u16,
    /// The media type of `body`, such as `application/problem+json`.
    pub content_type: &'static str,
    /// The body, text; may be empty.
    pub body: String,
    /// Further headers, lower-case names.
    pub headers: Vec<(&'static str, String)>,
}

impl HttpReply {
    /// An answer of `status` with a body and no further headers.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, content_type, body: body.into(), headers: Vec::new() }
    }

    /// An answer of `status` in JSON.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// 202: what this key names is kept, and reaches an end.
    #[must_use]
    pub fn accepted(message_key: &str, correlation: &str) -> Self {
        let body = json!({ "messageKey": message_key, "status": "ACCEPTED", "correlationId": correlation });
        Self::json(202, &body)
    }

    /// A refusal, as a problem document.
    #[must_use]
    pub fn problem(problem: &Problem) -> Self {
        let body = serde_json::to_string(problem).unwrap_or_default();
        Self::new(problem.status, Problem::MEDIA_TYPE, body)
    }

    /// 503: nothing was kept, and the same request may succeed later.
    #[must_use]
    pub fn unavailable(correlation: &str) -> Self {
        let body = json!({
            "type": "about:blank",
            "title": "Not accepted",
            "status": 503,
            "detail": "the message was not stored; send it again",
            "correlationId": correlation,
        });
        let mut reply = Self::new(503, Problem::MEDIA_TYPE, body.to_string());
        reply.headers.push(("retry-after", "5".into()));
        reply
    }
}

/// What started the function. A message flow has both: the route of its door and its own queue; a file flow the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A request at the door.
    Http(HttpRequest),
    /// A batch of the queue: one file notification, or up to ten messages.
    Queue(Vec<Delivery>),
}

/// What the function answers to its trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To a request.
    Http(HttpReply),
    /// To a batch.
    Batch {
        /// The `message_id`s of those that are not done; all others are deleted. Of a FIFO group, everything after the
        /// first failure has to be among them.
        failed: Vec<String>,
    },
}

/// One start of the function: until when it may run, and who it is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// When Lambda ends it, whatever it is doing.
    pub deadline: Timestamp,
    /// The owner that its claims carry: Lambda's request id, another one for every delivery from a queue. Only the
    /// repeats of an asynchronous invocation share one, and they never run at once.
    pub owner: String,
    /// What joins its log lines and calls: the sender's correlation id, or the request id.
    pub correlation: String,
}
