use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOT_REGISTERED: Registration = Registration::NotRegistered;

fn ack(response_code: ResponseCode, message: Option<&str>, devices: &[(&str, Registration, Option<&str>)]) -> SyncAck {
    let device = |(id, registration, message): &(&str, Registration, Option<&str>)| DeviceAck {
        device_id: id.parse().unwrap(),
        registration: *registration,
        message: message.map(str::to_owned),
    };
    SyncAck {
        dacs_message_id: "10000000000001".parse().unwrap(),
        response_code,
        message: message.map(str::to_owned),
        devices: devices.iter().map(device).collect(),
    }
}

fn call(release: &str, ack: &SyncAck) -> DacsCall {
    acknowledge(ack, release.parse().unwrap(), ExceptionCode::new(90_000, 1001).unwrap())
}

fn body(call: &DacsCall) -> serde_json::Value {
    serde_json::to_value(&call.body).unwrap()
}

#[test]
fn a_positive_ack_patches_the_sync_request_without_exceptions() {
    for release in ["22C", "25.4", "25.10", "26.4"] {
        let call = call(release, &ack(ResponseCode::Success, None, &[]));
        assert_eq!(call.method, Method::Patch);
        assert_eq!(call.path, "/rest/apis/common/sync/syncRequest/10000000000001");
        assert_eq!(body(&call), json!({"hasError": false, "syncRequestId": "10000000000001"}));
    }
}

#[test]
fn a_negative_ack_brings_the_sync_request_to_error_with_the_reason() {
    let call = call("25.4", &ack(ResponseCode::Error, Some("service point SP-9 is unknown"), &[]));
    let expected = json!({
        "hasError": true,
        "syncRequestId": "10000000000001",
        "exceptionInfo": [{
            "messageCategory": 90_000, "messageNumber": 1001, "comments": "service point SP-9 is unknown", "sequence": 1,
            "messageParameters": [{"parameterSequence": 1, "messageParameterValue": "service point SP-9 is unknown"}],
        }],
    });
    assert_eq!(body(&call), expected);
}

#[test]
fn a_negative_ack_without_a_reason_says_so() {
    let comments = |code| call("25.4", &ack(code, None, &[])).body.exception_info[0].comments.clone();
    assert_eq!(comments(ResponseCode::Error), "The DERMS refused the message without a reason");
    assert_eq!(comments(ResponseCode::Failure), "The DERMS reports a technical failure without a reason");
}

#[test]
fn from_25_10_on_the_registration_of_each_device_is_posted() {
    let devices = [
        ("D1", Registration::Registered, None),
        ("D2", NOT_REGISTERED, Some("unknown serial number")),
        ("D3", Registration::Deregistered, None),
    ];
    let call = call("25.10", &ack(ResponseCode::Success, None, &devices));
    assert_eq!(call.method, Method::Post);
    assert_eq!(call.path, "/rest/apis/cross/digitalAssets/programEnrollments/postAcknowledgement");
    let expected = json!({
        "hasError": false,
        "syncRequestId": "10000000000001",
        "deviceHeadendStatus": [
            {"deviceId": "D1", "headEndRegistration": "D1RE"},
            {"deviceId": "D2", "headEndRegistration": "D1NR", "message": "unknown serial number"},
            {"deviceId": "D3", "headEndRegistration": "D1DR"},
        ],
    });
    assert_eq!(body(&call), expected);
}

#[test]
fn from_25_10_on_a_negative_ack_with_devices_carries_its_reason_once() {
    let call = call("26.4", &ack(ResponseCode::Error, Some("no route"), &[("D1", NOT_REGISTERED, None)]));
    assert_eq!((call.method, call.body.has_error, call.body.exception_info.len()), (Method::Post, true, 1));
}

#[test]
fn up_to_25_4_a_device_that_is_not_registered_is_an_exception_even_of_a_positive_ack() {
    let devices = [
        ("D1", Registration::Registered, None),
        ("D2", NOT_REGISTERED, Some("unknown serial number")),
        ("D3", Registration::Deregistered, None),
        ("D4", NOT_REGISTERED, None),
    ];
    let call = call("25.4", &ack(ResponseCode::Success, None, &devices));
    let expected = json!({
        "hasError": true,
        "syncRequestId": "10000000000001",
        "exceptionInfo": [
            {
                "messageCategory": 90_000, "messageNumber": 1001, "sequence": 1,
                "comments": "Device D2 is not registered at its head-end: unknown serial number",
                "messageParameters": [
                    {"parameterSequence": 1, "messageParameterValue": "D2"},
                    {"parameterSequence": 2, "messageParameterValue": "unknown serial number"},
                ],
            },
            {
                "messageCategory": 90_000, "messageNumber": 1001, "sequence": 2,
                "comments": "Device D4 is not registered at its head-end",
                "messageParameters": [{"parameterSequence": 1, "messageParameterValue": "D4"}],
            },
        ],
    });
    assert_eq!((call.method, body(&call)), (Method::Patch, expected));
}

