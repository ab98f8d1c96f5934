//! The acknowledgement of one message: the envelope's own response, then one per stage (contracts.md §3).

use domain::event_status::EventStatus;
use domain::ids::StageId;
use domain::msg_ack::{Envelope, MsgAck, Response, ResponseCode};
use domain::time::Instant;

use crate::Calls;

/// "Above 1,000 records only failures follow" (contracts.md §3). A message has no room for 10,000 stages.
const ALL_RECORDS: usize = 1000;
/// So many refused stages are named to people.
const NAMED: usize = 5;

/// What became of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) stage_id: StageId,
    pub(crate) code: ResponseCode,
    pub(crate) value: String,
}

impl Calls {
    /// The acknowledgement of a message whose stages all have an end.
    pub(crate) fn ack(&self, message: &EventStatus, lines: Vec<Line>) -> MsgAck {
        let worst = lines.iter().map(|line| line.code).max().unwrap_or(ResponseCode::Success);
        self.msg_ack(message, worst, lines)
    }

    /// The acknowledgement of a message of which nothing was done.
    pub(crate) fn ack_of_nothing(&self, message: &EventStatus, code: ResponseCode, reason: &str) -> MsgAck {
        let line = |stage_id: &StageId| Line { stage_id: stage_id.clone(), code, value: reason.to_owned() };
        let lines = message.stages.iter().map(|entry| line(&entry.stage_id)).collect();
        self.msg_ack(message, code, lines)
    }

    fn msg_ack(&self, message: &EventStatus, ack_type: ResponseCode, lines: Vec<Line>) -> MsgAck {
        let when = Instant::from(self.stages.clock.now());
        let failed = lines.iter().filter(|line| !line.code.is_success()).count();
        let only_failures = lines.len() > ALL_RECORDS;
        let (all, failed) = (count(lines.len()), count(failed));
        let envelope = Envelope {
            message_id: message.message_key().as_str(),
            dacs_message_id: None,
            ack_type,
            delivered: all.saturating_sub(failed),
            failed,
        };
        let told = lines.into_iter().filter(|line| !only_failures || !line.code.is_success());
        let response = |line: Line| Response {
            id: Some(line.stage_id.to_string()),
            value: Some(line.value),
            response_code: line.code,
            response_time: Some(when),
            dacs_message_id: None,
        };
        MsgAck::new(envelope, when, told.map(response).collect())
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// Why a message did not end well, for the operator: stages by the ids that `make supply-predecessor` takes.
pub(crate) fn refused(ack: &MsgAck, message: &EventStatus) -> Option<String> {
    let failed: Vec<&Response> = ack.responses.iter().skip(1).filter(|it| !it.response_code.is_success()).collect();
    if ack.ack_type.is_success() {
        return None;
    }
    let reason = |it: &&Response| {
        let (stage, value) = (it.id.as_deref().unwrap_or_default(), it.value.as_deref().unwrap_or_default());
        format!("{}/{stage}: {value}", message.event_id)
    };
    let mut reasons: Vec<String> = failed.iter().take(NAMED).map(reason).collect();
    if failed.len() > NAMED {
        reasons.push(format!("and {} more", failed.len() - NAMED));
    }
    Some(reasons.join("; "))
}
