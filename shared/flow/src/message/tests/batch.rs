//! A batch of messages: what the ledger is asked of them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::ledger::Ledger;
use crate::memory::Table;
use crate::ports::{CommitError, Item, Key, Store, Write};

/// A table that counts what is read of it.
struct Counted {
    table: Table,
    reads: Mutex<Vec<usize>>,
    /// The next time that it is asked for several items, it does not answer.
    fails: AtomicBool,
}

#[async_trait]
impl Store for Counted {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        self.reads.lock().unwrap().push(keys.len());
        if keys.len() > 2 && self.fails.swap(false, Ordering::Relaxed) {
            return Err(Transient::new("too much"));
        }
        self.table.get(keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        self.table.commit(writes).await
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        self.table.list(partition, after, limit).await
    }
}

/// A bench whose ledger counts.
fn counted() -> (Bench, Arc<Counted>) {
    let mut bench = Bench::new();
    let table = bench.world.table.clone();
    let table = Arc::new(Counted { table, reads: Mutex::default(), fails: false.into() });
    bench.kit.ledger = Ledger::new(table.clone());
    (bench, table)
}

fn reads(table: &Counted) -> Vec<usize> {
    std::mem::take(&mut *table.reads.lock().unwrap())
}

/// Three messages of three orders.
async fn three_that_wait() -> (Bench, Arc<Counted>) {
    let (bench, table) = counted();
    for number in 1..=3 {
        bench.post(&format!("m{number}"), &format!("s{number}"), number).await;
    }
    reads(&table);
    (bench, table)
}

#[tokio::test]
async fn a_batch_of_messages_is_read_in_one_call() {
    let (bench, table) = three_that_wait().await;
    assert_eq!(bench.batch().await, 0);
    assert_eq!(reads(&table), [6], "each message, and which one of its order was delivered last");
    assert_eq!(bench.sent().len(), 3);
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_at_once_is_read_message_by_message() {
    let (bench, table) = three_that_wait().await;
    table.fails.store(true, Ordering::Relaxed);
    assert_eq!(bench.batch().await, 0);
    assert_eq!((reads(&table), bench.sent().len()), (vec![6, 2, 2, 2], 3));
}

#[tokio::test]
async fn the_second_message_of_an_order_is_read_when_the_first_has_had_its_end() {
    let (bench, table) = counted();
    bench.post("m1", "s1", 1).await;
    bench.post("m2", "s1", 2).await;
    reads(&table);
    assert_eq!(bench.batch().await, 0, "what was read before the first had its end is not used");
    assert_eq!((reads(&table), bench.sent()), (vec![2, 2], vec!["m1=1".to_owned(), "m2=2".to_owned()]));
}

#[tokio::test]
async fn a_message_without_an_order_is_alone_in_its_group_and_leaves_no_record_of_what_was_delivered_last() {
    let (bench, table) = counted();
    let alone = |body: &[u8]| identify(body).map(|identity| Identity { ordering: None, ..identity });
    bench.post_as(alone, ("m1", "s1", 1)).await;
    bench.post_as(alone, ("m2", "s1", 1)).await;
    reads(&table);
    bench.target_will(&[Plan::Fail]);
    assert_eq!(bench.batch().await, 1, "one that fails keeps nobody back");
    assert_eq!(reads(&table), [2], "two messages and nothing else");
    bench.drain().await;
    assert_eq!(bench.world.table.items().len(), 2);
}
