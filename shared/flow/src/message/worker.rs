//! The worker: brings messages to their target, in order within a group, and tells their source.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::work::Work;
use super::{MessageCalls, MessageKit, Nudge};
use crate::Transient;
use crate::ledger::Items;
use crate::ledger::message::{LastDelivered, Message, keeps_order};
use crate::ports::{Audience, Key, Notice};
use crate::trigger::{Delivery, Invocation};

/// What still waits after so many receives is looked at more seldom, as what fails is: a thousand are all that its queue has for it.
const IMPATIENT: u32 = 100;

/// Works on a batch of the flow's queue. Groups go side by side; within one, the first message that fails keeps the
/// rest behind it, so that their order holds.
///
/// Returns the queue ids of the messages that must be shown again.
pub async fn work(
    kit: &MessageKit,
    calls: &dyn MessageCalls,
    deliveries: &[Delivery],
    invocation: &Invocation,
) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        let group = delivery.group.as_deref().unwrap_or(&delivery.message_id);
        groups.entry(group).or_default().push(delivery);
    }
    let first: Vec<&Delivery> = groups.values().filter_map(|group| group.first().copied()).collect();
    let (read, ()) = join(read(kit, &first), calls.make_ready(invocation)).await;
    let batch = Batch { kit, calls, invocation, read };
    let groups = groups.into_values().map(|group| batch.in_order(group));
    join_all(groups).await.into_iter().flatten().collect()
}

/// What the ledger has of the first message of each group and what is beside it, in one call. A batch that cannot be read
/// at once is read message by message.
async fn read(kit: &MessageKit, deliveries: &[&Delivery]) -> Items {
    let nudges = deliveries.iter().filter_map(|delivery| Some((Nudge::read(&delivery.body)?, *delivery)));
    let keys = nudges.flat_map(|(nudge, delivery)| keys_of(kit, &nudge, delivery).into_iter().chain(nudge.beside));
    kit.ledger.read(keys.collect()).await.unwrap_or_else(|fault| {
        tracing::warn!(flow = kit.flow, fault = fault.chain(), "the batch is read message by message");
        Items::default()
    })
}

/// What has to be known of a message; what is beside it may as well be read later.
fn keys_of(kit: &MessageKit, nudge: &Nudge, delivery: &Delivery) -> Vec<Key> {
    [Message::key(kit.flow, &nudge.key)].into_iter().chain(last_key(kit, delivery)).collect()
}

/// Where it stands which message of its order was delivered last, if it has an order.
fn last_key(kit: &MessageKit, delivery: &Delivery) -> Option<Key> {
    let group = delivery.group.as_deref().filter(|group| keeps_order(group))?;
    Some(LastDelivered::key(kit.flow, group))
}

/// A batch of the queue.
struct Batch<'a> {
    kit: &'a MessageKit,
    calls: &'a dyn MessageCalls,
    invocation: &'a Invocation,
    /// What was read when the batch came.
    read: Items,
}

impl Batch<'_> {
    async fn in_order(&self, group: Vec<&Delivery>) -> Vec<String> {
        let mut read = Some(&self.read);
        let mut waiting = group.into_iter();
        for delivery in waiting.by_ref() {
            // What was read of a group is what its first message begins with.
            let delay = match self.one(delivery, read.take()).await {
                Ok(Progress::Done) => continue,
                Ok(Progress::Later(delay)) if delivery.receive_count > IMPATIENT => {
                    delay.max(backoff(delivery.receive_count))
                }
                Ok(Progress::Later(delay)) => delay,
                Err(fault) => {
                    let (flow, message) = (self.kit.flow, delivery.message_id.as_str());
                    tracing::warn!(flow, message, fault = fault.chain(), "handed back");
                    backoff(delivery.receive_count)
                }
            };
            let mut failed = Vec::new();
            for delivery in std::iter::once(delivery).chain(waiting) {
                hand_back(self.kit, delivery, delay).await;
                failed.push(delivery.message_id.clone());
            }
            return failed;
        }
        Vec::new()
    }

    async fn one(&self, delivery: &Delivery, read: Option<&Items>) -> Result<Progress, Transient> {
        let (kit, started) = (self.kit, self.kit.clock.now());
        let Some(nudge) = Nudge::read(&delivery.body) else {
            tell(kit, Audience::Technical, "a queue message that names no message", &delivery.message_id).await?;
            return Ok(Progress::Done);
        };
        let key = Message::key(kit.flow, &nudge.key);
        let read = match read.filter(|read| read.has(&key)) {
            Some(read) => Cow::Borrowed(read),
            None => Cow::Owned(kit.ledger.read(keys_of(kit, &nudge, delivery)).await?),
        };
        let Some(message) = read.get::<Message>(&key)? else {
            tell(kit, Audience::Technical, "a message that the ledger does not know", &nudge.key).await?;
            return Ok(Progress::Done);
        };
        let last = last_key(kit, delivery).map(|key| read.get(&key)).transpose()?.flatten();
        let Some(message) = nudge.open(&kit.ledger, kit.flow, message, started).await? else {
            return Ok(Progress::Done);
        };
        let mut work = Work::new(kit, self.calls, self.invocation, message);
        (work.last, work.beside) = (last, Some(&*read));
        if work.message.position.is_none() {
            work.message.position.clone_from(&delivery.sequence);
        }
        let progress = work.deliver().await;
        work.report(delivery.receive_count, started, progress.as_ref());
        progress
    }
}

async fn hand_back(kit: &MessageKit, delivery: &Delivery, delay: Duration) {
    let Some(receipt) = &delivery.receipt else { return };
    // Should this fail, the message comes back when its visibility timeout ends.
    if let Err(fault) = kit.queue.hand_back(receipt, delay).await {
        tracing::warn!(flow = kit.flow, fault = fault.chain(), "the message comes back after its timeout");
    }
}

/// How far a message was brought.
pub(super) enum Progress {
    /// Nothing more is to be done for this delivery.
    Done,
    /// It waits for something, and is looked at again after this time.
    Later(Duration),
}

pub(super) async fn tell(kit: &MessageKit, audience: Audience, what: &str, subject: &str) -> Result<(), Transient> {
    let text = format!("Flow: {}\nMessage: {subject}\nWhat: {what}\n", kit.flow);
    let subject = format!("{}: a message needs attention", kit.flow);
    kit.notifier.notify(&Notice { audience, subject, text }).await
}

/// 2, 4, 8 … seconds, at most five minutes.
pub(crate) fn backoff(receive_count: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(receive_count.min(8)).unwrap_or(256)).min(Duration::from_secs(300))
}
