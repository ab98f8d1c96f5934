//! The body of `POST /enroll`, the DERMS's side of an enrollment synchronization (contracts.md §5, documented by the
//! vendor; the members marked [O] there are ours).

use serde::{Serialize, Serializer};

use super::{Action, Device, DeviceGroup, DeviceStatus, EnrollmentSync, SubscriptionStatus};
use crate::ids::{
    CisAccountId, CisPersonId, CisPremiseId, CisServicePointId, ContactId, DeviceId, DeviceLocationId, Division,
    HeadEndSystem, NicId, ProgramCode, ProgramExternalId, ProgramId, ServicePointId, SubscriptionId, SyncRequestId,
};
use crate::time::Instant;

/// What the DERMS is sent. Names of members are respelled here and nowhere else.
///
/// Times are real UTC to the millisecond, as in `MsgAck`: the DERMS sees one spelling, whatever offset the program system
/// writes. Absent ids stay absent; the action and the list of devices are always there, because an empty list is a
/// statement and a missing one is not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollRequest<'a> {
    dacs_message_id: &'a SyncRequestId,
    action: Action,
    contact_info: ContactInfo<'a>,
    subscription_info: SubscriptionInfo<'a>,
    location_info: LocationInfo<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    contact_id: Option<&'a ContactId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_person_id: Option<&'a CisPersonId>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionInfo<'a> {
    subscription_id: &'a SubscriptionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_account_id: Option<&'a CisAccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_type: Option<&'a str>,
    status: SubscriptionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_id: Option<&'a ProgramId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_code: Option<&'a ProgramCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_external_identifier: Option<&'a ProgramExternalId>,
    #[serde(flatten)]
    period: Period,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LocationInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<&'a Division>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_point_id: Option<&'a ServicePointId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_premise_id: Option<&'a CisPremiseId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_service_point_id: Option<&'a CisServicePointId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_location_id: Option<&'a DeviceLocationId>,
    controllable_devices: Vec<ControllableDevice<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ControllableDevice<'a> {
    device_id: &'a DeviceId,
    device_type: &'a str,
    specification: &'a str,
    head_end_system: &'a HeadEndSystem,
    nic_id: &'a NicId,
    serial_number: &'a str,
    status: DeviceStatus,
    #[serde(flatten)]
    period: Period,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces_device_id: Option<&'a DeviceId>,
    device_groups: Vec<Group<'a>>,
}

#[derive(Debug, Serialize)]
struct Group<'a> {
    category: &'a str,
    name: &'a str,
    #[serde(flatten)]
    period: Period,
}

#[derive(Debug, Serialize)]
struct Period {
    #[serde(rename = "startDateTimeISO", serialize_with = "utc_millis")]
    start: Instant,
    #[serde(rename = "endDateTimeISO", skip_serializing_if = "Option::is_none", serialize_with = "utc_millis_of_some")]
    end: Option<Instant>,
}

impl<'a> EnrollRequest<'a> {
    /// Where it is posted, after the DERMS's base URL.
    pub const PATH: &'static str = "/enroll";

    pub(super) fn new(message: &'a EnrollmentSync) -> Self {
        let EnrollmentSync { sync_request_id, action, contact, subscription, location } = message;
        Self {
            dacs_message_id: sync_request_id,
            action: *action,
            contact_info: ContactInfo {
                contact_id: contact.contact_id.as_ref(),
                cis_person_id: contact.cis_person_id.as_ref(),
            },
            subscription_info: SubscriptionInfo {
                subscription_id: &subscription.subscription_id,
                cis_account_id: subscription.cis_account_id.as_ref(),
                subscription_type: subscription.subscription_type.as_deref(),
                status: subscription.status,
                program_id: subscription.program.id.as_ref(),
                program_code: subscription.program.code.as_ref(),
                program_external_identifier: subscription.program.external_id.as_ref(),
                period: subscription.period.into(),
            },
            location_info: LocationInfo {
                division: location.division.as_ref(),
                service_point_id: location.service_point_id.as_ref(),
                cis_premise_id: location.cis_premise_id.as_ref(),
                cis_service_point_id: location.cis_service_point_id.as_ref(),
                device_location_id: location.device_location_id.as_ref(),
                controllable_devices: location.devices.iter().map(ControllableDevice::from).collect(),
            },
        }
    }
}

impl<'a> From<&'a Device> for ControllableDevice<'a> {
    fn from(device: &'a Device) -> Self {
        Self {
            device_id: &device.device_id,
            device_type: &device.device_type,
            specification: &device.specification,
            head_end_system: &device.head_end_system,
            nic_id: &device.nic_id,
            serial_number: &device.serial_number,
            status: device.status,
            period: device.period.into(),
            replaces_device_id: device.replaces.as_ref(),
            device_groups: device.groups.iter().map(Group::from).collect(),
        }
    }
}

impl<'a> From<&'a DeviceGroup> for Group<'a> {
    fn from(group: &'a DeviceGroup) -> Self {
        Self { category: &group.category, name: &group.name, period: group.period.into() }
    }
}

impl From<super::Period> for Period {
    fn from(period: super::Period) -> Self {
        Self { start: period.start, end: period.end }
    }
}

fn utc_millis<S: Serializer>(time: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.iso_millis())
}

fn utc_millis_of_some<S: Serializer>(time: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(Instant::iso_millis).serialize(serializer)
}
