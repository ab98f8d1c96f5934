use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem};
use flow::Transient;
use flow::ports::{CommitError, Item, Key, Store, Write};
use jiff::Timestamp;

use crate::Clients;

type Attributes = HashMap<String, AttributeValue>;

/// The most keys of one BatchGetItem.
const BATCH: usize = 100;
/// The waits before the attempts at one batch, in milliseconds.
const BATCH_WAITS: [u64; 6] = [0, 25, 50, 100, 200, 400];

/// Revision `seen` is still there.
const UNCHANGED: &str = "rev = :seen";
/// Nothing is there.
const ABSENT: &str = "attribute_not_exists(pk)";

/// The ledger's table: key `pk` + `sk`, attributes `rev`, `body` and `ttl`.
///
/// IAM: `dynamodb:GetItem`, `BatchGetItem`, `PutItem`, `DeleteItem` and `Query` on the table. (A transaction needs the
/// permissions of its parts; `ConditionCheckItem` is not used.)
#[derive(Debug, Clone)]
pub struct DynamoTable {
    client: Client,
    table: String,
}

impl DynamoTable {
    /// The table called `table`.
    pub fn new(clients: &Clients, table: impl Into<String>) -> Self {
        Self { client: clients.dynamodb.clone(), table: table.into() }
    }

    async fn one(&self, key: &Key) -> Result<Option<Item>, Transient> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(place(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|fault| Transient::because("reading the ledger", fault))?;
        answer.item.as_ref().map(item).transpose()
    }

    /// Reads up to [`BATCH`] different keys into `found`.
    async fn batch(&self, keys: &[&Key], found: &mut BTreeMap<Key, Item>) -> Result<(), Transient> {
        let doing = "reading several items of the ledger";
        let mut asked = KeysAndAttributes::builder()
            .set_keys(Some(keys.iter().map(|key| place(key)).collect()))
            .consistent_read(true)
            .build()
            .map_err(|fault| Transient::because(doing, fault))?;
        for wait in BATCH_WAITS {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.table, asked)
                .send()
                .await
                .map_err(|fault| Transient::because(doing, fault))?;
            for attributes in answer.responses.unwrap_or_default().into_values().flatten() {
                let item = item(&attributes)?;
                found.insert(item.key.clone(), item);
            }
            let unread = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
            match unread.filter(|unread| !unread.keys.is_empty()) {
                None => return Ok(()),
                Some(rest) => asked = rest,
            }
        }
        Err(Transient::because(doing, format!("{} were left unread", asked.keys.len())))
    }

    /// One write: neither a transaction's price nor its two rounds.
    async fn write(&self, write: &Write) -> Result<(), CommitError> {
        match write {
            Write::Put { key, body, seen, expires } => {
                let put = self
                    .client
                    .put_item()
                    .table_name(&self.table)
                    .set_item(Some(attributes(key, body, *seen, *expires)))
                    .condition_expression(condition(*seen))
                    .set_expression_attribute_values(seen.map(seen_value));
                put.send().await.map_err(|fault| refused(changed(&fault), fault))?;
            }
            Write::Delete { key, seen } => {
                let delete = self
                    .client
                    .delete_item()
                    .table_name(&self.table)
                    .set_key(Some(place(key)))
                    .condition_expression(UNCHANGED)
                    .set_expression_attribute_values(Some(seen_value(*seen)));
                delete.send().await.map_err(|fault| refused(changed(&fault), fault))?;
            }
        }
        Ok(())
    }

    fn part(&self, write: &Write) -> Result<TransactWriteItem, Transient> {
        let doing = |fault| Transient::because("writing to the ledger", fault);
        let part = TransactWriteItem::builder();
        let part = match write {
            Write::Put { key, body, seen, expires } => part.put(
                Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(attributes(key, body, *seen, *expires)))
                    .condition_expression(condition(*seen))
                    .set_expression_attribute_values(seen.map(seen_value))
                    .build()
                    .map_err(doing)?,
            ),
            Write::Delete { key, seen } => part.delete(
                Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(place(key)))
                    .condition_expression(UNCHANGED)
                    .set_expression_attribute_values(Some(seen_value(*seen)))
                    .build()
                    .map_err(doing)?,
            ),
        };
        Ok(part.build())
    }
}

