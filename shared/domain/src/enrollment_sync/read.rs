//! From JSON to a valid message: the members one by one, then the rules between them.

use std::collections::HashMap;

use super::{
    Action, Contact, Device, DeviceGroup, DeviceStatus, EnrollmentSync, LONGEST_TEXT, Location, Period, Subscription,
    SubscriptionStatus,
};
use crate::ids::DeviceId;
use crate::json::Object;
use crate::program_ids::ProgramIds;
use crate::time::Instant;

/// `sendDetails`.
pub(super) fn details(details: &Object<'_, '_>) -> Option<EnrollmentSync> {
    let sync_request_id = details.required("syncRequestId");
    let given = details.optional::<Action>("action");
    let contact = details.object("contactInfo", contact);
    let subscription = details.required_object("subscriptionInfo", subscription);
    let status = subscription.as_ref().map(|it| it.status);
    let inactive = status == Some(SubscriptionStatus::Inactive);
    let read_location = |object: &Object<'_, '_>| {
        let location = location(object)?;
        // With a status that cannot be read, nobody knows whether this was meant as a replacement.
        if status.is_some() && action(given, inactive, &location) == Action::Replace {
            replaced_devices_are_listed(object, &location.devices);
        }
        Some(location)
    };
    let location = if given == Some(Action::Replace) {
        details.required_object("locationInfo", read_location)
    } else {
        details.object("locationInfo", read_location)
    };
    if let (Some(given), Some(_)) = (given, status) {
        action_fits(details, given, inactive, location.as_ref());
    }
    // What is `None` here was absent: had it been faulty, the message would be refused whatever is returned.
    let location = location.unwrap_or_default();
    Some(EnrollmentSync {
        sync_request_id: sync_request_id?,
        action: action(given, inactive, &location),
        contact: contact.unwrap_or_default(),
        subscription: subscription?,
        location,
    })
}

/// The action given, else (contracts.md §5): "status INACTIVE = UNENROLL, a device with `replacesDeviceId` = REPLACE".
fn action(given: Option<Action>, inactive: bool, location: &Location) -> Action {
    match given {
        Some(action) => action,
        None if inactive => Action::Unenroll,
        None if replaces(location) => Action::Replace,
        None => Action::Enroll,
    }
}

/// **Interpretation:** an action that contradicts the rest of the message is refused, since nobody can tell which was meant.
fn action_fits(details: &Object<'_, '_>, given: Action, inactive: bool, location: Option<&Location>) {
    if (given == Action::Unenroll) != inactive {
        details.fault("action", "does not fit the status of the subscription");
    } else if given == Action::Replace && location.is_some_and(|it| !replaces(it)) {
        details.fault("action", "is REPLACE, but no device of the list has a replacesDeviceId");
    }
}

fn replaces(location: &Location) -> bool {
    location.devices.iter().any(|device| device.replaces.is_some())
}

fn contact(contact: &Object<'_, '_>) -> Option<Contact> {
    let contact_id = contact.optional("contactId");
    let cis_person_id = contact.optional("cisPersonId");
    Some(Contact { contact_id, cis_person_id })
}

fn subscription(info: &Object<'_, '_>) -> Option<Subscription> {
    let subscription_id = info.required("subscriptionId");
    let cis_account_id = info.optional("cisAccountId");
    let subscription_type = info.text("subscriptionType", LONGEST_TEXT);
    let status = info.required("status");
    let program = program(info);
    let period = period(info);
    Some(Subscription {
        subscription_id: subscription_id?,
        cis_account_id,
        subscription_type: subscription_type.map(str::to_owned),
        status: status?,
        program,
        period: period?,
    })
}

fn program(info: &Object<'_, '_>) -> ProgramIds {
    const MEMBERS: [&str; 3] = ["programId", "programCode", "programExternalIdentifier"];
    if !MEMBERS.into_iter().any(|name| info.has(name)) {
        info.fault("programId", "is required where neither programCode nor programExternalIdentifier is given");
    }
    ProgramIds::read(info)
}

