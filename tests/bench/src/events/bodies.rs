//! The bodies of messages, of the size that they usually have: each is another one by its number.

use serde_json::json;

/// The body of the `number`-th enrollment: one subscription each, two devices.
#[must_use]
pub fn enrollment(number: u64) -> String {
    let device = |place: u64| {
        json!({
            "deviceId": format!("D{number:09}{place}"), "deviceType": "THERMOSTAT", "specification": "ECO-T100",
            "headEndSystem": "HES-NORTH", "nicId": format!("nic-{number:09}-{place}"),
            "serialNumber": format!("SN-{number:09}-{place}"), "status": "ACTIVE",
            "startDateTime": "2026-06-01T00:00:00-05:00",
            "deviceGroups": [{ "category": "FEEDER", "name": "FDR-12", "startDateTime": "2026-06-01T00:00:00-05:00" }],
        })
    };
    json!({ "sendDetails": {
        "syncRequestId": format!("1{number:013}"), "action": "ENROLL",
        "contactInfo": { "contactId": "C-1001", "cisPersonId": "P-5001" },
        "subscriptionInfo": {
            "subscriptionId": format!("S-{number:09}"), "cisAccountId": "A-3001", "subscriptionType": "DEVICE_CONTROL",
            "status": "ACTIVE", "programId": "90000001", "programCode": "SUMMER-T",
            "programExternalIdentifier": "PRG-SUMMER-T", "startDateTime": "2026-06-01T00:00:00-05:00",
        },
        "locationInfo": {
            "division": "NORTH", "servicePointId": format!("SP-{number:09}"), "cisPremiseId": "PR-4001",
            "cisServicePointId": "CSP-6001", "deviceLocationId": "DL-8001",
            "controllableDevices": [device(1), device(2)],
        },
    }})
    .to_string()
}

/// The body of an acknowledgement of the `number`-th enrollment.
#[must_use]
pub fn acknowledgement(number: u64) -> String {
    json!({ "dacsMessageId": format!("1{number:013}"), "responseCode": "SUCCESS" }).to_string()
}

/// The body of a message that schedules a stage of the `number`-th event.
#[must_use]
pub fn event_status(number: u64) -> String {
    json!({
        "messageId": format!("M-{number:09}"), "drmsInstanceId": "DERMS-NORTH", "eventId": format!("EV-{number:09}"),
        "eventType": "ECONOMIC",
        "stages": [{
            "stageId": format!("ST-{number:09}"), "programCode": "SUMMER-T", "status": "SCHEDULED",
            "startDateTime": "2099-07-01T14:00:00-05:00", "endDateTime": "2099-07-01T16:00:00-05:00",
        }],
    })
    .to_string()
}

/// The body of a message about one program with one rule.
#[must_use]
pub fn program_rules(number: u64) -> String {
    json!({
        "syncRequestId": format!("2{number:013}"), "programId": format!("9{number:07}"), "programCode": "SUMMER-T",
        "programExternalIdentifier": "PRG-SUMMER-T", "programName": "Summer Thermostat",
        "programType": "DIRECT_LOAD_CONTROL", "division": "NORTH", "timeZone": "America/Chicago", "status": "ACTIVE",
        "startDate": "2026-05-01", "endDate": "2028-09-30", "changeDateTime": "2026-04-20T09:00:00-05:00",
        "rules": [{
            "ruleId": "R-100", "ruleType": "PARTICIPATION", "action": "ASSOCIATE", "effectiveDate": "2026-05-01",
            "expirationDate": "2026-09-30", "cycleFrequency": "WEEKLY", "weekStart": "MONDAY", "participationLimit": 3,
            "participationDuration": "PT12H", "durationBetweenParticipation": "P1D",
            "allowedEventDays": ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"],
            "minimumEventDuration": "PT1H", "maximumEventDuration": "PT4H", "customerOverrideLimit": 2,
        }],
    })
    .to_string()
}

/// The body of an acknowledgement of it.
#[must_use]
pub fn program_rules_ack(number: u64) -> String {
    json!({ "dacsMessageId": format!("2{number:013}"), "responseCode": "SUCCESS" }).to_string()
}

