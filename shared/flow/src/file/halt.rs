//! Why work on a run stops before it has ended.

use crate::ledger::run::Run;
use crate::{Failure, Rejected, Transient};

/// Why work stopped before the run was settled.
pub(super) enum Stop {
    /// The invocation's time is used up; the last checkpoint is good.
    OutOfTime,
    /// What comes next may not be sent yet, for this reason; the last checkpoint is good.
    Waiting(String),
    /// Another invocation took the run over, or changed it.
    Fenced,
    /// The machinery failed.
    Transient(Transient),
}

impl From<Transient> for Stop {
    fn from(fault: Transient) -> Self {
        Self::Transient(fault)
    }
}

/// Why a phase stopped: the file is rejected, or the attempt ends.
pub(super) enum Halt {
    /// The file as a whole is rejected.
    Rejected(Rejected),
    /// The attempt ends.
    Stop(Stop),
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Transient> for Halt {
    fn from(fault: Transient) -> Self {
        Self::Stop(Stop::Transient(fault))
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Rejected(rejected) => Self::Rejected(rejected),
            Failure::Transient(fault) => fault.into(),
        }
    }
}

/// Turns a rejection of the whole file into the way a phase reports it.
pub(super) fn reject(run: &Run, reason: impl Into<String>) -> Halt {
    Halt::Rejected(Rejected::new(run.source.key.clone(), reason))
}

/// The result of a phase.
pub(super) type Worked = Result<(), Halt>;
