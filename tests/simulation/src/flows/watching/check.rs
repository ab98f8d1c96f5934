//! What must stand in the lists of open matters, and what `watch` must have done and told.

use domain::flows::Flow;
use flow::ledger::message::{LastDelivered, Message, MessageState, group};
use flow::ledger::open::{Matter, Open};
use flow::ledger::run::{Run, RunState};
use flow::memory::Table;
use flow::ports::Item;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{DECIDED, EXPECTED, limits};
use crate::engine::{Micros, at, seconds};
use crate::faults::Fault;
use crate::flows::FlowId;
use crate::schedule::Setting;

/// A clock may be half a minute behind, and a window is over a minute later.
const SLACK: SignedDuration = SignedDuration::from_secs(100);

/// Faults after which `watch` does not know what it has done.
const CUT: &[Fault] = &[
    Fault::Crash,
    Fault::CrashAfterCall,
    Fault::FunctionTimeout,
    Fault::SlowTwin,
    Fault::Throttle,
    Fault::LostAnswer,
    Fault::BrokenStream,
];

/// The content of items whose partition is one that `wanted` takes.
fn all<T: DeserializeOwned>(items: &[Item], wanted: impl Fn(&str) -> bool) -> Vec<T> {
    let found = items.iter().filter(|item| wanted(&item.key.partition));
    found.filter_map(|item| serde_json::from_str(&item.body).ok()).collect()
}

/// When `watch`, which last looked after everything at `looked`, has something to do: that may be over. `None`: nothing.
pub fn next_due(table: &Table, looked: Option<Micros>) -> Option<Timestamp> {
    let items = table.items();
    let is_expected = looked.is_none_or(|looked| looked < DECIDED);
    // What is due before `watch` has seen that it is expected is nobody's promise.
    let is_seen = items.iter().any(|item| item.key.partition == "watch#expected");
    let expected = at(if is_seen { DECIDED } else { 0 }, 0);
    let mut due: Vec<Timestamp> = is_expected.then_some(expected).into_iter().collect();
    for item in &items {
        let partition = item.key.partition.as_str();
        if let Some(flow) = partition.strip_suffix("#open") {
            let Ok(open) = serde_json::from_str::<Open>(&item.body) else { continue };
            let is_of_files = FlowId::ALL.iter().any(|id| id.name() == flow && id.is_files());
            let limit = match open.matter {
                Matter::Held => limits::HOLD,
                Matter::AwaitingAck if is_of_files => limits::OUAI_ACK,
                Matter::AwaitingAck => limits::DERMS_ACK,
                _ => continue,
            };
            due.push(open.since + limit + SLACK);
        } else if partition.ends_with("#notices") && item.key.sort.starts_with("window#") {
            let window: Value = serde_json::from_str(&item.body).unwrap_or_default();
            let until = window.get("until").and_then(Value::as_str).and_then(|until| until.parse::<Timestamp>().ok());
            due.extend(until.map(|until| until + SLACK));
        }
    }
    due.into_iter().min()
}

/// Each message and run that waits for a person or an answer is listed once, under what it waits for, and nothing else is.
pub fn check_listed(setting: &Setting, broken: &mut Vec<String>) {
    let items = setting.services.table.items();
    for flow in FlowId::ALL.iter().filter(|flow| setting.has(**flow)) {
        let name = flow.name();
        let mut open: Vec<Open> = all(&items, |partition| partition == Open::partition(name));
        let messages: Vec<Message> = all(&items, |partition| partition.starts_with(&format!("{name}#message#")));
        for message in &messages {
            if message.state == MessageState::Accepted {
                broken.push(format!("message {} of {} is open, and in no queue", message.key, flow.short()));
            }
            let wanted = Open::of_message(message).map(|open| open.matter);
            let answered = is_answered(&items, *flow, message);
            check_one(&mut open, (*flow, &message.key), (wanted, answered), broken);
        }
        for run in all::<Run>(&items, |partition| partition.starts_with(&format!("{name}#run#"))) {
            let wanted = Open::of_run(name, &run).map(|open| open.matter);
            // Which rows were answered is not looked at here.
            let answered = run.state == RunState::Delivered;
            check_one(&mut open, (*flow, &run.id.to_string()), (wanted, answered), broken);
        }
        for stray in open {
            broken.push(format!("{}: {} is listed as {}, and is not so", flow.short(), stray.id, stray.matter.word()));
        }
    }
}

