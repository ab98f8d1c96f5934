//! What every FIFO [`Queue`] does. The queue must have no other reader, a visibility timeout of at least 30 s, and be
//! empty at first; every behaviour leaves it empty.

use std::time::Duration;

use super::{Broken, Inbox, Kept, contract, holds, same};
use crate::ports::{Outgoing, Queue, Receipt};
use crate::trigger::Delivery;

/// How often an inbox is asked before a message counts as not delivered.
const PATIENCE: usize = 20;

/// The queue under test and its other end.
#[derive(Clone)]
pub struct Line<'a> {
    /// Where messages go in.
    pub queue: &'a dyn Queue,
    /// Where they come out.
    pub inbox: &'a dyn Inbox,
    /// The beginning of the groups and deduplication ids that are used: another one in every run, or the queue takes
    /// the messages for those of the run before.
    pub space: String,
}

impl Line<'_> {
    fn within(&self, name: &str) -> Self {
        let mut inner = self.clone();
        inner.space = format!("{}-{name}", self.space);
        inner
    }

    async fn send(&self, group: &str, body: &str) -> Kept {
        let message = Outgoing {
            body: body.to_owned(),
            group: format!("{}-{group}", self.space),
            deduplication: format!("{}-{body}", self.space),
        };
        Ok(self.queue.send(&message).await?)
    }

    /// Receives until there are `count` messages; breaks when they do not come.
    async fn take(&self, count: usize) -> Result<Vec<Delivery>, Broken> {
        let mut taken = Vec::new();
        for _ in 0..PATIENCE {
            taken.extend(self.inbox.receive(count - taken.len()).await?);
            if taken.len() >= count {
                return Ok(taken);
            }
        }
        Err(Broken::new(format!("{} messages came, not {count}", taken.len())))
    }

    async fn delete(&self, deliveries: &[Delivery]) -> Kept {
        for delivery in deliveries {
            self.inbox.delete(receipt(delivery)?).await?;
        }
        Ok(())
    }
}

fn receipt(delivery: &Delivery) -> Result<&Receipt, Broken> {
    delivery.receipt.as_ref().ok_or_else(|| Broken::new("a delivery without a receipt"))
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.body.as_str()).collect()
}

/// # Errors
/// When they come out of order.
pub async fn a_group_is_delivered_in_order(line: &Line<'_>) -> Kept {
    for body in ["1", "2", "3"] {
        line.send("a", body).await?;
    }
    let taken = line.take(3).await?;
    same(&bodies(&taken), &vec!["1", "2", "3"])?;
    let sequences: Vec<&String> = taken.iter().filter_map(|delivery| delivery.sequence.as_ref()).collect();
    same(&sequences.len(), &3)?;
    holds(sequences.is_sorted_by(|a, b| a < b), "the sequence numbers do not grow")?;
    line.delete(&taken).await
}

/// # Errors
/// When it is delivered twice.
pub async fn a_repeated_message_is_taken_once(line: &Line<'_>) -> Kept {
    for body in ["1", "1", "2"] {
        line.send("a", body).await?;
    }
    let taken = line.take(2).await?;
    same(&bodies(&taken), &vec!["1", "2"])?;
    line.delete(&taken).await
}

/// # Errors
/// When it stays away, or its deliveries are not counted.
pub async fn a_message_handed_back_comes_again(line: &Line<'_>) -> Kept {
    line.send("a", "1").await?;
    let first = line.take(1).await?;
    same(&first.iter().map(|delivery| delivery.receive_count).collect::<Vec<_>>(), &vec![1])?;
    for delivery in &first {
        line.queue.hand_back(receipt(delivery)?, Duration::ZERO).await?;
    }
    let second = line.take(1).await?;
    same(&second.iter().map(|delivery| delivery.receive_count).collect::<Vec<_>>(), &vec![2])?;
    let id = |deliveries: &[Delivery]| deliveries.first().map(|delivery| delivery.message_id.clone());
    same(&id(&second), &id(&first))?;
    line.delete(&second).await
}

/// # Errors
/// When a later message of the group overtakes.
pub async fn a_group_waits_behind_the_message_being_handled(line: &Line<'_>) -> Kept {
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        line.send(group, body).await?;
    }
    let first = line.take(1).await?;
    same(&bodies(&first), &vec!["a1"])?;
    for delivery in &first {
        line.queue.hand_back(receipt(delivery)?, Duration::from_secs(20)).await?;
    }
    let other = line.take(1).await?;
    same(&bodies(&other), &vec!["b1"])?;
    line.delete(&other).await?;
    holds(line.inbox.receive(10).await?.is_empty(), "a group went on without its first message")?;

    line.delete(&first).await?;
    let last = line.take(1).await?;
    same(&bodies(&last), &vec!["a2"])?;
    line.delete(&last).await
}

/// Ids come from other systems. (SQS itself takes 128 characters of ASCII without spaces.)
///
/// # Errors
/// When an id is refused, or two are taken for one.
pub async fn a_group_may_have_any_name(line: &Line<'_>) -> Kept {
    let long = "x".repeat(300);
    for (group, body) in [("größe 1", "größe 1"), ("größe  1", "größe  1"), (long.as_str(), long.as_str())] {
        line.send(group, body).await?;
    }
    let taken = line.take(3).await?;
    same(&bodies(&taken), &vec!["größe 1", "größe  1", long.as_str()])?;
    line.delete(&taken).await
}

contract! {
    Line over super::tests::Memory::new();
    a_group_is_delivered_in_order,
    a_repeated_message_is_taken_once,
    a_message_handed_back_comes_again,
    a_group_waits_behind_the_message_being_handled,
    a_group_may_have_any_name,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Line;
    use crate::memory::{Fifo, ManualClock};

    pub(super) struct Memory(Fifo);

    impl Memory {
        pub(super) fn new() -> Self {
            Self(Fifo::new(Arc::new(ManualClock::default()), Duration::from_secs(70)))
        }

        pub(super) fn ports(&self, space: &str) -> Line<'_> {
            Line { queue: &self.0, inbox: &self.0, space: space.to_owned() }
        }
    }
}
