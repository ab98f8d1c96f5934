use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{RuntimeClock, Table, Targets, World};
use crate::Transient;
use crate::ledger::Ledger;
use crate::message::MessageKit;
use crate::ports::{Clock, CommitError, Item, Key, Notifier, Store, Write};
use crate::target::{Pacer, TargetClient};

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

/// A world whose ledger takes a while for each question, by the clock of the runtime.
#[derive(Clone)]
pub struct FarLedger {
    /// All else.
    pub world: World,
    /// By which the ledger takes its time.
    pub clock: RuntimeClock,
    /// The ledger.
    pub ledger: Ledger,
    after: Duration,
}

impl FarLedger {
    /// A world that begins at `start`, with a ledger that takes `after`.
    #[must_use]
    pub fn new(start: Timestamp, after: Duration) -> Self {
        let (world, clock) = (World::new(start), RuntimeClock::new(start));
        let table = Distant { table: world.table.clone(), clock: clock.clone(), after };
        Self { world, clock, ledger: Ledger::new(Arc::new(table)), after }
    }

    /// The kit of a message flow.
    #[must_use]
    pub fn message_kit(&self, flow: &'static str, lookups: &'static [&'static str]) -> MessageKit {
        let (ledger, clock) = (self.ledger.clone(), Arc::new(self.clock.clone()));
        MessageKit { ledger, clock, ..self.world.message_kit(flow, lookups) }
    }

    /// A neighbour that takes fifty calls a second.
    #[must_use]
    pub fn target(&self, name: &'static str, target: &Targets) -> TargetClient {
        let ports: (Arc<dyn Clock>, Arc<dyn Notifier>) =
            (Arc::new(self.clock.clone()), Arc::new(self.world.notices.clone()));
        let pacer = Pacer::new(self.ledger.clone(), name, 50, "one".into());
        TargetClient::new(name, Arc::new(target.clone()), pacer, ports, Duration::from_secs(20))
    }

    /// How often something waited for the ledger since `began`, one thing after the other.
    #[must_use]
    pub fn trips_since(&self, began: Timestamp) -> u128 {
        let took = Duration::try_from(self.clock.now().duration_since(began)).unwrap_or_default();
        took.as_millis() / self.after.as_millis().max(1)
    }
}