#[async_trait]
impl Store for DynamoTable {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        if let [key] = keys {
            return Ok(vec![self.one(key).await?]);
        }
        let different: Vec<&Key> = keys.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = BTreeMap::new();
        for some in different.chunks(BATCH) {
            self.batch(some, &mut found).await?;
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        match writes {
            [] => return Ok(()),
            [write] => return self.write(write).await,
            _ => {}
        }
        let parts: Result<Vec<_>, _> = writes.iter().map(|write| self.part(write)).collect();
        let transaction = self.client.transact_write_items().set_transact_items(Some(parts?));
        transaction.send().await.map_err(|fault| refused(canceled_by_conflict(&fault), fault))?;
        Ok(())
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut listed: Vec<Item> = Vec::new();
        let mut next: Option<Attributes> = None;
        while listed.len() < limit {
            let wanted = i32::try_from(limit - listed.len()).unwrap_or(i32::MAX);
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .limit(wanted)
                .set_exclusive_start_key(next)
                .key_condition_expression(after.map_or("pk = :pk", |_| "pk = :pk AND sk > :after"))
                .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()));
            let query = match after {
                None => query,
                Some(sort) => query.expression_attribute_values(":after", AttributeValue::S(sort.to_owned())),
            };
            let page = query.send().await.map_err(|fault| Transient::because("listing the ledger", fault))?;
            for attributes in page.items() {
                listed.push(item(attributes)?);
            }
            next = page.last_evaluated_key;
            if next.is_none() {
                break;
            }
        }
        Ok(listed)
    }
}

/// Whether a single write was refused because somebody else wrote, or is writing, its item.
fn changed(fault: &impl ProvideErrorMetadata) -> bool {
    matches!(fault.code(), Some("ConditionalCheckFailedException" | "TransactionConflictException"))
}

/// Whether a transaction was given up because somebody else wrote, or is writing, one of its items.
fn canceled_by_conflict(fault: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = fault.as_service_error() else {
        return false;
    };
    canceled
        .cancellation_reasons()
        .iter()
        .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict")))
}

fn refused<E>(conflict: bool, fault: E) -> CommitError
where
    E: std::error::Error + Send + Sync + 'static,
{
    if conflict {
        CommitError::Conflict
    } else {
        CommitError::Transient(Transient::because("writing to the ledger", fault))
    }
}

fn place(key: &Key) -> Attributes {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(key.partition.clone())),
        ("sk".to_owned(), AttributeValue::S(key.sort.clone())),
    ])
}

fn condition(seen: Option<u64>) -> &'static str {
    seen.map_or(ABSENT, |_| UNCHANGED)
}

fn seen_value(seen: u64) -> Attributes {
    HashMap::from([(":seen".to_owned(), AttributeValue::N(seen.to_string()))])
}

/// The item that a put writes.
fn attributes(key: &Key, body: &str, seen: Option<u64>, expires: Option<Timestamp>) -> Attributes {
    let rev = seen.map_or(1, |seen| seen + 1);
    let mut attributes = place(key);
    attributes.insert("rev".to_owned(), AttributeValue::N(rev.to_string()));
    attributes.insert("body".to_owned(), AttributeValue::S(body.to_owned()));
    if let Some(expires) = expires {
        attributes.insert("ttl".to_owned(), AttributeValue::N(expires.as_second().to_string()));
    }
    attributes
}

fn item(attributes: &Attributes) -> Result<Item, Transient> {
    let text = |name: &str| {
        attributes
            .get(name)
            .and_then(|value| value.as_s().ok())
            .cloned()
            .ok_or_else(|| Transient::new(format!("reading an item of the ledger without {name}")))
    };
    let rev = attributes
        .get("rev")
        .and_then(|value| value.as_n().ok())
        .and_then(|rev| rev.parse().ok())
        .ok_or_else(|| Transient::new("reading an item of the ledger without rev"))?;
    Ok(Item { key: Key { partition: text("pk")?, sort: text("sk")? }, rev, body: text("body")? })
}

#[cfg(test)]
mod tests;
