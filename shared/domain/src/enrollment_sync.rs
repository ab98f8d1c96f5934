//! Flow `dacs-derms-enrollment-sync`: one enrollment, unenrollment or device replacement, as the program system sends it.
//!
//! The message is `{"sendDetails": {…}}` (contracts.md §5). Its message key is the sync request, its ordering key the
//! subscription: two changes of one subscription must reach
//! the DERMS in the order in which they were made, changes of different ones need not.
//!
//! **Interpretation, where the contract lists members without saying which may be absent:** a member is required when
//! without it the program system could not be answered (`syncRequestId`), order could not be kept (`subscriptionId`), the
//! DERMS could not tell what to do (`status`, `startDateTime`, one of the program's three ids) or could not call a device
//! (everything the contract lists for one without `?`, and the service point it is at). Contact, billing and
//! location ids are sent on where they are given; whether it knows them is the DERMS's to say.
//!
//! **Interpretation of the places of our own members:** `action` beside `syncRequestId`, `programExternalIdentifier` beside
//! the other ids of the program, `deviceLocationId` beside the service point.

mod enroll_request;
mod read;

#[cfg(test)]
mod tests;

use std::str::FromStr;

use serde::Serialize;

pub use enroll_request::EnrollRequest;

use crate::derms_message::{DermsMessage, DermsRequest, Destination, Method, Synchronization};
use crate::ids::{
    CisAccountId, CisPersonId, CisPremiseId, CisServicePointId, ContactId, DeviceId, DeviceLocationId, Division,
    HeadEndSystem, NicId, ServicePointId, SubscriptionId, SyncRequestId,
};
use crate::json::{Document, Grammar, Problem, Text};
use crate::lookups::{Lookups, Miss};
use crate::msg_ack::UnknownCode;
use crate::program_ids::ProgramIds;
use crate::sync_ack::Asked;
use crate::time::Instant;

/// The longest text taken where the contract sets no length (device types, names of groups and the like).
pub const LONGEST_TEXT: usize = 254;

/// A valid message. Nothing in it is our own invention: what was absent is absent, except that the action is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentSync {
    /// The program system's id of this message; the DERMS's `dacsMessageId`.
    pub sync_request_id: SyncRequestId,
    /// As given, or as the rest of the message says.
    pub action: Action,
    /// Whose subscription it is.
    pub contact: Contact,
    /// What was subscribed to.
    pub subscription: Subscription,
    /// Where, and the devices there after the change.
    pub location: Location,
}

/// What the message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// A subscription is, or remains, active.
    Enroll,
    /// A subscription ends.
    Unenroll,
    /// A device takes the place of another.
    Replace,
}

impl FromStr for Action {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "ENROLL" => Ok(Self::Enroll),
            "UNENROLL" => Ok(Self::Unenroll),
            "REPLACE" => Ok(Self::Replace),
            _ => Err(UnknownCode("ENROLL, UNENROLL, REPLACE")),
        }
    }
}

impl Text for Action {
    const GRAMMAR: Grammar = Grammar::Codes(&["ENROLL", "UNENROLL", "REPLACE"]);
}

/// `contactInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// The contact of the enrollment.
    pub contact_id: Option<ContactId>,
    /// The billing system's person.
    pub cis_person_id: Option<CisPersonId>,
}

/// `subscriptionInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What the order of messages is kept by.
    pub subscription_id: SubscriptionId,
    /// The billing system's account.
    pub cis_account_id: Option<CisAccountId>,
    /// A code of the program system.
    pub subscription_type: Option<String>,
    /// Whether the customer is in the program after this change.
    pub status: SubscriptionStatus,
    /// The program.
    pub program: ProgramIds,
    /// From when to when.
    pub period: Period,
}

/// Whether a subscription is active. A closed set: an unknown status taken for active would enroll somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SubscriptionStatus {
    /// In the program.
    Active,
    /// No longer in it.
    Inactive,
}

