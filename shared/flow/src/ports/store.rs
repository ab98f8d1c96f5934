use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Transient;

/// Where an item lives: items of one partition are listed together, in order of `sort`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The partition; begins with the flow's name, by which its role is limited to its own items.
    pub partition: String,
    /// The place within the partition.
    pub sort: String,
}

/// An item as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it lives.
    pub key: Key,
    /// Its revision: 1 when created, one more with every write.
    pub rev: u64,
    /// Its content, JSON.
    pub body: String,
}

/// One conditional write. The condition is always the revision that the writer last saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates the item (`seen` is `None`: it must not exist) or replaces revision `seen`.
    Put {
        /// Where.
        key: Key,
        /// The new content.
        body: String,
        /// The revision that it replaces.
        seen: Option<u64>,
        /// When it may be forgotten.
        expires: Option<Timestamp>,
    },
    /// Removes revision `seen`.
    Delete {
        /// Where.
        key: Key,
        /// The revision that is removed.
        seen: u64,
    },
}

/// Why a commit did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else wrote one of the items. Nothing was written. (Or our own earlier attempt, whose answer was lost.)
    #[error("an item was changed by somebody else")]
    Conflict,
    /// Unknown whether it was written.
    #[error(transparent)]
    Transient(#[from] Transient),
}

/// The ledger's table: small items, each with a revision. Claims, checkpoints, fences, turns and rate slots are all
/// made of the one conditional write, so that one implementation of it is all that has to be right.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads items, each as of its last committed write; one answer per key, in the order of `keys`.
    ///
    /// # Errors
    /// [`Transient`] when the table cannot say.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient>;

    /// Makes all `writes` (at most 25, each to another key) or none.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when a revision is not the one seen.
    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError>;

    /// The items of a partition with `sort` after `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`Transient`] when the table cannot say.
    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient>;
}
