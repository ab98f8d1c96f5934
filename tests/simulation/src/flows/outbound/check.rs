//! What must have become of messages to the DERMS.

use flow::ledger::message::{Message, MessageState};
use jiff::SignedDuration;

use super::sheets::Told;
use super::{Accepted, Manner, Meant};
use crate::engine::seconds;
use crate::flows::FlowId;
use crate::neighbours::{Heard, SyncState};
use crate::schedule::Setting;

/// The message ended, DACS heard how as the DERMS answered, and the DERMS has what it took.
pub(super) fn check_message(
    setting: &Setting,
    message: &Meant,
    accepted: &[Accepted],
    calls: &[Heard],
    broken: &mut Vec<String>,
) {
    let Some(last) = accepted.iter().rfind(|accepted| accepted.id == message.id) else { return };
    let about = format!("message {} of {}", message.id, message.order);
    let Some(kept) = setting.message(message.sheet.flow, &message.key()) else {
        broken.push(format!("{about}: accepted and not in the ledger"));
        return;
    };
    // Of a message that was sent twice, once may have been taken after its correction: by a door that stood still.
    let was_refusable = message.bad || message.manner == Manner::Malformed;
    let made = accepted.iter().filter(|accepted| accepted.id == message.id).count();
    let is_attempted_once_more =
        kept.attempt > 1 && message.resent || usize::try_from(kept.attempt).is_ok_and(|attempts| attempts > made);
    if is_attempted_once_more && was_refusable && kept.state != MessageState::Accepted {
        return;
    }
    let reached = calls.iter().any(|call| call.id == message.id && call.taken);
    let why = kept.reason.clone().unwrap_or_default();
    let is_positive = match kept.state {
        MessageState::Discarded if setting.has_in_hand(message.sheet.flow, &kept.key) => return,
        MessageState::Accepted | MessageState::Discarded => {
            broken.push(format!("{about}: accepted, and is {:?} in the end", kept.state));
            return;
        }
        MessageState::Delivered | MessageState::AwaitingAck if !reached => {
            broken.push(format!("{about}: delivered, and the DERMS has never taken it"));
            return;
        }
        // The acknowledgement was given up: it is in the operator's hands, as its own flow's check says.
        MessageState::AwaitingAck if setting.longest_outage() > seconds(20 * 3600) => return,
        MessageState::AwaitingAck => !last.refusable,
        MessageState::Delivered => true,
        MessageState::Refused => {
            check_told(setting, &kept, broken);
            if !last.refusable && !why.contains("was delivered after") {
                broken.push(format!("{about}: refused, and nothing was wrong with it: {why}"));
            }
            false
        }
        MessageState::Failed => {
            check_told(setting, &kept, broken);
            check_given_up(setting, (message, &kept), &about, broken);
            return;
        }
    };
    let heard = heard(setting, message);
    // Whether the DERMS took what it was sent unheard nobody knows: it may say so after the message was overtaken.
    let is_unheard = setting.has(FlowId::ErrorHandler) && reached && why.contains("was delivered after");
    if is_unheard && heard == Some(true) {
        return;
    }
    let is_alike = is_answered_twice_alike(setting, last, &kept);
    if heard.is_some_and(|heard| heard != is_positive) && !(heard == Some(false) && (last.refusable || is_alike)) {
        broken.push(format!("{about}: {:?} ({why}), and DACS heard {heard:?}; expected {is_positive}", kept.state));
    }
    let is_silent = message.manner == Manner::Silent && kept.state == MessageState::AwaitingAck;
    if heard.is_none() && message.sheet.told != Told::Nobody && !is_silent && !is_alike {
        broken.push(format!("{about}: {:?} ({why}), and DACS waits for an answer", kept.state));
    }
}

/// **Left:** a message that is sent again as it was, after a late answer, gets an answer that is the same as the first one byte
/// for byte. That is taken for a repeat of it, and DACS does not hear it; `watch` reports it as missing.
fn is_answered_twice_alike(setting: &Setting, last: &Accepted, kept: &Message) -> bool {
    let is_again = last.refusable || setting.has_in_hand(last.flow, &kept.key);
    is_again && kept.state == MessageState::AwaitingAck && kept.attempt > 1
}

/// Whether DACS heard that it went well; `None` while it waits.
fn heard(setting: &Setting, message: &Meant) -> Option<bool> {
    let dacs = &setting.neighbours.dacs;
    match message.sheet.told {
        Told::SyncRequest => match dacs.request(&message.id)?.state {
            SyncState::Sent => None,
            SyncState::Error => Some(false),
            SyncState::Synchronized => Some(true),
        },
        Told::StatusCheck => dacs.checks.answer(&message.id),
        Told::Nobody => None,
    }
}

