use std::time::Duration;

use async_trait::async_trait;

use super::{RuntimeClock, Table};
use crate::Transient;
use crate::ports::{Clock, CommitError, Item, Key, Store, Write};

/// A table that answers after a while: what waits for the ledger shows in the time that it takes.
#[derive(Debug, Clone)]
pub struct Distant {
    /// The table.
    pub table: Table,
    /// By which it takes its time.
    pub clock: RuntimeClock,
    /// How long each question takes, and each write.
    pub after: Duration,
}

#[async_trait]
impl Store for Distant {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        self.clock.sleep(self.after).await;
        self.table.get(keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        self.clock.sleep(self.after).await;
        self.table.commit(writes).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        self.clock.sleep(self.after).await;
        self.table.list(partition, after, limit).await
    }
}
