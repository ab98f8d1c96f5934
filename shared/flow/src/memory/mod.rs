//! The ports over plain maps: real implementations that keep the contract of [`crate::suite`], for tests, the
//! simulation and benches.
//!
//! They are deterministic (maps are ordered, ids are counted), read no clock but the [`Clock`](crate::ports::Clock)
//! they are given, and may be shared between threads. A clone is another handle to the same content, as two functions
//! see one bucket.

mod clock;
mod distant;
mod fifo;
mod notices;
mod objects;
mod reports;
mod table;
mod targets;
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::{ManualClock, RuntimeClock};
pub use distant::{Distant, FarLedger};
pub use fifo::Fifo;
pub use notices::Notices;
pub use objects::{Bucket, Objects};
pub use reports::Reports;
pub use table::Table;
pub use targets::Targets;
pub use world::{BODIES, CONFIG, REJECTS, World};

/// The content behind a mutex. A thread that panicked while it held the lock left whole values behind, because every
/// change below is one insertion or removal; so the content is used all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
