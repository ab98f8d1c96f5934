//! DERMS says what became of an enrollment synchronization; DACS's sync request becomes Synchronized or Error.
//!
//! ```text
//! DERMS ─ POST /v1/derms/enrollment-ack ─▶ door ─▶ queue (by dacsMessageId) ─▶ worker ─ PATCH | POST ─▶ DACS
//! ```
//!
//! Message key: (`dacsMessageId`, body hash), because a positive acknowledgement may follow a negative one. One that
//! DACS has taken before is done (contracts.md §8).

use domain::json::Problem;
use domain::sync_ack::SyncAck;
use flow::Transient;
use flow::message::{Identity, MessageKit, serve};
use flow::sync_ack::{self, AckCalls, ReadAck};
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-enrollment-ack";

/// The lookups that it reads.
pub const LOOKUPS: &[&str] = sync_ack::LOOKUPS;

/// How its bodies are read.
pub const READ: ReadAck = SyncAck::with_devices;

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// DACS's sync requests.
    pub calls: AckCalls,
}

impl Flow {
    /// A request at the door, or messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(serve(&self.kit, identify, &self.calls, trigger, &invocation).await)
    }
}

/// Which acknowledgement a body is.
///
/// # Errors
/// The [`Problem`] with every fault of the body.
pub fn identify(body: &[u8]) -> Result<Identity, Problem> {
    sync_ack::identify(READ, body)
}
