//! Requests for enrollment, many in a list: DACS takes each valid one once, and the DERMS hears of each, at once or later.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flow::ledger::message::MessageState;
use flow::memory::CONFIG;
use flow::trigger::HttpReply;
use serde_json::{Value, json};

use super::outbound::check_told;
use super::{FlowId, Workload};
use crate::engine::{Micros, seconds, sleep_until};
use crate::faults::Fault;
use crate::neighbours::{REFUSED_ASSET, post};
use crate::schedule::Setting;

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// DACS refuses it.
    Refused,
    /// A lookup does not have its asset type.
    Unlisted,
    /// It lacks a member: it is answered at once, and no message.
    Unreadable,
}

#[derive(Debug, Clone)]
struct Request {
    id: String,
    wrong: Wrong,
    unenrolls: bool,
}

#[derive(Debug, Clone)]
struct List {
    at: Micros,
    requests: Vec<Request>,
    /// It is posted again after its answer.
    again: bool,
}

/// By request: what the door answered last, if it did; `None` when that is to come later.
type Answers = Arc<Mutex<BTreeMap<String, Option<(String, String)>>>>;

/// The lists of one schedule.
pub struct Requests {
    lists: Vec<List>,
    answers: Answers,
}

/// Plans lists of at least `records` requests.
pub fn plan(setting: &mut Setting, records: usize) -> Requests {
    let types = Bytes::from_static(b"key,value\nTHERMOSTAT,SMART-THERM\n");
    setting.services.objects.put(CONFIG, "lookups/AssetType.csv", types);
    let (mut lists, mut number) = (Vec::new(), 0);
    while number < records {
        let requests: Vec<Request> = (0..setting.dice.count(1, 9)).map(|nth| request(setting, number + nth)).collect();
        number += requests.len();
        let (at, again) = (setting.dice.below(seconds(300)), setting.dice.chance(25));
        lists.push(List { at, requests, again });
    }
    let answers = Answers::default();
    for list in &lists {
        send(setting, list, &answers);
    }
    Requests { lists, answers }
}

fn request(setting: &mut Setting, number: usize) -> Request {
    let wrong = match setting.dice.below(20) {
        0..=1 => Wrong::Refused,
        2 => Wrong::Unlisted,
        3 => Wrong::Unreadable,
        _ => Wrong::Nothing,
    };
    Request { id: format!("ER-{number:05}"), wrong, unenrolls: setting.dice.chance(25) }
}

/// Posts a list until it is answered, as every sender has to.
fn send(setting: &Setting, list: &List, answers: &Answers) {
    let (shared, list, answers) = (setting.shared.clone(), list.clone(), answers.clone());
    setting.script("derms", async move {
        sleep_until(&shared, list.at).await;
        let mut left = 1 + usize::from(list.again);
        while left > 0 {
            match post(&shared, FlowId::Request, list.body()).await {
                Some(reply) if reply.status < 500 => {
                    left -= 1;
                    note(&list, &reply, &answers);
                }
                _ => shared.lock().happened(Fault::Duplicate, FlowId::Request),
            }
            let at = {
                let mut core = shared.lock();
                core.now + core.dice.between(seconds(2), seconds(90))
            };
            sleep_until(&shared, at).await;
        }
    });
}

fn note(list: &List, reply: &HttpReply, answers: &Answers) {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    let responses = responses(&body);
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    for request in &list.requests {
        answers.insert(request.id.clone(), responses.get(&request.id).cloned());
    }
}

/// By id: code and value, without the envelope's own.
fn responses(ack: &Value) -> BTreeMap<String, (String, String)> {
    let all = ack.pointer("/MsgAck/responses/response").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    all.iter().skip(1).map(|of| (text(of, "id"), (text(of, "responseCode"), text(of, "value")))).collect()
}

impl List {
    fn body(&self) -> Bytes {
        let requests: Vec<Value> = self.requests.iter().map(Request::json).collect();
        Bytes::from(Value::from(requests).to_string())
    }
}

impl Request {
    fn json(&self) -> Value {
        let location =
            if self.wrong == Wrong::Unreadable { json!({}) } else { json!({ "timeZone": "America/Chicago" }) };
        let nic = if self.wrong == Wrong::Refused { REFUSED_ASSET } else { "nic-1" };
        let asset_type = if self.wrong == Wrong::Unlisted { "TOASTER" } else { "THERMOSTAT" };
        let mut request = json!({
            "messageId": self.id,
            "programInfo": { "programCode": "SUMMER-T", "startDateTimeISO": "2026-07-01T00:00:00-05:00" },
            "locationInfo": location,
            "assetInfo": {
                "installationMethod": "X1UI", "assetOwnership": "W1OW",
                "assetList": [{ "assetType": asset_type, "nicId": nic, "headEndSystem": "HES-NORTH" }],
            },
        });
        if let Some(request) = request.as_object_mut().filter(|_| self.unenrolls) {
            request.insert("action".into(), "UNENROLL".into());
            request.insert("unenrollReason".into(), "CUSTOMEROPTOUT".into());
        }
        request
    }
}

impl Workload for Requests {
    fn records(&self) -> usize {
        self.lists.iter().map(|list| list.requests.len()).sum()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        for request in self.lists.iter().flat_map(|list| &list.requests) {
            let Some(answer) = answers.get(&request.id) else {
                broken.push(format!("request {}: its list was never answered", request.id));
                continue;
            };
            check_request(setting, request, answer.clone(), broken);
        }
    }
}

fn check_request(setting: &Setting, request: &Request, answer: Option<(String, String)>, broken: &mut Vec<String>) {
    let about = format!("request {} ({:?})", request.id, request.wrong);
    let taken = setting.neighbours.dacs.enrollments.taken(&request.id);
    if taken.is_some() != (request.wrong == Wrong::Nothing) && setting.longest_outage() < seconds(20 * 3600) {
        broken.push(format!("{about}: DACS has {taken:?}"));
    }
    let later = setting.neighbours.derms.acks(&request.id).pop();
    let later = later.and_then(|ack| responses(&ack).remove(&request.id));
    let kept = setting.message(FlowId::Request, &request.id);
    match kept.as_ref().map(|kept| kept.state) {
        None if request.wrong == Wrong::Unreadable => {}
        Some(MessageState::Delivered) if request.wrong == Wrong::Nothing => {}
        Some(MessageState::Refused) if matches!(request.wrong, Wrong::Refused | Wrong::Unlisted) => {}
        Some(MessageState::Discarded) if setting.has_in_hand(FlowId::Request, &request.id) => {}
        Some(MessageState::Failed) if setting.longest_outage() > seconds(20 * 3600) => return,
        other => broken.push(format!("{about}: ended as {other:?}")),
    }
    if let Some(kept) = kept.filter(|kept| kept.state == MessageState::Refused && later.is_some()) {
        check_told(setting, &kept, broken);
    }
    let Some((code, value)) = answer.or(later) else {
        broken.push(format!("{about}: the DERMS never heard of it"));
        return;
    };
    let is_right = match (code.as_str(), &taken) {
        ("SUCCESS", Some(enrollment)) => value == *enrollment || value == "EXISTS",
        ("SUCCESS", None) => false,
        _ => request.wrong != Wrong::Nothing,
    };
    if !is_right {
        broken.push(format!("{about}: the DERMS heard {code} {value:?}, DACS has {taken:?}"));
    }
}
