//! The one place where this crate's time comes from.

use std::time::Instant;

use jiff::Timestamp;

/// Now, for measuring how long something takes.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a measurement is about this machine's time")]
pub fn instant() -> Instant {
    Instant::now()
}

/// Now, as others write it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the stubs stand for services that have a clock")]
pub fn timestamp() -> Timestamp {
    Timestamp::now()
}
