//! What no flow has dealt with is kept going, or given up with everybody told, for all flows.
//!
//! ```text
//! dead-letter queue of any flow ─▶ within its retry limit? ─┬─ yes: into the flow's queue again
//!                                                           └─ no: its source, people; then a person's to decide
//! ```
//!
//! A run or message that a flow gives up by itself does not come here: the flow tells source and people, and lists it.

use flow::Transient;
use flow::dead_letters::{DeadLetter, DeadLetterKit, deal_with};
use flow::trigger::{Invocation, Reply};

/// The function's name.
pub const NAME: &str = "error-handler";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = flow::sync_ack::LOOKUPS;

/// The function; its fields are what it may touch.
pub struct ErrorHandler {
    /// Ledger, queues, people, DACS's sync requests.
    pub kit: DeadLetterKit,
}

impl ErrorHandler {
    /// Dead letters of one flow.
    ///
    /// # Errors
    /// [`Transient`] never; what could not be dealt with is in the reply.
    pub async fn handle(&self, letters: Vec<DeadLetter>, invocation: Invocation) -> Result<Reply, Transient> {
        Ok(Reply::Batch { failed: deal_with(&self.kit, &letters, &invocation).await })
    }
}
