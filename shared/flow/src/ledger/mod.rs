//! The ledger: one table of small items, each with a revision, in which everything that must outlive an invocation is
//! kept. `run` holds file runs, `turn` the order of files, `message` the messages, `stage` the stages, `open` what of all
//! this waits for somebody, [`crate::target`] the rate slots.
//!
//! Every change is one conditional write over the revision that was read: whoever writes first wins, and the other one
//! finds out. That one mechanism is claim, checkpoint and fence at once.

pub mod message;
pub mod open;
pub mod run;
pub mod stage;
pub mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Transient;
use crate::ports::{CommitError, Item, Key, Store, Write};

/// A value together with the revision at which it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub rev: u64,
}

/// What was read in one call, and what was not there.
#[derive(Debug, Clone, Default)]
pub struct Items(BTreeMap<Key, Option<Item>>);

impl Items {
    /// Whether `key` was read, be it there or not.
    #[must_use]
    pub fn has(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// What was at `key` then.
    ///
    /// # Errors
    /// [`Transient`] when it is something that this version cannot read.
    pub fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<Seen<T>>, Transient> {
        self.0.get(key).and_then(Option::as_ref).map(decode).transpose()
    }
}

/// Typed access to the table.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It is written; so it was when our earlier attempt's answer had been lost.
    Yes,
    /// Somebody else wrote first; nothing of ours is written.
    LostRace,
}

impl Ledger {
    /// A ledger over `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Reads one item.
    ///
    /// # Errors
    /// [`Transient`] when the table cannot say, or holds something that this version cannot read.
    pub async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<Seen<T>>, Transient> {
        let mut items = self.store.get(std::slice::from_ref(key)).await?;
        items.pop().flatten().as_ref().map(decode).transpose()
    }

    /// Reads two items in one call.
    ///
    /// # Errors
    /// As [`Ledger::get`].
    pub async fn get_two<A: DeserializeOwned, B: DeserializeOwned>(
        &self,
        first: &Key,
        second: &Key,
    ) -> Result<(Option<Seen<A>>, Option<Seen<B>>), Transient> {
        let mut items = self.store.get(&[first.clone(), second.clone()]).await?.into_iter();
        let first = items.next().flatten().as_ref().map(decode).transpose()?;
        let second = items.next().flatten().as_ref().map(decode).transpose()?;
        Ok((first, second))
    }

    /// Reads what is at `keys` in one call.
    ///
    /// # Errors
    /// As [`Ledger::get`].
    pub async fn read(&self, keys: Vec<Key>) -> Result<Items, Transient> {
        let items = self.store.get(&keys).await?;
        Ok(Items(keys.into_iter().zip(items).collect()))
    }

    /// Reads items of one kind in one call, one answer per key.
    ///
    /// # Errors
    /// As [`Ledger::get`].
    pub async fn get_all<T: DeserializeOwned>(&self, keys: &[Key]) -> Result<Vec<Option<Seen<T>>>, Transient> {
        let items = self.store.get(keys).await?;
        items.iter().map(|item| item.as_ref().map(decode).transpose()).collect()
    }

    /// The items of a partition in order, after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`Transient`] when the table cannot say.
    pub async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        self.store.list(partition, after, limit).await
    }

    /// Makes all `writes` or none. A conflict with our own earlier attempt, whose answer was lost on the way, counts as
    /// written: bodies name their writer, so that equal content means that we wrote it.
    ///
    /// # Errors
    /// [`Transient`] when it is unknown whether it was written.
    pub async fn commit(&self, writes: &[Write]) -> Result<Committed, Transient> {
        match self.store.commit(writes).await {
            Ok(()) => Ok(Committed::Yes),
            Err(CommitError::Transient(fault)) => Err(fault),
            Err(CommitError::Conflict) if self.is_ours(writes).await? => Ok(Committed::Yes),
            Err(CommitError::Conflict) => Ok(Committed::LostRace),
        }
    }

    async fn is_ours(&self, writes: &[Write]) -> Result<bool, Transient> {
        let keys: Vec<Key> = writes.iter().map(|write| write.key().clone()).collect();
        let items = self.store.get(&keys).await?;
        Ok(writes.iter().zip(items).all(|(write, item)| match (write, item) {
            (Write::Put { body, seen, .. }, Some(item)) => {
                item.rev == seen.unwrap_or(0).saturating_add(1) && item.body == *body
            }
            (Write::Delete { .. }, None) => true,
            _ => false,
        }))
    }
}

impl Write {
    /// The key that is written.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// A write of `value` over revision `seen`.
    ///
    /// # Errors
    /// [`Transient`] when the value cannot be written as JSON.
    pub fn put<T: Serialize>(
        key: Key,
        value: &T,
        seen: Option<u64>,
        expires: Option<Timestamp>,
    ) -> Result<Self, Transient> {
        let body = serde_json::to_string(value).map_err(|e| Transient::because("writing a ledger item", e))?;
        Ok(Self::Put { key, body, seen, expires })
    }
}

/// Reads an item's content.
///
/// # Errors
/// [`Transient`]: content that this version cannot read may be another version's, and is left alone.
pub fn decode<T: DeserializeOwned>(item: &Item) -> Result<Seen<T>, Transient> {
    let value = serde_json::from_str(&item.body)
        .map_err(|e| Transient::because(format!("reading ledger item {}/{}", item.key.partition, item.key.sort), e))?;
    Ok(Seen { value, rev: item.rev })
}
