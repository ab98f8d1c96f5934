use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn device(id: &str, status: &str) -> Value {
    json!({
        "deviceId": id, "deviceType": "THERMOSTAT", "specification": "ECO-T100", "headEndSystem": "HES-NORTH",
        "nicId": format!("nic-{id}"), "serialNumber": "SN-1", "status": status,
        "startDateTime": "2026-06-01T00:00:00-05:00",
    })
}

/// A message with these devices and this status, nothing else but what is required.
fn message(status: &str, devices: &[Value]) -> Value {
    json!({"sendDetails": {
        "syncRequestId": "10000000000001",
        "subscriptionInfo": {
            "subscriptionId": "S-7001", "status": status, "programCode": "SUMMER-T",
            "startDateTime": "2026-06-01T00:00:00-05:00",
        },
        "locationInfo": {"servicePointId": "SP-2001", "controllableDevices": devices},
    }})
}

fn parse(message: &Value) -> Result<EnrollmentSync, Problem> {
    EnrollmentSync::parse(message.to_string().as_bytes())
}

fn replacing(id: &str, old: &str) -> Value {
    let mut device = device(id, "ACTIVE");
    device["replacesDeviceId"] = old.into();
    device
}

#[test]
fn without_an_action_the_status_and_the_devices_say_what_is_done() {
    let action = |status, devices: &[Value]| parse(&message(status, devices)).unwrap().action;
    assert_eq!(action("ACTIVE", &[device("D1", "ACTIVE")]), Action::Enroll);
    assert_eq!(action("INACTIVE", &[device("D1", "REMOVED")]), Action::Unenroll);
    let replacement = [device("D1", "REMOVED"), replacing("D2", "D1")];
    assert_eq!(action("ACTIVE", &replacement), Action::Replace);
    assert_eq!(action("INACTIVE", &replacement), Action::Unenroll);
}

#[test]
fn an_action_given_is_kept() {
    let mut enrollment = message("ACTIVE", &[replacing("D2", "D1")]);
    enrollment["sendDetails"]["action"] = "ENROLL".into();
    assert_eq!(parse(&enrollment).unwrap().action, Action::Enroll);
}

#[test]
fn the_sync_request_identifies_a_message_and_the_subscription_orders_it() {
    let sync = parse(&message("ACTIVE", &[])).unwrap();
    assert_eq!((sync.message_key(), sync.ordering_key()), ("10000000000001".to_owned(), "S-7001".to_owned()));
}

