//! The only place where the sandbox reads a clock: it is a neighbour and lives in real time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Real time since the start, and real UTC.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "a neighbour has its own clock")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Time since the start; never goes back.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The instant, for what is said to the outside.
    #[expect(clippy::disallowed_methods, reason = "a neighbour has its own clock")]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The instant in the spelling of `MsgAck`: `2026-07-01T18:00:00.000Z` (contracts.md §3).
    pub fn now_iso(&self) -> String {
        format!("{:.3}", self.now())
    }
}

/// One count for everything that took effect in any system, so that the books of two systems can be
/// put in order against each other.
#[derive(Debug, Default)]
pub struct Order(AtomicU64);

impl Order {
    /// The next number, from 1.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst).saturating_add(1)
    }
}

/// The guard of `mutex`, also when a test thread died while it held it: the books stay readable.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A length as a count.
pub fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
