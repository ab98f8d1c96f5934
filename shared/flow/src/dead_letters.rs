//! Dead letters: what came to a flow a thousand times and was never dealt with, because its function does not run or cannot
//! write to its ledger (decision 16).
//!
//! Giving up is decided by the ledger, never by a receive count. So a letter goes back into its flow's queue while its run
//! or message is within the retry limit; past that it is given up here, as the flow itself would have: its source is
//! told, where the contract has an acknowledgement for that, people are told, and it waits for a person as an open matter.
//!
//! ```text
//! dead-letter queue ─▶ settled, ended, or unknown to a later attempt ─▶ gone
//!                   ├▶ within its limit, or not registered yet ───────▶ its queue again
//!                   └▶ past its limit ─▶ source, people ─▶ given-up | failed
//! ```

mod source;

use std::sync::Arc;

use domain::flows::{FLOWS, Flow, Kind};
use jiff::{SignedDuration, Timestamp};

use crate::Transient;
use crate::derms_ack::DermsAcks;
use crate::file::{ended_notice, give_up, parse_notification};
use crate::ledger::message::{LastDelivered, Message, MessageState};
use crate::ledger::open::Open;
use crate::ledger::run::{Run, RunId};
use crate::ledger::{Committed, Ledger, Seen};
use crate::message::Nudge;
use crate::ports::{Audience, Clock, Notice, Notifier, Outgoing, Queue, Telemetry, Write};
use crate::status_answers::StatusAnswers;
use crate::sync_ack::SyncRequestAcks;
use crate::trigger::{Delivery, Invocation};

/// A flow that runs would have given up by itself by now.
const OWN_TIME: SignedDuration = SignedDuration::from_hours(2);

/// Why something is given up here.
const REASON: &str = "given up: its function has not dealt with it for longer than the retry limit";

/// A message of a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The name of the queue that gave it up.
    pub queue: String,
    /// The message.
    pub delivery: Delivery,
}

/// Finds the queue of a flow by its name.
pub type QueueOf = Box<dyn Fn(&str) -> Arc<dyn Queue> + Send + Sync>;

/// What dead letters are dealt with by.
pub struct DeadLetterKit {
    /// The ledger.
    pub ledger: Ledger,
    /// Tells people, once per cause and window.
    pub notifier: Arc<dyn Notifier>,
    /// Metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The queues of the flows.
    pub queues: QueueOf,
    /// DACS's sync requests.
    pub acks: SyncRequestAcks,
    /// DACS's status checks.
    pub checks: StatusAnswers,
    /// The DERMS.
    pub derms: DermsAcks,
    /// The flows' retry limit.
    pub retry_limit: SignedDuration,
}

/// Deals with `letters`; the queue ids of those that stay in their dead-letter queue, to be dealt with later.
pub async fn deal_with(kit: &DeadLetterKit, letters: &[DeadLetter], invocation: &Invocation) -> Vec<String> {
    let mut staying: Vec<&DeadLetter> = Vec::new();
    for letter in letters {
        // In order, what comes after one that stays has to stay as well.
        let follows = |other: &&DeadLetter| letter.delivery.group.is_some() && other.is_of_order(letter);
        if staying.iter().any(follows) {
            staying.push(letter);
            continue;
        }
        if let Err(fault) = one(kit, letter, invocation).await {
            tracing::warn!(queue = letter.queue, fault = fault.chain(), "a dead letter stays");
            staying.push(letter);
        }
    }
    staying.into_iter().map(|letter| letter.delivery.message_id.clone()).collect()
}

impl DeadLetter {
    fn is_of_order(&self, other: &Self) -> bool {
        self.queue == other.queue && self.delivery.group == other.delivery.group
    }
}

async fn one(kit: &DeadLetterKit, letter: &DeadLetter, invocation: &Invocation) -> Result<(), Transient> {
    let stem = letter.queue.trim_end_matches(".fifo");
    let flow = FLOWS.iter().find(|flow| stem.ends_with(&format!("-{}", flow.name)));
    let flow = flow.ok_or_else(|| Transient::new(format!("{:?} is no flow's queue", letter.queue)))?;
    kit.telemetry.tally(flow.name, "DeadLetters", 1);
    match flow.kind {
        Kind::Files => file(kit, flow, letter, invocation).await,
        Kind::Messages => message(kit, flow, letter, invocation).await,
    }
}

async fn file(kit: &DeadLetterKit, flow: &Flow, letter: &DeadLetter, invocation: &Invocation) -> Result<(), Transient> {
    // The flow tells people of one that is no notification.
    let arrivals = parse_notification(&letter.delivery.body).unwrap_or_default();
    let mut goes_back = arrivals.is_empty();
    for arrival in &arrivals {
        let id = RunId::of(flow.name, &arrival.object);
        let Some(run) = kit.ledger.get::<Run>(&Run::key(flow.name, &id)).await? else {
            goes_back = true;
            continue;
        };
        let now = kit.clock.now();
        if run.value.state.is_settled() {
            continue;
        }
        let free = run.value.lease.as_ref().is_none_or(|lease| lease.until <= now);
        if !free || !run.value.first_turn.is_some_and(|first| is_past(kit, first)) {
            goes_back = true;
            continue;
        }
        let mut reason = REASON.to_owned();
        if let Some(refused) = source::of_file(kit, (flow, &run.value), &reason, invocation).await? {
            reason = format!("{reason}; its source was not told: {refused}");
        }
        let given_up = give_up(&kit.ledger, flow.name, run, (&reason, now)).await?;
        if let Some(notice) = ended_notice(flow.name, &given_up) {
            kit.notifier.notify(&notice).await?;
        }
    }
    if goes_back { put_back(kit, flow, letter, letter.delivery.message_id.clone()).await } else { Ok(()) }
}