#[test]
fn a_replacement_reaches_the_derms_with_the_old_device_and_the_new() {
    let mut inbound = message("ACTIVE", &[device("D1", "REMOVED"), replacing("D2", "D1")]);
    let details = &mut inbound["sendDetails"];
    details["contactInfo"] = json!({"contactId": "C-1", "cisPersonId": "P-1"});
    details["subscriptionInfo"]["cisAccountId"] = "A-1".into();
    details["subscriptionInfo"]["subscriptionType"] = "DEVICE_CONTROL".into();
    details["subscriptionInfo"]["programId"] = "90000001".into();
    details["subscriptionInfo"]["programExternalIdentifier"] = "PRG-1".into();
    details["subscriptionInfo"]["endDateTime"] = "2026-10-01T00:00:00.5-05:00".into();
    details["locationInfo"]["division"] = "NORTH".into();
    details["locationInfo"]["cisPremiseId"] = "PR-1".into();
    details["locationInfo"]["cisServicePointId"] = "CSP-1".into();
    details["locationInfo"]["deviceLocationId"] = "DL-1".into();
    details["locationInfo"]["controllableDevices"][1]["deviceGroups"] =
        json!([{"category": "FEEDER", "name": "FDR-12", "startDateTime": "2026-06-01T00:00:00Z"}]);
    details["locationInfo"]["controllableDevices"][0]["endDateTime"] = "2026-07-15T10:00:00-05:00".into();

    let sync = parse(&inbound).unwrap();
    let expected = json!({
        "dacsMessageId": "10000000000001",
        "action": "REPLACE",
        "contactInfo": {"contactId": "C-1", "cisPersonId": "P-1"},
        "subscriptionInfo": {
            "subscriptionId": "S-7001", "cisAccountId": "A-1", "subscriptionType": "DEVICE_CONTROL", "status": "ACTIVE",
            "programId": "90000001", "programCode": "SUMMER-T", "programExternalIdentifier": "PRG-1",
            "startDateTimeISO": "2026-06-01T05:00:00.000Z", "endDateTimeISO": "2026-10-01T05:00:00.500Z",
        },
        "locationInfo": {
            "division": "NORTH", "servicePointId": "SP-2001", "cisPremiseId": "PR-1", "cisServicePointId": "CSP-1",
            "deviceLocationId": "DL-1",
            "controllableDevices": [
                {
                    "deviceId": "D1", "deviceType": "THERMOSTAT", "specification": "ECO-T100",
                    "headEndSystem": "HES-NORTH", "nicId": "nic-D1", "serialNumber": "SN-1", "status": "REMOVED",
                    "startDateTimeISO": "2026-06-01T05:00:00.000Z", "endDateTimeISO": "2026-07-15T15:00:00.000Z",
                    "deviceGroups": [],
                },
                {
                    "deviceId": "D2", "deviceType": "THERMOSTAT", "specification": "ECO-T100",
                    "headEndSystem": "HES-NORTH", "nicId": "nic-D2", "serialNumber": "SN-1", "status": "ACTIVE",
                    "startDateTimeISO": "2026-06-01T05:00:00.000Z", "replacesDeviceId": "D1",
                    "deviceGroups": [
                        {"category": "FEEDER", "name": "FDR-12", "startDateTimeISO": "2026-06-01T00:00:00.000Z"},
                    ],
                },
            ],
        },
    });
    assert_eq!(sent(&sync).unwrap(), expected);
}

#[test]
fn no_location_reaches_the_derms_as_an_empty_list_of_devices() {
    let mut inbound = message("INACTIVE", &[]);
    inbound["sendDetails"].as_object_mut().unwrap().remove("locationInfo");
    let body = sent(&parse(&inbound).unwrap()).unwrap();
    assert_eq!(body["action"], "UNENROLL");
    assert_eq!(body["locationInfo"], json!({"controllableDevices": []}));
    assert_eq!(body["contactInfo"], json!({}));
}

/// Programs `90000001,SUMMER-T,PRG-1` and `90000002,EV,`; the head-end `HES-SOUTH` is `SOUTH` at the DERMS.
fn lookups() -> Lookups {
    let mut lookups = Lookups::shipped();
    for (name, table) in [
        ("Program", "programId,programCode,programExternalIdentifier\n90000001,SUMMER-T,PRG-1\n90000002,EV,\n"),
        ("HeadEndSystem", "key,value\nHES-SOUTH,SOUTH\nHES-NORTH,HES-NORTH\n"),
    ] {
        lookups.replace(crate::lookups::parse(name, table.as_bytes()).unwrap());
    }
    lookups
}

/// The body of the call, once it has been seen where it goes.
fn sent(sync: &EnrollmentSync) -> Result<Value, String> {
    let lookups = lookups();
    let request = sync.request(&lookups).map_err(|miss| miss.to_string())?;
    assert_eq!((request.method, request.path.as_str()), (Method::Post, "/enroll"));
    Ok(serde_json::to_value(request.body).unwrap())
}

