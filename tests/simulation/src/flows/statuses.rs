//! Event statuses: late, repeated and in any order, on several instances. DACS hears each legal step once and in order, and
//! the DERMS hears of every message what became of its stages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::stage::StageStatus::{self, Canceled, Scheduled};
use flow::memory::CONFIG;
use serde_json::json;

use super::day::{self, Day, Life, Stage};
use super::{FlowId, Workload};
use crate::engine::{Micros, Shared, seconds, sleep_until};
use crate::faults::Fault;
use crate::neighbours::{Dacs, post, post_until_taken};
use crate::schedule::Setting;

mod check;
mod cure;

use cure::Cure;

/// The programs that the platform knows; DACS refuses the second one.
const PROGRAMS: &[u8] = b"programId,programCode,programExternalIdentifier\n\
    90000001,SUMMER,PRG-SUMMER\n90000002,CLOSED,PRG-CLOSED\n";

/// One stage of a message.
#[derive(Debug, Clone)]
struct Entry {
    stage: Stage,
    status: StageStatus,
    /// With an end that is an hour later than the stage's.
    other_times: bool,
}

/// One message.
#[derive(Debug, Clone)]
struct Message {
    id: String,
    event: String,
    at: Micros,
    entries: Vec<Entry>,
    /// The event as a whole is canceled.
    cancels: bool,
    twice: bool,
    cure: Option<Cure>,
}

/// What doors and people did with messages, by their ids.
#[derive(Debug, Default)]
struct Progress {
    accepted: BTreeMap<String, Micros>,
    /// Whose missing predecessor was supplied.
    cured: BTreeMap<String, Cure>,
    /// Statuses that were said, by stage.
    said: BTreeMap<String, Vec<StageStatus>>,
}

type Shelf = Arc<Mutex<Progress>>;

/// The event statuses of one schedule.
pub struct Statuses {
    day: Arc<Day>,
    messages: Vec<Message>,
    progress: Shelf,
}

/// Plans a day of at least `records` messages.
pub fn plan(setting: &mut Setting, records: usize) -> Statuses {
    setting.services.objects.put(CONFIG, "lookups/Program.csv", Bytes::from_static(PROGRAMS));
    let (mut day, mut messages) = (Day::default(), Vec::new());
    for number in 0.. {
        if messages.len() >= records && day.stages.len() >= 4 {
            break;
        }
        let stages = day::event(setting, number);
        messages.extend(messages_of(setting, &stages, messages.len()));
        day.stages.extend(stages);
    }
    let day = Arc::new(day);
    setting.day = day.clone();
    let progress = Shelf::default();
    for message in &messages {
        send(setting, &day, message, &progress);
    }
    Statuses { day, messages, progress }
}

/// What the DERMS says of the stages of one event.
fn messages_of(setting: &mut Setting, stages: &[Stage], first: usize) -> Vec<Message> {
    let Some(event) = stages.first().map(|stage| stage.event.clone()) else { return Vec::new() };
    let base = setting.dice.below(seconds(240));
    let mut said: Vec<(Micros, Entry)> = stages.iter().flat_map(|stage| entries(setting, stage, base)).collect();
    said.sort_by_key(|(at, _)| *at);
    let mut messages: Vec<Message> = Vec::new();
    for (at, entry) in said {
        let joins = setting.dice.chance(30);
        let last = messages.last_mut().filter(|last| {
            let is_listed = last.entries.iter().any(|listed| listed.stage.id == entry.stage.id);
            joins && !is_listed && at < last.at + seconds(30)
        });
        match last {
            Some(last) => last.entries.push(entry),
            None => {
                let id = format!("M-{}", first + messages.len());
                messages.push(Message {
                    id,
                    event: event.clone(),
                    at,
                    entries: vec![entry],
                    cancels: false,
                    twice: setting.dice.chance(15),
                    cure: None,
                });
            }
        }
    }
    if stages.iter().any(|stage| stage.event_canceled) {
        let id = format!("M-{}", first + messages.len());
        messages.push(cancel(setting, stages, (id, event), base));
    }
    for message in &mut messages {
        message.cure = Cure::of(setting, message);
    }
    messages
}

/// The cancel of a whole event, which seldom lists stages.
fn cancel(setting: &mut Setting, stages: &[Stage], (id, event): (String, String), base: Micros) -> Message {
    let listed = stages.iter().filter(|stage| stage.life != Life::Unsaid && setting.dice.chance(10));
    let entries = listed.map(|stage| Entry { stage: stage.clone(), status: Canceled, other_times: false }).collect();
    let (at, twice) = (base + setting.dice.below(seconds(500)), setting.dice.chance(15));
    Message { id, event, at, entries, cancels: true, twice, cure: None }
}

