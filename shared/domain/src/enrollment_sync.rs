//! Flow `dacs-derms-enrollment-sync`: one enrollment, unenrollment or device replacement, as the program system sends it.
//!
//! The message is `{"sendDetails": {…}}` (contracts.md §5). Its [message key](EnrollmentSync::message_key) is the sync
//! request, its [ordering key](EnrollmentSync::ordering_key) the subscription: two changes of one subscription must reach
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

use crate::ids::{
    CisAccountId, CisPersonId, CisPremiseId, CisServicePointId, ContactId, DeviceId, DeviceLocationId, Division,
    HeadEndSystem, NicId, ProgramCode, ProgramExternalId, ProgramId, ServicePointId, SubscriptionId, SyncRequestId,
};
use crate::json::{Document, Problem};
use crate::lookups::{Miss, Programs};
use crate::msg_ack::UnknownCode;
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

/// The three names of one program. At least one is given; the lookup Program knows the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramIds {
    /// The program system's own id.
    pub id: Option<ProgramId>,
    /// The short code.
    pub code: Option<ProgramCode>,
    /// The third name.
    pub external_id: Option<ProgramExternalId>,
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

impl EnrollmentSync {
    /// Parses and checks a body.
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        Self::from_document(&Document::parse(body)?)
    }

    /// Checks a body that is parsed already (its hash is needed too).
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(|root| root.required_object("sendDetails", read::details))
    }

    /// What makes two messages the same (contracts.md §2).
    #[must_use]
    pub fn message_key(&self) -> &SyncRequestId {
        &self.sync_request_id
    }

    /// What is kept in order (contracts.md §2).
    #[must_use]
    pub fn ordering_key(&self) -> &SubscriptionId {
        &self.subscription.subscription_id
    }

    /// Fills in the ids of the program that the message doesn't carry (contracts.md §4: "DERMS learns all three from flows 2
    /// and 5, or the Program lookup fills the missing one"). Ids that it does carry are never changed.
    ///
    /// **Interpretation:** the vendor's `/enroll` knows `programId` and `programCode`; `programExternalIdentifier` is ours.
    /// So a program that is not listed is an error only if one of the first two is missing.
    ///
    /// # Errors
    /// A [`Miss`], which is the reason of a business error.
    pub fn complete_program(&mut self, programs: &Programs) -> Result<(), Miss> {
        let ids = &mut self.subscription.program;
        let listed = match (&ids.id, &ids.code, &ids.external_id) {
            (Some(_), Some(_), Some(_)) | (None, None, None) => return Ok(()),
            (Some(id), _, _) => programs.by_id(id.as_str()),
            (None, Some(code), _) => programs.by_code(code.as_str()),
            (None, None, Some(id)) => programs.by_external_id(id.as_str()),
        };
        match listed {
            Ok(program) => {
                ids.id = ids.id.take().or_else(|| program.id.parse().ok());
                ids.code = ids.code.take().or_else(|| program.code.parse().ok());
                ids.external_id = ids.external_id.take().or_else(|| program.external_id.parse().ok());
                Ok(())
            }
            Err(_) if ids.id.is_some() && ids.code.is_some() => Ok(()),
            Err(miss) => Err(miss),
        }
    }

    /// The body of the call to the DERMS.
    #[must_use]
    pub fn enroll_request(&self) -> EnrollRequest<'_> {
        EnrollRequest::new(self)
    }
}
