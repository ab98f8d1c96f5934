//! Answering a sync request of the program system: what is called, with which body, and what its answer means
//! (contracts.md §4, documented by the vendor).
//!
//! ```text
//! DacsRelease       the ack carries devices        it carries none
//! up to 25.4        PATCH syncRequest/{id}         PATCH syncRequest/{id}
//! from 25.10 on     POST postAcknowledgement       PATCH syncRequest/{id}
//! ```
//!
//! Exceptions in the body bring the sync request to Error, none to Synchronized. `PATCH` cannot tell of single devices, so
//! there each device that its head-end did not take is an exception, even if the ack as a whole is positive: otherwise
//! nobody at the program system would learn of it.

mod release;

#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::Serialize;

pub use release::{DacsRelease, UnknownRelease};

use crate::ids::{DeviceId, SyncRequestId};
use crate::json::Document;
use crate::lookups::Verdict;
use crate::msg_ack::ResponseCode;
use crate::sync_ack::{DeviceAck, Registration, SyncAck};

/// The longest `comments`. **Interpretation:** the program system's lengths are counted in UTF-8 bytes here, which holds
/// whether its database counts bytes or characters.
pub const LONGEST_COMMENT: usize = 254;

/// The longest `messageParameterValue`, and `message` of a device.
pub const LONGEST_PARAMETER: usize = 2000;

/// The category and number under which the program system shows an exception; configured per deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExceptionCode {
    category: i32,
    number: i32,
}

/// A category or number that the program system cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message category or number is between -99999 and 99999")]
pub struct OutOfRange;

/// Category 90000, number 1: what the template sets where nobody says otherwise.
impl Default for ExceptionCode {
    fn default() -> Self {
        Self { category: 90_000, number: 1 }
    }
}

impl ExceptionCode {
    /// Both within ±99999.
    ///
    /// # Errors
    /// [`OutOfRange`]
    pub fn new(category: i32, number: i32) -> Result<Self, OutOfRange> {
        let fits = |value: i32| (-99_999..=99_999).contains(&value);
        if fits(category) && fits(number) { Ok(Self { category, number }) } else { Err(OutOfRange) }
    }

    /// The category.
    #[must_use]
    pub fn category(self) -> i32 {
        self.category
    }
}

/// The method of a [`DacsCall`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Of `syncRequest/{id}`.
    Patch,
    /// Of `postAcknowledgement`.
    Post,
}

/// A call to the program system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DacsCall {
    /// How.
    pub method: Method,
    /// Where, after its base URL; percent-encoded.
    pub path: String,
    /// With what.
    pub body: Acknowledgement,
}

/// The body of either call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledgement {
    /// Whether the sync request goes to Error.
    pub has_error: bool,
    /// Which one.
    pub sync_request_id: SyncRequestId,
    /// Why; empty exactly when there is no error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exception_info: Vec<ExceptionInfo>,
    /// Device by device; only in `postAcknowledgement`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_headend_status: Vec<DeviceHeadendStatus>,
}

/// One thing that somebody at the program system has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionInfo {
    /// As configured.
    pub message_category: i32,
    /// As configured.
    pub message_number: i32,
    /// The reason, at most [`LONGEST_COMMENT`] bytes of it.
    pub comments: String,
    /// 1, 2, 3 …
    pub sequence: usize,
    /// The reason, longer; of a device its id first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub message_parameters: Vec<MessageParameter>,
}

/// A value to be put into the text of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageParameter {
    /// 1, 2, 3 …
    pub parameter_sequence: usize,
    /// At most [`LONGEST_PARAMETER`] bytes.
    pub message_parameter_value: String,
}

/// A device's state at its head-end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceHeadendStatus {
    /// The device.
    pub device_id: DeviceId,
    /// `D1RE`, `D1NR` or `D1DR`.
    pub head_end_registration: &'static str,
    /// Why, at most [`LONGEST_PARAMETER`] bytes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The call that tells the program system what became of its sync request.
#[must_use]
pub fn acknowledge(ack: &SyncAck, release: DacsRelease, code: ExceptionCode) -> DacsCall {
    let by_device = release >= DacsRelease::DEVICE_STATUS && !ack.devices.is_empty();
    let mut exceptions = Vec::new();
    if !ack.response_code.is_success() {
        exceptions.push(exception(code, &reason(ack), ack.message.as_deref().into_iter().collect()));
    }
    if !by_device {
        let failed = ack.devices.iter().filter(|device| device.registration == Registration::NotRegistered);
        exceptions.extend(failed.map(|device| device_exception(code, device)));
    }
    for (sequence, exception) in (1..).zip(&mut exceptions) {
        exception.sequence = sequence;
    }
    let told = if by_device { ack.devices.as_slice() } else { &[] };
    let body = Acknowledgement {
        has_error: !exceptions.is_empty(),
        sync_request_id: ack.dacs_message_id.clone(),
        exception_info: exceptions,
        device_headend_status: told.iter().map(DeviceHeadendStatus::from).collect(),
    };
    if by_device {
        let path = "/rest/apis/cross/digitalAssets/programEnrollments/postAcknowledgement".to_owned();
        DacsCall { method: Method::Post, path, body }
    } else {
        DacsCall { method: Method::Patch, path: patch_path(&ack.dacs_message_id), body }
    }
}

