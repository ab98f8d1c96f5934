//! An aggregator goes to the DERMS, which sets up its communication; its answer goes back to DACS's sync request.
//!
//! ```text
//! DACS ─ POST /v1/dacs/aggregators ─▶ door ─▶ queue (by aggregator) ─▶ worker ─ PUT /aggregators/{aggregatorId} ─▶ DERMS
//!   ▲                                                                    │
//!   └───────── Synchronized | Error ◀── acknowledgement, if it came at once ┘   else through derms-dacs-aggregators-ack
//! ```
//!
//! Message key: `syncRequestId`; order: the aggregator. The call replaces all that the DERMS knows of it, so one that is made
//! twice is harmless. References to secrets travel, secrets do not: the door refuses them.

use domain::aggregator::Aggregator;
use flow::Transient;
use flow::message::{MessageKit, serve};
use flow::to_derms::{SyncCalls, identify};
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-derms-aggregators";

/// The lookups that it reads: [`flow::sync_ack::LOOKUPS`] and the head-ends.
pub const LOOKUPS: &[&str] = &["DacsMessages", "HeadEndSystem", "Routing", "Targets"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// DERMS and DACS.
    pub calls: SyncCalls<Aggregator>,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(serve(&self.kit, identify::<Aggregator>, &self.calls, trigger, &invocation).await)
    }
}
