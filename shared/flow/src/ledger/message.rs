//! Messages. A message is one (flow, message key); sent again, it is recognised by the hash of its body.
//!
//! ```text
//!  door: stored ─ queued ─ 202                worker
//!  ──────────────────▶ Accepted ──────────────▶ Delivered            positive end
//!                          ▲                 ├─▶ AwaitingAck          the target has it, and answers another way
//!                          │                 ├─▶ Refused              a business error; the source was told
//!                          │                 └─▶ Failed               given up; the source was told
//!                          └── sent again, or resubmitted ─┘            a person may leave the last three at that: Discarded
//! ```

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ports::Key;

/// How long ended messages stay in the ledger, and so how long a repeat is recognised (architecture.md §3).
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MessageState {
    /// Taken from its sender; it will reach an end.
    Accepted,
    /// The target has it.
    Delivered,
    /// The target has it, and says later, through another flow, what became of it. Its source may send it again, changed
    /// or not: that answer may have been negative, and then "correct and resend is the operators' cure" (contracts.md §8).
    AwaitingAck,
    /// Refused on business grounds, by us or by the target.
    Refused,
    /// Given up after the retry limit.
    Failed,
    /// It did not end well, and a person has left it at that.
    Discarded,
}

impl MessageState {
    /// Whether the target took it.
    #[must_use]
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Delivered | Self::AwaitingAck)
    }

    /// Whether a message that stands so may be attempted anew when it is sent again: it has ended, and not well, or only its
    /// source knows how.
    #[must_use]
    pub fn may_be_attempted_anew(self) -> bool {
        matches!(self, Self::AwaitingAck | Self::Refused | Self::Failed | Self::Discarded)
    }

    /// The state in one word, for logs, metrics and answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::AwaitingAck => "awaiting-ack",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }
}

/// Where a body is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Here.
    Inline(String),
    /// Under this key of the bodies bucket.
    Stored(String),
    /// Nowhere: the message was delivered, and whoever sends it again is recognised by its hash.
    Gone,
}

/// What a target answered, kept while the source has not been told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The acknowledgement, as the flow wrote it down.
    pub ack: Value,
    /// How the message ends once the source has been told.
    pub ends: MessageState,
    /// Why, unless it ends well.
    pub reason: Option<String>,
}

/// One message, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its key within the flow.
    pub key: String,
    /// The FIFO group of its ordering key, or its own ([`group`]).
    pub group: String,
    /// The hash of its body.
    pub body_hash: String,
    /// Its body.
    pub body: Body,
    /// The correlation id of the request that brought it.
    pub correlation: String,
    /// When the present attempt was accepted; the retry limit counts from here.
    pub accepted: Timestamp,
    /// 1, and one more each time that it was sent again after a failure.
    pub attempt: u32,
    /// Its place in the order of its group: the queue's sequence number when it was first seen there.
    pub position: Option<String>,
    /// Delivered although a newer message of its group has been: a person said so.
    pub forced: bool,
    /// Its source was told to wait: what becomes of it is the worker's to tell. Until then a door that answers with results
    /// may still be bringing it to its end.
    #[serde(default)]
    pub promised: bool,
    /// Where it stands.
    pub state: MessageState,
    /// What the target answered, if the source has not been told yet.
    pub answered: Option<Answered>,
    /// The first result, given again when it is sent again. On a message that is open: it had been taken before.
    pub result: Option<Value>,
    /// When the attempt was accepted that the target took, and says later what became of it. An answer that came before
    /// belongs to an earlier attempt.
    #[serde(default)]
    pub asked: Option<Timestamp>,
    /// Why it did not end well.
    pub reason: Option<String>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl Message {
    /// The key of message `key` of `flow`.
    #[must_use]
    pub fn key(flow: &str, key: &str) -> Key {
        Key { partition: format!("{flow}#message#{key}"), sort: "message".into() }
    }

    /// Its next attempt with the body that it has, accepted at `now`: it keeps its place, and, if its target had taken it,
    /// what is known of that.
    #[must_use]
    pub fn attempted_anew(&self, now: Timestamp) -> Self {
        let taken_before = self.state == MessageState::AwaitingAck;
        Self {
            accepted: now,
            attempt: self.attempt.saturating_add(1),
            forced: false,
            promised: false,
            state: MessageState::Accepted,
            answered: None,
            result: self.result.clone().filter(|_| taken_before),
            asked: self.asked.filter(|_| taken_before),
            reason: None,
            ended: None,
            ..self.clone()
        }
    }

    /// When the ledger may forget it: never while it is open.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.ended.and_then(|ended| ended.checked_add(REMEMBERED).ok())
    }
}

/// The message that was delivered last in its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastDelivered {
    /// Its place.
    pub position: String,
    /// Its key.
    pub message: String,
    /// When it was delivered.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

impl LastDelivered {
    /// The key of the last delivered message of `group`.
    #[must_use]
    pub fn key(flow: &str, group: &str) -> Key {
        Key { partition: format!("{flow}#last#{group}"), sort: "last".into() }
    }
}

/// Groups of messages that have no order begin so, and no others.
const ALONE: &str = "alone:";

/// The FIFO group of an ordering key. SQS allows 128 letters, digits and marks: what does not fit is hashed.
#[must_use]
pub fn group(ordering_key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let fits = ordering_key.len() <= 100 && !ordering_key.is_empty() && ordering_key.chars().all(plain);
    if fits && !ordering_key.starts_with(ALONE) {
        return ordering_key.to_owned();
    }
    hashed(ordering_key)
}

/// The FIFO group of a message that has no order with others: so it is worked on by one instance at a time.
#[must_use]
pub fn group_of_one(message_key: &str) -> String {
    format!("{ALONE}{}", group(message_key))
}

/// Whether the messages of `group` are delivered in order. One that has no order needs no record of what was delivered last.
#[must_use]
pub fn keeps_order(group: &str) -> bool {
    !group.starts_with(ALONE)
}

fn hashed(key: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(key.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::{group, group_of_one, keeps_order};

    #[test]
    fn an_ordering_key_becomes_a_group_that_the_queue_accepts_and_keys_never_share_one() {
        assert_eq!(group("4711-A"), "4711-A");
        assert_eq!(group("Zürich 1").len(), "sha256:".len() + 64);
        assert_ne!(group("a b"), group("a  b"));
    }

    #[test]
    fn no_ordering_key_makes_the_group_of_a_message_that_has_no_order() {
        let alone = group_of_one("M-1");
        assert!(!keeps_order(&alone) && alone.len() <= 128);
        assert!(group_of_one(&"x".repeat(200)).len() <= 128);
        assert_ne!(group(&alone), alone);
        assert!(keeps_order(&group(&alone)) && keeps_order(&group("M-1")));
    }
}
