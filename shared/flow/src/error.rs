//! The two kinds of error (architecture.md §2.12): *rejected* is a decision that somebody wrote down, *transient* is
//! everything else and is retried. Unknown means transient.

use std::fmt;

/// This input can never succeed. The reason can be sent to the utility as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// What was rejected: a file, a message key, a field.
    pub subject: String,
    /// Why, as a sentence for the people who sent it.
    pub reason: String,
}

impl Rejected {
    /// A decision to reject `subject`, because of `reason`.
    pub fn new(subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { subject: subject.into(), reason: reason.into() }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.reason)
    }
}

/// The machinery failed: the same attempt may succeed later. Carries what was being done, and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct Transient {
    doing: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Transient {
    /// A fault without an underlying error, such as an answer of status 503.
    pub fn new(doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), source: None }
    }

    /// A fault while `doing` something, caused by `source`.
    pub fn because(doing: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { doing: doing.into(), source: Some(source.into()) }
    }

    /// The whole chain in one line, for the log and the ledger.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut line = self.doing.clone();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            next = cause.source();
        }
        line
    }
}

/// How an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Never to be tried again with this input.
    #[error("rejected: {0}")]
    Rejected(Rejected),
    /// To be tried again.
    #[error(transparent)]
    Transient(#[from] Transient),
}

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}