fn check_one(
    open: &mut Vec<Open>,
    (flow, id): (FlowId, &str),
    (wanted, answered): (Option<Matter>, bool),
    broken: &mut Vec<String>,
) {
    let is_wanted = |matter: Matter| match wanted {
        Some(Matter::AwaitingAck) => matches!(matter, Matter::AwaitingAck | Matter::Overdue),
        wanted => wanted == Some(matter),
    };
    let before = open.len();
    open.retain(|open| open.id != id || !is_wanted(open.matter));
    let listed = before - open.len();
    let may_be_closed = wanted == Some(Matter::AwaitingAck) && answered;
    if listed > 1 || listed == 0 && wanted.is_some() && !may_be_closed {
        let wanted = wanted.map(Matter::word);
        broken.push(format!("{}: {id} waits ({wanted:?}), and is listed {listed} times", flow.short()));
    }
}

/// Whether the flow that brings the answers has delivered one since `message` was asked last.
fn is_answered(items: &[Item], flow: FlowId, message: &Message) -> bool {
    let Some(by) = Flow::named(flow.name()).and_then(|flow| flow.answered_by) else { return false };
    let key = LastDelivered::key(by, &group(&message.key));
    let last: Vec<LastDelivered> = all(items, |partition| partition == key.partition);
    let asked = message.asked.unwrap_or(message.accepted);
    last.iter().filter_map(|last| last.at).any(|at| at >= asked)
}

/// Whatever was due has been done: expired holds have ended, missing answers are listed as such and were told once, and
/// nothing is kept that people should know.
pub(super) fn check(setting: &Setting, broken: &mut Vec<String>) {
    let items = setting.services.table.items();
    let interrupted = interruptions(setting);
    for flow in FlowId::ALL.iter().filter(|flow| setting.has(**flow)) {
        let open: Vec<Open> = all(&items, |partition| partition == Open::partition(flow.name()));
        for open in &open {
            match open.matter {
                Matter::AwaitingAck => {
                    broken.push(format!("watch: {} awaits its answer, and is not reported", open.id))
                }
                Matter::Held => broken.push(format!("watch: run {} is held beyond the limit", open.id)),
                _ => {}
            }
        }
        for overdue in open.iter().filter(|open| open.matter == Matter::Overdue) {
            if !setting.is_told("answers are missing", &overdue.id) {
                broken.push(format!("watch: the answer to {} is missing, and nobody was told", overdue.id));
            }
        }
        for message in all::<Message>(&items, |partition| partition.starts_with(&format!("{}#message#", flow.name()))) {
            let (told, attempts) = (told(setting, *flow, &message.key), u64::from(message.attempt));
            if told > attempts + interrupted {
                broken.push(format!("watch: of {} was told {told} times, of {attempts} attempts", message.key));
            }
        }
    }
    for item in items.iter().filter(|item| item.key.partition.ends_with("#notices")) {
        broken.push(format!("watch: {} of {} is kept, and nobody is told", item.key.sort, item.key.partition));
    }
    check_expected(setting, interrupted, broken);
}

/// How often people were told that the answer to `id` is missing.
fn told(setting: &Setting, flow: FlowId, id: &str) -> u64 {
    let subject = format!("{}: answers are missing", flow.name());
    let notices = setting.services.notices.all();
    let texts = notices.iter().filter(|notice| notice.subject.starts_with(&subject)).map(|notice| &notice.text);
    let line = format!("{id} (sent");
    texts.map(|text| u64::try_from(text.matches(&line).count()).unwrap_or(0)).sum()
}

/// "one that is late, missing or too short is one business notification".
fn check_expected(setting: &Setting, interrupted: u64, broken: &mut Vec<String>) {
    let (changed, lasted) = {
        let core = setting.shared.lock();
        let of = |fault| core.coverage.of(fault, FlowId::Watch);
        (of(Fault::LookupChanged) + of(Fault::LookupBroken), core.now)
    };
    if setting.has(EXPECTED) || changed > 0 || lasted < DECIDED {
        return;
    }
    let subject = format!("{}: an expected file is missing", EXPECTED.name());
    let notices = setting.services.notices.all();
    let told = notices.iter().filter(|notice| notice.subject.starts_with(&subject)).count();
    let told = u64::try_from(told).unwrap_or(u64::MAX);
    let days = lasted / seconds(24 * 3600) + 1;
    if told == 0 || told > days + interrupted {
        broken.push(format!("watch: of a missing file was told {told} times"));
    }
}

/// How often `watch` was cut off, or did not hear what it had done: so often may something be told once more.
fn interruptions(setting: &Setting) -> u64 {
    let core = setting.shared.lock();
    CUT.iter().map(|fault| core.coverage.of(*fault, FlowId::Watch)).sum()
}
