//! What the DERMS says of a synchronization (flows 2, 3 and 5), whichever way it comes.
//!
//! ```text
//! POST /v1/derms/enrollment-ack ─────────────────────parse_with_devices──┐
//! POST /v1/derms/program-rules-ack, aggregators-ack ─parse───────────────┼─▶ SyncAck ─▶ sync_request::acknowledge ─▶ DACS
//! answer of the call itself (MsgAck) ────────────────from_msg_ack────────┘
//! ```
//!
//! One type, so that there is one logic behind it. Only an enrollment has devices to tell of.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::ids::{DeviceId, SyncRequestId};
use crate::json::{Document, Grammar, Object, Problem, Text};
use crate::msg_ack::{MsgAck, Response, ResponseCode, UnknownCode};
use crate::sync_request::cut;

/// The longest reason taken, in characters: what a `messageParameterValue` and the `message` of a device hold in the
/// program system (contracts.md §4).
pub const LONGEST_MESSAGE: usize = 2000;

/// An acknowledgement of one synchronization. Serializes as it travels:
/// `{dacsMessageId, responseCode, message?, devices[]{deviceId, registration, message?}}` (contracts.md §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncAck {
    /// The synchronization it answers: its `syncRequestId`.
    pub dacs_message_id: SyncRequestId,
    /// Taken or not.
    pub response_code: ResponseCode,
    /// Why not, for the people at the program system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The devices whose registration it tells, none twice; may be fewer than the message had, and none unless it was an
    /// enrollment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceAck>,
}

/// Whether one device is registered at its head-end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceAck {
    /// The device.
    pub device_id: DeviceId,
    /// Its state there.
    pub registration: Registration,
    /// Why it is not what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A device's state at its head-end. Lifecycle: `NOT_REGISTERED` → `REGISTERED` → `DEREGISTERED` (contracts.md §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Registration {
    /// Can be called.
    Registered,
    /// The head-end did not take it.
    NotRegistered,
    /// The head-end let it go.
    Deregistered,
}

impl Registration {
    /// The program system's `headEndRegistration` (contracts.md §4).
    #[must_use]
    pub fn dacs_code(self) -> &'static str {
        match self {
            Self::Registered => "D1RE",
            Self::NotRegistered => "D1NR",
            Self::Deregistered => "D1DR",
        }
    }
}

impl FromStr for Registration {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "REGISTERED" => Ok(Self::Registered),
            "NOT_REGISTERED" => Ok(Self::NotRegistered),
            "DEREGISTERED" => Ok(Self::Deregistered),
            _ => Err(UnknownCode("REGISTERED, NOT_REGISTERED, DEREGISTERED")),
        }
    }
}

impl Text for Registration {
    const GRAMMAR: Grammar = Grammar::Codes(&["REGISTERED", "NOT_REGISTERED", "DEREGISTERED"]);
}

/// A device of the message that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The device.
    pub device_id: &'a DeviceId,
    /// Whether it was to leave its head-end.
    pub leaves: bool,
}

/// The DERMS answered with the acknowledgement of another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the MsgAck answers another message: response {0} carries another dacsMessageId")]
pub struct AnswersAnother(pub usize);

