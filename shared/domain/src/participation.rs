//! Devices in program events: what the calls `reserveDevice` and `postEventOutcome` of the program system have in common
//! (contracts.md §4).
//!
//! ```text
//! rows ─▶ item, item, item …  one program event, at most 500  ─▶ call ─▶ 200 {"errors": [the devices refused]}
//!                                                                        400 the whole call, by its message number
//! ```
//!
//! Both are harmless when they are made again: a device that is already reserved for this stage is done, an outcome is
//! an upsert by (stage, head-end, nic).

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::layout::RowFault;
use crate::lookups::Verdict;
use crate::sync_request::{LONGEST_PARAMETER, Refusal, cut, read_refusal};

/// The most devices in one call, unless configured otherwise (contracts.md §4 [O]).
pub const DEVICES_PER_CALL: usize = 500;

/// Which of the DERMS's ids the program system knows a program event by: the one place of that mapping, because "a
/// deployment may flip it" (contracts.md §4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProgramEventKey {
    /// `eventExternalIdentifier` carries the stage id: a program event is one stage.
    #[default]
    Stage,
    /// It carries the event id.
    Event,
}

impl ProgramEventKey {
    /// The value of `eventExternalIdentifier`.
    #[must_use]
    pub fn choose<'a>(self, event_id: &'a str, stage_id: &'a str) -> &'a str {
        match self {
            Self::Stage => stage_id,
            Self::Event => event_id,
        }
    }
}

/// A word that names neither id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of stage, event")]
pub struct NotAProgramEventKey;

impl FromStr for ProgramEventKey {
    type Err = NotAProgramEventKey;

    fn from_str(word: &str) -> Result<Self, NotAProgramEventKey> {
        match word {
            "stage" => Ok(Self::Stage),
            "event" => Ok(Self::Event),
            _ => Err(NotAProgramEventKey),
        }
    }
}

/// The key of a row as bytes (contracts.md §6, "Row keys"). No identifier holds the separator, a control character.
#[must_use]
pub fn row_key(parts: &[&str]) -> Vec<u8> {
    parts.join(SEPARATOR).into_bytes()
}

/// Head-end and NIC id out of a [`row_key`] that ends in them.
#[must_use]
pub fn device_of(key: &[u8]) -> Option<(&str, &str)> {
    let (rest, nic_id) = std::str::from_utf8(key).ok()?.rsplit_once(SEPARATOR)?;
    let head_end_system = rest.rsplit(SEPARATOR).next()?;
    Some((head_end_system, nic_id))
}

const SEPARATOR: &str = "\0";

/// A device that the program system did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRefusal {
    /// Its head-end, as it was sent.
    pub head_end_system: String,
    /// Its NIC id, as it was sent.
    pub nic_id: String,
    /// Whether it never succeeds or may succeed later; never "already done", which is no refusal.
    pub verdict: Verdict,
    /// Why.
    pub refusal: Refusal,
}

impl DeviceRefusal {
    /// As the fault of the row that carries the device.
    #[must_use]
    pub fn fault(&self) -> RowFault {
        RowFault::row(format!("the program system refuses the device: {}", reason(&self.refusal)))
    }
}

/// The reason of a refusal in one sentence without its end, for reject files and acknowledgements.
#[must_use]
pub fn reason(refusal: &Refusal) -> String {
    match (refusal.number, &refusal.message) {
        (Some(number), Some(message)) => format!("message number {number}, {message}"),
        (Some(number), None) => format!("message number {number}"),
        (None, Some(message)) => message.clone(),
        (None, None) => "without a message number".to_owned(),
    }
}

/// What the program system's answer to either call means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Every device is taken but these.
    Taken(Vec<DeviceRefusal>),
    /// What was asked for is so already: done.
    AlreadyDone,
    /// None is taken; it may succeed later: the program event is unknown yet, or not Scheduled yet.
    NotYet(Refusal),
    /// None is taken, and none ever will be.
    Refused(Refusal),
    /// Any other status, or an answer that cannot be read: the caller's general rules hold (retry, credentials).
    Unclear,
}