/// The call for a sync request that is answered as a whole, without devices: with an `error` (its code and the reason) it
/// goes to Error, else to Synchronized.
#[must_use]
pub fn patch(id: &SyncRequestId, error: Option<(ExceptionCode, &str)>) -> DacsCall {
    let exception_info = error.map(|(code, reason)| exception(code, reason, vec![reason])).into_iter().collect();
    let body = Acknowledgement {
        has_error: error.is_some(),
        sync_request_id: id.clone(),
        exception_info,
        device_headend_status: Vec::new(),
    };
    DacsCall { method: Method::Patch, path: patch_path(id), body }
}

fn patch_path(id: &SyncRequestId) -> String {
    format!("/rest/apis/common/sync/syncRequest/{}", encoded(id.as_str()))
}

/// The reason of a negative ack, in words of ours where the DERMS gave none.
fn reason(ack: &SyncAck) -> String {
    match (&ack.message, ack.response_code) {
        (Some(message), _) => message.clone(),
        (None, ResponseCode::Failure) => "The DERMS reports a technical failure without a reason".to_owned(),
        (None, _) => "The DERMS refused the message without a reason".to_owned(),
    }
}

fn device_exception(code: ExceptionCode, device: &DeviceAck) -> ExceptionInfo {
    let id = device.device_id.as_str();
    let reason = device.message.as_deref();
    let comments = match reason {
        Some(reason) => format!("Device {id} is not registered at its head-end: {reason}"),
        None => format!("Device {id} is not registered at its head-end"),
    };
    exception(code, &comments, [id].into_iter().chain(reason).collect())
}

fn exception(code: ExceptionCode, comments: &str, parameters: Vec<&str>) -> ExceptionInfo {
    let parameter = |(sequence, value)| MessageParameter {
        parameter_sequence: sequence,
        message_parameter_value: cut(value, LONGEST_PARAMETER).to_owned(),
    };
    ExceptionInfo {
        message_category: code.category,
        message_number: code.number,
        comments: cut(comments, LONGEST_COMMENT).to_owned(),
        sequence: 1,
        message_parameters: (1..).zip(parameters).map(parameter).collect(),
    }
}

impl From<&DeviceAck> for DeviceHeadendStatus {
    fn from(device: &DeviceAck) -> Self {
        Self {
            device_id: device.device_id.clone(),
            head_end_registration: device.registration.dacs_code(),
            message: device.message.as_deref().map(|message| cut(message, LONGEST_PARAMETER).to_owned()),
        }
    }
}

/// The longest beginning of `text` that has at most `max` bytes and ends between two characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

/// `id` as one segment of a path (RFC 3986).
pub(crate) fn encoded(id: &str) -> String {
    let mut segment = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            write!(segment, "%{byte:02X}").unwrap_or_default();
        }
    }
    segment
}

/// What the program system's answer to a [`DacsCall`] means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: the sync request is Synchronized, or in Error, as we said.
    Done,
    /// It was acknowledged before: a duplicate, done (contracts.md §8, flows 6 and 8).
    AlreadyDone,
    /// Not possible yet; try again later.
    NotYet(Refusal),
    /// Refused for good.
    Refused(Refusal),
    /// Any other status: no answer to this question, the caller's general rules hold (retry, credentials).
    Unclear,
}

/// Why the program system answered 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its message number, if there is a readable one.
    pub number: Option<u32>,
    /// Its message, for the operator; at most [`LONGEST_PARAMETER`] bytes of it. May name ids, so it is not for logs.
    pub message: Option<String>,
}

/// Reads the answer; `verdict` is the lookup DacsMessages, which also says what no number means.
#[must_use]
pub fn read_answer(status: u16, body: &[u8], verdict: &dyn Fn(Option<u32>) -> Verdict) -> Answer {
    match status {
        200..=299 => Answer::Done,
        400 => {
            let refusal = read_refusal(body);
            match verdict(refusal.number) {
                Verdict::AlreadyDone => Answer::AlreadyDone,
                Verdict::NotYet => Answer::NotYet(refusal),
                Verdict::Refused => Answer::Refused(refusal),
            }
        }
        _ => Answer::Unclear,
    }
}

/// A 400 body is a problem document, `messageNumber` and `message` are ours (contracts.md §4): whatever of it cannot be
/// read is not there, and the verdict on a refusal without a number decides.
pub(crate) fn read_refusal(body: &[u8]) -> Refusal {
    let nothing = Refusal { number: None, message: None };
    let Ok(document) = Document::parse(body) else {
        return nothing;
    };
    let number = document.read(|it| Some(it.integer("messageNumber"))).ok().flatten();
    let number_text = document.read(|it| Some(it.text("messageNumber", 9)?.parse().ok())).ok().flatten();
    let message = document.read(|it| Some(cut(it.text("message", usize::MAX)?, LONGEST_PARAMETER).to_owned())).ok();
    Refusal { number: number.or(number_text).and_then(|number| u32::try_from(number).ok()), message }
}
