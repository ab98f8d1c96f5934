use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;

use super::lock;
use crate::Transient;
use crate::ports::{CommitError, Item, Key, Store, Write};

/// The most that DynamoDB takes in one item, keys included.
const MOST_BYTES: usize = 400 * 1024;
/// The most writes of one commit, as the port says.
const MOST_WRITES: usize = 25;

#[derive(Debug, Clone)]
struct Kept {
    rev: u64,
    body: String,
    expires: Option<Timestamp>,
}

/// A table of revised items. Expiry is kept and never acted upon: DynamoDB removes an item days after its time, or
/// never, so nothing may rely on it.
#[derive(Debug, Clone, Default)]
pub struct Table {
    items: Arc<Mutex<BTreeMap<Key, Kept>>>,
}

impl Table {
    /// Every item, in order of keys.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        lock(&self.items).iter().map(|(key, kept)| item(key, kept)).collect()
    }

    /// When an item may be forgotten; `None` when it does not say, or is not there.
    #[must_use]
    pub fn expires(&self, key: &Key) -> Option<Timestamp> {
        lock(&self.items).get(key).and_then(|kept| kept.expires)
    }
}

fn item(key: &Key, kept: &Kept) -> Item {
    Item { key: key.clone(), rev: kept.rev, body: kept.body.clone() }
}

/// Refuses what DynamoDB would refuse whatever the table holds.
fn check(writes: &[Write]) -> Result<(), Transient> {
    if writes.len() > MOST_WRITES {
        return Err(Transient::new(format!("committing {} writes, at most {MOST_WRITES} go together", writes.len())));
    }
    let mut keys = BTreeSet::new();
    for write in writes {
        let (key, size) = match write {
            Write::Put { key, body, .. } => (key, body.len()),
            Write::Delete { key, .. } => (key, 0),
        };
        if !keys.insert(key) {
            return Err(Transient::new(format!("committing two writes of {}/{}", key.partition, key.sort)));
        }
        if size + key.partition.len() + key.sort.len() > MOST_BYTES {
            return Err(Transient::new(format!("writing an item of {size} bytes, at most {MOST_BYTES} fit")));
        }
    }
    Ok(())
}

#[async_trait]
impl Store for Table {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        let items = lock(&self.items);
        Ok(keys.iter().map(|key| items.get(key).map(|kept| item(key, kept))).collect())
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        check(writes)?;
        let mut items = lock(&self.items);
        let unchanged = writes.iter().all(|write| {
            let (key, seen) = match write {
                Write::Put { key, seen, .. } => (key, *seen),
                Write::Delete { key, seen } => (key, Some(*seen)),
            };
            items.get(key).map(|kept| kept.rev) == seen
        });
        if !unchanged {
            return Err(CommitError::Conflict);
        }
        for write in writes {
            match write {
                Write::Put { key, body, seen, expires } => {
                    let kept = Kept { rev: seen.map_or(1, |rev| rev + 1), body: body.clone(), expires: *expires };
                    items.insert(key.clone(), kept);
                }
                Write::Delete { key, .. } => {
                    items.remove(key);
                }
            }
        }
        Ok(())
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        let place = |sort: &str| Key { partition: partition.to_owned(), sort: sort.to_owned() };
        let start = after.map_or_else(|| Bound::Included(place("")), |sort| Bound::Excluded(place(sort)));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(lock(&self.items)
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| key.partition == partition)
            .take(limit)
            .map(|(key, kept)| item(key, kept))
            .collect())
    }
}
