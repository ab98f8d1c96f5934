//! One contract for every implementation of the ports, as named behaviours: the in-memory ones keep it in the unit
//! tests of this crate, the AWS ones on the emulator (`tests/it`).
//!
//! A behaviour takes the ports and a `space` of its own (a partition, a key prefix, a message group), so that all of
//! them can run against one table, one bucket and one queue, again and again, and even at once. It answers [`Kept`].

pub mod clock;
pub mod depot;
pub mod objects;
pub mod queue;
pub mod store;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Transient;
use crate::ports::{CommitError, Link, Receipt};
use crate::trigger::Delivery;

/// What a behaviour answers.
pub type Kept = Result<(), Broken>;

/// A behaviour that an implementation does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The behaviour's name, when it ran among others.
    pub behaviour: &'static str,
    /// What was seen.
    pub seen: String,
}

impl Broken {
    fn new(seen: impl Into<String>) -> Self {
        Self { behaviour: "", seen: seen.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.behaviour, self.seen)
    }
}

impl std::error::Error for Broken {}

impl From<Transient> for Broken {
    fn from(fault: Transient) -> Self {
        Self::new(fault.chain())
    }
}

impl From<CommitError> for Broken {
    fn from(fault: CommitError) -> Self {
        match fault {
            CommitError::Conflict => Self::new("an unexpected conflict"),
            CommitError::Transient(fault) => fault.into(),
        }
    }
}

/// The other end of a queue: Lambda in operation, the suite here.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Up to `most` messages that are in sight, hidden from now on; it may be none although some are there.
    ///
    /// # Errors
    /// [`Transient`] when the queue cannot be read.
    async fn receive(&self, most: usize) -> Result<Vec<Delivery>, Transient>;

    /// Deletes a message that was handled.
    ///
    /// # Errors
    /// [`Transient`] when it may still be there.
    async fn delete(&self, receipt: &Receipt) -> Result<(), Transient>;
}

/// Somebody without credentials who was given links: a neighbour in operation, the suite here.
#[async_trait]
pub trait Stranger: Send + Sync {
    /// Makes the request of an upload link with these bytes; the status of its answer.
    ///
    /// # Errors
    /// [`Transient`] when there was no answer.
    async fn upload(&self, link: &Link, bytes: Bytes) -> Result<u16, Transient>;

    /// Makes the request of a download link; the status of its answer, and the object.
    ///
    /// # Errors
    /// [`Transient`] when there was no answer.
    async fn download(&self, link: &Link) -> Result<(u16, Bytes), Transient>;
}

/// Breaks unless `seen` is `expected`.
fn same<T: PartialEq + fmt::Debug>(seen: &T, expected: &T) -> Kept {
    if seen == expected {
        return Ok(());
    }
    Err(Broken::new(format!("saw {seen:?} instead of {expected:?}")))
}

/// Breaks with `what` unless it `holds`.
fn holds(holds: bool, what: &str) -> Kept {
    if holds { Ok(()) } else { Err(Broken::new(what)) }
}

/// The list of behaviours of a module: `all` runs each in a space of its own and names the one that is broken; the
/// test module runs each over memory.
macro_rules! contract {
    ($ports:ident over $memory:expr; $($behaviour:ident),* $(,)?) => {
        /// Runs every behaviour of this module, each in a space of its own below `ports.space`.
        ///
        /// # Errors
        /// The first that is broken, by name.
        pub async fn all(ports: &$ports<'_>) -> $crate::suite::Kept {
            $(
                let kept = $behaviour(&ports.within(stringify!($behaviour))).await;
                kept.map_err(|broken| $crate::suite::Broken { behaviour: stringify!($behaviour), ..broken })?;
            )*
            Ok(())
        }

        #[cfg(test)]
        mod in_memory {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    let memory = $memory;
                    super::$behaviour(&memory.ports("space")).await.unwrap();
                }
            )*

            #[tokio::test]
            async fn all_behaviours_hold_one_after_the_other() {
                let memory = $memory;
                super::all(&memory.ports("space")).await.unwrap();
            }
        }
    };
}
use contract;