#[test]
fn the_derms_gets_its_own_code_of_a_head_end_and_an_unknown_one_is_an_error() {
    let mut inbound = message("ACTIVE", &[device("D1", "ACTIVE")]);
    let mut at = |head_end: &str| {
        inbound["sendDetails"]["locationInfo"]["controllableDevices"][0]["headEndSystem"] = head_end.into();
        let body = sent(&parse(&inbound).unwrap())?;
        Ok(body["locationInfo"]["controllableDevices"][0]["headEndSystem"].clone())
    };
    assert_eq!(at("HES-SOUTH"), Ok(json!("SOUTH")));
    assert_eq!(at("HES-WEST"), Err("lookup HeadEndSystem has no entry for \"HES-WEST\"".to_owned()));
}

/// The ids of a message's program after the lookup Program filled them in.
fn completed(ids: &Value) -> Result<Value, String> {
    let mut inbound = message("ACTIVE", &[]);
    let subscription = inbound["sendDetails"]["subscriptionInfo"].as_object_mut().unwrap();
    subscription.remove("programCode");
    subscription.extend(ids.as_object().unwrap().clone());
    let body = sent(&parse(&inbound).unwrap())?;
    let ids = &body["subscriptionInfo"];
    Ok(json!([ids.get("programId"), ids.get("programCode"), ids.get("programExternalIdentifier")]))
}

#[test]
fn the_program_lookup_fills_in_the_ids_that_are_missing() {
    let all = json!(["90000001", "SUMMER-T", "PRG-1"]);
    assert_eq!(completed(&json!({"programId": "90000001"})), Ok(all.clone()));
    assert_eq!(completed(&json!({"programCode": "SUMMER-T"})), Ok(all.clone()));
    assert_eq!(completed(&json!({"programId": "90000001", "programCode": "SUMMER-T"})), Ok(all));
    assert_eq!(completed(&json!({"programCode": "EV"})), Ok(json!(["90000002", "EV", null])));
    let own = json!({"programId": "90000001", "programExternalIdentifier": "PRG-OWN"});
    assert_eq!(completed(&own), Ok(json!(["90000001", "SUMMER-T", "PRG-OWN"])));
}

#[test]
fn a_program_that_is_not_listed_is_an_error_only_where_an_id_the_derms_needs_is_missing() {
    let miss = |value: &str| Err(format!("lookup Program has no entry for \"{value}\""));
    assert_eq!(completed(&json!({"programCode": "WINTER"})), miss("WINTER"));
    assert_eq!(completed(&json!({"programId": "90000009"})), miss("90000009"));
    let both = json!({"programId": "90000009", "programCode": "WINTER"});
    assert_eq!(completed(&both), Ok(json!(["90000009", "WINTER", null])));
    assert_eq!(completed(&json!({"programExternalIdentifier": "PRG-9"})), miss("PRG-9"));
}

/// The message as the program system writes it.
fn print(sync: &EnrollmentSync) -> Value {
    let with_period = |mut object: Value, period: Period| {
        object["startDateTime"] = period.start.to_string().into();
        object["endDateTime"] = period.end.map(|end| end.to_string()).into();
        object
    };
    let devices: Vec<Value> = sync
        .location
        .devices
        .iter()
        .map(|it| {
            let groups: Vec<Value> = it
                .groups
                .iter()
                .map(|group| with_period(json!({"category": group.category, "name": group.name}), group.period))
                .collect();
            let device = json!({
                "deviceId": it.device_id, "deviceType": it.device_type, "specification": it.specification,
                "headEndSystem": it.head_end_system, "nicId": it.nic_id, "serialNumber": it.serial_number,
                "status": it.status, "replacesDeviceId": it.replaces, "deviceGroups": groups,
            });
            with_period(device, it.period)
        })
        .collect();
    let subscription = json!({
        "subscriptionId": sync.subscription.subscription_id, "cisAccountId": sync.subscription.cis_account_id,
        "subscriptionType": sync.subscription.subscription_type, "status": sync.subscription.status,
        "programId": sync.subscription.program.id, "programCode": sync.subscription.program.code,
        "programExternalIdentifier": sync.subscription.program.external_id,
    });
    json!({"sendDetails": {
        "syncRequestId": sync.sync_request_id, "action": sync.action,
        "contactInfo": {"contactId": sync.contact.contact_id, "cisPersonId": sync.contact.cis_person_id},
        "subscriptionInfo": with_period(subscription, sync.subscription.period),
        "locationInfo": {
            "division": sync.location.division, "servicePointId": sync.location.service_point_id,
            "cisPremiseId": sync.location.cis_premise_id, "cisServicePointId": sync.location.cis_service_point_id,
            "deviceLocationId": sync.location.device_location_id, "controllableDevices": devices,
        },
    }})
}

