//! The worker: brings messages to their target, in order within a group, and tells their source.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::work::Work;
use super::{MessageCalls, MessageKit, Nudge, Upcoming};
use crate::Transient;
use crate::ledger::Seen;
use crate::ledger::message::{LastDelivered, Message};
use crate::ports::{Audience, Notice};
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
    let groups = groups.into_values().map(|group| in_order(kit, calls, group, invocation));
    join_all(groups).await.into_iter().flatten().collect()
}

async fn in_order(
    kit: &MessageKit,
    calls: &dyn MessageCalls,
    group: Vec<&Delivery>,
    invocation: &Invocation,
) -> Vec<String> {
    let mut waiting = group.into_iter();
    for delivery in waiting.by_ref() {
        let delay = match one(kit, calls, delivery, invocation).await {
            Ok(Progress::Done) => continue,
            Ok(Progress::Later(delay)) if delivery.receive_count > IMPATIENT => {
                delay.max(backoff(delivery.receive_count))
            }
            Ok(Progress::Later(delay)) => delay,
            Err(fault) => {
                tracing::warn!(flow = kit.flow, message = delivery.message_id, fault = fault.chain(), "handed back");
                backoff(delivery.receive_count)
            }
        };
        let mut failed = Vec::new();
        for delivery in std::iter::once(delivery).chain(waiting) {
            hand_back(kit, delivery, delay).await;
            failed.push(delivery.message_id.clone());
        }
        return failed;
    }
    Vec::new()
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

async fn one(
    kit: &MessageKit,
    calls: &dyn MessageCalls,
    delivery: &Delivery,
    invocation: &Invocation,
) -> Result<Progress, Transient> {
    let started = kit.clock.now();
    let Some(nudge) = Nudge::read(&delivery.body) else {
        tell(kit, Audience::Technical, "a queue message that names no message", &delivery.message_id).await?;
        return Ok(Progress::Done);
    };
    let ready = calls.make_ready(Upcoming::Forward, invocation);
    let (known, ()) = join(known(kit, &nudge.key, delivery.group.as_deref()), ready).await;
    let (Some(message), last) = known? else {
        tell(kit, Audience::Technical, "a message that the ledger does not know", &nudge.key).await?;
        return Ok(Progress::Done);
    };
    let Some(message) = nudge.open(&kit.ledger, kit.flow, message, started).await? else {
        return Ok(Progress::Done);
    };
    let mut work = Work::new(kit, calls, invocation, message);
    work.last = last;
    work.is_alone = delivery.group.is_some();
    if work.message.position.is_none() {
        work.message.position.clone_from(&delivery.sequence);
    }
    let progress = work.deliver().await;
    work.report(delivery.receive_count, started, progress.as_ref());
    progress
}

/// What the ledger has of a message, and which one was delivered last in its group. A queue without groups keeps no order.
async fn known(
    kit: &MessageKit,
    key: &str,
    group: Option<&str>,
) -> Result<(Option<Seen<Message>>, Option<Seen<LastDelivered>>), Transient> {
    let key = Message::key(kit.flow, key);
    match group {
        Some(group) => kit.ledger.get_two(&key, &LastDelivered::key(kit.flow, group)).await,
        None => Ok((kit.ledger.get(&key).await?, None)),
    }
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
