//! An enrollment, unenrollment or device replacement goes to the DERMS; its answer goes back to DACS's sync request.
//!
//! ```text
//! DACS ─ POST /v1/dacs/enrollment-sync ─▶ door ─▶ queue (by subscription) ─▶ worker ─ POST /enroll ─▶ DERMS
//!   ▲                                                                          │
//!   └───────────── Synchronized | Error ◀── acknowledgement, if it came at once ┘   else through derms-dacs-enrollment-ack
//! ```
//!
//! Message key: `syncRequestId`. `/enroll` is an upsert by it, so a call that is made twice is harmless. A message that
//! ended in Error is corrected and sent again (contracts.md §8).

use domain::enrollment_sync::EnrollmentSync;
use flow::Transient;
use flow::message::{MessageKit, serve};
use flow::to_derms::{SyncCalls, identify};
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-derms-enrollment-sync";

/// The lookups that it reads: [`flow::sync_ack::LOOKUPS`], the head-ends, and the names of programs.
pub const LOOKUPS: &[&str] = &["DacsMessages", "HeadEndSystem", "Program", "Routing", "Targets"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// DERMS and DACS.
    pub calls: SyncCalls<EnrollmentSync>,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(serve(&self.kit, identify::<EnrollmentSync>, &self.calls, trigger, &invocation).await)
    }
}
