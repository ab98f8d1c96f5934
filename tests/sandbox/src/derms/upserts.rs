//! What DERMS keeps of messages that replace what it knew of something: each message with its
//! ordered history, and the latest state of each thing.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;
use serde_json::{Value, json};

use super::answers::Answer;
use crate::clock::locked;

/// The books of one kind of message.
#[derive(Debug, Default)]
pub struct Upserts(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    messages: BTreeMap<String, Message>,
    latest: BTreeMap<String, Latest>,
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
    awaiting: Option<(String, Value)>,
}

#[derive(Debug, Serialize)]
struct Entry {
    order: u64,
    outcome: &'static str,
    reason: Option<String>,
    body: Value,
}

#[derive(Debug, Serialize)]
struct Latest {
    message: String,
    order: u64,
    body: Value,
}

impl Upserts {
    /// Books a call of message `id` about the thing `about`, and what it was answered.
    pub fn received(&self, order: u64, id: &str, about: &str, body: Value, answer: &Answer) {
        let mut book = locked(&self.0);
        let message = book.messages.entry(id.to_owned()).or_default();
        message.calls = message.calls.saturating_add(1);
        if matches!(answer, Answer::Later) {
            message.note(order, "awaiting", None, body.clone());
            message.awaiting = Some((about.to_owned(), body));
            return;
        }
        book.decide(order, id, about, body, answer);
    }

    /// DERMS makes up its mind about a message that it answered 202; false when it is none.
    pub fn settle(&self, order: u64, id: &str, answer: &Answer) -> bool {
        let mut book = locked(&self.0);
        let awaiting = book.messages.get_mut(id).and_then(|message| message.awaiting.take());
        let Some((about, body)) = awaiting else { return false };
        book.decide(order, id, &about, body, answer);
        true
    }

    /// Forgets all.
    pub fn clear(&self) {
        *locked(&self.0) = Book::default();
    }

    /// The books as JSON.
    pub fn state(&self) -> Value {
        let book = locked(&self.0);
        json!({"messages": book.messages, "latest": book.latest, "effects": book.effects})
    }
}

impl Book {
    fn decide(&mut self, order: u64, id: &str, about: &str, body: Value, answer: &Answer) {
        let message = self.messages.entry(id.to_owned()).or_default();
        let (outcome, reason) = match answer {
            Answer::Error(reason) => ("error", reason),
            Answer::Failure(reason) => ("failure", reason),
            Answer::Positive | Answer::Later => return self.take(order, id, about, body),
        };
        message.refusals = message.refusals.saturating_add(1);
        message.note(order, outcome, Some(reason.clone()), body);
    }

    fn take(&mut self, order: u64, id: &str, about: &str, body: Value) {
        let message = self.messages.entry(id.to_owned()).or_default();
        let same = |latest: &Latest| latest.message == id && latest.body == body;
        if self.latest.get(about).is_some_and(same) {
            message.repeats = message.repeats.saturating_add(1);
            message.state = "taken";
            return;
        }
        message.note(order, "taken", None, body.clone());
        message.effects = message.effects.saturating_add(1);
        self.effects = self.effects.saturating_add(1);
        self.latest.insert(about.to_owned(), Latest { message: id.to_owned(), order, body });
    }
}

impl Message {
    fn note(&mut self, order: u64, outcome: &'static str, reason: Option<String>, body: Value) {
        self.state = outcome;
        self.history.push(Entry { order, outcome, reason, body });
    }
}
