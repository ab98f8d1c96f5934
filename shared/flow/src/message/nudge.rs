//! What the queue of a message flow carries: which message, and for which of its attempts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::anew;
use crate::Transient;
use crate::ledger::message::{Message, MessageState};
use crate::ledger::{Ledger, Seen};
use crate::ports::{Key, Outgoing};

/// A message of the queue. One that is left over from an earlier attempt does nothing: it stands further forward in its
/// group than the attempt that was made since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nudge {
    /// The message's key.
    pub key: String,
    attempt: u32,
    /// The message was sent again as it was, and its next attempt begins with this nudge: the hash of its body. A
    /// correction that came meanwhile has another one, and a nudge of its own further back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    again: Option<String>,
    /// What is read from the ledger together with the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Key>,
}

impl Nudge {
    /// For the attempt that `message` is at.
    pub fn of(message: &Message) -> Self {
        Self { key: message.key.clone(), attempt: message.attempt, again: None, beside: Vec::new() }
    }

    /// For the attempt that follows the one that `message` is at, with the same body.
    ///
    /// Nothing is written for it, so that a message never waits without being queued, whatever becomes of whoever sends this:
    /// its sender may have been told long ago that it is accepted, and then does not come again.
    pub fn again(message: &Message) -> Self {
        let again = Some(message.body_hash.clone());
        Self { key: message.key.clone(), attempt: message.attempt.saturating_add(1), again, beside: Vec::new() }
    }

    /// The same; its worker reads these too.
    #[must_use]
    pub fn beside(self, keys: &[Key]) -> Self {
        Self { beside: keys.to_vec(), ..self }
    }

    /// The nudge that stands in the queue as `body`, if it is one.
    pub fn read(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    /// As it goes into the queue, in the group of `message`. Two with the same `once` are one.
    ///
    /// # Errors
    /// [`Transient`] when it cannot be written as JSON.
    pub fn outgoing(&self, message: &Message, once: String) -> Result<Outgoing, Transient> {
        let body = serde_json::to_string(self).map_err(|e| Transient::because("writing a queue message", e))?;
        Ok(Outgoing { body, group: message.group.clone(), deduplication: once })
    }

    /// What of `known` is still to be done for this nudge, if anything is. The attempt of a message that was sent again is
    /// written down here, at `now`: from then on this nudge brings it to its end.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer, or somebody else changed the message.
    pub async fn open(
        &self,
        ledger: &Ledger,
        flow: &str,
        known: Seen<Message>,
        now: Timestamp,
    ) -> Result<Option<Seen<Message>>, Transient> {
        let message = &known.value;
        if self.again.as_ref().is_some_and(|hash| *hash != message.body_hash) {
            return Ok(None);
        }
        if message.state == MessageState::Accepted {
            return Ok((message.attempt == self.attempt).then_some(known));
        }
        let is_next = self.again.is_some() && message.attempt.saturating_add(1) == self.attempt;
        if !is_next || !message.state.may_be_attempted_anew() {
            return Ok(None);
        }
        let fresh = message.attempted_anew(now);
        let begun = anew::begin(ledger, flow, &known, fresh).await?;
        begun.map(Some).ok_or_else(|| Transient::new("the message was changed at the same time"))
    }
}