/// What is said of one stage, when it arrives: late now and then, and so in another order; repeated now and then.
fn entries(setting: &mut Setting, stage: &Stage, base: Micros) -> Vec<(Micros, Entry)> {
    let dice = &mut setting.dice;
    let mut entries = Vec::new();
    let mut at = base + dice.below(seconds(60));
    for status in &stage.said {
        let late = if dice.chance(50) { 0 } else { dice.below(seconds(150)) };
        let entry = Entry { stage: stage.clone(), status: *status, other_times: false };
        entries.push((at + late, entry.clone()));
        if dice.chance(10) {
            entries.push((at + late + dice.below(seconds(300)), entry.clone()));
        }
        if *status == Scheduled && dice.chance(8) {
            entries.push((at + late + dice.below(seconds(200)), Entry { other_times: true, ..entry }));
        }
        at += if dice.chance(30) { dice.below(seconds(5)) } else { dice.below(seconds(200)) };
    }
    entries
}

fn send(setting: &Setting, day: &Arc<Day>, message: &Message, progress: &Shelf) {
    let (shared, dacs, derms) =
        (setting.shared.clone(), setting.neighbours.dacs.clone(), setting.neighbours.derms.clone());
    let (message, day, progress, desk) = (message.clone(), day.clone(), progress.clone(), cure::desk(setting));
    setting.script("derms", async move {
        sleep_until(&shared, message.at).await;
        message.announce(&day, &shared, &dacs, &progress);
        let taken = post_until_taken(&shared, FlowId::EventStatus, message.body()).await;
        if taken.status < 300 {
            progress.lock().unwrap_or_else(PoisonError::into_inner).accepted.insert(message.id.clone(), taken.at);
        }
        if message.twice {
            post(&shared, FlowId::EventStatus, message.body()).await;
        }
        if message.cure.is_some() {
            cure::supply(&shared, (&dacs, &derms), &desk, &message, &progress).await;
        }
    });
}

impl Message {
    /// DACS's model learns what the DERMS says now, to know what it may hear.
    fn announce(&self, day: &Day, shared: &Shared, dacs: &Dacs, progress: &Shelf) {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &self.entries {
            let said = progress.said.entry(entry.stage.id.clone()).or_default();
            if said.iter().any(|later| entry.status.is_before(*later)) {
                shared.lock().happened(Fault::Reordered, FlowId::EventStatus);
            }
            said.push(entry.status);
            dacs.events.is_told(&entry.stage.id, entry.status);
        }
        if self.cancels {
            for stage in day.stages.iter().filter(|stage| stage.event == self.event) {
                dacs.events.is_told(&stage.id, Canceled);
            }
        }
    }

    fn body(&self) -> Bytes {
        let stages: Vec<serde_json::Value> = self.entries.iter().map(Entry::json).collect();
        let mut body = json!({
            "messageId": self.id, "drmsInstanceId": "DRMS-1", "eventId": self.event, "eventType": "ECONOMIC",
            "stages": stages,
        });
        if let Some(body) = body.as_object_mut().filter(|_| self.cancels) {
            body.insert("status".into(), "CANCELLED".into());
            body.insert("cancelReason".into(), "the weather".into());
        }
        Bytes::from(body.to_string())
    }
}

impl Entry {
    fn json(&self) -> serde_json::Value {
        let end = self.end();
        let spelled = if self.stage.id.len().is_multiple_of(2) {
            self.status.as_str().replace('_', " ")
        } else {
            self.status.as_str().to_owned()
        };
        let mut entry = json!({
            "stageId": self.stage.id, "status": spelled,
            "startDateTime": self.stage.start.to_string(), "endDateTime": end.to_string(),
        });
        if let (Some(entry), Some(program)) = (entry.as_object_mut(), self.stage.program()) {
            entry.insert("programCode".into(), program.into());
        }
        entry
    }

    fn end(&self) -> jiff::Timestamp {
        let longer = jiff::SignedDuration::from_hours(i64::from(self.other_times));
        self.stage.end.saturating_add(longer).unwrap_or(self.stage.end)
    }
}

impl Workload for Statuses {
    fn records(&self) -> usize {
        self.messages.len()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        check::check(self, setting, broken);
    }
}
