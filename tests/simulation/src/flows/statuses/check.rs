//! What must have become of the event statuses of a day.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use domain::stage::StageStatus::{self, Canceled, Completed, InProgress, Scheduled};
use flow::ledger::message::MessageState;
use jiff::Timestamp;
use serde_json::Value;

use super::cure::lacks_predecessor;
use super::{Cure, Entry, Message, Progress, Statuses};
use crate::engine::seconds;
use crate::flows::FlowId;
use crate::flows::day::{Life, Stage};
use crate::flows::outbound::check_told;
use crate::neighbours::{ProgramEvent, UNSTOPPABLE};
use crate::schedule::Setting;

pub(super) fn check(statuses: &Statuses, setting: &Setting, broken: &mut Vec<String>) {
    let progress = statuses.progress.lock().unwrap_or_else(PoisonError::into_inner);
    let is_calm = setting.longest_outage() < seconds(20 * 3600);
    for message in statuses.messages.iter().filter(|message| progress.accepted.contains_key(&message.id)) {
        check_message(setting, message, &progress, broken);
    }
    if is_calm {
        for stage in &statuses.day.stages {
            check_stage(setting, stage, statuses, &progress, broken);
        }
    }
}

/// "every message ended or in the operator's hands with its ack".
fn check_message(setting: &Setting, message: &Message, progress: &Progress, broken: &mut Vec<String>) {
    let about = format!("event status {} of {}", message.id, message.event);
    let Some(kept) = setting.message(FlowId::EventStatus, &message.id) else {
        broken.push(format!("{about}: accepted and not in the ledger"));
        return;
    };
    let ack = setting.neighbours.derms.acks(&message.id).pop();
    let is_calm = setting.longest_outage() < seconds(20 * 3600);
    match kept.state {
        MessageState::Delivered => {}
        MessageState::Refused => check_told(setting, &kept, broken),
        MessageState::Discarded if is_calm && setting.has_in_hand(FlowId::EventStatus, &kept.key) => {}
        MessageState::Discarded if setting.has_in_hand(FlowId::EventStatus, &kept.key) => return,
        MessageState::Failed if !is_calm => {
            check_told(setting, &kept, broken);
            return;
        }
        other => {
            broken.push(format!("{about}: ended as {other:?}: {:?}", kept.reason));
            return;
        }
    }
    let Some(ack) = ack else {
        broken.push(format!("{about}: {:?}, and never acknowledged", kept.state));
        return;
    };
    let code = ack.pointer("/MsgAck/ackType").and_then(Value::as_str).unwrap_or_default();
    if (code == "SUCCESS") != (kept.state == MessageState::Delivered) {
        broken.push(format!("{about}: {:?}, acknowledged as {code}", kept.state));
    }
    if is_calm && progress.cured.get(&message.id) == Some(&Cure::Sender) && code != "SUCCESS" {
        broken.push(format!("{about}: its predecessor was supplied and it was sent again; it is {code}"));
    }
    let mut responses = responses(&ack);
    for entry in &message.entries {
        match responses.remove(&entry.stage.id) {
            None => broken.push(format!("{about}: no response about {}", entry.stage.id)),
            Some((code, value)) => {
                if let Some(fault) = check_response(setting, message, entry, (&code, &value)) {
                    broken
                        .push(format!("{about}: {} of {} is {code} {value:?}: {fault}", entry.status, entry.stage.id));
                }
            }
        }
    }
    if let Some(stage) = responses.keys().next().filter(|_| !message.cancels) {
        broken.push(format!("{about}: a response about {stage}, which it does not list"));
    }
}

/// By stage: code and value, without the envelope's own.
fn responses(ack: &Value) -> BTreeMap<String, (String, String)> {
    let all = ack.pointer("/MsgAck/responses/response").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |response: &Value, name: &str| response.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let of = |response: &Value| (text(response, "id"), (text(response, "responseCode"), text(response, "value")));
    all.iter().skip(1).map(of).collect()
}

/// Why a response cannot be true.
fn check_response(
    setting: &Setting,
    message: &Message,
    entry: &Entry,
    (code, value): (&str, &str),
) -> Option<&'static str> {
    let event = setting.neighbours.dacs.events.of(&entry.stage.id);
    let history = event.as_ref().map(|event| event.history.clone()).unwrap_or_default();
    if code != "SUCCESS" {
        let is_calm = setting.longest_outage() < seconds(20 * 3600);
        return (is_calm && !may_fail(entry, event.as_ref())).then_some("nothing stood against it");
    }
    let wanted = if message.cancels { Canceled } else { entry.status };
    match value {
        "NO_PROGRAM" => (entry.stage.life != Life::NoProgram).then_some("it has a program"),
        "ALREADY_FINAL" => (!history.last().is_some_and(|is| is.is_final())).then_some("it is not final in DACS"),
        status => match status.parse::<StageStatus>() {
            Ok(status) if !history.contains(&status) => Some("DACS never had it so"),
            Ok(_) if !history.iter().any(|had| *had >= wanted) => Some("DACS never got so far"),
            Ok(_) if is_of_other_times(entry, event.as_ref()) => Some("DACS has it with other times"),
            Ok(_) => None,
            Err(_) => Some("that is no status"),
        },
    }
}

/// Whether something stands against the status of this stage.
fn may_fail(entry: &Entry, event: Option<&ProgramEvent>) -> bool {
    let stage = &entry.stage;
    let is = event.map(ProgramEvent::status);
    let contradicts = matches!((entry.status, is), (Completed, Some(Canceled)) | (Canceled, Some(Completed)));
    let cannot_stop = stage.id.contains(UNSTOPPABLE) && is == Some(InProgress);
    contradicts
        || cannot_stop
        || lacks_predecessor(entry)
        || matches!(stage.life, Life::Closed | Life::Unlisted)
        || is_of_other_times(entry, event)
        || (stage.life == Life::Headless && stage.event_canceled)
}

/// "SCHEDULED for a known stage with other times … is an ERROR".
fn is_of_other_times(entry: &Entry, event: Option<&ProgramEvent>) -> bool {
    let end = event.and_then(|event| event.terms.rsplit(' ').next()?.parse::<Timestamp>().ok());
    entry.status == Scheduled && end.is_some_and(|end| end != entry.end())
}

/// DACS has each stage where the DERMS said that it is, as far as that was legal.
fn check_stage(setting: &Setting, stage: &Stage, statuses: &Statuses, progress: &Progress, broken: &mut Vec<String>) {
    let of_stage = |message: &&Message| message.entries.iter().any(|entry| entry.stage.id == stage.id);
    let all_accepted = statuses.messages.iter().filter(of_stage).all(|it| progress.accepted.contains_key(&it.id));
    if !all_accepted {
        broken.push(format!("a valid event status of {} was not accepted", stage.id));
        return;
    }
    let history = setting.neighbours.dacs.events.of(&stage.id).map(|event| event.history).unwrap_or_default();
    let cured: Vec<&Message> =
        statuses.messages.iter().filter(of_stage).filter(|it| progress.cured.contains_key(&it.id)).collect();
    for message in &cured {
        for entry in message.entries.iter().filter(|entry| entry.stage.id == stage.id) {
            if !history.contains(&entry.status) {
                let (id, status) = (&stage.id, entry.status);
                broken.push(format!("{id}: {status}'s predecessor was supplied; DACS had it {history:?}"));
            }
        }
    }
    let ends = stage.ends_as();
    if cured.is_empty() && !ends.contains(&history.last().copied()) {
        broken.push(format!("{} ({:?}) was {history:?} in DACS; expected {ends:?} in the end", stage.id, stage.life));
    }
}
