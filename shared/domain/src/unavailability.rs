//! Flow `dacs-derms-customer-unavailability`: a device that is not to be reserved from one time to another (contracts.md
//! §5, since 25.10).

use std::str::FromStr;

use serde::Serialize;

use crate::derms_message::{DermsMessage, DermsRequest, Method, device_order, utc_millis};
use crate::enrollment_sync::LONGEST_TEXT;
use crate::ids::{CommunicationId, HeadEndSystem, NicId, UnavailabilityId};
use crate::json::{Document, Grammar, Object, Problem, Text};
use crate::lookups::{Lookups, MapName, Miss};
use crate::msg_ack::UnknownCode;
use crate::time::Instant;

/// A valid message. Everything in it is required but the reason; its end is after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailability {
    /// The program system's id of this communication; with the action, of this message.
    pub communication_id: CommunicationId,
    /// The unavailability that is added, changed or canceled.
    pub unavailability_id: UnavailabilityId,
    /// What happened to it.
    pub action: UnavailabilityAction,
    /// The head-end, in the program system's code.
    pub head_end_system: HeadEndSystem,
    /// The device's id there.
    pub nic_id: NicId,
    /// From then on …
    pub start: Instant,
    /// … until, but not including, then.
    pub end: Instant,
    /// Why.
    pub reason: Option<String>,
}

/// What happened to an unavailability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum UnavailabilityAction {
    /// It is new.
    Add,
    /// Its times changed.
    Update,
    /// The device is available after all.
    Cancel,
}

impl UnavailabilityAction {
    /// As it travels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Update => "UPDATE",
            Self::Cancel => "CANCEL",
        }
    }
}

impl FromStr for UnavailabilityAction {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let known = [Self::Add, Self::Update, Self::Cancel].into_iter().find(|action| action.as_str() == text);
        known.ok_or(UnknownCode("ADD, UPDATE, CANCEL"))
    }
}

impl Text for UnavailabilityAction {
    const GRAMMAR: Grammar = Grammar::Codes(&["ADD", "UPDATE", "CANCEL"]);
}

/// The body of `POST /device_unavailability`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnavailabilityRequest<'a> {
    dacs_message_id: &'a CommunicationId,
    unavailability_id: &'a UnavailabilityId,
    action: UnavailabilityAction,
    head_end_system: &'a str,
    nic_id: &'a NicId,
    #[serde(rename = "startDateTimeISO", serialize_with = "utc_millis")]
    start: Instant,
    #[serde(rename = "endDateTimeISO", serialize_with = "utc_millis")]
    end: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl DermsMessage for Unavailability {
    type Body<'a> = UnavailabilityRequest<'a>;

    fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(read)
    }

    /// The action is the last part, and none has a mark in it: no two pairs share a key.
    fn message_key(&self) -> String {
        format!("{}#{}", self.communication_id, self.action.as_str())
    }

    fn ordering_key(&self) -> String {
        device_order(&self.head_end_system, &self.nic_id)
    }

    fn request<'a>(&'a self, lookups: &'a Lookups) -> Result<DermsRequest<UnavailabilityRequest<'a>>, Miss> {
        let body = UnavailabilityRequest {
            dacs_message_id: &self.communication_id,
            unavailability_id: &self.unavailability_id,
            action: self.action,
            head_end_system: lookups.translate(MapName::HeadEndSystem, self.head_end_system.as_str())?,
            nic_id: &self.nic_id,
            start: self.start,
            end: self.end,
            reason: self.reason.as_deref(),
        };
        Ok(DermsRequest { method: Method::Post, path: "/device_unavailability".to_owned(), body })
    }
}

fn read(object: &Object<'_, '_>) -> Option<Unavailability> {
    let communication_id = object.required("communicationId");
    let unavailability_id = object.required("unavailabilityId");
    let action = object.required("action");
    let head_end_system = object.required("headEndSystem");
    let nic_id = object.required("nicId");
    let start = object.required::<Instant>("startDateTime");
    let end = object.required::<Instant>("endDateTime");
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        object.fault("endDateTime", "is not after startDateTime");
    }
    let reason = object.text("reason", LONGEST_TEXT);
    Some(Unavailability {
        communication_id: communication_id?,
        unavailability_id: unavailability_id?,
        action: action?,
        head_end_system: head_end_system?,
        nic_id: nic_id?,
        start: start?,
        end: end?,
        reason: reason.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn message(action: &str) -> Value {
        json!({
            "communicationId": "C-3", "unavailabilityId": "U-1", "action": action, "headEndSystem": "HES-NORTH",
            "nicId": "nic-1", "startDateTime": "2026-07-10T00:00:00-05:00", "endDateTime": "2026-07-20T00:00:00-05:00",
        })
    }

    fn parse(message: &Value) -> Result<Unavailability, Problem> {
        Unavailability::parse(message.to_string().as_bytes())
    }

    #[test]
    fn an_unavailability_reaches_the_derms_with_its_times_in_utc() {
        let message = parse(&message("ADD")).unwrap();
        let lookups = Lookups::shipped();
        let request = message.request(&lookups).unwrap();
        assert_eq!((request.method, request.path.as_str()), (Method::Post, "/device_unavailability"));
        let expected = json!({
            "dacsMessageId": "C-3", "unavailabilityId": "U-1", "action": "ADD", "headEndSystem": "HES-NORTH",
            "nicId": "nic-1", "startDateTimeISO": "2026-07-10T05:00:00.000Z", "endDateTimeISO": "2026-07-20T05:00:00.000Z",
        });
        assert_eq!(serde_json::to_value(request.body).unwrap(), expected);
    }

    #[test]
    fn an_addition_and_its_cancellation_are_two_messages_in_one_order() {
        let (add, cancel) = (parse(&message("ADD")).unwrap(), parse(&message("CANCEL")).unwrap());
        assert_eq!((add.message_key().as_str(), cancel.message_key().as_str()), ("C-3#ADD", "C-3#CANCEL"));
        assert_eq!(add.ordering_key(), cancel.ordering_key());
    }

    #[test]
    fn a_time_that_ends_when_it_begins_is_no_time() {
        let mut message = message("UPDATE");
        message["endDateTime"] = json!("2026-07-10T05:00:00Z");
        let problem = parse(&message).unwrap_err();
        assert_eq!(problem.to_string(), "400 The message is not valid: /endDateTime is not after startDateTime");
    }
}