impl SyncAck {
    /// Checks a body that the DERMS posts, `{dacsMessageId, responseCode, message?}` (contracts.md §5, flows 16 and 17).
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(read_ack)
    }

    /// The same with `devices[]` (contracts.md §5, flow 6).
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn with_devices(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(|object| {
            let ack = read_ack(object);
            let devices = object.objects("devices", read_device);
            if let Some(devices) = &devices {
                each_device_is_told_once(object, devices);
            }
            Some(Self { devices: devices?, ..ack? })
        })
    }

    /// Parses and checks a body with all that an acknowledgement may tell.
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        Self::with_devices(&Document::parse(body)?)
    }

    /// What is kept in order (contracts.md §2).
    #[must_use]
    pub fn ordering_key(&self) -> &SyncRequestId {
        &self.dacs_message_id
    }

    /// The acknowledgement that we give ourselves when a synchronization is given up: a technical fault, with its reason.
    #[must_use]
    pub fn given_up(dacs_message_id: SyncRequestId, reason: String) -> Self {
        Self {
            dacs_message_id,
            response_code: ResponseCode::Failure,
            message: Some(shortened(reason)),
            devices: Vec::new(),
        }
    }

    /// Reads the DERMS's immediate answer to message `sent`, which had these devices. A FAILURE among them is for the caller
    /// to retry first (contracts.md §5: "A synchronous FAILURE from DERMS is retried, then Error").
    ///
    /// **Interpretation:** a response whose `id` is a device of `sent` is about that device, every other one about the
    /// message. A device's `value` is its registration if it is one of the three codes; otherwise a SUCCESS means that what
    /// was asked for is so, anything else that nothing changed, and `value` says why. The reasons of the other negative
    /// responses together are the message's. An answer that calls itself SUCCESS with a negative response about the message
    /// is as bad as that response, since a device is eligible only after a positive ack.
    ///
    /// # Errors
    /// [`AnswersAnother`] if a response carries another message's `dacsMessageId`.
    pub fn from_msg_ack(ack: &MsgAck, sent: &SyncRequestId, devices: &[Asked<'_>]) -> Result<Self, AnswersAnother> {
        let ours = sent.as_str();
        let strange = |it: &Response| it.dacs_message_id.as_deref().is_some_and(|id| id != ours);
        if let Some(position) = ack.responses.iter().position(strange) {
            return Err(AnswersAnother(position));
        }
        let mut answer =
            Self { dacs_message_id: sent.clone(), response_code: ack.ack_type, message: None, devices: Vec::new() };
        let mut untold: HashMap<&str, Option<Asked<'_>>> =
            devices.iter().map(|device| (device.device_id.as_str(), Some(*device))).collect();
        for response in &ack.responses {
            let id = response.id.as_deref().filter(|id| *id != ours);
            match id.and_then(|id| untold.get_mut(id)).map(Option::take) {
                Some(Some(device)) => answer.devices.push(device_ack(device, response)),
                Some(None) => {} // Told before.
                None => answer.take(response),
            }
        }
        answer.message = answer.message.map(shortened);
        Ok(answer)
    }

    /// Adds a response about the message as a whole.
    fn take(&mut self, response: &Response) {
        self.response_code = self.response_code.max(response.response_code);
        let reason = response.value.as_deref().filter(|value| !value.starts_with("delivered="));
        match (response.response_code.is_success(), reason, &mut self.message) {
            (true, ..) | (_, None, _) => {}
            (_, Some(reason), Some(message)) => {
                message.push_str("; ");
                message.push_str(reason);
            }
            (_, Some(reason), none) => *none = Some(reason.to_owned()),
        }
    }
}

/// An ack of ours can be read back: its reasons are no longer than those we take.
fn shortened(mut reason: String) -> String {
    reason.truncate(cut(&reason, LONGEST_MESSAGE).len());
    reason
}

fn device_ack(device: Asked<'_>, response: &Response) -> DeviceAck {
    let told = response.value.as_deref().and_then(|value| value.parse().ok());
    let registration = told.unwrap_or(match (response.response_code.is_success(), device.leaves) {
        (true, true) => Registration::Deregistered,
        (true, false) | (false, true) => Registration::Registered,
        (false, false) => Registration::NotRegistered,
    });
    let reason = response.value.clone().filter(|_| told.is_none() && !response.response_code.is_success());
    DeviceAck { device_id: device.device_id.clone(), registration, message: reason.map(shortened) }
}

/// Without its devices.
fn read_ack(ack: &Object<'_, '_>) -> Option<SyncAck> {
    let dacs_message_id = ack.required("dacsMessageId");
    let response_code = ack.required("responseCode");
    let message = ack.text("message", LONGEST_MESSAGE);
    Some(SyncAck {
        dacs_message_id: dacs_message_id?,
        response_code: response_code?,
        message: message.map(str::to_owned),
        devices: Vec::new(),
    })
}

fn read_device(device: &Object<'_, '_>) -> Option<DeviceAck> {
    let device_id = device.required("deviceId");
    let registration = device.required("registration");
    let message = device.text("message", LONGEST_MESSAGE);
    Some(DeviceAck { device_id: device_id?, registration: registration?, message: message.map(str::to_owned) })
}

fn each_device_is_told_once(ack: &Object<'_, '_>, devices: &[DeviceAck]) {
    let mut seen = HashSet::with_capacity(devices.len());
    for (i, device) in devices.iter().enumerate() {
        if !seen.insert(&device.device_id) {
            ack.fault_in("devices", i, "deviceId", "is told of more than once");
        }
    }
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registered => "REGISTERED",
            Self::NotRegistered => "NOT_REGISTERED",
            Self::Deregistered => "DEREGISTERED",
        })
    }
}

#[cfg(test)]
mod tests;
