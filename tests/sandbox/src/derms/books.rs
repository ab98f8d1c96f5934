//! What DERMS keeps of enrollments: messages by id with their ordered history, the latest taken state
//! of each subscription, and the programs learned on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::answers::{Answer, DeviceAnswer, Registration};
use super::enroll::{Action, Device, Enroll};
use crate::clock::locked;

/// The books of `/enroll`.
#[derive(Debug, Default)]
pub struct Enrollments(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    messages: BTreeMap<String, Message>,
    subscriptions: BTreeMap<String, Taken>,
    programs: BTreeMap<String, Value>,
    effects: u64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    calls: u64,
    effects: u64,
    repeats: u64,
    refusals: u64,
    state: &'static str,
    history: Vec<Entry>,
    #[serde(skip)]
    awaiting: Option<(Enroll, Arc<Value>)>,
    #[serde(skip)]
    taken: Option<Arc<Value>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    order: u64,
    outcome: &'static str,
    reason: Option<String>,
    #[serde(serialize_with = "shared")]
    body: Arc<Value>,
}

#[derive(Debug)]
struct Taken {
    message_id: String,
    order: u64,
    action: Action,
    content: Enroll,
    body: Arc<Value>,
    told: Vec<DeviceAnswer>,
}

impl Enrollments {
    /// Books one call, what it was answered and what was told of its devices.
    pub fn received(&self, order: u64, content: Enroll, body: Value, answer: &Answer, told: &[DeviceAnswer]) {
        let body = Arc::new(body);
        let mut book = locked(&self.0);
        let id = content.dacs_message_id.clone();
        let message = book.messages.entry(id).or_default();
        message.calls = message.calls.saturating_add(1);
        match answer {
            Answer::Positive => book.take(order, content, body, told),
            Answer::Error(reason) => message.refuse(order, "error", reason, body),
            Answer::Failure(reason) => message.refuse(order, "failure", reason, body),
            Answer::Later => {
                message.note(order, "awaiting", None, Arc::clone(&body));
                message.awaiting = Some((content, body));
            }
        }
    }

    /// The devices of a message that was answered 202 and awaits its acknowledgement.
    pub fn awaiting(&self, id: &str) -> Option<Vec<Device>> {
        let book = locked(&self.0);
        let (content, _) = book.messages.get(id)?.awaiting.as_ref()?;
        Some(content.devices().to_vec())
    }

    /// DERMS makes up its mind about a message that it answered 202.
    pub fn settle(&self, order: u64, id: &str, answer: &Answer, told: &[DeviceAnswer]) {
        let mut book = locked(&self.0);
        let Some(message) = book.messages.get_mut(id) else {
            return;
        };
        let Some((content, body)) = message.awaiting.take() else {
            return;
        };
        match answer {
            Answer::Error(reason) => message.refuse(order, "error", reason, body),
            Answer::Failure(reason) => message.refuse(order, "failure", reason, body),
            Answer::Positive | Answer::Later => book.take(order, content, body, told),
        }
    }

    /// Forgets all.
    pub fn clear(&self) {
        *locked(&self.0) = Book::default();
    }

    /// The books as JSON.
    pub fn state(&self) -> Value {
        let book = locked(&self.0);
        let subscriptions: BTreeMap<_, _> = book.subscriptions.iter().map(|(id, taken)| (id, taken.state())).collect();
        json!({
            "messages": book.messages,
            "subscriptions": subscriptions,
            "devices": book.devices(),
            "programs": book.programs,
            "effects": book.effects,
        })
    }
}

impl Book {
    fn take(&mut self, order: u64, content: Enroll, body: Arc<Value>, told: &[DeviceAnswer]) {
        let id = content.dacs_message_id.clone();
        let message = self.messages.entry(id.clone()).or_default();
        message.awaiting = None;
        if message.taken.as_ref() == Some(&body) {
            message.repeats = message.repeats.saturating_add(1);
            message.state = "taken";
            return;
        }
        message.note(order, "taken", None, Arc::clone(&body));
        message.effects = message.effects.saturating_add(1);
        message.taken = Some(Arc::clone(&body));
        self.effects = self.effects.saturating_add(1);
        let subscription = &content.subscription_info;
        self.programs.insert(
            subscription.program_id.clone(),
            json!({
                "programCode": subscription.program_code,
                "programExternalIdentifier": subscription.program_external_identifier,
            }),
        );
        let taken = Taken { message_id: id, order, action: content.action(), body, content, told: told.to_vec() };
        let key = taken.content.subscription_info.subscription_id.clone();
        self.subscriptions.insert(key, taken);
    }

    /// Every device of every subscription; eligible only in a taken, active subscription, and not if
    /// its head-end was told not to have it.
    fn devices(&self) -> Vec<Value> {
        let mut devices = Vec::new();
        for (subscription_id, taken) in &self.subscriptions {
            let subscription = &taken.content.subscription_info;
            for device in taken.content.devices() {
                let told = taken.told.iter().find(|it| it.device_id == device.device_id);
                let registration = told.map(|it| it.registration);
                let absent = registration.is_some_and(|it| it != Registration::Registered);
                let active = subscription.status == "ACTIVE" && device.status == "ACTIVE";
                devices.push(json!({
                    "deviceId": device.device_id,
                    "headEndSystem": device.head_end_system,
                    "nicId": device.nic_id,
                    "status": device.status,
                    "subscriptionId": subscription_id,
                    "programCode": subscription.program_code,
                    "servicePointId": taken.content.service_point(),
                    "registration": registration,
                    "eligible": active && !absent,
                }));
            }
        }
        devices
    }
}

impl Message {
    fn note(&mut self, order: u64, outcome: &'static str, reason: Option<String>, body: Arc<Value>) {
        self.state = outcome;
        self.history.push(Entry { order, outcome, reason, body });
    }

    fn refuse(&mut self, order: u64, outcome: &'static str, reason: &str, body: Arc<Value>) {
        self.refusals = self.refusals.saturating_add(1);
        self.note(order, outcome, Some(reason.to_owned()), body);
    }
}

fn shared<S: Serializer>(body: &Arc<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    body.as_ref().serialize(serializer)
}

impl Taken {
    fn state(&self) -> Value {
        json!({
            "dacsMessageId": self.message_id,
            "order": self.order,
            "action": self.action,
            "status": self.content.subscription_info.status,
            "body": *self.body,
        })
    }
}
