//! A device is not to be reserved from one time to another; the DERMS is told.
//!
//! ```text
//! DACS ─ POST /v1/dacs/customer-unavailability ─▶ door ─▶ queue (by device) ─▶ worker ─ POST /device_unavailability ─▶ DERMS
//! ```
//!
//! Message key: `communicationId` with the action; order: the device, so that a cancellation never overtakes what it
//! cancels. Nobody is acknowledged to: a refusal is a notification.

use domain::unavailability::Unavailability;
use flow::Transient;
use flow::message::{MessageKit, serve};
use flow::to_derms::{OneWayCalls, identify};
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-derms-customer-unavailability";

/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["HeadEndSystem"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// The DERMS.
    pub calls: OneWayCalls<Unavailability>,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(serve(&self.kit, identify::<Unavailability>, &self.calls, trigger, &invocation).await)
    }
}
