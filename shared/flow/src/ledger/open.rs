//! Open matters: one small item for each run or message that waits for a person or for an answer, in the partition
//! `<flow>#open`. Whoever looks for them reads these few items, and not the runs and messages of 30 days (decision 12).
//!
//! An item is written and removed together with the change of its run or message, in one commit: it is there exactly as
//! long as the state says so. Items are sorted by what they wait for, then by since when, so that whoever looks for what
//! is overdue reads from the oldest and stops at the first that is not.
//!
//! ```text
//! <flow>#open   awaiting-ack#00000001782864000000#4711   ─▶ overdue#…   an answer did not come in time
//!               failed#…   given-up#…   held#…   refused#…              a person's to decide
//! ```

use domain::flows::Flow;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::{Message, MessageState, group};
use super::run::{Run, RunState};
use super::turn::arrived;
use super::{Ledger, Seen};
use crate::Transient;
use crate::ports::{Key, Write};

/// The longest reason that an item carries, in characters; the run or message has all of it.
const LONGEST_REASON: usize = 200;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Matter {
    /// A message that the target took, or a file that was delivered: for its answer.
    AwaitingAck,
    /// A message whose answer did not come within the limit, or a file that lacks some of its answers: people were told.
    Overdue,
    /// A message that was given up: for a person.
    Failed,
    /// A run that was given up: for a person.
    GivenUp,
    /// A run with too many rejected rows: for a person, until the hold limit.
    Held,
    /// A message that was refused: for its correction at the source.
    Refused,
}

impl Matter {
    /// The matter in one word, for sort keys and people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AwaitingAck => "awaiting-ack",
            Self::Overdue => "overdue",
            Self::Failed => "failed",
            Self::GivenUp => "given-up",
            Self::Held => "held",
            Self::Refused => "refused",
        }
    }

    /// What the sort keys of such items begin with.
    #[must_use]
    pub fn prefix(self) -> String {
        format!("{}#", self.word())
    }
}

/// One open matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// What is waited for.
    pub matter: Matter,
    /// The run's id, or the message's key.
    pub id: String,
    /// Since when.
    pub since: Timestamp,
    /// Of a message: an answer that came before this belongs to an earlier attempt. Of a run: when its file came.
    pub asked: Timestamp,
    /// Why, the first of it.
    pub reason: Option<String>,
}

impl Open {
    /// The matter that `run` of `flow` leaves open, if it does.
    #[must_use]
    pub fn of_run(flow: &str, run: &Run) -> Option<Self> {
        let (matter, since) = match run.state {
            RunState::Held => (Matter::Held, run.held?),
            RunState::GivenUp => (Matter::GivenUp, run.ended?),
            RunState::Delivered if run.ids.count > 0 && is_answered(flow) => (Matter::AwaitingAck, run.ended?),
            _ => return None,
        };
        // As the store tells the time, not we: answers are files too.
        let asked = arrived(&run.place).unwrap_or(run.registered);
        Some(Self { matter, id: run.id.to_string(), since, asked, reason: first_of(&run.reason) })
    }

    /// The matter that `message` leaves open, if it does.
    #[must_use]
    pub fn of_message(message: &Message) -> Option<Self> {
        let matter = match message.state {
            MessageState::AwaitingAck => Matter::AwaitingAck,
            MessageState::Refused => Matter::Refused,
            MessageState::Failed => Matter::Failed,
            MessageState::Accepted | MessageState::Delivered | MessageState::Discarded => return None,
        };
        let asked = message.asked.unwrap_or(message.accepted);
        let (id, reason) = (message.key.clone(), first_of(&message.reason));
        Some(Self { matter, id, since: message.ended?, asked, reason })
    }

    /// The partition of the open matters of `flow`.
    #[must_use]
    pub fn partition(flow: &str) -> String {
        format!("{flow}#open")
    }

    /// The key of this matter of `flow`.
    #[must_use]
    pub fn key(&self, flow: &str) -> Key {
        let sort = format!("{}{:020}#{}", self.matter.prefix(), self.since.as_millisecond(), group(&self.id));
        Key { partition: Self::partition(flow), sort }
    }

    /// The same matter, once its answer is overdue.
    #[must_use]
    pub fn overdue(&self) -> Self {
        Self { matter: Matter::Overdue, ..self.clone() }
    }

    /// The write that opens it, to be made with the change of its run or message.
    ///
    /// # Errors
    /// [`Transient`] when it cannot be written as JSON.
    pub fn opening(&self, flow: &str, expires: Option<Timestamp>) -> Result<Write, Transient> {
        Write::put(self.key(flow), self, None, expires)
    }

    /// The write that closes it, to be made with the change of its run or message; `None` when it is closed already.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn closing(&self, ledger: &Ledger, flow: &str) -> Result<Option<Write>, Transient> {
        let (key, overdue) = (self.key(flow), self.overdue().key(flow));
        let (open, late) = ledger.get_two::<Self, Self>(&key, &overdue).await?;
        let close = |key: Key, seen: Seen<Self>| Write::Delete { key, seen: seen.rev };
        Ok(open.map(|seen| close(key, seen)).or_else(|| late.map(|seen| close(overdue, seen))))
    }
}

/// Whether the files of `flow` are answered.
fn is_answered(flow: &str) -> bool {
    Flow::named(flow).is_some_and(|flow| flow.answered_by.is_some())
}

fn first_of(reason: &Option<String>) -> Option<String> {
    reason.as_ref().map(|reason| reason.chars().take(LONGEST_REASON).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matters_of_one_kind_are_sorted_by_age_whatever_their_ids() {
        let at = |second: i64, id: &str| {
            let since = Timestamp::from_second(second).unwrap();
            Open { matter: Matter::Held, id: id.into(), since, asked: since, reason: None }.key("f").sort
        };
        assert!(at(999, "z") < at(1_000_000, "a"));
        assert!(at(5, "a") < at(5, "b"));
        assert!(at(5, &"x".repeat(5000)).len() < 1024, "a sort key has at most 1,024 bytes");
    }
}