#[test]
fn a_sync_request_id_is_encoded_in_the_path() {
    let mut ack = ack(ResponseCode::Success, None, &[]);
    ack.dacs_message_id = "a/b ü?".parse().unwrap();
    assert_eq!(call("25.4", &ack).path, "/rest/apis/common/sync/syncRequest/a%2Fb%20%C3%BC%3F");
}

#[test]
fn releases_are_ordered_as_they_came_out() {
    let names = ["22A", "22C", "23B", "24A", "25.4", "25.10", "26.4"];
    let releases: Vec<DacsRelease> = names.iter().map(|name| name.parse().unwrap()).collect();
    assert!(releases.is_sorted_by(|a, b| a < b));
    assert_eq!(releases.iter().map(DacsRelease::to_string).collect::<Vec<_>>(), names);
    for name in ["", "25", "25.", "25.13", "25.0", "25.+4", "2025.4", "25C4", "25c", "+5.4", "é.4"] {
        assert_eq!(name.parse::<DacsRelease>(), Err(UnknownRelease), "{name}");
    }
}

#[test]
fn an_exception_code_stays_within_the_program_systems_numbers() {
    assert!(ExceptionCode::new(-99_999, 99_999).is_ok());
    assert_eq!(ExceptionCode::new(0, 100_000), Err(OutOfRange));
    assert_eq!(ExceptionCode::new(-100_000, 0), Err(OutOfRange));
}

/// The shipped DacsMessages, as far as they matter here.
fn verdict(number: Option<u32>) -> Verdict {
    match number {
        Some(20001) => Verdict::AlreadyDone,
        Some(20012) => Verdict::NotYet,
        _ => Verdict::Refused,
    }
}

#[test]
fn an_answer_means_what_its_status_and_message_number_say() {
    let read = |status, body: &str| read_answer(status, body.as_bytes(), &verdict);
    let refusal = |number, message: Option<&str>| Refusal { number, message: message.map(str::to_owned) };
    assert_eq!(read(200, ""), Answer::Done);
    assert_eq!(read(204, ""), Answer::Done);
    assert_eq!(read(400, r#"{"status":400,"messageNumber":20001,"message":"done"}"#), Answer::AlreadyDone);
    assert_eq!(read(400, r#"{"messageNumber":"20001"}"#), Answer::AlreadyDone);
    assert_eq!(read(400, r#"{"messageNumber":20012}"#), Answer::NotYet(refusal(Some(20012), None)));
    let refused = [
        (r#"{"messageNumber":20023,"message":"comments"}"#, Some(20023), Some("comments")),
        (r#"{"messageNumber":-5,"message":"negative"}"#, None, Some("negative")),
        (r#"{"message":"no number"}"#, None, Some("no number")),
        ("<html>", None, None),
        ("[]", None, None),
        ("", None, None),
    ];
    for (body, number, message) in refused {
        assert_eq!(read(400, body), Answer::Refused(refusal(number, message)), "{body}");
    }
    for status in [301, 401, 403, 404, 408, 409, 429, 500, 503] {
        assert_eq!(read(status, r#"{"messageNumber":20001}"#), Answer::Unclear, "{status}");
    }
}

proptest! {
    #[test]
    fn no_text_is_longer_than_the_program_system_takes(
        message in prop::option::of("[a-zé☀𝄞]{0,1500}"),
        of_device in prop::option::of("[a-zé☀𝄞]{0,1500}"),
        release in prop::sample::select(vec!["22C", "25.4", "25.10"]),
        positive in any::<bool>(),
    ) {
        let code = if positive { ResponseCode::Success } else { ResponseCode::Error };
        let devices = [("D1", NOT_REGISTERED, of_device.as_deref())];
        let body = call(release, &ack(code, message.as_deref(), &devices)).body;
        prop_assert_eq!(body.has_error, !body.exception_info.is_empty());
        for (i, exception) in body.exception_info.iter().enumerate() {
            prop_assert_eq!(exception.sequence, i + 1);
            prop_assert!(exception.comments.len() <= LONGEST_COMMENT);
            for parameter in &exception.message_parameters {
                prop_assert!(parameter.message_parameter_value.len() <= LONGEST_PARAMETER);
            }
        }
        for device in &body.device_headend_status {
            prop_assert!(device.message.as_ref().is_none_or(|message| message.len() <= LONGEST_PARAMETER));
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_and_no_earlier_than_needed(text in "[aé☀𝄞]{0,40}", max in 0_usize..80) {
        let short = cut(&text, max);
        prop_assert!(text.starts_with(short) && short.len() <= max);
        prop_assert!(short == text || short.len() + 4 > max);
    }
}
