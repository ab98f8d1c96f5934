use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Transient;

/// The methods that the neighbours' APIs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create or act.
    Post,
    /// Change in part.
    Patch,
    /// Create or replace.
    Put,
}

/// One part of a `multipart/form-data` body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormPart {
    /// The part's name.
    pub name: &'static str,
    /// The file name, if the part is a file.
    pub file_name: Option<String>,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: Bytes,
}

/// What a call carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(Bytes),
    /// A form of several parts.
    Form(Vec<FormPart>),
}

/// A call to a neighbour, relative to its base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path below the base URL, beginning with `/`, percent-encoded.
    pub path: String,
    /// What it carries.
    pub payload: Payload,
    /// The correlation id, sent as `X-Correlation-Id`.
    pub correlation: String,
}

/// What the neighbour answered, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, if there was one.
    pub retry_after: Option<Duration>,
    /// The body, at most 1 MiB of it.
    pub body: Bytes,
}

impl Answer {
    /// A refusal in words: the status, and the `detail` or `message` of the problem document, at most 200 characters of
    /// it. What `who` writes there is about the message's form and ids (contracts.md §4).
    #[must_use]
    pub fn refusal(&self, who: &str) -> String {
        #[derive(serde::Deserialize)]
        struct ProblemJson {
            detail: Option<String>,
            message: Option<String>,
        }
        let problem = serde_json::from_slice::<ProblemJson>(&self.body).ok();
        let words = problem.and_then(|problem| problem.detail.or(problem.message)).unwrap_or_default();
        let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
        let colon = if words.is_empty() { "" } else { ": " };
        format!("{who} answered {}{colon}{words}", self.status)
    }
}

/// A neighbour's API: one call, one answer. Authentication is the implementation's: credentials are renewed once when
/// they are refused (contracts.md §8).
#[async_trait]
pub trait Target: Send + Sync {
    /// Makes `call`, giving up after `timeout`.
    ///
    /// # Errors
    /// [`Transient`] when there was no answer; the neighbour may have acted all the same.
    async fn call(&self, call: &Call, timeout: Duration) -> Result<Answer, Transient>;
}
