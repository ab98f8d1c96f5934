//! The answer to a list: a `MsgAck` with one response for each request that is done, in the order of the list
//! (contracts.md §3 and §5). 202 says that there are others, which are acknowledged later.

use domain::enrollment_request::Listed;
use domain::json::Problem;
use domain::msg_ack::{Envelope, MsgAck, Response, ResponseCode};
use domain::time::Instant;
use flow::message::Told;
use flow::trigger::HttpReply;
use jiff::Timestamp;
use serde_json::Value;

/// The longest reason, in characters.
const LONGEST: usize = 1000;

/// The answer; `told` is of the requests that could be read. A list has no id of its own: its response carries `correlation`.
pub(crate) fn reply(list: &[Listed], told: Vec<Told>, correlation: &str, now: Timestamp) -> HttpReply {
    let when = Instant::from(now);
    let mut told = told.into_iter();
    let responses: Vec<_> = list
        .iter()
        .filter_map(|listed| match &listed.request {
            Ok(_) => told.next().and_then(|told| response(listed, told, when)),
            Err(problem) => Some(error(listed, problem, when)),
        })
        .collect();
    let status = if responses.len() < list.len() { 202 } else { 200 };
    let failed = responses.iter().filter(|response| !response.response_code.is_success()).count();
    let worst = responses.iter().map(|response| response.response_code).max();
    let envelope = Envelope {
        message_id: correlation,
        dacs_message_id: None,
        ack_type: worst.unwrap_or(ResponseCode::Success),
        delivered: count(responses.len() - failed),
        failed: count(failed),
    };
    let ack = MsgAck::new(envelope, when, responses);
    HttpReply::json(status, &serde_json::to_value(&ack).unwrap_or_default())
}

/// The response of a request; nothing if it is acknowledged later.
fn response(listed: &Listed, told: Told, when: Instant) -> Option<Response> {
    match told {
        Told::Ended(ack) => own(&ack),
        Told::Later => None,
        Told::Refused(problem) => Some(error(listed, &problem, when)),
    }
}

/// The response about the request itself in its acknowledgement: the one after the envelope's own.
fn own(ack: &Value) -> Option<Response> {
    MsgAck::parse(ack.to_string().as_bytes()).ok()?.responses.into_iter().nth(1)
}

fn error(listed: &Listed, problem: &Problem, when: Instant) -> Response {
    Response {
        id: Some(listed.message_id.to_string()),
        value: Some(words(problem)),
        response_code: ResponseCode::Error,
        response_time: Some(when),
        dacs_message_id: None,
    }
}

/// What is wrong with a request, in one line.
fn words(problem: &Problem) -> String {
    let faults = problem.errors.iter().map(|fault| format!("{} {}", fault.pointer, fault.reason));
    let faults: Vec<_> = faults.collect();
    let words = if faults.is_empty() { format!("{}: {}", problem.title, problem.detail) } else { faults.join("; ") };
    words.chars().take(LONGEST).collect()
}

fn count(responses: usize) -> u64 {
    u64::try_from(responses).unwrap_or(u64::MAX)
}
