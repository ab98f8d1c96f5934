//! Flows `dacs-derms-device-status-check` and `derms-dacs-device-status-ack`: the program system asks whether a device can
//! be reached, the DERMS answers later (contracts.md §4 and §5, documented by the vendor since 22C).
//!
//! ```text
//! DACS ─ sendDetails{communicationId, deviceInfo} ─▶ POST /status_check{dacsMessageId, DeviceInfo} ─▶ DERMS
//! DACS ◀─ POST …/controllableDeviceStatus/response ◀─ {dacsMessageId, responseCode} ◀──────────────── DERMS
//! ```

use std::str::FromStr;

use serde::Serialize;

use crate::derms_message::{DermsMessage, DermsRequest, Destination, Method, device_order};
use crate::enrollment_sync::LONGEST_TEXT;
use crate::ids::{CommunicationId, Division, HeadEndSystem, NicId};
use crate::json::{Document, Grammar, Object, Problem, Text};
use crate::lookups::{Lookups, MapName, Miss};
use crate::msg_ack::UnknownCode;

/// Where the program system takes answers, after its base URL.
pub const RESPONSE_PATH: &str = "/rest/apis/cross/digitalAssets/controllableDeviceStatus/response";

/// The question.
///
/// **Interpretation:** required are the id and the device's address; the rest is sent on where it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusCheck {
    /// The program system's id of the question; the DERMS's `dacsMessageId`.
    pub communication_id: CommunicationId,
    /// The part of the utility; decides which DERMS, where there are several.
    pub division: Option<Division>,
    /// A code of the program system.
    pub device_type: Option<String>,
    /// Make and model, as the program system names them.
    pub specification: Option<String>,
    /// The head-end, in the program system's code.
    pub head_end_system: HeadEndSystem,
    /// The device's id there. The vendor spells it `nicid` here.
    pub nic_id: NicId,
}

/// The body of `POST /status_check`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusRequest<'a> {
    dacs_message_id: &'a CommunicationId,
    #[serde(rename = "DeviceInfo")]
    device_info: DeviceInfo<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<&'a Division>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    specification: Option<&'a str>,
    head_end_system: &'a str,
    nicid: &'a NicId,
}

impl DermsMessage for StatusCheck {
    type Body<'a> = StatusRequest<'a>;

    fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(|root| root.required_object("sendDetails", read_check))
    }

    fn message_key(&self) -> String {
        self.communication_id.to_string()
    }

    fn ordering_key(&self) -> String {
        device_order(&self.head_end_system, &self.nic_id)
    }

    fn destination(&self) -> Destination<'_> {
        Destination::Division(self.division.as_ref().map(Division::as_str))
    }

    fn request<'a>(&'a self, lookups: &'a Lookups) -> Result<DermsRequest<StatusRequest<'a>>, Miss> {
        let device_info = DeviceInfo {
            division: self.division.as_ref(),
            device_type: self.device_type.as_deref(),
            specification: self.specification.as_deref(),
            head_end_system: lookups.translate(MapName::HeadEndSystem, self.head_end_system.as_str())?,
            nicid: &self.nic_id,
        };
        let body = StatusRequest { dacs_message_id: &self.communication_id, device_info };
        Ok(DermsRequest { method: Method::Post, path: "/status_check".to_owned(), body })
    }
}

fn read_check(details: &Object<'_, '_>) -> Option<StatusCheck> {
    let communication_id = details.required("communicationId");
    let device = details.required_object("deviceInfo", |device| {
        let division = device.optional("division");
        let device_type = device.text("deviceType", LONGEST_TEXT).map(str::to_owned);
        let specification = device.text("specification", LONGEST_TEXT).map(str::to_owned);
        let head_end_system = device.required("headEndSystem");
        let nic_id = device.required("nicid");
        Some((division, device_type, specification, head_end_system?, nic_id?))
    });
    let (division, device_type, specification, head_end_system, nic_id) = device?;
    Some(StatusCheck {
        communication_id: communication_id?,
        division,
        device_type,
        specification,
        head_end_system,
        nic_id,
    })
}