/// "until the limit (24 h) or the message's own deadline (opt-out: stage start)".
fn check_given_up(setting: &Setting, (message, kept): (&Meant, &Message), about: &str, broken: &mut Vec<String>) {
    let why = kept.reason.clone().unwrap_or_default();
    if message.sheet.told != Told::Nobody && heard(setting, message).is_none() && !why.contains("told") {
        broken.push(format!("{about}: given up ({why}), and DACS did not hear of it"));
    }
    if why.contains("its function has not dealt with it") && setting.has(FlowId::ErrorHandler) {
        return;
    }
    let longest = setting.longest_outage();
    let starts = message.stage.as_ref().map(|stage| stage.start);
    let ended = kept.ended.unwrap_or(kept.accepted);
    let is_late = starts.is_some_and(|starts| ended.duration_since(starts) > SignedDuration::from_secs(-40));
    if longest < seconds(20 * 3600) && !is_late {
        broken.push(format!("{about}: given up at {ended}, before its stage starts: {:?}", kept.reason));
    }
}

/// People hear of every message that did not end well.
pub fn check_told(setting: &Setting, message: &Message, broken: &mut Vec<String>) {
    let what = format!("a message was {}", message.state.word());
    if !setting.is_told(&what, &message.key) {
        broken.push(format!("message {} ended as {:?}, and nobody was told", message.key, message.state));
    }
}

/// Whether it is in the books as one that the DERMS took.
fn is_taken(setting: &Setting, accepted: &Accepted) -> bool {
    setting.message(accepted.flow, &accepted.key).is_some_and(|kept| kept.state.is_taken())
}

/// Of two attempts of one order, one accepted before the other was first sent: the DERMS hears of the first one
/// first, and of neither again once it has heard of the second.
pub(super) fn check_order(setting: &Setting, (accepted, calls): (&[Accepted], &[Heard]), broken: &mut Vec<String>) {
    // What comes back from the dead letters stands at the end of its queue: it is never delivered over what was. Whether the
    // DERMS took a call that was given up unheard, nobody knows.
    let handled = setting.has(FlowId::ErrorHandler);
    // Of a letter and what was delivered meanwhile only the clocks of their doors say which was accepted first.
    let apart = match (handled, setting.shared.lock().skewed) {
        (false, _) => 0,
        (true, false) => 100_000,
        (true, true) => seconds(60),
    };
    let is_good = |body: &str| !body.contains("UNKNOWN") && !body.contains("MALFORMED");
    for (index, later) in accepted.iter().enumerate() {
        // An attempt made again unchanged has the calls of the first one, and its place.
        if accepted.iter().take(index).any(|it| it.id == later.id && it.refusable == later.refusable) {
            continue;
        }
        let of_later = |call: &&Heard| call.id == later.id && is_good(&call.body) != later.refusable;
        let begun =
            if handled { calls.iter().rfind(|call| of_later(call) && call.taken) } else { calls.iter().find(of_later) };
        let is_over = handled && (later.refusable || !is_taken(setting, later));
        let Some(begun) = begun.map(|call| call.at).filter(|_| !is_over) else { continue };
        for earlier in accepted.iter().filter(|it| it.order == later.order && it.id != later.id) {
            // Of one that was posted twice, one nudge may wait among the dead letters while the other one has its turn.
            let is_elsewhere = handled && (earlier.refusable || earlier.twice);
            if earlier.taken.at + apart >= later.first_begun || is_elsewhere {
                continue;
            }
            // An attempt that was made again unchanged keeps its place; only its first calls are of that place.
            let again = accepted.iter().any(|it| it.id == earlier.id && it.first_begun > earlier.first_begun);
            // A later one that the DERMS refused changed nothing: what it has already may be repeated after it.
            let after = calls.iter().find(|call| {
                call.id == earlier.id
                    && is_good(&call.body) != earlier.refusable
                    && call.at > begun
                    && !(call.repeat && later.refusable)
            });
            // Where a person forces it, it is the person's to know.
            let is_forced = [earlier, later].iter().any(|it| setting.has_forced(it.flow, &it.key));
            if let Some(after) = after
                && !again
                && !is_forced
            {
                broken.push(format!(
                    "message {} of {} was sent at {} s, after {} which was accepted later, at {} s",
                    earlier.id,
                    earlier.order,
                    after.at / seconds(1),
                    later.id,
                    later.taken.at / seconds(1),
                ));
            }
        }
    }
}
