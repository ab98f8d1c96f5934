//! The script: how DERMS answers, for one message or for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    pub answer: Answer,
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
        let lines = script
            .lines
            .entry(line.dacs_message_id.clone())
            .or_default();
        if line.count.is_none() {
            lines.clear();
        }
        lines.push(line);
    }

    /// The answer to the message `id`.
    pub fn next(&self, id: &str) -> Answer {
        let mut script = locked(&self.0);
        for key in [Some(id.to_owned()), None] {
            let Some(lines) = script.lines.get_mut(&key) else {
                continue;
            };
            lines.retain(|line| line.count != Some(0));
            if let Some(line) = lines.first_mut() {
                line.count = line.count.map(|count| count.saturating_sub(1));
                return line.answer.clone();
            }
        }
        Answer::Positive
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