impl FromStr for SubscriptionStatus {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "INACTIVE" => Ok(Self::Inactive),
            _ => Err(UnknownCode("ACTIVE, INACTIVE")),
        }
    }
}

impl Text for SubscriptionStatus {
    const GRAMMAR: Grammar = Grammar::Codes(&["ACTIVE", "INACTIVE"]);
}

/// From `start` until, but not including, `end`; without `end` until further notice. Never ends before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// `startDateTime`.
    pub start: Instant,
    /// `endDateTime`.
    pub end: Option<Instant>,
}

/// `locationInfo`: all absent and no devices is valid (contracts.md §5: "no location and an empty list is valid").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The part of the utility; decides which DERMS, where there are several.
    pub division: Option<Division>,
    /// The program system's service point.
    pub service_point_id: Option<ServicePointId>,
    /// The billing system's premise.
    pub cis_premise_id: Option<CisPremiseId>,
    /// The billing system's service point.
    pub cis_service_point_id: Option<CisServicePointId>,
    /// Where at the service point.
    pub device_location_id: Option<DeviceLocationId>,
    /// `controllableDevices`: the complete state after the change, replaced devices included.
    pub devices: Vec<Device>,
}

/// One of `controllableDevices`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The program system's id of the device.
    pub device_id: DeviceId,
    /// A code of the program system.
    pub device_type: String,
    /// Make and model, as the program system names them.
    pub specification: String,
    /// With [`nic_id`](Self::nic_id) what the device is called by.
    pub head_end_system: HeadEndSystem,
    /// The device's id at its head-end.
    pub nic_id: NicId,
    /// The maker's number.
    pub serial_number: String,
    /// In place, or taken away.
    pub status: DeviceStatus,
    /// When the device is in the program.
    pub period: Period,
    /// The device whose place this one takes.
    pub replaces: Option<DeviceId>,
    /// The groups it is called with.
    pub groups: Vec<DeviceGroup>,
}

/// Whether a device is in place after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DeviceStatus {
    /// In place.
    Active,
    /// Taken away, by replacement or unenrollment.
    Removed,
}

impl FromStr for DeviceStatus {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "REMOVED" => Ok(Self::Removed),
            _ => Err(UnknownCode("ACTIVE, REMOVED")),
        }
    }
}

impl Text for DeviceStatus {
    const GRAMMAR: Grammar = Grammar::Codes(&["ACTIVE", "REMOVED"]);
}

/// One of `deviceGroups`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceGroup {
    /// What kind of group.
    pub category: String,
    /// Which one.
    pub name: String,
    /// When the device is in it.
    pub period: Period,
}

impl DermsMessage for EnrollmentSync {
    type Body<'a> = EnrollRequest<'a>;

    fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(|root| root.required_object("sendDetails", read::details))
    }

    fn message_key(&self) -> String {
        self.sync_request_id.to_string()
    }

    fn ordering_key(&self) -> String {
        self.subscription.subscription_id.to_string()
    }

    fn destination(&self) -> Destination<'_> {
        Destination::Division(self.location.division.as_ref().map(Division::as_str))
    }

    fn request<'a>(&'a self, lookups: &'a Lookups) -> Result<DermsRequest<EnrollRequest<'a>>, Miss> {
        let body = EnrollRequest::new(self, lookups)?;
        Ok(DermsRequest { method: Method::Post, path: "/enroll".to_owned(), body })
    }
}

impl Synchronization for EnrollmentSync {
    fn sync_request_id(&self) -> &SyncRequestId {
        &self.sync_request_id
    }

    fn devices(&self) -> Vec<Asked<'_>> {
        let unenrolled = self.action == Action::Unenroll;
        let devices = self.location.devices.iter();
        devices
            .map(|Device { device_id, status, .. }| Asked {
                device_id,
                leaves: unenrolled || *status == DeviceStatus::Removed,
            })
            .collect()
    }
}
