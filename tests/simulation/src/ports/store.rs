use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flow::Transient;
use flow::ledger::open::Matter;
use flow::memory::Table;
use flow::ports::{CommitError, Item, Key, Store, Write};
use serde_json::Value;

use super::Wire;
use super::people::short;
use crate::bugs::Bug;
use crate::engine::Port;
use crate::faults::Fault;
use crate::flows::FlowId;

/// The ledger's table.
#[derive(Clone)]
pub struct SimStore {
    /// The line.
    pub wire: Wire,
    /// Who writes: conflicts are counted by flow.
    pub flow: FlowId,
    /// The table.
    pub table: Table,
    /// Items as they were one write ago, for a bug.
    pub stale: Arc<Mutex<BTreeMap<Key, Item>>>,
}

#[async_trait]
impl Store for SimStore {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        let op = self.wire.op(Port::Ledger, "get", || keys.iter().map(name).collect::<Vec<_>>().join(" + "));
        self.wire.through(op, self.read(keys)).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        let op = self.wire.op(Port::Ledger, "commit", || writes.iter().map(story).collect::<Vec<_>>().join(" + "));
        self.wire.through(op, self.write(writes)).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        let op = self.wire.op(Port::Ledger, "list", || partition.to_owned());
        self.wire.through(op, self.table.list(partition, after, limit)).await
    }
}

impl SimStore {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        let mut items = self.table.get(keys).await?;
        if self.wire.shared.has_bug(Bug::ReadStaleItems) {
            let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, item) in keys.iter().zip(&mut items) {
                if let Some(before) = stale.get(key) {
                    *item = Some(before.clone());
                }
            }
        }
        Ok(items)
    }

    async fn write(&self, writes: &[Write]) -> Result<(), CommitError> {
        let bug = self.wire.shared.lock().bug;
        match bug {
            Some(Bug::ReadStaleItems) => self.remember(writes).await?,
            Some(Bug::ForgetTheCancel) if matches!(writes, [Write::Put { key, .. }] if key.sort == "event") => {
                return Ok(());
            }
            Some(Bug::ReportEveryRound) if self.flow == FlowId::Watch && writes.iter().any(is_overdue) => return Ok(()),
            Some(Bug::DropTheCheckpoint) if self.is_checkpoint(writes).await? => return Ok(()),
            Some(Bug::TearTheTransaction) if writes.len() > 1 && self.wire.shared.lock().dice.chance(25) => {
                let (first, _) = writes.split_at(1);
                return self.table.commit(first).await;
            }
            _ => {}
        }
        let written = self.table.commit(writes).await;
        if !matches!(written, Err(CommitError::Conflict)) {
            return written;
        }
        self.wire.shared.lock().happened(Fault::LostRace, self.flow);
        match bug {
            Some(Bug::SwallowTheConflict) => Ok(()),
            Some(Bug::IgnoreTheRevision) => self.force(writes).await,
            _ => written,
        }
    }

    /// Writes whatever the revisions are.
    async fn force(&self, writes: &[Write]) -> Result<(), CommitError> {
        for write in writes {
            let key = match write {
                Write::Put { key, .. } | Write::Delete { key, .. } => key.clone(),
            };
            let found = self.table.get(std::slice::from_ref(&key)).await?.pop().flatten().map(|item| item.rev);
            let forced = match (write.clone(), found) {
                (Write::Put { key, body, expires, .. }, seen) => Write::Put { key, body, seen, expires },
                (Write::Delete { key, .. }, Some(seen)) => Write::Delete { key, seen },
                (Write::Delete { .. }, None) => continue,
            };
            self.table.commit(&[forced]).await?;
        }
        Ok(())
    }

    async fn remember(&self, writes: &[Write]) -> Result<(), CommitError> {
        for write in writes {
            let (Write::Put { key, .. } | Write::Delete { key, .. }) = write;
            if let Some(item) = self.table.get(std::slice::from_ref(key)).await?.pop().flatten() {
                self.stale.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), item);
            }
        }
        Ok(())
    }

    /// Whether all that a commit does is to note how far a claimed run got.
    async fn is_checkpoint(&self, writes: &[Write]) -> Result<bool, CommitError> {
        let [Write::Put { key, body, .. }] = writes else { return Ok(false) };
        let before = self.table.get(std::slice::from_ref(key)).await?.pop().flatten();
        let Some(before) = before else { return Ok(false) };
        let (Ok(before), Ok(after)) =
            (serde_json::from_str::<Value>(&before.body), serde_json::from_str::<Value>(body))
        else {
            return Ok(false);
        };
        let same = |name: &str| before.get(name) == after.get(name);
        Ok(after.get("state").and_then(Value::as_str) == Some("Working") && same("lease") && same("attempt"))
    }
}

/// Whether it lists an answer as overdue.
fn is_overdue(write: &Write) -> bool {
    matches!(write, Write::Put { key, .. } if key.sort.starts_with(&Matter::Overdue.prefix()))
}

/// A key without the flow's name.
fn name(key: &Key) -> String {
    let (_, rest) = key.partition.split_once('#').unwrap_or(("", &key.partition));
    match key.sort.as_str() {
        "run" | "turn" | "newest" | "message" | "last" | "lookups" | "rate" => short(rest).to_owned(),
        sort => format!("{rest}/{}", short(sort)),
    }
}

/// What a write says, in words for the trace.
fn story(write: &Write) -> String {
    let (key, body, seen) = match write {
        Write::Put { key, body, seen, .. } => (key, body, seen.map_or("new".to_owned(), |rev| format!("over {rev}"))),
        Write::Delete { key, seen } => return format!("delete {} over {seen}", name(key)),
    };
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let mut story = format!("{} {seen}", name(key));
    for field in ["state", "phase", "attempt", "parts", "superseded_by", "run", "position", "answered", "reason"] {
        match value.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => story.push_str(&format!(" {field}={}", short(text))),
            Some(Value::Object(object)) if field == "position" => {
                story.push_str(&format!(" at={}", object.get("offset").cloned().unwrap_or_default()));
            }
            Some(other) => story.push_str(&format!(" {field}={}", short(&other.to_string()))),
        }
    }
    story
}
