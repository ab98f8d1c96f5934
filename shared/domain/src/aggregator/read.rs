//! From JSON to a valid message; before all, nothing secret is taken.

use super::{Aggregator, Contact, Gateway};
use crate::enrollment_sync::LONGEST_TEXT;
use crate::json::Object;
use crate::period::Days;

/// The longest telephone number that the program system holds (contracts.md §4).
const LONGEST_PHONE: usize = 24;

/// What the names of secrets have in them, in lower case and without marks between.
const SECRET: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "apikey", "accesskey", "privatekey", "token", "credential"];

pub(super) fn aggregator(object: &Object<'_, '_>) -> Option<Aggregator> {
    object.refuse(speaks_of_a_secret, "looks like a secret; give a reference, such as credentialRef");
    let sync_request_id = object.required("syncRequestId");
    let action = object.required("action");
    let aggregator_id = object.required("aggregatorId");
    let name = object.required_text("name", LONGEST_TEXT);
    let head_end_system = object.required("headEndSystem");
    let status = object.required("status");
    let days = Days::read(object, "effectiveDate", "expirationDate");
    let changed = object.required("changeDateTime");
    let contact = object.object("contact", contact);
    let asset_types = object.texts("assetTypes", LONGEST_TEXT);
    let program_codes = object.all("programCodes");
    let gateway = object.object("gateway", gateway);
    Some(Aggregator {
        sync_request_id: sync_request_id?,
        action: action?,
        aggregator_id: aggregator_id?,
        name: name?.to_owned(),
        head_end_system: head_end_system?,
        status: status?,
        days: days?,
        changed: changed?,
        contact,
        asset_types: asset_types?.into_iter().map(str::to_owned).collect(),
        program_codes: program_codes?,
        gateway,
    })
}

/// A reference is none: its name ends in `ref`.
fn speaks_of_a_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    !plain.ends_with("ref") && SECRET.iter().any(|word| plain.contains(word))
}

fn contact(object: &Object<'_, '_>) -> Option<Contact> {
    let name = object.text("name", LONGEST_TEXT);
    let email = object.text("email", LONGEST_TEXT);
    let phone = object.text("phone", LONGEST_PHONE);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Some(Contact { name: owned(name), email: owned(email), phone: owned(phone) })
}

fn gateway(object: &Object<'_, '_>) -> Option<Gateway> {
    let connection_name = object.required_text("connectionName", LONGEST_TEXT);
    let protocol = object.required_text("protocol", LONGEST_TEXT);
    let endpoint_url = object.required("endpointUrl");
    let credential_ref = object.optional("credentialRef");
    let ca_ref = object.optional("caRef");
    let time_zone = object.optional("timeZone");
    Some(Gateway {
        connection_name: connection_name?.to_owned(),
        protocol: protocol?.to_owned(),
        endpoint_url: endpoint_url?,
        credential_ref,
        ca_ref,
        time_zone,
    })
}
