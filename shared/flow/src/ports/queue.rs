use std::time::Duration;

use async_trait::async_trait;

use crate::Transient;

/// The handle of one delivery of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(pub String);

/// A message for a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The text.
    pub body: String,
    /// Messages of one group are delivered in the order in which they were taken.
    pub group: String,
    /// Two messages with the same id within five minutes are one.
    pub deduplication: String,
}

/// A flow's own queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Appends a message; once this returns, it will be delivered at least once.
    ///
    /// # Errors
    /// [`Transient`] when the outcome is unknown or the queue refused.
    async fn send(&self, message: &Outgoing) -> Result<(), Transient>;

    /// Makes a message that is being handled visible again after `delay` (at most 12 hours).
    ///
    /// # Errors
    /// [`Transient`]; the message then comes back when its visibility timeout ends.
    async fn hand_back(&self, receipt: &Receipt, delay: Duration) -> Result<(), Transient>;
}
