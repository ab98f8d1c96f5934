//! `POST /enroll`: one enrollment, unenrollment or device replacement with the complete state of its
//! devices (contracts.md §5).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answers::Answer;
use super::msg_ack;
use crate::problem::{Problem, Violation};
use crate::shape::{Field, Kind, may, must, violations};
use crate::text::instant;
use crate::{Shared, json_response, message};

// The contract gives lengths for few fields here; the rest are held to DACS's comment length.
const ID: Kind = Kind::Text(254);

// **Interpretation:** ids of contact, billing and location are sent on where DACS gives them.
const CONTACT: &[Field] = &[may("contactId", ID), may("cisPersonId", Kind::Text(30))];

// "DERMS learns all three from flows 2 and 5, or the Program lookup fills the missing one": here
// each must have been filled in.
const SUBSCRIPTION: &[Field] = &[
    must("subscriptionId", ID),
    may("cisAccountId", Kind::Text(30)),
    may("subscriptionType", ID),
    must("status", Kind::Code(&["ACTIVE", "INACTIVE"])),
    must("programId", ID),
    must("programCode", ID),
    must("programExternalIdentifier", Kind::Text(120)),
    must("startDateTimeISO", Kind::Time),
    may("endDateTimeISO", Kind::Time),
];

const GROUP: &[Field] =
    &[must("category", ID), must("name", ID), must("startDateTimeISO", Kind::Time), may("endDateTimeISO", Kind::Time)];

const DEVICE: &[Field] = &[
    must("deviceId", Kind::Text(12)),
    must("deviceType", ID),
    must("specification", ID),
    must("headEndSystem", Kind::Text(50)),
    must("nicId", Kind::Text(100)),
    must("serialNumber", ID),
    must("status", Kind::Code(&["ACTIVE", "REMOVED"])),
    must("startDateTimeISO", Kind::Time),
    may("endDateTimeISO", Kind::Time),
    may("replacesDeviceId", Kind::Text(12)),
    may("deviceGroups", Kind::List(GROUP)),
];

// "No location and an empty list is valid": the service point is asked for only where there are
// devices.
const LOCATION: &[Field] = &[
    may("division", ID),
    may("servicePointId", ID),
    may("cisPremiseId", ID),
    may("cisServicePointId", ID),
    may("deviceLocationId", ID),
    must("controllableDevices", Kind::List(DEVICE)),
];

const ENROLL: &[Field] = &[
    must("dacsMessageId", Kind::Text(14)),
    may("action", Kind::Code(&["ENROLL", "UNENROLL", "REPLACE"])),
    may("contactInfo", Kind::Object(CONTACT)),
    must("subscriptionInfo", Kind::Object(SUBSCRIPTION)),
    may("locationInfo", Kind::Object(LOCATION)),
];

/// The fields that DERMS acts on.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enroll {
    /// Id of the DACS sync request.
    pub dacs_message_id: String,
    action: Option<Action>,
    #[serde(default)]
    contact_info: Contact,
    /// The subscription.
    pub subscription_info: Subscription,
    #[serde(default)]
    location_info: Location,
}

/// What the message asks for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Devices may be called from now on.
    Enroll,
    /// No device of the subscription may be called any more.
    Unenroll,
    /// One device takes the place of another.
    Replace,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contact {
    contact_id: Option<String>,
    cis_person_id: Option<String>,
}

/// One subscription of a customer to a program.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Its id.
    pub subscription_id: String,
    cis_account_id: Option<String>,
    /// ACTIVE or INACTIVE.
    pub status: String,
    /// DACS's own id of the program.
    pub program_id: String,
    /// The program's short code.
    pub program_code: String,
    /// The program's third id.
    pub program_external_identifier: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    service_point_id: Option<String>,
    controllable_devices: Vec<Device>,
}

/// One controllable device.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// DACS's id.
    pub device_id: String,
    /// Its head-end.
    pub head_end_system: String,
    /// Its communication id there.
    pub nic_id: String,
    /// ACTIVE or REMOVED.
    pub status: String,
    replaces_device_id: Option<String>,
}

impl Enroll {
    /// What it asks for; derived as contracts.md §5 says when it is not spelled out.
    pub fn action(&self) -> Action {
        let replaces = |device: &Device| device.replaces_device_id.is_some();
        match self.action {
            Some(action) => action,
            None if self.subscription_info.status == "INACTIVE" => Action::Unenroll,
            None if self.devices().iter().any(replaces) => Action::Replace,
            None => Action::Enroll,
        }
    }

    /// The complete list of devices after the change.
    pub fn devices(&self) -> &[Device] {
        &self.location_info.controllable_devices
    }

    /// The service point, where there is a location.
    pub fn service_point(&self) -> Option<&str> {
        self.location_info.service_point_id.as_deref()
    }
}

