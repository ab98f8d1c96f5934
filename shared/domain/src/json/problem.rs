//! The problem document (RFC 9457) that a refused message is answered with.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use super::FAULT_LIMIT;

/// One thing wrong with a message: where, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FieldFault {
    /// RFC 6901 pointer to the member, empty for the message as a whole.
    pub pointer: String,
    /// Why it is refused, to be read after the pointer: "is required". Holds nothing the sender wrote.
    pub reason: Cow<'static, str>,
}

/// A refusal, as it is sent: `application/problem+json` with the members of RFC 9457 and `errors[]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of refusal this is, for programs.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The same for people.
    pub title: &'static str,
    /// The HTTP status it is answered with.
    pub status: u16,
    /// What can be said of this one message; no customer data.
    pub detail: Cow<'static, str>,
    /// Every offending field, in the order of the contract. Empty when the refusal is not about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFault>,
}

impl Problem {
    /// The media type of a problem document.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// 400: the message can never be taken as it is.
    #[must_use]
    pub fn invalid(errors: Vec<FieldFault>) -> Self {
        Self::with_total(errors.len(), errors)
    }

    /// 400 with the faults listed, out of `total` found.
    pub(super) fn with_total(total: usize, errors: Vec<FieldFault>) -> Self {
        let detail = match total {
            1 => Cow::Borrowed("One fault; nothing of the message was taken."),
            n if n > errors.len() => Cow::Owned(format!(
                "{n} faults, of which the first {FAULT_LIMIT} are listed; nothing of the message was taken."
            )),
            n => Cow::Owned(format!("{n} faults; nothing of the message was taken.")),
        };
        Self { kind: "urn:problem:invalid-message", title: "The message is not valid", status: 400, detail, errors }
    }

    /// 400 for a message that cannot be read at all.
    pub(super) fn unreadable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::invalid(vec![FieldFault { pointer: String::new(), reason: reason.into() }])
    }

    /// 413: more than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        Self {
            kind: "urn:problem:message-too-large",
            title: "The message is too large",
            status: 413,
            detail: Cow::Owned(format!("A message may have {limit} bytes; nothing of it was taken.")),
            errors: Vec::new(),
        }
    }

    /// 422: another message is known under the same key, unfinished or done (contracts.md §8, "the same key again").
    #[must_use]
    pub fn other_body() -> Self {
        Self {
            kind: "urn:problem:key-already-used",
            title: "Another message has this key",
            status: 422,
            detail: Cow::Borrowed(
                "A message with the same key and another body is unfinished or done. Send changed content under a new key.",
            ),
            errors: Vec::new(),
        }
    }
}

/// For logs: status, then each pointer and reason.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.title)?;
        for (i, fault) in self.errors.iter().enumerate() {
            let separator = if i == 0 { ": " } else { "; " };
            let pointer = if fault.pointer.is_empty() { "the message" } else { fault.pointer.as_str() };
            write!(f, "{separator}{pointer} {}", fault.reason)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
