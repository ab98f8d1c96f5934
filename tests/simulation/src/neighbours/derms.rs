use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flow::ports::{Answer, Call, Payload};
use serde_json::{Value, json};

use super::{Outages, post_until_taken};
use crate::engine::{Micros, Shared, seconds, sleep_until};
use crate::flows::FlowId;
use crate::ports::{Neighbour, plain};

/// One message that reached the DERMS.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When it took effect.
    pub at: Micros,
    /// The flow that brings such messages.
    pub flow: FlowId,
    /// `dacsMessageId`.
    pub id: String,
    /// The whole request: another body is another attempt.
    pub body: String,
    /// Whether the same request had come before.
    pub repeat: bool,
    /// Whether the answer said that it is taken, now or later.
    pub taken: bool,
}

/// One file of scores.
#[derive(Debug, Clone, Default)]
pub struct ScoreSet {
    /// By number: the part's text, without its header.
    pub parts: BTreeMap<u64, String>,
    /// The number of the part that called itself the last.
    pub last: Option<u64>,
    /// When it was complete: its place among all sets.
    pub complete: Option<usize>,
}

#[derive(Default)]
struct State {
    heard: Vec<Heard>,
    sets: BTreeMap<String, ScoreSet>,
    completed: usize,
    scores: BTreeMap<String, String>,
    acks: BTreeMap<String, Vec<Value>>,
    /// What it will acknowledge later, and has not yet.
    to_acknowledge: BTreeSet<String>,
}

/// The DERMS.
pub struct Derms {
    shared: Shared,
    /// When it is down.
    pub outages: Outages,
    state: Arc<Mutex<State>>,
}

