use super::*;
use proptest::prelude::*;
use serde_json::json;

fn response(id: &str, value: &str, code: ResponseCode) -> Response {
    Response {
        id: Some(id.to_owned()),
        value: Some(value.to_owned()),
        response_code: code,
        response_time: None,
        dacs_message_id: Some("10000000000001".to_owned()),
    }
}

/// Of an enrollment of D1 and D2 that takes D0 away.
fn read(ack: &MsgAck) -> Result<SyncAck, AnswersAnother> {
    let ids = ["D0", "D1", "D2"].map(|id| id.parse::<DeviceId>().unwrap());
    let devices: Vec<_> = ids.iter().map(|device_id| Asked { device_id, leaves: device_id.as_str() == "D0" }).collect();
    SyncAck::from_msg_ack(ack, &"10000000000001".parse().unwrap(), &devices)
}

fn answered(ack_type: ResponseCode, responses: Vec<Response>) -> SyncAck {
    read(&MsgAck { ack_type, when: None, responses }).unwrap()
}

use ResponseCode::{Error, Failure, Success};

#[test]
fn a_positive_answer_is_a_positive_ack() {
    let ack = answered(Success, vec![response("10000000000001", "delivered=1;failed=0", Success)]);
    let expected = SyncAck {
        dacs_message_id: "10000000000001".parse().unwrap(),
        response_code: Success,
        message: None,
        devices: vec![],
    };
    assert_eq!(ack, expected);
    assert_eq!(answered(Success, vec![]), expected);
}

#[test]
fn a_negative_answer_carries_the_reasons_and_not_the_counts() {
    let envelope = response("10000000000001", "delivered=0;failed=1", Error);
    let ack =
        answered(Error, vec![envelope, response("SP-1", "unknown service point", Error), response("x", "y", Error)]);
    assert_eq!((ack.response_code, ack.message.as_deref()), (Error, Some("unknown service point; y")));
    assert_eq!(
        answered(Failure, vec![response("10000000000001", "database down", Failure)]).message.unwrap(),
        "database down"
    );
    assert_eq!(answered(Error, vec![]).message, None);
}

#[test]
fn an_answer_is_as_bad_as_its_worst_response_about_the_message() {
    assert_eq!(answered(Success, vec![response("SP-1", "unknown", Error)]).response_code, Error);
    assert_eq!(answered(Error, vec![response("SP-1", "fine", Success)]).response_code, Error);
    assert_eq!(answered(Success, vec![response("D1", "NOT_REGISTERED", Error)]).response_code, Success);
}

#[test]
fn a_response_about_a_device_tells_its_registration() {
    let told = |id, value, code| {
        let ack = answered(Success, vec![response(id, value, code)]);
        let device = ack.devices.into_iter().next().unwrap();
        (device.registration, device.message)
    };
    assert_eq!(told("D1", "REGISTERED", Success), (Registration::Registered, None));
    assert_eq!(told("D1", "NOT_REGISTERED", Error), (Registration::NotRegistered, None));
    assert_eq!(told("D0", "DEREGISTERED", Success), (Registration::Deregistered, None));
    // Without a code: what was asked for came true, or nothing changed.
    assert_eq!(told("D1", "ok", Success), (Registration::Registered, None));
    assert_eq!(told("D0", "ok", Success), (Registration::Deregistered, None));
    assert_eq!(told("D2", "no answer", Error), (Registration::NotRegistered, Some("no answer".to_owned())));
    assert_eq!(told("D0", "no answer", Error), (Registration::Registered, Some("no answer".to_owned())));
}

#[test]
fn a_device_told_of_twice_is_taken_once() {
    let ack = answered(Success, vec![response("D1", "REGISTERED", Success), response("D1", "NOT_REGISTERED", Error)]);
    assert_eq!(ack.devices.len(), 1);
    assert_eq!((ack.devices[0].registration, ack.response_code), (Registration::Registered, Success));
}

#[test]
fn the_answer_to_another_message_is_not_taken_for_ours() {
    let mut other = response("x", "y", Success);
    other.dacs_message_id = Some("10000000000002".to_owned());
    let ack = MsgAck { ack_type: Success, when: None, responses: vec![response("x", "y", Success), other] };
    assert_eq!(read(&ack), Err(AnswersAnother(1)));
}

#[test]
fn a_synchronization_given_up_is_a_failure_with_its_reason() {
    let ack = SyncAck::given_up("10000000000001".parse().unwrap(), "no answer for 24 hours".to_owned());
    assert_eq!((ack.response_code, ack.message.as_deref()), (Failure, Some("no answer for 24 hours")));
}

#[test]
fn an_ack_of_ours_can_be_read_back_however_long_the_reasons_were() {
    let long = "é".repeat(3000);
    let about_device = response("D1", &long, Error);
    let acks = [
        SyncAck::given_up("10000000000001".parse().unwrap(), long.clone()),
        answered(Error, vec![response("SP-1", &long, Error), about_device]),
    ];
    for ack in acks {
        assert_eq!(SyncAck::parse(&serde_json::to_vec(&ack).unwrap()), Ok(ack));
    }
}

#[test]
fn an_ack_travels_under_the_contracts_names() {
    let ack = SyncAck {
        dacs_message_id: "10000000000001".parse().unwrap(),
        response_code: Error,
        message: Some("no route".to_owned()),
        devices: vec![DeviceAck {
            device_id: "D1".parse().unwrap(),
            registration: Registration::NotRegistered,
            message: None,
        }],
    };
    let expected = json!({
        "dacsMessageId": "10000000000001", "responseCode": "ERROR", "message": "no route",
        "devices": [{"deviceId": "D1", "registration": "NOT_REGISTERED"}],
    });
    assert_eq!(serde_json::to_value(&ack).unwrap(), expected);
}

prop_compose! {
    fn any_ack()(
        id in "[!-~]{1,14}",
        response_code in prop::sample::select(vec![Success, Error, Failure]),
        message in prop::option::of("[!-~é☀]{1,2000}"),
        devices in prop::collection::btree_map("[!-~]{1,12}", (
            prop::sample::select(vec![Registration::Registered, Registration::NotRegistered, Registration::Deregistered]),
            prop::option::of("[!-~é☀]{1,20}"),
        ), 0..5),
    ) -> SyncAck {
        let device = |(id, (registration, message)): (String, _)| {
            DeviceAck { device_id: id.parse().unwrap(), registration, message }
        };
        SyncAck {
            dacs_message_id: id.parse().unwrap(),
            response_code,
            message,
            devices: devices.into_iter().map(device).collect(),
        }
    }
}

proptest! {
    #[test]
    fn an_ack_reads_back_as_it_was_printed(ack in any_ack()) {
        prop_assert_eq!(SyncAck::parse(&serde_json::to_vec(&ack).unwrap()), Ok(ack));
    }
}

#[test]
fn an_acknowledgement_without_devices_ignores_what_stands_there() {
    let body = br#"{"dacsMessageId":"10000000000001","responseCode":"SUCCESS","devices":"none"}"#;
    let document = Document::parse(body).unwrap();
    assert!(SyncAck::from_document(&document).unwrap().devices.is_empty());
    let refused = SyncAck::with_devices(&document).unwrap_err();
    assert_eq!(refused.to_string(), "400 The message is not valid: /devices is text where a list is expected");
}
