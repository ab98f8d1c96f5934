//! What people do about a status that waited for its predecessor in vain: the DERMS's send what is missing, and the message
//! again; ours supply the predecessor.

use std::sync::{Arc, PoisonError};

use domain::stage::StageStatus::{InProgress, Scheduled};
use flow::ledger::Ledger;
use flow::stage::{NotSupplied, StageDesk};

use super::{Entry, Message, Shelf};
use crate::engine::{Event, Shared, seconds, sleep_until};
use crate::flows::FlowId;
use crate::flows::day::Life;
use crate::neighbours::{Dacs, Derms, post_until_taken};
use crate::ports::TrueClock;
use crate::schedule::Setting;

/// Who supplies what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cure {
    /// The DERMS.
    Sender,
    /// Our operator.
    Operator,
}

impl Cure {
    /// By dice, where a message is about one stage only, which is curable and lacks a predecessor.
    pub(super) fn of(setting: &mut Setting, message: &Message) -> Option<Self> {
        let [entry] = message.entries.as_slice() else { return None };
        if !entry.stage.curable || entry.status == Scheduled || message.cancels {
            return None;
        }
        match setting.dice.below(10) {
            0..=3 => Some(Self::Sender),
            4..=7 => Some(Self::Operator),
            _ => None,
        }
    }
}

/// Our operator's desk, without faults.
pub(super) fn desk(setting: &Setting) -> Option<Arc<StageDesk>> {
    let queue = setting.services.queues.get(&FlowId::EventStatus).cloned()?;
    Some(Arc::new(StageDesk {
        ledger: Ledger::new(Arc::new(setting.services.table.clone())),
        queue: Arc::new(queue),
        clock: Arc::new(TrueClock(setting.shared.clone())),
    }))
}

/// Waits until the DERMS hears that the message did not go well, and supplies what is missing.
pub(super) async fn supply(
    shared: &Shared,
    (dacs, derms): (&Dacs, &Derms),
    desk: &Option<Arc<StageDesk>>,
    message: &Message,
    progress: &Shelf,
) {
    let [entry] = message.entries.as_slice() else { return };
    if !is_refused_within(shared, derms, &message.id, 60).await {
        return;
    }
    match (message.cure, desk) {
        (Some(Cure::Sender), _) => {
            let missing = [Scheduled, InProgress].into_iter().filter(|status| status.is_before(entry.status));
            for status in missing {
                dacs.events.is_told(&entry.stage.id, status);
                let entry = Entry { status, ..entry.clone() };
                let id = format!("{}-{status}", message.id);
                let supplied = Message { id, entries: vec![entry], ..message.clone() };
                post_until_taken(shared, FlowId::EventStatus, supplied.body()).await;
            }
            note(progress, message, Cure::Sender);
            // While the worker still writes down the end of the last attempt, the same body is merely queued again.
            for _ in 0..20 {
                post_until_taken(shared, FlowId::EventStatus, message.body()).await;
                if !is_refused_within(shared, derms, &message.id, 10).await {
                    return;
                }
            }
        }
        (Some(Cure::Operator), Some(desk)) if by_operator(shared, dacs, desk, entry).await => {
            note(progress, message, Cure::Operator);
        }
        _ => {}
    }
}

/// Whether the last that the DERMS heard of the message, after some half minutes, is that it was refused.
async fn is_refused_within(shared: &Shared, derms: &Derms, id: &str, looks: usize) -> bool {
    for _ in 0..looks {
        let at = shared.lock().now + seconds(30);
        sleep_until(shared, at).await;
        let last = derms.acks(id).pop();
        let code = last.as_ref().and_then(|ack| ack.pointer("/MsgAck/ackType")).and_then(|code| code.as_str());
        match code {
            Some("SUCCESS") => return false,
            Some(_) if looks > 20 => return true,
            _ => {}
        }
    }
    looks <= 20
}

/// Whether there was something to supply.
async fn by_operator(shared: &Shared, dacs: &Dacs, desk: &StageDesk, entry: &Entry) -> bool {
    let (Ok(event), Ok(stage)) = (entry.stage.event.parse(), entry.stage.id.parse()) else { return false };
    loop {
        match desk.supply_predecessor(&event, &stage).await {
            Ok(supplied) => {
                for status in supplied {
                    dacs.events.is_told(&entry.stage.id, status);
                }
                let mut core = shared.lock();
                core.note("operator", &format!("supplies what stage {} waits for", entry.stage.id));
                let now = core.now;
                core.schedule(now, Event::Poll(FlowId::EventStatus));
                return true;
            }
            Err(NotSupplied::Changed(_)) => {}
            Err(_) => return false,
        }
    }
}

fn note(progress: &Shelf, message: &Message, cure: Cure) {
    let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
    progress.cured.insert(message.id.clone(), cure);
}

/// Whether the life of its stage lets a status be refused because its predecessor is missing.
pub(super) fn lacks_predecessor(entry: &Entry) -> bool {
    matches!(entry.stage.life, Life::Headless | Life::Gap) && entry.status != Scheduled
}