/// Answers `POST /derms/enroll`.
pub async fn enroll(State(sandbox): State<Shared>, request: Request) -> Result<Response, Problem> {
    let body = message(request).await?;
    let content = read(&body).map_err(Problem::invalid)?;
    let derms = &sandbox.derms;
    let id = content.dacs_message_id.clone();
    let reply = derms.answers.next(&id);
    let answer = match unknown(&sandbox, &content) {
        Some(reason) => Answer::Error(reason),
        None => reply.answer,
    };
    let told = reply.devices.told(content.devices(), answer.is_negative());
    let answer = answer.with(&told);
    let order = sandbox.order.next();
    let books = &derms.enrollments;
    books.received(order, content, body, &answer, &told);
    let at = sandbox.clock.now_iso();
    let ack = |code, value: &str| {
        let ack = msg_ack((code, value), &id, &told, &at);
        json_response(StatusCode::OK, &ack)
    };
    Ok(match answer {
        Answer::Positive => ack("SUCCESS", "taken"),
        Answer::Error(reason) => ack("ERROR", &reason),
        Answer::Failure(reason) => ack("FAILURE", &reason),
        Answer::Later => json_response(StatusCode::ACCEPTED, &json!({ "dacsMessageId": id })),
    })
}

/// The reason to refuse a message that names what DERMS does not know.
fn unknown(sandbox: &Shared, content: &Enroll) -> Option<String> {
    let answers = &sandbox.derms.answers;
    let unknown_place = content.service_point().filter(|id| answers.knows_no_service_point(id));
    if let Some(id) = unknown_place {
        return Some(format!("service point {id} is unknown"));
    }
    let contact = &content.contact_info;
    let account = &content.subscription_info.cis_account_id;
    [&contact.contact_id, &contact.cis_person_id, account]
        .into_iter()
        .flatten()
        .find(|id| answers.knows_no_customer(id))
        .map(|id| format!("customer {id} is unknown"))
}

fn read(body: &Value) -> Result<Enroll, Vec<Violation>> {
    let mut found = violations(body, ENROLL);
    ends_before_start(body, "", &mut found);
    if !found.is_empty() {
        return Err(found);
    }
    let content: Enroll =
        serde_json::from_value(body.clone()).map_err(|error| vec![Violation::new("(message)", error.to_string())])?;
    check(&content, &mut found);
    if found.is_empty() { Ok(content) } else { Err(found) }
}

/// The rules that hold between fields.
fn check(content: &Enroll, found: &mut Vec<Violation>) {
    let status = content.subscription_info.status.as_str();
    let action = content.action();
    if (action == Action::Unenroll) != (status == "INACTIVE") {
        found.push(Violation::new("action", format!("{action:?} does not fit a subscription that is {status}")));
    }
    if action == Action::Replace {
        replaced(content.devices(), found);
    }
    twice(content.devices(), found);
    located(&content.location_info, found);
}

/// "A replacement carries the old (REMOVED) and the new device" (contracts.md §5).
fn replaced(devices: &[Device], found: &mut Vec<Violation>) {
    let list = "locationInfo.controllableDevices";
    let mut any = false;
    for (position, device) in devices.iter().enumerate() {
        let Some(old) = &device.replaces_device_id else {
            continue;
        };
        any = true;
        let field = format!("{list}[{position}].replacesDeviceId");
        let removed = |it: &&Device| it.device_id == *old && it.status == "REMOVED";
        if devices.iter().find(removed).is_none() {
            let reason = format!("{old} is not in the list as REMOVED");
            found.push(Violation::new(field, reason));
        } else if device.status != "ACTIVE" {
            found.push(Violation::new(field, "the new device must be ACTIVE"));
        }
    }
    if !any {
        found.push(Violation::new(list, "no device replaces another"));
    }
}

fn twice(devices: &[Device], found: &mut Vec<Violation>) {
    for (position, device) in devices.iter().enumerate() {
        let same = |it: &Device| {
            let address = (&it.head_end_system, &it.nic_id);
            it.device_id == device.device_id
                || (address == (&device.head_end_system, &device.nic_id)
                    && it.status == "ACTIVE"
                    && device.status == "ACTIVE")
        };
        if devices.iter().take(position).any(same) {
            let field = format!("locationInfo.controllableDevices[{position}]");
            found.push(Violation::new(field, "is in the list twice"));
        }
    }
}

fn located(location: &Location, found: &mut Vec<Violation>) {
    if location.service_point_id.is_none() && !location.controllable_devices.is_empty() {
        found.push(Violation::new("locationInfo.servicePointId", "is missing, and there are devices"));
    }
}

/// Wherever an object has a start and an end, the end is not earlier.
fn ends_before_start(value: &Value, path: &str, found: &mut Vec<Violation>) {
    match value {
        Value::Object(fields) => {
            let time = |name: &str| instant(fields.get(name)?.as_str()?).ok();
            if let (Some(start), Some(end)) = (time("startDateTimeISO"), time("endDateTimeISO"))
                && end < start
            {
                let field = format!("{path}endDateTimeISO");
                found.push(Violation::new(field, "is before startDateTimeISO"));
            }
            for (name, inner) in fields {
                let inner_path = match inner {
                    Value::Array(_) => format!("{path}{name}"),
                    _ => format!("{path}{name}."),
                };
                ends_before_start(inner, &inner_path, found);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                ends_before_start(item, &format!("{path}[{position}]."), found);
            }
        }
        _ => {}
    }
}
