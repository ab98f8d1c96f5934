//! The body of `POST /enroll`, the DERMS's side of an enrollment synchronization (contracts.md §5, documented by the
//! vendor; the members marked [O] there are ours).

use serde::Serialize;

use super::{Action, Device, DeviceGroup, DeviceStatus, EnrollmentSync, SubscriptionStatus};
use crate::derms_message::{utc_millis, utc_millis_of_some};
use crate::ids::{
    CisAccountId, CisPersonId, CisPremiseId, CisServicePointId, ContactId, DeviceId, DeviceLocationId, Division, NicId,
    ProgramCode, ProgramExternalId, ProgramId, ServicePointId, SubscriptionId, SyncRequestId,
};
use crate::lookups::{Lookups, MapName, Miss};
use crate::time::Instant;

/// What the DERMS is sent. Names of members are respelled here and nowhere else.
///
/// Times are real UTC to the millisecond, as in `MsgAck`, head-ends in the DERMS's own codes (lookup HeadEndSystem). Absent ids stay absent; the action and the list of devices are always there, because an empty list is a
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
    program_id: Option<ProgramId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_code: Option<ProgramCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_external_identifier: Option<ProgramExternalId>,
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
    head_end_system: &'a str,
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
    pub(super) fn new(message: &'a EnrollmentSync, lookups: &'a Lookups) -> Result<Self, Miss> {
        let EnrollmentSync { sync_request_id, action, contact, subscription, location } = message;
        let program = subscription.program.completed(lookups.programs())?;
        let devices = location.devices.iter().map(|device| ControllableDevice::new(device, lookups));
        Ok(Self {
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
                program_id: program.id,
                program_code: program.code,
                program_external_identifier: program.external_id,
                period: subscription.period.into(),
            },
            location_info: LocationInfo {
                division: location.division.as_ref(),
                service_point_id: location.service_point_id.as_ref(),
                cis_premise_id: location.cis_premise_id.as_ref(),
                cis_service_point_id: location.cis_service_point_id.as_ref(),
                device_location_id: location.device_location_id.as_ref(),
                controllable_devices: devices.collect::<Result<_, _>>()?,
            },
        })
    }
}

impl<'a> ControllableDevice<'a> {
    fn new(device: &'a Device, lookups: &'a Lookups) -> Result<Self, Miss> {
        Ok(Self {
            device_id: &device.device_id,
            device_type: &device.device_type,
            specification: &device.specification,
            head_end_system: lookups.translate(MapName::HeadEndSystem, device.head_end_system.as_str())?,
            nic_id: &device.nic_id,
            serial_number: &device.serial_number,
            status: device.status,
            period: device.period.into(),
            replaces_device_id: device.replaces.as_ref(),
            device_groups: device.groups.iter().map(Group::from).collect(),
        })
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
