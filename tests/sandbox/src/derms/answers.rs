//! The script: how DERMS answers, for one message or for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::enroll::Device;
use crate::clock::locked;

/// How an enrollment message is answered.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(tag = "answer", content = "text", rename_all = "lowercase")]
pub enum Answer {
    /// Taken: a `MsgAck` SUCCESS.
    #[default]
    Positive,
    /// Refused on business grounds with this reason: a `MsgAck` ERROR.
    Error(String),
    /// Failed technically with this reason: a `MsgAck` FAILURE.
    Failure(String),
    /// 202; the acknowledgement comes when `POST /control/derms/late-acks` asks for it.
    Later,
}

impl Answer {
    /// An ERROR or FAILURE.
    pub fn is_negative(&self) -> bool {
        matches!(self, Self::Error(_) | Self::Failure(_))
    }

    /// "ERROR = processed, at least one record failed on business grounds" (contracts.md §3): a
    /// device that failed spoils a positive answer.
    pub fn with(self, devices: &[DeviceAnswer]) -> Self {
        let failed = devices.iter().find_map(|it| it.message.as_ref());
        match (self, failed) {
            (Self::Positive, Some(reason)) => Self::Error(reason.clone()),
            (answer, _) => answer,
        }
    }
}

/// What an answer tells of the devices of its message (since 25.10, device by device).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Devices {
    /// Nothing, or of every device what was asked for.
    All(bool),
    /// Of these devices this.
    These(Vec<DeviceAnswer>),
}

/// What an answer tells of one device.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceAnswer {
    /// DACS's id.
    pub device_id: String,
    /// Its state at its head-end.
    pub registration: Registration,
    /// Why it failed; none where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A device's state at its head-end (contracts.md §5, flow 6).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Registration {
    /// The head-end knows it.
    Registered,
    /// It does not.
    NotRegistered,
    /// It does not any more.
    Deregistered,
}

impl Default for Devices {
    fn default() -> Self {
        Self::All(false)
    }
}

impl Devices {
    /// What is told of the devices of a message.
    pub fn told(&self, devices: &[Device], negative: bool) -> Vec<DeviceAnswer> {
        let asked_for = |device: &Device| DeviceAnswer {
            device_id: device.device_id.clone(),
            registration: match (negative, device.status.as_str()) {
                (true, _) => Registration::NotRegistered,
                (false, "ACTIVE") => Registration::Registered,
                (false, _) => Registration::Deregistered,
            },
            message: None,
        };
        match self {
            Self::All(false) => Vec::new(),
            Self::All(true) => devices.iter().map(asked_for).collect(),
            Self::These(told) => told.clone(),
        }
    }
}

/// One answer of the script.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Reply {
    /// About the message.
    #[serde(flatten)]
    pub answer: Answer,
    /// About its devices.
    #[serde(default)]
    pub devices: Devices,
}

/// One line of the script.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Only for this message; for all others when absent.
    #[serde(default)]
    pub dacs_message_id: Option<String>,
    /// For so many answers; for ever when absent.
    #[serde(default)]
    pub count: Option<u64>,
    /// The answer.
    #[serde(flatten)]
    pub reply: Reply,
}

/// What DERMS does not know, so that it refuses messages that name it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unknown {
    /// Values of `servicePointId`.
    #[serde(default)]
    pub service_points: BTreeSet<String>,
    /// Values of `contactId`, `cisPersonId` or `cisAccountId`.
    #[serde(default)]
    pub customers: BTreeSet<String>,
}

/// The script in force.
#[derive(Debug, Default)]
pub struct Answers(Mutex<Script>);

#[derive(Debug, Default)]
struct Script {
    lines: BTreeMap<Option<String>, Vec<Line>>,
    unknown: Unknown,
    scores_accepted: bool,
}

impl Answers {
    /// Adds a line. Lines for one message come before lines for all; among equals the first counts
    /// until it is used up, and a line without count replaces what was there.
    pub fn add(&self, line: Line) {
        let mut script = locked(&self.0);
        let lines = script.lines.entry(line.dacs_message_id.clone()).or_default();
        if line.count.is_none() {
            lines.clear();
        }
        lines.push(line);
    }

    /// The answer to the message `id`.
    pub fn next(&self, id: &str) -> Reply {
        let mut script = locked(&self.0);
        for key in [Some(id.to_owned()), None] {
            let Some(lines) = script.lines.get_mut(&key) else {
                continue;
            };
            lines.retain(|line| line.count != Some(0));
            if let Some(line) = lines.first_mut() {
                line.count = line.count.map(|count| count.saturating_sub(1));
                return line.reply.clone();
            }
        }
        Reply::default()
    }

    /// Replaces what DERMS does not know.
    pub fn forget(&self, unknown: Unknown) {
        locked(&self.0).unknown = unknown;
    }

    /// Whether this service point is unknown.
    pub fn knows_no_service_point(&self, id: &str) -> bool {
        locked(&self.0).unknown.service_points.contains(id)
    }

    /// Whether this customer is unknown.
    pub fn knows_no_customer(&self, id: &str) -> bool {
        locked(&self.0).unknown.customers.contains(id)
    }

    /// Device scores are answered 202 instead of 200.
    pub fn accept_scores(&self, accepted: bool) {
        locked(&self.0).scores_accepted = accepted;
    }

    /// Whether device scores are answered 202.
    pub fn scores_accepted(&self) -> bool {
        locked(&self.0).scores_accepted
    }

    /// Everything as by default: all known, all taken, 200.
    pub fn clear(&self) {
        *locked(&self.0) = Script::default();
    }

    /// The script as JSON.
    pub fn state(&self) -> Value {
        let script = locked(&self.0);
        json!({
            "answers": script.lines.values().flatten().collect::<Vec<_>>(),
            "unknown": script.unknown,
            "scoresStatus": if script.scores_accepted { 202 } else { 200 },
        })
    }
}
