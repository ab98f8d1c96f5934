//! What the program system makes of a request (contracts.md §4): `{enrollmentId, status: PENDING}`, or a business error
//! `{status: VAL-ERROR | ERROR, messageNumber, message}` with 200 or 400.

use crate::json::Document;
use crate::lookups::Verdict;
use crate::sync_request::{Refusal, read_refusal};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The enrollment that was made.
    Pending(String),
    /// It had been made before (message number 10589): done.
    Exists,
    /// Not possible now; try again later.
    NotYet(Refusal),
    /// Refused for good.
    Refused(Refusal),
    /// No answer to this question: the caller's general rules hold (retry, credentials).
    Unclear,
}

/// Reads the answer; `verdict` is the lookup DacsMessages, which also says what no number means.
#[must_use]
pub fn read_answer(status: u16, body: &[u8], verdict: &dyn Fn(Option<u32>) -> Verdict) -> Outcome {
    let text = |name| Document::parse(body).and_then(|it| it.read(|it| it.text(name, 254).map(str::to_owned))).ok();
    let refused = matches!(text("status").as_deref(), Some("VAL-ERROR" | "ERROR"));
    match (status, text("enrollmentId")) {
        (400, _) | (200..=299, _) if status == 400 || refused => judged(read_refusal(body), verdict),
        (200..=299, Some(enrollment)) => Outcome::Pending(enrollment),
        _ => Outcome::Unclear,
    }
}

fn judged(refusal: Refusal, verdict: &dyn Fn(Option<u32>) -> Verdict) -> Outcome {
    match verdict(refusal.number) {
        Verdict::AlreadyDone => Outcome::Exists,
        Verdict::NotYet => Outcome::NotYet(refusal),
        Verdict::Refused => Outcome::Refused(refusal),
    }
}
