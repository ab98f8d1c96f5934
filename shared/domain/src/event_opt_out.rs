//! Flow `dacs-derms-event-opt-out`: a customer withdraws one device from one stage (contracts.md §5, since 25.10).
//!
//! A program event of the program system *is* a stage: what it calls `externalIdentifier` is the DERMS's `stageId`, its
//! `eventExternalIdentifier` the DERMS's `eventId`.

use serde::Serialize;

use crate::derms_message::{DermsMessage, DermsRequest, Method, device_order, utc_millis};
use crate::enrollment_sync::LONGEST_TEXT;
use crate::ids::{CommunicationId, EventId, HeadEndSystem, NicId, StageId};
use crate::json::{Document, Object, Problem};
use crate::lookups::{Lookups, MapName, Miss};
use crate::time::Instant;

/// A valid message. Everything in it is required but the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventOptOut {
    /// The program system's id of this message.
    pub communication_id: CommunicationId,
    /// The event.
    pub event_id: EventId,
    /// Its stage.
    pub stage_id: StageId,
    /// The head-end, in the program system's code.
    pub head_end_system: HeadEndSystem,
    /// The device's id there.
    pub nic_id: NicId,
    /// When the customer said so.
    pub opted_out: Instant,
    /// Why.
    pub reason: Option<String>,
}

/// The body of `POST /event_opt_out`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OptOutRequest<'a> {
    dacs_message_id: &'a CommunicationId,
    event_id: &'a EventId,
    stage_id: &'a StageId,
    head_end_system: &'a str,
    nic_id: &'a NicId,
    #[serde(rename = "optOutDateTimeISO", serialize_with = "utc_millis")]
    opted_out: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl DermsMessage for EventOptOut {
    type Body<'a> = OptOutRequest<'a>;

    fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(read)
    }

    fn message_key(&self) -> String {
        self.communication_id.to_string()
    }

    fn ordering_key(&self) -> String {
        device_order(&self.head_end_system, &self.nic_id)
    }

    fn request<'a>(&'a self, lookups: &'a Lookups) -> Result<DermsRequest<OptOutRequest<'a>>, Miss> {
        let body = OptOutRequest {
            dacs_message_id: &self.communication_id,
            event_id: &self.event_id,
            stage_id: &self.stage_id,
            head_end_system: lookups.translate(MapName::HeadEndSystem, self.head_end_system.as_str())?,
            nic_id: &self.nic_id,
            opted_out: self.opted_out,
            reason: self.reason.as_deref(),
        };
        Ok(DermsRequest { method: Method::Post, path: "/event_opt_out".to_owned(), body })
    }
}

fn read(object: &Object<'_, '_>) -> Option<EventOptOut> {
    let communication_id = object.required("communicationId");
    let event_id = object.required("eventExternalIdentifier");
    let stage_id = object.required("externalIdentifier");
    let head_end_system = object.required("headEndSystem");
    let nic_id = object.required("nicId");
    let opted_out = object.required("optOutDateTime");
    let reason = object.text("reason", LONGEST_TEXT);
    Some(EventOptOut {
        communication_id: communication_id?,
        event_id: event_id?,
        stage_id: stage_id?,
        head_end_system: head_end_system?,
        nic_id: nic_id?,
        opted_out: opted_out?,
        reason: reason.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_opt_out_reaches_the_derms_under_its_own_names_of_event_and_stage() {
        let message = json!({
            "communicationId": "C-2", "eventExternalIdentifier": "E-1", "externalIdentifier": "E-1-S2",
            "headEndSystem": "HES-NORTH", "nicId": "nic-1", "optOutDateTime": "2026-07-01T13:00:00-05:00",
            "reason": "guests",
        });
        let message = EventOptOut::parse(message.to_string().as_bytes()).unwrap();
        let lookups = Lookups::shipped();
        let request = message.request(&lookups).unwrap();
        assert_eq!((request.method, request.path.as_str()), (Method::Post, "/event_opt_out"));
        let expected = json!({
            "dacsMessageId": "C-2", "eventId": "E-1", "stageId": "E-1-S2", "headEndSystem": "HES-NORTH", "nicId": "nic-1",
            "optOutDateTimeISO": "2026-07-01T18:00:00.000Z", "reason": "guests",
        });
        assert_eq!(serde_json::to_value(request.body).unwrap(), expected);
        assert_eq!((message.message_key(), message.ordering_key()), ("C-2".to_owned(), "HES-NORTH\nnic-1".to_owned()));
    }
}