impl Derms {
    /// A DERMS that knows nobody yet.
    #[must_use]
    pub fn new(shared: Shared, down: Vec<(Micros, Micros)>) -> Self {
        let outages = Outages::new(shared.clone(), "derms", down);
        Self { shared, outages, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages that `flow` brought, in order.
    #[must_use]
    pub fn heard(&self, flow: FlowId) -> Vec<Heard> {
        self.state().heard.iter().filter(|call| call.flow == flow).cloned().collect()
    }

    /// The score files, by id.
    #[must_use]
    pub fn sets(&self) -> BTreeMap<String, ScoreSet> {
        self.state().sets.clone()
    }

    /// Its books: by device and program, the row that counts.
    #[must_use]
    pub fn scores(&self) -> BTreeMap<String, String> {
        self.state().scores.clone()
    }

    /// The acknowledgements of a message, in order, repeats left out.
    #[must_use]
    pub fn acks(&self, id: &str) -> Vec<Value> {
        self.state().acks.get(id).cloned().unwrap_or_default()
    }

    /// `/acks` is an upsert by the first response's id.
    fn acknowledged(&self, body: &Bytes) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(id) = body.pointer("/MsgAck/responses/response/0/id").and_then(Value::as_str) else {
            self.shared.lock().violated("the DERMS was sent an acknowledgement of nothing");
            return plain(400, "{}");
        };
        let mut state = self.state();
        let heard = state.acks.entry(id.to_owned()).or_default();
        if heard.last().is_none_or(|last| *last != body) {
            heard.push(body);
        }
        plain(200, "{}")
    }

    /// All are upserts by `dacsMessageId`. How it answers is written in the request: LATER is answered by 202 and, where the
    /// contract has one, an acknowledgement later, SILENT by the same after more than an hour or never, HICCUP by one FAILURE
    /// first, MALFORMED by 400; what is UNKNOWN is a business error.
    fn hear(&self, flow: FlowId, body: &Bytes) -> Answer {
        let text = String::from_utf8_lossy(body).into_owned();
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let id = request.get("dacsMessageId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let silent = text.contains("SILENT");
        let (later, unknown) = (silent || text.contains("LATER"), text.contains("UNKNOWN"));
        let malformed = text.contains("MALFORMED");
        let mut state = self.state();
        let before = state.heard.iter().filter(|call| call.id == id && call.body == text).count();
        let hiccups = before == 0 && text.contains("HICCUP");
        let (at, taken) = (self.shared.lock().now, !malformed && !hiccups);
        state.heard.push(Heard { at, flow, id: id.clone(), body: text, repeat: before > 0, taken });
        drop(state);
        let by = answered_by(flow);
        match () {
            () if malformed => plain(400, r#"{"title":"cannot be read"}"#),
            () if hiccups => msg_ack("FAILURE", &id, None),
            () if unknown && !later => msg_ack("ERROR", &id, Some("it is unknown")),
            // Taken is no answer yet.
            () if later || flow == FlowId::StatusCheck => {
                if let Some(by) = by {
                    self.acknowledge_later(by, &id, unknown, silent);
                }
                if later { plain(202, "") } else { msg_ack("SUCCESS", &id, None) }
            }
            () => msg_ack("SUCCESS", &id, None),
        }
    }

    /// It says later, through `flow`, what became of a message. A call that came again was perhaps not heard of: once it has
    /// been acknowledged it is acknowledged again, and now and then before.
    fn acknowledge_later(&self, flow: FlowId, id: &str, unknown: bool, silent: bool) {
        // Of a device there is one word for all that is not well.
        let negative = if flow == FlowId::StatusAck { "FAILURE" } else { "ERROR" };
        let mut ack = json!({ "dacsMessageId": id, "responseCode": if unknown { negative } else { "SUCCESS" } });
        if unknown && let Some(ack) = ack.as_object_mut() {
            ack.insert("message".into(), "the service point is unknown".into());
        }
        let (shared, state, ack) = (self.shared.clone(), self.state.clone(), ack.to_string());
        let is_new = self.state().to_acknowledge.insert(ack.clone());
        let mut core = self.shared.lock();
        if (silent || !is_new) && !core.dice.chance(50) {
            return;
        }
        let (first, last) = if silent { (seconds(4200), seconds(9000)) } else { (0, seconds(240)) };
        let at = core.now + core.dice.between(first, last);
        core.script("derms", async move {
            sleep_until(&shared, at).await;
            state.lock().unwrap_or_else(PoisonError::into_inner).to_acknowledge.remove(&ack);
            post_until_taken(&shared, flow, Bytes::from(ack)).await;
        });
    }

    /// Scores are upserts by (`scoreFileId`, `part`); the set counts when its last part and all before it are there.
    fn device_scores(&self, about: &Bytes, file: &Bytes) -> Answer {
        let about: Value = serde_json::from_slice(about).unwrap_or_default();
        let id = about.get("scoreFileId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (part, last) = (about.get("part").and_then(Value::as_u64), about.get("last").and_then(Value::as_bool));
        let text = String::from_utf8_lossy(file).into_owned();
        let (Some(part), Some(last), Some((_, rows))) = (part, last, text.split_once('\n')) else {
            self.shared.lock().violated("the DERMS was sent scores that it cannot read");
            return plain(400, "{}");
        };
        let mut state = self.state();
        let set = state.sets.entry(id.clone()).or_default();
        let mut broken = None;
        if let Some(before) = set.parts.get(&part)
            && before != rows
        {
            broken = Some(format!("part {part} of score file {id} came again with other rows"));
        }
        if last && set.last.is_some_and(|before| before != part) {
            broken = Some(format!("score file {id} has two last parts"));
        }
        set.parts.insert(part, rows.to_owned());
        if last {
            set.last = Some(part);
        }
        let whole = set.last.is_some_and(|last| (1..=last).all(|part| set.parts.contains_key(&part)));
        if whole && set.complete.is_none() {
            let rows: Vec<String> = set.parts.values().flat_map(|part| part.lines()).map(str::to_owned).collect();
            let place = state.completed;
            if let Some(set) = state.sets.get_mut(&id) {
                set.complete = Some(place);
            }
            state.completed += 1;
            for row in rows {
                state.scores.insert(score_key(&row), row);
            }
        }
        drop(state);
        let mut core = self.shared.lock();
        if let Some(broken) = broken {
            core.violated(broken);
        }
        plain(if core.dice.chance(50) { 200 } else { 202 }, "{}")
    }
}

/// Head-end, NIC and program of a score row; no field of the made-up rows holds a comma.
#[must_use]
pub fn score_key(row: &str) -> String {
    row.split(',').skip(1).take(3).collect::<Vec<_>>().join(",")
}

/// The flow whose calls go to `path`.
fn flow_of(path: &str) -> Option<FlowId> {
    match path.split('/').nth(1)? {
        "enroll" => Some(FlowId::EnrollmentSync),
        "programs" => Some(FlowId::Rules),
        "aggregators" => Some(FlowId::Aggregators),
        "status_check" => Some(FlowId::StatusCheck),
        "event_opt_out" => Some(FlowId::OptOut),
        "device_unavailability" => Some(FlowId::Unavailability),
        _ => None,
    }
}

/// The flow that brings the answers to messages of `flow`, where they may come later.
fn answered_by(flow: FlowId) -> Option<FlowId> {
    match flow {
        FlowId::EnrollmentSync => Some(FlowId::EnrollmentAck),
        FlowId::Rules => Some(FlowId::RulesAck),
        FlowId::Aggregators => Some(FlowId::AggregatorsAck),
        FlowId::StatusCheck => Some(FlowId::StatusAck),
        _ => None,
    }
}

fn msg_ack(code: &str, id: &str, reason: Option<&str>) -> Answer {
    let mut response = json!({ "id": id, "responseCode": code, "dacsMessageId": id });
    if let (Some(reason), Some(response)) = (reason, response.as_object_mut()) {
        response.insert("value".into(), reason.into());
    }
    plain(200, &json!({ "MsgAck": { "ackType": code, "responses": { "response": [response] } } }).to_string())
}

impl Neighbour for Derms {
    fn name(&self) -> &'static str {
        "derms"
    }

    fn act(&self, call: &Call, begun: Micros) -> Answer {
        self.outages.watch(begun);
        match (&call.payload, call.path.as_str()) {
            (Payload::Json(body), "/acks") => self.acknowledged(body),
            (Payload::Form(parts), "/device_scores") => match parts.as_slice() {
                [about, file] => self.device_scores(&about.bytes, &file.bytes),
                _ => plain(400, "{}"),
            },
            (Payload::Json(body), path) => flow_of(path).map_or(plain(404, "{}"), |flow| self.hear(flow, body)),
            _ => plain(404, "{}"),
        }
    }

    fn is_down(&self) -> bool {
        self.outages.is_down()
    }

    fn throttled_until(&self, until: Micros) {
        self.outages.throttle(until);
    }
}