async fn message(
    kit: &DeadLetterKit,
    flow: &Flow,
    letter: &DeadLetter,
    invocation: &Invocation,
) -> Result<(), Transient> {
    let group = letter.delivery.group.clone().unwrap_or_default();
    let Some(nudge) = Nudge::read(&letter.delivery.body) else {
        return put_back(kit, flow, letter, group).await;
    };
    let keys = (Message::key(flow.name, &nudge.key), LastDelivered::key(flow.name, &group));
    let (message, last) = kit.ledger.get_two::<Message, LastDelivered>(&keys.0, &keys.1).await?;
    let Some(message) = message else { return Ok(()) };
    let open = nudge.open(&kit.ledger, flow.name, message, kit.clock.now()).await?;
    let Some(mut message) = open else { return Ok(()) };
    let place = match (&message.value.position, &letter.delivery.sequence) {
        (None, Some(number)) => Some(place(kit, flow, &message.value, (last, number)).await?),
        _ => None,
    };
    let has_new_place = place.is_some();
    message.value.position = place.or(message.value.position);
    if is_past(kit, message.value.accepted) {
        return give_up_message(kit, flow, message, invocation).await;
    }
    if has_new_place {
        let write = Write::put(keys.0, &message.value, Some(message.rev), None)?;
        if kit.ledger.commit(&[write]).await? == Committed::LostRace {
            return Err(Transient::new("the message was changed at the same time"));
        }
    }
    put_back(kit, flow, letter, group).await
}

/// What is before all places of an order.
const FIRST: &str = "-";

/// The place of a message that has none yet. It was the first of its order when it left the queue, and comes back as the last,
/// or is sent again by a person: its place is right after what was delivered before it, so that it is never delivered over
/// what was accepted after it (decision 6). What was accepted after it and delivered since it left the queue is before it
/// already. Of several that left, the dead-letter queue's `number` says which one was first.
///
/// ```text
/// -~07 < -~08 < 26 < 26~09 < 26~11 < 30     26 and 30 are numbers of the queue, 07 to 11 of the dead-letter queue
/// ```
///
/// They compare as text: a queue's numbers all have twenty digits.
async fn place(
    kit: &DeadLetterKit,
    flow: &Flow,
    message: &Message,
    (last, number): (Option<Seen<LastDelivered>>, &str),
) -> Result<String, Transient> {
    let mut after = FIRST.to_owned();
    if let Some(last) = last.map(|last| last.value) {
        let delivered = kit.ledger.get::<Message>(&Message::key(flow.name, &last.message)).await?;
        if delivered.is_none_or(|delivered| delivered.value.accepted <= message.accepted) {
            after = last.position.split('~').next().unwrap_or(FIRST).to_owned();
        }
    }
    Ok(format!("{after}~{number}"))
}

/// Tells its source, then people, then ends it.
async fn give_up_message(
    kit: &DeadLetterKit,
    flow: &Flow,
    seen: Seen<Message>,
    invocation: &Invocation,
) -> Result<(), Transient> {
    let Seen { value: mut message, rev } = seen;
    let mut reason = REASON.to_owned();
    if let Some(refused) = source::of_message(kit, (flow, &message), &reason, invocation).await? {
        reason = format!("{reason}; its source was not told: {refused}");
    }
    message.state = MessageState::Failed;
    message.reason = Some(reason.clone());
    message.ended = Some(kit.clock.now());
    let text = format!(
        "Flow: {}\nMessage: {}\nCorrelation: {}\nReason: {reason}\nMend the function, then: make resend ID=…\n",
        flow.name, message.key, message.correlation
    );
    let subject = format!("{}: a message was failed", flow.name);
    kit.notifier.notify(&Notice { audience: Audience::Technical, subject, text }).await?;
    let mut writes = vec![Write::put(Message::key(flow.name, &message.key), &message, Some(rev), message.expires())?];
    if let Some(open) = Open::of_message(&message) {
        writes.push(open.opening(flow.name, message.expires())?);
    }
    match kit.ledger.commit(&writes).await? {
        Committed::Yes => Ok(()),
        Committed::LostRace => Err(Transient::new("the message was changed at the same time")),
    }
}

async fn put_back(kit: &DeadLetterKit, flow: &Flow, letter: &DeadLetter, group: String) -> Result<(), Transient> {
    let body = letter.delivery.body.clone();
    let deduplication = format!("{}-{}", letter.delivery.message_id, letter.delivery.receive_count);
    (kit.queues)(flow.name).send(&Outgoing { body, group, deduplication }).await?;
    let text = format!(
        "Flow: {}\nIt came to the flow's function a thousand times and was never dealt with, so something keeps the function \
         from running or from writing to its ledger. It is in its queue again; nothing is lost.\n",
        flow.name
    );
    let subject = format!("{}: its function does not deal with what comes", flow.name);
    kit.notifier.notify(&Notice { audience: Audience::Technical, subject, text }).await
}

fn is_past(kit: &DeadLetterKit, begun: Timestamp) -> bool {
    kit.clock.now().duration_since(begun) > kit.retry_limit.saturating_add(OWN_TIME)
}

#[cfg(test)]
mod tests;
