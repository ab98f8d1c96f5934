//! From JSON to valid requests: the members one by one, then the rules between them.

use std::collections::HashMap;

use super::{Action, ActionCode, Asset, Assets, Customer, EnrollmentRequest, Location, Program};
use crate::enrollment_sync::LONGEST_TEXT;
use crate::json::Object;
use crate::time::Instant;

/// The longest telephone number that the program system holds (contracts.md §4).
const LONGEST_PHONE: usize = 24;

pub(super) fn request(object: &Object<'_, '_>) -> Option<EnrollmentRequest> {
    let message_id = object.required("messageId");
    let drms_instance_id = object.optional("drmsInstanceId");
    let action = action(object);
    let customer = object.object("customerInfo", customer);
    let program = object.required_object("programInfo", program);
    let location = object.required_object("locationInfo", location);
    let assets = object.required_object("assetInfo", assets);
    Some(EnrollmentRequest {
        message_id: message_id?,
        drms_instance_id,
        customer: customer.unwrap_or_default(),
        action: action?,
        program: program?,
        location: location?,
        assets: assets?,
    })
}

fn action(object: &Object<'_, '_>) -> Option<Action> {
    let action = object.optional("action");
    let reason = text(object, "unenrollReason");
    match (action.unwrap_or(ActionCode::Enroll), reason) {
        (ActionCode::Unenroll, Some(reason)) => Some(Action::Unenroll { reason }),
        (ActionCode::Unenroll, None) => {
            object.fault("unenrollReason", "is required where action is UNENROLL");
            None
        }
        (ActionCode::Enroll, None) => Some(Action::Enroll),
        (ActionCode::Enroll, Some(_)) => {
            object.fault("unenrollReason", "stands only where action is UNENROLL");
            None
        }
    }
}

fn text(object: &Object<'_, '_>, name: &'static str) -> Option<String> {
    object.text(name, LONGEST_TEXT).map(str::to_owned)
}

fn phone(object: &Object<'_, '_>, name: &'static str) -> Option<String> {
    object.text(name, LONGEST_PHONE).map(str::to_owned)
}

fn customer(object: &Object<'_, '_>) -> Option<Customer> {
    Some(Customer {
        cis_person_id: object.optional("cisPersonId"),
        cis_account_id: object.optional("cisAccountId"),
        name: text(object, "name"),
        home_phone: phone(object, "homePhone"),
        business_phone: phone(object, "businessPhone"),
        email: text(object, "email"),
    })
}

/// The end is looked at and not kept: the program system's `enroll` takes none (contracts.md §4).
fn program(object: &Object<'_, '_>) -> Option<Program> {
    let cis_service_agreement_id = text(object, "cisServiceAgreementId");
    let code = object.required("programCode");
    let start = object.required::<Instant>("startDateTimeISO");
    let end = object.optional::<Instant>("endDateTimeISO");
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        object.fault("endDateTimeISO", "is before startDateTimeISO");
    }
    Some(Program { cis_service_agreement_id, code: code?, start: start? })
}

fn location(object: &Object<'_, '_>) -> Option<Location> {
    let location_id = text(object, "locationId");
    let division = object.optional("division");
    let cis_premise_id = object.optional("cisPremiseId");
    let cis_service_point_id = object.optional("cisServicePointId");
    let time_zone = object.required("timeZone");
    let address = ["address1", "address2", "address3", "address4"].map(|name| text(object, name));
    let [city, county, state] = ["city", "county", "state"].map(|name| text(object, name));
    let [postal, country] = ["postal", "country"].map(|name| text(object, name));
    Some(Location {
        location_id,
        division,
        cis_premise_id,
        cis_service_point_id,
        time_zone: time_zone?,
        address,
        city,
        county,
        state,
        postal,
        country,
    })
}

fn assets(object: &Object<'_, '_>) -> Option<Assets> {
    let installation_method = object.required("installationMethod");
    let ownership = object.required("assetOwnership");
    let list = object.objects("assetList", asset);
    if let Some(list) = &list {
        each_sequence_is_given_once(object, list);
    }
    Some(Assets { installation_method: installation_method?, ownership: ownership?, list: list? })
}

fn asset(object: &Object<'_, '_>) -> Option<Asset> {
    let sequence = object.count("sequence");
    let asset_id = text(object, "assetId");
    let asset_type = object.required_text("assetType", LONGEST_TEXT);
    let badge_no = text(object, "badgeNo");
    let serial_no = text(object, "serialNo");
    let head_end_system = object.required("headEndSystem");
    let nic_id = object.required("nicId");
    let (make, model) = (text(object, "make"), text(object, "model"));
    for (one, other) in [("make", "model"), ("model", "make")] {
        if object.has(one) && !object.has(other) {
            object.fault(other, format!("is required where {one} is given"));
        }
    }
    Some(Asset {
        sequence,
        asset_id,
        asset_type: asset_type?.to_owned(),
        badge_no,
        serial_no,
        head_end_system: head_end_system?,
        nic_id: nic_id?,
        make_and_model: make.zip(model),
    })
}

fn each_sequence_is_given_once(assets: &Object<'_, '_>, list: &[Asset]) {
    let mut seen = HashMap::with_capacity(list.len());
    for (i, asset) in list.iter().enumerate() {
        let Some(sequence) = asset.sequence else { continue };
        let first = *seen.entry(sequence).or_insert(i);
        if first != i {
            assets.fault_in("assetList", i, "sequence", format!("is the sequence of entry {first} again"));
        }
    }
}
