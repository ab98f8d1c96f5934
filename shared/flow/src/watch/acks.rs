//! Missing answers to messages: "no ack within the limit: reported, listed for the operator" (contracts.md §8).
//!
//! A message that its target took and answers later is an open matter. The flow that brings the answers knows nothing of
//! it: what it has delivered is in its own ledger, and is looked up here, once the answer is due (decision 12).

use domain::flows::{Flow, Kind};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use super::WatchKit;
use crate::Transient;
use crate::ledger::message::{LastDelivered, group};
use crate::ledger::open::{Matter, Open};
use crate::ledger::{Committed, Seen};
use crate::ports::{Audience, Notice, Write};
use crate::trigger::Invocation;

/// So many matters are closed or marked side by side.
const SIDE_BY_SIDE: usize = 16;
/// So many messages are marked as overdue of one flow at a time; the rest follows the next time.
const MOST: usize = 1000;
/// So many are named in the notice.
const NAMED: usize = 20;

/// Reports messages whose answer is missing, in one notice per flow; and closes those whose answer came after all.
///
/// # Errors
/// [`Transient`] when ledger or notifier do not answer; the rest is done the next time.
pub async fn report_missing_acks(kit: &WatchKit, invocation: &Invocation) -> Result<(), Transient> {
    for flow in Flow::of(Kind::Messages) {
        let Some(by) = flow.answered_by else { continue };
        let missing = unanswered(kit, flow, by, invocation).await?;
        if !missing.is_empty() {
            kit.notifier.notify(&notice(kit, flow, by, &missing)).await?;
            kit.telemetry.tally(flow.name, "MissingAcks", u64::try_from(missing.len()).unwrap_or(u64::MAX));
            let marks = missing.iter().map(|open| mark_overdue(kit, flow.name, open).boxed()).collect();
            side_by_side(marks).await?;
        }
    }
    for flow in Flow::of(Kind::Messages) {
        if let Some(by) = flow.answered_by {
            close_late_ones(kit, flow, by, invocation).await?;
        }
    }
    Ok(())
}

/// Messages of `flow` whose answer has not come within the limit. Those whose answer has come are closed.
async fn unanswered(
    kit: &WatchKit,
    flow: &Flow,
    by: &str,
    invocation: &Invocation,
) -> Result<Vec<Seen<Open>>, Transient> {
    let mut missing = Vec::new();
    let mut after = None;
    loop {
        let (due, next) = kit.open(flow.name, Matter::AwaitingAck, after, kit.limits.derms_ack).await?;
        missing.extend(close_answered(kit, flow, by, due).await?);
        after = next;
        if after.is_none() || missing.len() >= MOST || kit.is_out_of_time(invocation) {
            return Ok(missing);
        }
    }
}

/// Closes the matters of messages that were reported and whose answer has come since.
async fn close_late_ones(kit: &WatchKit, flow: &Flow, by: &str, invocation: &Invocation) -> Result<(), Transient> {
    let mut after = None;
    loop {
        let (overdue, next) = kit.open(flow.name, Matter::Overdue, after, kit.limits.derms_ack).await?;
        close_answered(kit, flow, by, overdue).await?;
        after = next;
        if after.is_none() || kit.is_out_of_time(invocation) {
            return Ok(());
        }
    }
}

/// Closes those of `open` whose answer has come; the others.
async fn close_answered(
    kit: &WatchKit,
    flow: &Flow,
    by: &str,
    open: Vec<Seen<Open>>,
) -> Result<Vec<Seen<Open>>, Transient> {
    let answered = answered(kit, by, &open).await?;
    let (closed, left): (Vec<_>, Vec<_>) = open.into_iter().zip(answered).partition(|(_, answered)| *answered);
    let left = left.into_iter().map(|(open, _)| open).collect();
    let closes = closed.iter().map(|(open, _)| close(kit, flow.name, open).boxed()).collect();
    side_by_side(closes).await?;
    Ok(left)
}

/// Of each matter: whether an answer was delivered since it was asked for.
async fn answered(kit: &WatchKit, by: &str, open: &[Seen<Open>]) -> Result<Vec<bool>, Transient> {
    let keys: Vec<_> = open.iter().map(|open| LastDelivered::key(by, &group(&open.value.id))).collect();
    let last = kit.ledger.get_all::<LastDelivered>(&keys).await?;
    let since = |last: Option<Seen<LastDelivered>>, open: &Open| {
        last.and_then(|last| last.value.at).is_some_and(|at| at >= open.asked)
    };
    Ok(last.into_iter().zip(open).map(|(last, open)| since(last, &open.value)).collect())
}

/// Whoever changes the message at this moment, such as its source that sends it again, closes the matter as well.
async fn close(kit: &WatchKit, flow: &str, open: &Seen<Open>) -> Result<Committed, Transient> {
    kit.ledger.commit(&[Write::Delete { key: open.value.key(flow), seen: open.rev }]).await
}

async fn mark_overdue(kit: &WatchKit, flow: &str, open: &Seen<Open>) -> Result<Committed, Transient> {
    let overdue = open.value.overdue();
    let expires = open.value.since.checked_add(crate::ledger::message::REMEMBERED).ok();
    let close = Write::Delete { key: open.value.key(flow), seen: open.rev };
    kit.ledger.commit(&[close, overdue.opening(flow, expires)?]).await
}

async fn side_by_side(writes: Vec<BoxFuture<'_, Result<Committed, Transient>>>) -> Result<(), Transient> {
    let mut written = stream::iter(writes).buffer_unordered(SIDE_BY_SIDE);
    while written.try_next().await?.is_some() {}
    Ok(())
}

fn notice(kit: &WatchKit, flow: &Flow, by: &str, missing: &[Seen<Open>]) -> Notice {
    let mut text = format!(
        "Flow: {}\nTheir answers come through: {by}\nMessages without an answer for {} minutes: {}\n",
        flow.name,
        kit.limits.derms_ack.as_mins(),
        missing.len(),
    );
    for open in missing.iter().take(NAMED) {
        text.push_str(&format!("{} (sent {})\n", open.value.id, open.value.since.strftime("%FT%TZ")));
    }
    if missing.len() > NAMED {
        text.push_str("…\n");
    }
    text.push_str("They stay listed until the answer comes: make messages lists them.\n");
    Notice { audience: Audience::Business, subject: format!("{}: answers are missing", flow.name), text }
}
