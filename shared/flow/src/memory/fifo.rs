use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::clock::later;
use super::lock;
use crate::Transient;
use crate::ports::{Clock, Outgoing, Queue, Receipt};
use crate::suite::Inbox;
use crate::trigger::Delivery;

/// Two messages with the same id within this time are one (SQS's deduplication interval).
const DEDUPLICATION: Duration = Duration::from_secs(5 * 60);
/// The longest time that a message may be kept out of sight (SQS).
const LONGEST_DELAY: Duration = Duration::from_secs(12 * 3600);

#[derive(Debug, Clone)]
struct Held {
    message: Outgoing,
    sent: Timestamp,
    visible: Timestamp,
    receive_count: u32,
    receipt: Option<Receipt>,
}

#[derive(Debug, Default)]
struct State {
    /// By position, which is also the sequence number.
    held: BTreeMap<u64, Held>,
    /// When an id was first taken.
    taken: BTreeMap<String, Timestamp>,
    sent: Vec<Outgoing>,
    counter: u64,
    receipts: u64,
}

/// A FIFO queue: one group in order, with later messages of a group out of sight while an earlier one is; duplicates
/// dropped for five minutes; a message that is received and not deleted comes back after the visibility timeout.
///
/// A standard queue is one in which every message has a group of its own.
#[derive(Clone)]
pub struct Fifo {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    visibility: Duration,
}

impl Fifo {
    /// An empty queue that hides what was received for `visibility`.
    pub fn new(clock: Arc<dyn Clock>, visibility: Duration) -> Self {
        Self { state: Arc::default(), clock, visibility }
    }

    /// Every message that was taken so far, deleted or not, without dropped duplicates.
    #[must_use]
    pub fn sent(&self) -> Vec<Outgoing> {
        lock(&self.state).sent.clone()
    }

    /// The number of messages that are not deleted yet, in sight or not.
    #[must_use]
    pub fn waiting(&self) -> usize {
        lock(&self.state).held.len()
    }

    /// When the next message comes in sight, in order to move a clock there; `None` when nothing waits.
    #[must_use]
    pub fn next_visible(&self) -> Option<Timestamp> {
        lock(&self.state).held.values().map(|held| held.visible).min()
    }

    /// Up to `most` messages in order, hidden from now on.
    #[must_use]
    pub fn take(&self, most: usize) -> Vec<Delivery> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let mut blocked = BTreeSet::new();
        let mut chosen = Vec::new();
        for (position, held) in &state.held {
            if held.visible > now {
                blocked.insert(held.message.group.clone());
            } else if !blocked.contains(&held.message.group) && chosen.len() < most {
                chosen.push(*position);
            }
        }
        chosen.into_iter().filter_map(|position| state.deliver(position, later(now, self.visibility))).collect()
    }

    /// Deletes a message that was handled; a receipt that is no longer the newest deletes nothing.
    pub fn remove(&self, receipt: &Receipt) {
        lock(&self.state).held.retain(|_, held| held.receipt.as_ref() != Some(receipt));
    }
}

impl State {
    fn deliver(&mut self, position: u64, visible: Timestamp) -> Option<Delivery> {
        let held = self.held.get_mut(&position)?;
        self.receipts += 1;
        let receipt = Receipt(format!("receipt-{}", self.receipts));
        held.receipt = Some(receipt.clone());
        held.receive_count += 1;
        held.visible = visible;
        Some(Delivery {
            body: held.message.body.clone(),
            receipt: Some(receipt),
            receive_count: held.receive_count,
            group: Some(held.message.group.clone()),
            sequence: Some(format!("{position:020}")),
            message_id: format!("message-{position}"),
            sent: held.sent,
        })
    }
}