/// The body of a message about an aggregator.
#[must_use]
pub fn aggregator(number: u64) -> String {
    json!({
        "syncRequestId": format!("3{number:013}"), "action": "ADD", "aggregatorId": format!("AGG-{number:09}"),
        "name": "Bright Homes", "headEndSystem": "HES-NORTH", "status": "ACTIVE", "effectiveDate": "2026-05-01",
        "expirationDate": "2028-04-30", "changeDateTime": "2026-04-20T09:00:00-05:00",
        "contact": { "name": "Operations", "email": "ops@bright.example", "phone": "+1 555 0100" },
        "assetTypes": ["THERMOSTAT", "EV_CHARGER"], "programCodes": ["SUMMER-T"],
        "gateway": {
            "connectionName": "bright-1", "protocol": "OPENADR3", "endpointUrl": "https://vtn.bright.example:8443/oadr",
            "credentialRef": "derms/aggregators/bright", "caRef": "derms/ca/bright", "timeZone": "America/Denver",
        },
    })
    .to_string()
}

/// The body of an acknowledgement of it.
#[must_use]
pub fn aggregator_ack(number: u64) -> String {
    json!({ "dacsMessageId": format!("3{number:013}"), "responseCode": "SUCCESS" }).to_string()
}

/// The body of a question whether a device can be reached.
#[must_use]
pub fn status_check(number: u64) -> String {
    json!({ "sendDetails": {
        "communicationId": format!("C-{number:09}"),
        "deviceInfo": {
            "division": "NORTH", "deviceType": "THERMOSTAT", "specification": "ECO-T100", "headEndSystem": "HES-NORTH",
            "nicid": format!("nic-{number:09}"),
        },
    }})
    .to_string()
}

/// The body of its answer.
#[must_use]
pub fn status_answer(number: u64) -> String {
    json!({ "dacsMessageId": format!("C-{number:09}"), "responseCode": "SUCCESS" }).to_string()
}

/// The body of a message that a device leaves a stage.
#[must_use]
pub fn opt_out(number: u64) -> String {
    json!({
        "communicationId": format!("O-{number:09}"), "eventExternalIdentifier": "EV-2026-07-01",
        "externalIdentifier": "ST-1", "headEndSystem": "HES-NORTH", "nicId": format!("nic-{number:09}"),
        "optOutDateTime": "2026-07-01T13:00:00-05:00", "reason": "guests",
    })
    .to_string()
}

/// The body of a message that a device is not to be reserved for some days.
#[must_use]
pub fn unavailability(number: u64) -> String {
    json!({
        "communicationId": format!("U-{number:09}"), "unavailabilityId": format!("UN-{number:09}"), "action": "ADD",
        "headEndSystem": "HES-NORTH", "nicId": format!("nic-{number:09}"),
        "startDateTime": "2026-07-10T00:00:00-05:00", "endDateTime": "2026-07-20T00:00:00-05:00", "reason": "on holiday",
    })
    .to_string()
}

/// The body of a list of one request for enrollment.
#[must_use]
pub fn enrollment_request(number: u64) -> String {
    json!([{
        "messageId": format!("ER-{number:09}"), "drmsInstanceId": "DERMS-NORTH",
        "customerInfo": {
            "cisPersonId": "P-1001", "cisAccountId": "A-1001", "name": "Ada Example", "homePhone": "+1 555 0101",
            "email": "ada@example.org",
        },
        "programInfo": {
            "cisServiceAgreementId": "SA-1001", "programCode": "SUMMER-T", "startDateTimeISO": "2026-07-01T03:30:00Z",
        },
        "locationInfo": {
            "locationId": "L-1001", "division": "NORTH", "cisPremiseId": "PR-1001", "cisServicePointId": "CSP-1001",
            "timeZone": "America/Chicago", "address1": "12 Elm Street", "city": "Springfield", "state": "IL",
            "postal": "62701", "country": "USA",
        },
        "assetInfo": {
            "installationMethod": "X1SD", "assetOwnership": "W1CO",
            "assetList": [{
                "sequence": 1, "assetType": "THERMOSTAT", "serialNo": format!("SN-{number:09}"),
                "nicId": format!("nic-{number:09}"), "headEndSystem": "HES-NORTH",
            }],
        },
    }])
    .to_string()
}
