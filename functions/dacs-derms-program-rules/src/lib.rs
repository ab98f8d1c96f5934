//! A program and all its rules go to the DERMS; its answer goes back to DACS's sync request.
//!
//! ```text
//! DACS ─ POST /v1/dacs/program-rules ─▶ door ─▶ queue (by program) ─▶ worker ─ PUT /programs/{programCode} ─▶ DERMS
//!   ▲                                                                   │
//!   └───────── Synchronized | Error ◀── acknowledgement, if it came at once ┘   else through derms-dacs-program-rules-ack
//! ```
//!
//! Message key: `syncRequestId`; order: the program, so that a later state of it never loses to an earlier one that is still
//! being retried. The call replaces all that the DERMS knows of the program, so one that is made twice is harmless.

use domain::program_rules::ProgramRules;
use flow::Transient;
use flow::message::{MessageKit, serve};
use flow::to_derms::{SyncCalls, identify};
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-derms-program-rules";

/// The lookups that it reads: [`flow::sync_ack::LOOKUPS`], days and cycles, and the names of programs.
pub const LOOKUPS: &[&str] = &["AllowEventDays", "CycleFrequency", "DacsMessages", "Program", "Routing", "Targets"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// DERMS and DACS.
    pub calls: SyncCalls<ProgramRules>,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(serve(&self.kit, identify::<ProgramRules>, &self.calls, trigger, &invocation).await)
    }
}