/// A text: printable, not blank, of at most `max` characters.
fn text(max: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[!-~é☀]{{1,{max}}}")).unwrap()
}

prop_compose! {
    fn any_period()(start in -1_000_000_000_i64..4_000_000_000_000, length in prop::option::of(0_i64..1_000_000_000)) -> Period {
        let at = |millis| Instant::from_unix_millis(millis).unwrap();
        Period { start: at(start), end: length.map(|length| at(start + length)) }
    }
}

prop_compose! {
    fn any_device()(
        (device_type, specification, serial_number) in (text(254), text(20), text(20)),
        nic in text(100),
        removed in any::<bool>(),
        period in any_period(),
        groups in prop::collection::vec((text(9), text(9), any_period()), 0..3),
    ) -> Device {
        let group = |(category, name, period)| DeviceGroup { category, name, period };
        Device {
            device_id: "D".parse().unwrap(), device_type, specification, serial_number, period, replaces: None,
            head_end_system: "HES".parse().unwrap(), nic_id: nic.parse().unwrap(),
            status: if removed { DeviceStatus::Removed } else { DeviceStatus::Active },
            groups: groups.into_iter().map(group).collect(),
        }
    }
}

prop_compose! {
    fn any_message()(
        key in text(14),
        (contact_id, cis_person_id) in (prop::option::of(text(120)), prop::option::of(text(30))),
        (subscription, account, kind) in (text(120), prop::option::of(text(30)), prop::option::of(text(254))),
        inactive in any::<bool>(),
        (program, code, external) in (text(20), prop::option::of(text(20)), prop::option::of(text(20))),
        period in any_period(),
        (division, premise, place) in (prop::option::of(text(20)), prop::option::of(text(20)), prop::option::of(text(20))),
        mut devices in prop::collection::vec(any_device(), 0..4),
    ) -> EnrollmentSync {
        for (i, device) in devices.iter_mut().enumerate() {
            device.device_id = format!("D{i}").parse().unwrap();
            device.head_end_system = format!("HES-{i}").parse().unwrap();
        }
        EnrollmentSync {
            sync_request_id: key.parse().unwrap(),
            action: if inactive { Action::Unenroll } else { Action::Enroll },
            contact: Contact {
                contact_id: contact_id.map(|id| id.parse().unwrap()),
                cis_person_id: cis_person_id.map(|id| id.parse().unwrap()),
            },
            subscription: Subscription {
                subscription_id: subscription.parse().unwrap(),
                cis_account_id: account.map(|id| id.parse().unwrap()),
                subscription_type: kind,
                status: if inactive { SubscriptionStatus::Inactive } else { SubscriptionStatus::Active },
                program: ProgramIds {
                    id: Some(program.parse().unwrap()),
                    code: code.map(|id| id.parse().unwrap()),
                    external_id: external.map(|id| id.parse().unwrap()),
                },
                period,
            },
            location: Location {
                division: division.map(|id| id.parse().unwrap()),
                service_point_id: Some("SP-1".parse().unwrap()),
                cis_premise_id: premise.map(|id| id.parse().unwrap()),
                cis_service_point_id: None,
                device_location_id: place.map(|id| id.parse().unwrap()),
                devices,
            },
        }
    }
}

proptest! {
    #[test]
    fn a_message_reads_back_as_it_was_printed(sync in any_message()) {
        prop_assert_eq!(parse(&print(&sync)), Ok(sync));
    }
}