/// Reads the answer; `verdict` is the lookup DacsMessages, which also says what no number means.
///
/// **Interpretation:** an answer without a body, or without `errors`, refuses no device. One that lists errors which do
/// not name their device is unclear: to take it as read would count a refused device as taken.
#[must_use]
pub fn read_answer(status: u16, body: &[u8], verdict: &dyn Fn(Option<u32>) -> Verdict) -> Answer {
    match status {
        200..=299 => match refused_devices(body, verdict) {
            Some(refused) => Answer::Taken(refused),
            None => Answer::Unclear,
        },
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

/// `{errors: [{headEndSystem, nicId, messageNumber, message}]}` [O shape].
#[derive(Deserialize)]
struct Errors<'a> {
    #[serde(borrow, default)]
    errors: Option<Vec<DeviceError<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceError<'a> {
    #[serde(borrow)]
    head_end_system: Cow<'a, str>,
    #[serde(borrow)]
    nic_id: Cow<'a, str>,
    #[serde(default)]
    message_number: serde_json::Value,
    #[serde(default)]
    message: serde_json::Value,
}

fn refused_devices(body: &[u8], verdict: &dyn Fn(Option<u32>) -> Verdict) -> Option<Vec<DeviceRefusal>> {
    match body.trim_ascii() {
        [] => return Some(Vec::new()),
        // A list would be read as the members of an object, in their order.
        [b'{', ..] => {}
        _ => return None,
    }
    let errors = serde_json::from_slice::<Errors<'_>>(body).ok()?.errors.unwrap_or_default();
    let refusals = errors.into_iter().filter_map(|error| {
        let number = match &error.message_number {
            serde_json::Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            serde_json::Value::String(digits) => digits.parse().ok(),
            _ => None,
        };
        let message = error.message.as_str().map(|message| cut(message, LONGEST_PARAMETER).to_owned());
        let verdict = Some(verdict(number)).filter(|verdict| *verdict != Verdict::AlreadyDone)?;
        Some(DeviceRefusal {
            head_end_system: error.head_end_system.into_owned(),
            nic_id: error.nic_id.into_owned(),
            verdict,
            refusal: Refusal { number, message },
        })
    });
    Some(refusals.collect())
}

/// The answer names a device that the call did not have: nobody can tell which row it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the program system refuses a device that was not in the call")]
pub struct UnknownDevice;

/// Finds the row of each refused device, by its place among the (head-end, NIC id) of the call. A device that is refused
/// more than once is refused for the first reason.
///
/// # Errors
///
/// [`UnknownDevice`]
pub fn places_of<'r, 'a>(
    refused: &'r [DeviceRefusal],
    devices: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<(usize, &'r DeviceRefusal)>, UnknownDevice> {
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let mut places: HashMap<(&str, &str), (usize, bool)> =
        devices.into_iter().enumerate().map(|(place, device)| (device, (place, false))).collect();
    let mut found = Vec::with_capacity(refused.len());
    for refusal in refused {
        let device = (refusal.head_end_system.as_str(), refusal.nic_id.as_str());
        let (place, told) = places.get_mut(&device).ok_or(UnknownDevice)?;
        if !std::mem::replace(told, true) {
            found.push((*place, refusal));
        }
    }
    Ok(found)
}

/// Appends a value as JSON.
pub(crate) fn push_json(out: &mut Vec<u8>, value: &impl Serialize) {
    // Writing texts, times and lists of them to a `Vec` cannot fail.
    serde_json::to_writer(out, value).unwrap_or_default();
}

/// Appends items that are JSON already as a list.
pub(crate) fn push_list<'i>(out: &mut Vec<u8>, items: impl IntoIterator<Item = &'i [u8]>) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests;
