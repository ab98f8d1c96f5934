//! Edge DERMS, the event system (contracts.md §5). One file per group of calls.

pub mod acks;
pub mod answers;
pub mod books;
pub mod enroll;
pub mod messages;
pub mod score_rows;
pub mod scores;
pub mod upserts;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{post, put};
use serde_json::{Value, json};

use crate::Shared;
use acks::Acks;
use answers::{Answers, DeviceAnswer};
use books::Enrollments;
use scores::Scores;
use upserts::Upserts;

/// What DERMS keeps.
#[derive(Debug, Default)]
pub struct Derms {
    /// How it answers.
    pub answers: Answers,
    /// Enrollment messages, subscriptions, their devices and programs.
    pub enrollments: Enrollments,
    /// Device scores.
    pub scores: Scores,
    /// Acknowledgements it was given.
    pub acks: Acks,
    /// Programs and their rules.
    pub programs: Upserts,
    /// Aggregators.
    pub aggregators: Upserts,
    /// Questions whether a device can be reached.
    pub status_checks: Upserts,
    /// Devices withdrawn from stages.
    pub opt_outs: Upserts,
    /// Times in which devices are not to be reserved.
    pub unavailabilities: Upserts,
}

impl Derms {
    /// The books, as `GET /control/derms` answers them; single scores only as their number.
    pub fn state(&self) -> Value {
        let mut state = self.enrollments.state();
        if let Some(fields) = state.as_object_mut() {
            fields.insert("scores".to_owned(), self.scores.summary());
            fields.insert("acks".to_owned(), self.acks.state());
            for (name, books) in self.upserts() {
                fields.insert(name.to_owned(), books.state());
            }
            fields.insert("script".to_owned(), self.answers.state());
        }
        state
    }

    /// The books of messages beside enrollments, by the names under which they are shown.
    pub fn upserts(&self) -> [(&'static str, &Upserts); 5] {
        [
            ("programRules", &self.programs),
            ("aggregators", &self.aggregators),
            ("statusChecks", &self.status_checks),
            ("optOuts", &self.opt_outs),
            ("unavailabilities", &self.unavailabilities),
        ]
    }

    /// Forgets the books and the script.
    pub fn clear(&self) {
        self.answers.clear();
        self.enrollments.clear();
        self.scores.clear();
        self.acks.clear();
        self.upserts().into_iter().for_each(|(_, books)| books.clear());
    }
}

/// What DERMS answers.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/derms/enroll", post(enroll::enroll))
        .route(
            "/derms/device_scores",
            // The CSV part has a limit of its own.
            post(scores::device_scores).layer(DefaultBodyLimit::disable()),
        )
        .route("/derms/acks", post(acks::acks))
        .route("/derms/programs/{code}", put(messages::program))
        .route("/derms/aggregators/{id}", put(messages::aggregator))
        .route("/derms/status_check", post(messages::status_check))
        .route("/derms/event_opt_out", post(messages::event_opt_out))
        .route("/derms/device_unavailability", post(messages::device_unavailability))
}

/// A `MsgAck` of DERMS about one message and what it tells of its devices (contracts.md §3). Its
/// first response is about the message, the others have a device's id; `value` is the device's
/// registration, or the reason of its failure.
pub fn msg_ack((code, value): (&str, &str), id: &str, devices: &[DeviceAnswer], at: &str) -> Value {
    let response = |id: &str, value: &Value, code: &str, message_id: &str| {
        json!({
            "id": id,
            "value": value,
            "responseCode": code,
            "responseTimeISO": at,
            "dacsMessageId": message_id,
        })
    };
    let mut responses = vec![response(id, &json!(value), code, id)];
    for device in devices {
        let (value, code) = match &device.message {
            Some(reason) => (json!(reason), "ERROR"),
            None => (json!(device.registration), "SUCCESS"),
        };
        responses.push(response(&device.device_id, &value, code, id));
    }
    json!({"MsgAck": {"ackType": code, "whenISO": at, "responses": {"response": responses}}})
}