/// Whether the device can be reached: all that the contract has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeviceStatus {
    /// It can.
    Success,
    /// It cannot, or nobody could find out.
    Failure,
}

impl FromStr for DeviceStatus {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "SUCCESS" => Ok(Self::Success),
            "FAILURE" => Ok(Self::Failure),
            _ => Err(UnknownCode("SUCCESS, FAILURE")),
        }
    }
}

impl Text for DeviceStatus {
    const GRAMMAR: Grammar = Grammar::Codes(&["SUCCESS", "FAILURE"]);
}

/// The answer, as the DERMS posts it and as it is kept: `{dacsMessageId, responseCode}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceStatusAck {
    /// The question it answers: its `communicationId`.
    pub dacs_message_id: CommunicationId,
    /// What became of it.
    pub response_code: DeviceStatus,
}

impl DeviceStatusAck {
    /// Checks a body that is parsed already.
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(|ack| {
            let dacs_message_id = ack.required("dacsMessageId");
            let response_code = ack.required("responseCode");
            Some(Self { dacs_message_id: dacs_message_id?, response_code: response_code? })
        })
    }

    /// The body of the call that brings it to the program system, at [`RESPONSE_PATH`].
    #[must_use]
    pub fn response(&self) -> StatusResponse<'_> {
        let result = StatusResult { status: self.response_code };
        StatusResponse { response_detail: ResponseDetail { transaction_id: &self.dacs_message_id, result } }
    }
}

/// What the program system is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusResponse<'a> {
    response_detail: ResponseDetail<'a>,
}

#[derive(Debug, Serialize)]
struct ResponseDetail<'a> {
    #[serde(rename = "transactionID")]
    transaction_id: &'a CommunicationId,
    result: StatusResult,
}

#[derive(Debug, Serialize)]
struct StatusResult {
    status: DeviceStatus,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check() -> StatusCheck {
        let message = json!({"sendDetails": {"communicationId": "C-1", "deviceInfo": {
            "division": "NORTH", "deviceType": "THERMOSTAT", "specification": "ECO-T100", "headEndSystem": "HES-NORTH",
            "nicid": "nic-1",
        }}});
        StatusCheck::parse(message.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_question_reaches_the_derms_with_the_derms_code_of_the_head_end() {
        let mut lookups = Lookups::default();
        lookups.replace(crate::lookups::parse("HeadEndSystem", b"key,value\nHES-NORTH,NORTH\n").unwrap());
        let check = check();
        let request = check.request(&lookups).unwrap();
        assert_eq!((request.method, request.path.as_str()), (Method::Post, "/status_check"));
        let expected = json!({"dacsMessageId": "C-1", "DeviceInfo": {
            "division": "NORTH", "deviceType": "THERMOSTAT", "specification": "ECO-T100", "headEndSystem": "NORTH",
            "nicid": "nic-1",
        }});
        assert_eq!(serde_json::to_value(request.body).unwrap(), expected);
    }

    #[test]
    fn the_communication_identifies_a_question_and_the_device_orders_it() {
        let check = check();
        assert_eq!((check.message_key(), check.ordering_key()), ("C-1".to_owned(), "HES-NORTH\nnic-1".to_owned()));
    }

    #[test]
    fn an_answer_is_told_to_dacs_under_the_id_of_the_question() {
        let body = br#"{"dacsMessageId":"C-1","responseCode":"FAILURE"}"#;
        let ack = DeviceStatusAck::from_document(&Document::parse(body).unwrap()).unwrap();
        let expected = json!({"responseDetail": {"transactionID": "C-1", "result": {"status": "FAILURE"}}});
        assert_eq!(serde_json::to_value(ack.response()).unwrap(), expected);
        assert_eq!(serde_json::to_vec(&ack).unwrap(), body, "it is kept as it came");
    }
}