#[async_trait]
impl Queue for Fifo {
    async fn send(&self, message: &Outgoing) -> Result<(), Transient> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let id = &message.deduplication;
        if let Some(taken) = state.taken.get(id)
            && now < later(*taken, DEDUPLICATION)
        {
            return Ok(());
        }
        state.taken.insert(id.clone(), now);
        state.sent.push(message.clone());
        state.counter += 1;
        let position = state.counter;
        let held = Held { message: message.clone(), sent: now, visible: now, receive_count: 0, receipt: None };
        state.held.insert(position, held);
        Ok(())
    }

    async fn hand_back(&self, receipt: &Receipt, delay: Duration) -> Result<(), Transient> {
        if delay > LONGEST_DELAY {
            return Err(Transient::new(format!("handing a message back for {} s, at most 12 hours", delay.as_secs())));
        }
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let held = state
            .held
            .values_mut()
            .find(|held| held.receipt.as_ref() == Some(receipt) && held.visible > now)
            .ok_or_else(|| Transient::new("handing back a message that is not being handled"))?;
        held.visible = later(now, delay);
        Ok(())
    }
}

#[async_trait]
impl Inbox for Fifo {
    async fn receive(&self, most: usize) -> Result<Vec<Delivery>, Transient> {
        Ok(self.take(most))
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Transient> {
        self.remove(receipt);
        Ok(())
    }
}

impl fmt::Debug for Fifo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fifo").field("state", &self.state).field("visibility", &self.visibility).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::ManualClock;

    fn queue() -> (ManualClock, Fifo) {
        let clock = ManualClock::default();
        let queue = Fifo::new(Arc::new(clock.clone()), Duration::from_secs(70));
        (clock, queue)
    }

    fn message(group: &str, body: &str) -> Outgoing {
        Outgoing { body: body.to_owned(), group: group.to_owned(), deduplication: format!("{group}-{body}") }
    }

    fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
        deliveries.iter().map(|delivery| delivery.body.as_str()).collect()
    }

    #[tokio::test]
    async fn the_same_id_is_taken_again_after_five_minutes() {
        let (clock, queue) = queue();
        queue.send(&message("a", "1")).await.unwrap();
        clock.advance(Duration::from_secs(299));
        queue.send(&message("a", "1")).await.unwrap();
        assert_eq!(queue.waiting(), 1);
        clock.advance(Duration::from_secs(1));
        queue.send(&message("a", "1")).await.unwrap();
        assert_eq!(queue.waiting(), 2);
    }

    #[tokio::test]
    async fn a_message_not_deleted_comes_back_and_counts_its_deliveries() {
        let (clock, queue) = queue();
        queue.send(&message("a", "1")).await.unwrap();
        assert_eq!(queue.take(10).len(), 1);
        assert!(queue.take(10).is_empty());
        clock.advance(Duration::from_secs(70));
        let again = queue.take(10);
        assert_eq!(again.first().map(|delivery| delivery.receive_count), Some(2));
    }

    #[tokio::test]
    async fn a_group_waits_behind_its_handed_back_message_while_others_go_on() {
        let (clock, queue) = queue();
        for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
            queue.send(&message(group, body)).await.unwrap();
        }
        let first = queue.take(1);
        assert_eq!(bodies(&first), ["a1"]);
        let receipt = first[0].receipt.clone().unwrap();
        queue.hand_back(&receipt, Duration::from_secs(600)).await.unwrap();
        clock.advance(Duration::from_secs(599));
        let meanwhile = queue.take(10);
        assert_eq!(bodies(&meanwhile), ["b1"]);
        queue.remove(meanwhile[0].receipt.as_ref().unwrap());
        clock.advance(Duration::from_secs(1));
        assert_eq!(bodies(&queue.take(10)), ["a1", "a2"]);
    }

    #[tokio::test]
    async fn an_old_receipt_deletes_nothing() {
        let (clock, queue) = queue();
        queue.send(&message("a", "1")).await.unwrap();
        let first = queue.take(1)[0].receipt.clone().unwrap();
        clock.advance(Duration::from_secs(70));
        let second = queue.take(1)[0].receipt.clone().unwrap();
        queue.remove(&first);
        assert_eq!(queue.waiting(), 1);
        queue.remove(&second);
        assert_eq!(queue.waiting(), 0);
    }
}