fn period(object: &Object<'_, '_>) -> Option<Period> {
    let start = object.required::<Instant>("startDateTime");
    let end = object.optional::<Instant>("endDateTime");
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        object.fault("endDateTime", "is before startDateTime");
    }
    Some(Period { start: start?, end })
}

fn location(info: &Object<'_, '_>) -> Option<Location> {
    let location = Location {
        division: info.optional("division"),
        service_point_id: info.optional("servicePointId"),
        cis_premise_id: info.optional("cisPremiseId"),
        cis_service_point_id: info.optional("cisServicePointId"),
        device_location_id: info.optional("deviceLocationId"),
        devices: info.objects("controllableDevices", device)?,
    };
    if !location.devices.is_empty() && !info.has("servicePointId") {
        info.fault("servicePointId", "is required where there are devices");
    }
    each_device_is_listed_once(info, &location.devices);
    Some(location)
}

fn device(object: &Object<'_, '_>) -> Option<Device> {
    let device_id = object.required("deviceId");
    let device_type = object.required_text("deviceType", LONGEST_TEXT);
    let specification = object.required_text("specification", LONGEST_TEXT);
    let head_end_system = object.required("headEndSystem");
    let nic_id = object.required("nicId");
    let serial_number = object.required_text("serialNumber", LONGEST_TEXT);
    let status = object.required("status");
    let period = period(object);
    let replaces = object.optional("replacesDeviceId");
    let groups = object.objects("deviceGroups", group);
    Some(Device {
        device_id: device_id?,
        device_type: device_type?.to_owned(),
        specification: specification?.to_owned(),
        head_end_system: head_end_system?,
        nic_id: nic_id?,
        serial_number: serial_number?.to_owned(),
        status: status?,
        period: period?,
        replaces,
        groups: groups?,
    })
}

fn group(object: &Object<'_, '_>) -> Option<DeviceGroup> {
    let category = object.required_text("category", LONGEST_TEXT);
    let name = object.required_text("name", LONGEST_TEXT);
    let period = period(object);
    Some(DeviceGroup { category: category?.to_owned(), name: name?.to_owned(), period: period? })
}

/// The list is a state: a device is in it once, and no two devices in place answer at one address. Rules between devices
/// are looked at once each of them can be read.
fn each_device_is_listed_once(location: &Object<'_, '_>, devices: &[Device]) {
    let mut by_id = HashMap::with_capacity(devices.len());
    let mut by_address = HashMap::with_capacity(devices.len());
    for (i, device) in devices.iter().enumerate() {
        let same = *by_id.entry(&device.device_id).or_insert(i);
        if same != i {
            location.fault_in("controllableDevices", i, "deviceId", format!("is the device of entry {same} again"));
        }
        if device.status == DeviceStatus::Active {
            let address = (&device.head_end_system, &device.nic_id);
            let other = *by_address.entry(address).or_insert(i);
            if same == i && other != i {
                let reason = format!("is in use at this headEndSystem by the device of entry {other}");
                location.fault_in("controllableDevices", i, "nicId", reason);
            }
        }
    }
}

/// contracts.md §5: "a replacement carries the old (REMOVED) and the new device".
fn replaced_devices_are_listed(location: &Object<'_, '_>, devices: &[Device]) {
    let status: HashMap<&DeviceId, DeviceStatus> = devices.iter().map(|it| (&it.device_id, it.status)).collect();
    for (i, device) in devices.iter().enumerate() {
        let Some(old) = &device.replaces else {
            continue;
        };
        let reason = match status.get(old) {
            _ if *old == device.device_id => "is the device itself",
            _ if device.status != DeviceStatus::Active => "is on a device that is not ACTIVE",
            Some(DeviceStatus::Removed) => continue,
            Some(DeviceStatus::Active) => "names a device of the list that is not REMOVED",
            None => "names a device that is not in the list",
        };
        location.fault_in("controllableDevices", i, "replacesDeviceId", reason);
    }
}
