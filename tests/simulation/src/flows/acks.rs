//! Acknowledgements that the DERMS posts: DACS hears of them in the order in which they were accepted, a positive one ends
//! the sync request, and one that DACS does not know goes to people.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::json::Document;
use flow::ledger::message::MessageState;
use serde_json::{Value, json};

use super::outbound::check_told;
use super::{FlowId, Workload};
use crate::engine::{Micros, seconds, sleep_until};
use crate::neighbours::{SyncState, post, post_until_taken};
use crate::schedule::Setting;

/// The acknowledgements of one sync request.
#[derive(Debug, Clone)]
struct Story {
    id: String,
    known: bool,
    acks: Vec<Ack>,
}

#[derive(Debug, Clone)]
struct Ack {
    body: String,
    negative: bool,
    pause: Micros,
    twice: bool,
}

/// The acknowledgements of one flow.
pub struct Acks {
    flow: FlowId,
    stories: Vec<Story>,
    accepted: Arc<Mutex<Vec<(String, String)>>>,
}

/// Plans at least `records` acknowledgements.
pub fn plan(setting: &mut Setting, records: usize, flow: FlowId) -> Acks {
    let accepted: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let mut stories: Vec<Story> = Vec::new();
    while stories.iter().map(|story| story.acks.len()).sum::<usize>() < records {
        stories.push(story(setting, flow, stories.len()));
    }
    for story in &stories {
        match (story.known, flow) {
            (false, _) => {}
            (true, FlowId::StatusAck) => setting.neighbours.dacs.checks.ask(&story.id),
            (true, _) => setting.neighbours.dacs.send(&story.id),
        }
        let (shared, story, accepted) = (setting.shared.clone(), story.clone(), accepted.clone());
        let start = setting.dice.below(seconds(300));
        setting.script("derms", async move {
            sleep_until(&shared, start).await;
            for ack in story.acks {
                let at = shared.lock().now + ack.pause;
                sleep_until(&shared, at).await;
                let taken = post_until_taken(&shared, flow, Bytes::from(ack.body.clone())).await;
                if taken.status < 300 {
                    accepted.lock().unwrap_or_else(PoisonError::into_inner).push((story.id.clone(), ack.body.clone()));
                }
                if ack.twice {
                    post(&shared, flow, Bytes::from(ack.body.clone())).await;
                }
            }
        });
    }
    Acks { flow, stories, accepted }
}

fn story(setting: &mut Setting, flow: FlowId, number: usize) -> Story {
    let dice = &mut setting.dice;
    let id = match flow {
        FlowId::EnrollmentAck => format!("20{number:012}"),
        FlowId::RulesAck => format!("60{number:012}"),
        FlowId::AggregatorsAck => format!("80{number:012}"),
        _ => format!("A-{number:012}"),
    };
    let codes: &[&str] = match dice.below(10) {
        4..=9 if flow == FlowId::StatusAck => {
            if dice.chance(50) {
                &["FAILURE"]
            } else {
                &["FAILURE", "SUCCESS"]
            }
        }
        0..=3 => &["SUCCESS"],
        4..=5 => &["ERROR"],
        6 => &["FAILURE"],
        7..=8 => &["ERROR", "SUCCESS"],
        _ => &["ERROR", "FAILURE", "SUCCESS"],
    };
    let acks = codes
        .iter()
        .map(|code| {
            let has_devices = flow == FlowId::EnrollmentAck;
            let unregistered = has_devices && *code == "SUCCESS" && dice.chance(20);
            let mut body = json!({ "dacsMessageId": id, "responseCode": code });
            if let Some(body) = body.as_object_mut() {
                if *code != "SUCCESS" {
                    body.insert("message".into(), format!("the service point is unknown, {code}").into());
                }
                if unregistered || has_devices && dice.chance(20) {
                    let registration = if unregistered { "NOT_REGISTERED" } else { "REGISTERED" };
                    body.insert("devices".into(), json!([{ "deviceId": "D00001", "registration": registration }]));
                }
            }
            Ack {
                // Up to 25.4 a device that is not registered is an exception: the sync request goes to Error.
                negative: *code != "SUCCESS" || unregistered && !setting.tells_devices,
                body: body.to_string(),
                pause: if dice.chance(50) { 0 } else { dice.below(seconds(60)) },
                twice: dice.chance(20),
            }
        })
        .collect();
    Story { id, known: !dice.chance(6), acks }
}

impl Workload for Acks {
    fn records(&self) -> usize {
        self.stories.iter().map(|story| story.acks.len()).sum()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for story in &self.stories {
            let mut given_up = false;
            for ack in &story.acks {
                let about = format!("acknowledgement of {}", story.id);
                if !accepted.contains(&(story.id.clone(), ack.body.clone())) {
                    continue;
                }
                let hash = Document::parse(ack.body.as_bytes()).map(|document| document.hash().to_string());
                let Some(kept) = hash.ok().and_then(|hash| setting.message(self.flow, &format!("{}#{hash}", story.id)))
                else {
                    broken.push(format!("{about}: accepted and not in the ledger"));
                    continue;
                };
                match kept.state {
                    MessageState::Delivered if story.known => {}
                    MessageState::Refused if !story.known => check_told(setting, &kept, broken),
                    MessageState::Discarded if setting.has_in_hand(self.flow, &kept.key) => given_up = true,
                    MessageState::Failed if setting.longest_outage() > seconds(20 * 3600) => {
                        given_up = true;
                        check_told(setting, &kept, broken);
                    }
                    other => broken.push(format!("{about}: ended as {other:?}: {:?}", kept.reason)),
                }
            }
            match (story.known && !given_up, self.flow) {
                (false, _) => {}
                (true, FlowId::StatusAck) => check_status_check(setting, story, broken),
                (true, _) => check_sync_request(setting, story, broken),
            }
        }
    }
}

/// DACS heard of the acknowledgements in their order, up to the one that ended the sync request.
fn check_sync_request(setting: &Setting, story: &Story, broken: &mut Vec<String>) {
    let mut expected: Vec<bool> = Vec::new();
    for ack in &story.acks {
        expected.push(ack.negative);
        if !ack.negative {
            break;
        }
    }
    let Some(request) = setting.neighbours.dacs.request(&story.id) else { return };
    let heard: Vec<bool> = request.heard.iter().map(|(has_error, _)| *has_error).collect();
    if heard != expected {
        let bodies: Vec<Value> = story.acks.iter().filter_map(|ack| serde_json::from_str(&ack.body).ok()).collect();
        broken.push(format!("sync request {} heard {heard:?} of {bodies:?}", story.id));
    }
    let state = if expected.last() == Some(&false) { SyncState::Synchronized } else { SyncState::Error };
    if request.state != state {
        broken.push(format!("sync request {} is {:?}, expected {state:?}", story.id, request.state));
    }
}

/// DACS heard every answer to its question, in their order.
fn check_status_check(setting: &Setting, story: &Story, broken: &mut Vec<String>) {
    let expected: Vec<bool> = story.acks.iter().map(|ack| !ack.negative).collect();
    let heard = setting.neighbours.dacs.checks.answers(&story.id);
    if heard != expected {
        broken.push(format!("status check {} heard {heard:?}, expected {expected:?}", story.id));
    }
}
