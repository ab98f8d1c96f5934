//! DERMS's `/enroll` and `/acks` as contracts.md §3 and §5 have them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod neighbours;

use neighbours::{Neighbours, named, start};
use serde_json::{Value, json};

fn device(id: &str, status: &str) -> Value {
    json!({
        "deviceId": id, "deviceType": "THERMOSTAT", "specification": "T-100",
        "headEndSystem": "HEAD-A", "nicId": format!("N-{id}"), "serialNumber": format!("S-{id}"),
        "status": status, "startDateTimeISO": "2026-05-01T00:00:00-05:00",
        "deviceGroups": [{"category": "ZONE", "name": "NORTH", "startDateTimeISO": "2026-05-01T00:00:00-05:00"}],
    })
}

fn enrollment(id: &str, devices: &[Value]) -> Value {
    json!({
        "dacsMessageId": id,
        "contactInfo": {"contactId": "C-1", "cisPersonId": "P-1"},
        "subscriptionInfo": {
            "subscriptionId": "SUB-1", "cisAccountId": "A-1", "subscriptionType": "DR",
            "status": "ACTIVE", "programId": "1234512345", "programCode": "SUMMER",
            "programExternalIdentifier": "EXT-SUMMER",
            "startDateTimeISO": "2026-05-01T00:00:00-05:00",
        },
        "locationInfo": {
            "division": "NORTH", "servicePointId": "SP-1", "cisPremiseId": "PR-1",
            "cisServicePointId": "CSP-1", "controllableDevices": devices,
        },
    })
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

async fn eligible(it: &Neighbours) -> Vec<String> {
    let devices = it.books("derms").await["devices"].clone();
    let devices = devices.as_array().unwrap().iter();
    devices
        .filter(|device| device["eligible"] == true)
        .map(|device| device["deviceId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_taken_enrollment_makes_its_devices_eligible() {
    let it = start().await;
    let body = enrollment("SR-1", &[device("D-1", "ACTIVE")]);
    let (status, ack) = it.enroll(&body).await;
    assert_eq!(status, 200);
    assert_eq!(ack["MsgAck"]["ackType"], "SUCCESS");
    let response = &ack["MsgAck"]["responses"]["response"][0];
    assert_eq!(response["dacsMessageId"], "SR-1");
    assert!(response["responseTimeISO"].as_str().unwrap().ends_with('Z'));
    assert_eq!(eligible(&it).await, ["D-1"]);
    assert_eq!(
        it.books("derms").await["programs"]["1234512345"],
        json!({"programCode": "SUMMER", "programExternalIdentifier": "EXT-SUMMER"})
    );
}

#[tokio::test]
async fn the_same_message_again_is_answered_and_takes_no_effect() {
    let it = start().await;
    let body = enrollment("SR-1", &[device("D-1", "ACTIVE")]);
    for _ in 0..3 {
        assert_eq!(it.enroll(&body).await.0, 200);
    }
    let message = &it.books("derms").await["messages"]["SR-1"];
    let counts = ["calls", "effects", "repeats"].map(|name| message[name].as_u64().unwrap());
    assert_eq!(counts, [3, 1, 2]);
}

#[tokio::test]
async fn an_unenrollment_leaves_no_device_eligible() {
    let it = start().await;
    it.enroll(&enrollment("SR-1", &[device("D-1", "ACTIVE")])).await;
    let gone = enrollment("SR-2", &[device("D-1", "REMOVED")]);
    let gone = with(gone, "/subscriptionInfo/status", json!("INACTIVE"));
    assert_eq!(it.enroll(&gone).await.0, 200);
    assert_eq!(eligible(&it).await, Vec::<String>::new());
    let subscription = &it.books("derms").await["subscriptions"]["SUB-1"];
    assert_eq!(subscription["action"], "UNENROLL");
}

#[tokio::test]
async fn a_replacement_carries_the_old_device_removed_and_the_new_one() {
    let it = start().await;
    it.enroll(&enrollment("SR-1", &[device("D-1", "ACTIVE")])).await;
    let mut new = device("D-2", "ACTIVE");
    new["replacesDeviceId"] = json!("D-1");
    let alone = enrollment("SR-2", std::slice::from_ref(&new));
    let (status, problem) = it.enroll(&alone).await;
    assert_eq!(status, 400);
    assert_eq!(named(&problem), ["locationInfo.controllableDevices[0].replacesDeviceId"]);
    let both = enrollment("SR-2", &[device("D-1", "REMOVED"), new]);
    assert_eq!(it.enroll(&both).await.0, 200);
    assert_eq!(eligible(&it).await, ["D-2"]);
}

#[tokio::test]
async fn a_negative_answer_makes_no_device_eligible_and_the_corrected_message_does() {
    let it = start().await;
    let script = json!({"dacsMessageId": "SR-1", "answer": "error", "text": "nic unknown at head-end", "count": 1});
    it.control("derms/answers", &script).await;
    let body = enrollment("SR-1", &[device("D-1", "ACTIVE")]);
    let (status, ack) = it.enroll(&body).await;
    assert_eq!((status, &ack["MsgAck"]["ackType"]), (200, &json!("ERROR")));
    let response = &ack["MsgAck"]["responses"]["response"][0];
    assert_eq!(response["value"], "nic unknown at head-end");
    assert_eq!(eligible(&it).await, Vec::<String>::new());
    let (_, ack) = it.enroll(&body).await;
    assert_eq!(ack["MsgAck"]["ackType"], "SUCCESS");
    assert_eq!(eligible(&it).await, ["D-1"]);
}

#[tokio::test]
async fn an_unknown_service_point_or_customer_is_named_in_a_negative_answer() {
    let it = start().await;
    let unknown = json!({"servicePoints": ["SP-1"], "customers": ["P-2"]});
    it.set("derms/unknown", &unknown).await;
    let body = enrollment("SR-1", &[]);
    let (_, ack) = it.enroll(&body).await;
    let value = &ack["MsgAck"]["responses"]["response"][0]["value"];
    assert_eq!(value, "service point SP-1 is unknown");
    let body = with(body, "/locationInfo/servicePointId", json!("SP-3"));
    let body = with(body, "/contactInfo/cisPersonId", json!("P-2"));
    let (_, ack) = it.enroll(&body).await;
    let value = &ack["MsgAck"]["responses"]["response"][0]["value"];
    assert_eq!(value, "customer P-2 is unknown");
}

#[tokio::test]
async fn an_answer_that_comes_later_decides_then() {
    let it = start().await;
    it.control("derms/answers", &json!({"answer": "later"})).await;
    for id in ["SR-1", "SR-2"] {
        let body = enrollment(id, &[device("D-1", "ACTIVE")]);
        assert_eq!(it.enroll(&body).await.0, 202);
    }
    assert_eq!(eligible(&it).await, Vec::<String>::new());
    let refused = json!({"dacsMessageId": "SR-1", "answer": "error", "message": "no feeder"});
    assert_eq!(
        it.control("derms/late-acks", &refused).await,
        json!({"dacsMessageId": "SR-1", "responseCode": "ERROR", "message": "no feeder"})
    );
    assert_eq!(eligible(&it).await, Vec::<String>::new());
    let taken = json!({"dacsMessageId": "SR-2", "devices": true});
    assert_eq!(
        it.control("derms/late-acks", &taken).await,
        json!({"dacsMessageId": "SR-2", "responseCode": "SUCCESS",
            "devices": [{"deviceId": "D-1", "registration": "REGISTERED"}]})
    );
    assert_eq!(eligible(&it).await, ["D-1"]);
}

#[tokio::test]
async fn a_message_taken_late_takes_no_second_effect_when_it_comes_again() {
    let it = start().await;
    it.control("derms/answers", &json!({"answer": "later"})).await;
    let body = enrollment("SR-1", &[device("D-1", "ACTIVE")]);
    for _ in 0..2 {
        assert_eq!(it.enroll(&body).await.0, 202);
        it.control("derms/late-acks", &json!({"dacsMessageId": "SR-1"})).await;
    }
    let message = &it.books("derms").await["messages"]["SR-1"];
    assert_eq!((&message["effects"], &message["repeats"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn an_answer_may_tell_of_each_device() {
    let it = start().await;
    let devices = json!([
        {"deviceId": "D-1", "registration": "REGISTERED"},
        {"deviceId": "D-2", "registration": "NOT_REGISTERED"},
    ]);
    it.control("derms/answers", &json!({"answer": "positive", "devices": devices})).await;
    let body = enrollment("SR-1", &[device("D-1", "ACTIVE"), device("D-2", "ACTIVE")]);
    let (_, ack) = it.enroll(&body).await;
    assert_eq!(ack["MsgAck"]["ackType"], "SUCCESS");
    let responses = ack["MsgAck"]["responses"]["response"].as_array().unwrap();
    let told: Vec<_> = responses.iter().map(|it| (it["id"].as_str().unwrap(), it["value"].as_str().unwrap())).collect();
    let expected = [("SR-1", "taken"), ("D-1", "REGISTERED"), ("D-2", "NOT_REGISTERED")];
    assert_eq!(told, expected);
    assert_eq!(eligible(&it).await, ["D-1"]);
}

#[tokio::test]
async fn a_device_that_failed_spoils_a_positive_answer() {
    let it = start().await;
    let devices = json!([{"deviceId": "D-1", "registration": "NOT_REGISTERED", "message": "no such nic"}]);
    it.control("derms/answers", &json!({"answer": "positive", "devices": devices})).await;
    let (_, ack) = it.enroll(&enrollment("SR-1", &[device("D-1", "ACTIVE")])).await;
    assert_eq!(ack["MsgAck"]["ackType"], "ERROR");
    let response = &ack["MsgAck"]["responses"]["response"][1];
    assert_eq!(
        (&response["id"], &response["value"], &response["responseCode"]),
        (&json!("D-1"), &json!("no such nic"), &json!("ERROR"))
    );
    assert_eq!(eligible(&it).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_enrollment_without_location_or_devices_is_valid() {
    let it = start().await;
    assert_eq!(it.enroll(&enrollment("SR-1", &[])).await.0, 200);
    let mut body = enrollment("SR-2", &[]);
    body.as_object_mut().unwrap().remove("locationInfo");
    assert_eq!(it.enroll(&body).await.0, 200);
}

#[tokio::test]
async fn every_field_that_breaks_the_contract_is_named() {
    let it = start().await;
    let body = enrollment("SR-1", &[device("D-1", "ACTIVE"), device("D-2", "ACTIVE")]);
    let devices = "/locationInfo/controllableDevices";
    let cases = [
        ("/dacsMessageId".to_owned(), json!("SR-123456789012"), "dacsMessageId"),
        ("/subscriptionInfo/status".to_owned(), json!("active"), "subscriptionInfo.status"),
        ("/subscriptionInfo/status".to_owned(), json!("INACTIVE"), ""),
        (
            "/subscriptionInfo/startDateTimeISO".to_owned(),
            json!("2026-05-01T00:00:00"),
            "subscriptionInfo.startDateTimeISO",
        ),
        (format!("{devices}/0/deviceId"), json!("D-12345678901"), "locationInfo.controllableDevices[0].deviceId"),
        (format!("{devices}/1/deviceId"), json!("D-1"), "locationInfo.controllableDevices[1]"),
        (format!("{devices}/1/nicId"), json!(null), "locationInfo.controllableDevices[1].nicId"),
    ];
    for (pointer, value, field) in cases {
        let (status, problem) = it.enroll(&with(body.clone(), &pointer, value)).await;
        if field.is_empty() {
            // INACTIVE without action is an unenrollment.
            assert_eq!(status, 200);
            continue;
        }
        assert_eq!(status, 400, "{pointer}");
        assert_eq!(named(&problem), [field]);
    }
    let mut extra = body.clone();
    extra["action"] = json!("UNENROLL");
    extra["customerName"] = json!("someone");
    let (_, problem) = it.enroll(&extra).await;
    assert_eq!(named(&problem), ["customerName"]);
    extra.as_object_mut().unwrap().remove("customerName");
    let (_, problem) = it.enroll(&extra).await;
    assert_eq!(named(&problem), ["action"]);
}

#[tokio::test]
async fn an_acknowledgement_is_kept_by_its_envelope() {
    let it = start().await;
    let response = |id: &str, value: &str, code: &str| json!({"id": id, "value": value, "responseCode": code, "responseTimeISO": "2026-07-01T18:00:00.000Z"});
    let ack = |kind: &str, responses: &[Value]| json!({"MsgAck": {"ackType": kind, "whenISO": "2026-07-01T18:00:00.000Z", "responses": {"response": responses}}});
    let envelope = response("M-1", "delivered=1;failed=0", "SUCCESS");
    let good = ack("SUCCESS", &[envelope.clone(), response("R-1", "E-1", "SUCCESS")]);
    for _ in 0..2 {
        assert_eq!(it.ack(&good).await.0, 200);
    }
    let books = &it.books("derms").await["acks"]["M-1"];
    assert_eq!((&books["effects"], &books["repeats"]), (&json!(1), &json!(1)));
    let bad = [
        (ack("SUCCESS", &[]), "MsgAck.responses.response"),
        (ack("SUCCESS", &[response("M-1", "done", "SUCCESS")]), "MsgAck.responses.response[0].value"),
        (ack("SUCCESS", &[envelope, response("R-1", "refused", "ERROR")]), "MsgAck.ackType"),
    ];
    for (body, field) in bad {
        let (status, problem) = it.ack(&body).await;
        assert_eq!((status, named(&problem)), (400, vec![field]));
    }
}
