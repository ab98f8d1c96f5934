use super::*;
use crate::lookups::Verdict;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A request with all that the contract knows.
fn request(id: &str) -> Value {
    json!({
        "messageId": id, "drmsInstanceId": "NMS-1",
        "customerInfo": {
            "cisPersonId": "P-1", "cisAccountId": "A-1", "name": "Ada Example", "homePhone": "+1 555 0101",
            "businessPhone": "+1 555 0102", "email": "ada@example.org",
        },
        "programInfo": {
            "cisServiceAgreementId": "SA-1", "programCode": "SUMMER-T", "startDateTimeISO": "2026-07-01T03:30:00Z",
            "endDateTimeISO": "2026-10-01T05:00:00Z",
        },
        "locationInfo": {
            "locationId": "L-1", "division": "NORTH", "cisPremiseId": "PR-1", "cisServicePointId": "CSP-1",
            "timeZone": "America/Chicago", "address1": "12 Elm Street", "address2": "Floor 3", "address3": "Door 4",
            "address4": "c/o Example", "city": "Springfield", "county": "Sangamon", "state": "IL", "postal": "62701",
            "country": "USA",
        },
        "assetInfo": {"installationMethod": "X1SD", "assetOwnership": "W1CO", "assetList": [{
            "sequence": 1, "assetId": "AS-1", "assetType": "THERMOSTAT", "badgeNo": "B-1", "serialNo": "SN-1",
            "nicId": "nic-1", "headEndSystem": "NORTH", "make": "Eco", "model": "T100",
        }]},
    })
}

fn lookups() -> Lookups {
    let mut lookups = Lookups::shipped();
    for (name, table) in [
        ("AssetType", "key,value\nTHERMOSTAT,SMART-THERM\n"),
        ("AssetSpec", "key,value\nEco!T100,ECO-T100\n"),
        ("HeadEndSystem", "key,value\nHES-NORTH,NORTH\n"),
        ("EnrollmentSource", "key,value\nX1BY,X1BY\n"),
    ] {
        lookups.replace(crate::lookups::parse(name, table.as_bytes()).unwrap());
    }
    lookups
}

fn parse(request: &Value) -> EnrollmentRequest {
    EnrollmentRequest::parse(request.to_string().as_bytes()).unwrap()
}

fn enroll(request: &Value) -> Result<Value, String> {
    let enroll = parse(request);
    let enroll = enroll.call(&lookups()).map_err(|miss| miss.to_string())?;
    Ok(serde_json::to_value(enroll).unwrap())
}

#[test]
fn a_request_reaches_the_program_system_field_by_field_in_its_codes() {
    let expected = json!({
        "transactionId": "M-1", "enrollmentSource": "X1BY",
        "customerInfo": {
            "cisPersonId": "P-1", "cisAccountId": "A-1", "name": "Ada Example", "homePhone": "+1 555 0101",
            "businessPhone": "+1 555 0102", "email": "ada@example.org",
        },
        "programInfo": {"cisServiceAgreementId": "SA-1", "programCode": "SUMMER-T", "startDate": "2026-06-30"},
        "locationInfo": {
            "locationId": "L-1", "division": "NORTH", "cisPremiseId": "PR-1", "cisServicePointId": "CSP-1",
            "timeZone": "America/Chicago", "address1": "12 Elm Street", "address2": "Floor 3", "address3": "Door 4",
            "address4": "c/o Example", "city": "Springfield", "county": "Sangamon", "state": "IL", "postal": "62701",
            "country": "USA",
        },
        "assetInfo": {"installationMethod": "X1SD", "assetOwnership": "W1CO", "assetList": [{
            "sequence": 1, "assetId": "AS-1", "assetType": "SMART-THERM", "specification": "ECO-T100", "badgeNo": "B-1",
            "serialNo": "SN-1", "nicId": "nic-1", "headEndSystem": "HES-NORTH",
        }]},
    });
    assert_eq!(enroll(&request("M-1")), Ok(expected));
}

#[test]
fn the_start_is_the_day_at_the_location_and_not_what_stands_before_the_t() {
    let day = |start: &str, zone: &str| {
        let mut request = request("M-1");
        request["programInfo"] = json!({"programCode": "SUMMER-T", "startDateTimeISO": start});
        request["locationInfo"]["timeZone"] = json!(zone);
        enroll(&request).unwrap()["programInfo"]["startDate"].clone()
    };
    assert_eq!(day("2026-07-01T03:30:00Z", "America/Chicago"), "2026-06-30");
    assert_eq!(day("2026-06-30T22:30:00-05:00", "America/Chicago"), "2026-06-30");
    assert_eq!(day("2026-06-30T23:30:00Z", "Europe/Zurich"), "2026-07-01");
    assert_eq!(day("2026-11-01T05:59:59Z", "America/Chicago"), "2026-11-01", "an hour after midnight in summer time");
    assert_eq!(day("2026-11-02T05:59:59Z", "America/Chicago"), "2026-11-01", "the day of 25 hours");
}

#[test]
fn a_code_that_a_lookup_lacks_is_an_error_that_names_it() {
    let with = |name: &str, value: &str| {
        let mut request = request("M-1");
        request["assetInfo"]["assetList"][0][name] = json!(value);
        enroll(&request).unwrap_err()
    };
    assert_eq!(with("assetType", "TOASTER"), "lookup AssetType has no entry for \"TOASTER\"");
    assert_eq!(with("model", "T200"), "lookup AssetSpec has no entry for \"Eco!T200\"");
    assert_eq!(with("headEndSystem", "WEST"), "lookup HeadEndSystem has no entry for \"WEST\"");
}

#[test]
fn a_device_without_make_and_model_has_no_specification_and_one_with_half_of_them_is_refused() {
    let mut request = request("M-1");
    let asset = request.pointer_mut("/assetInfo/assetList/0").unwrap().as_object_mut().unwrap();
    asset.remove("make");
    let problem = EnrollmentRequest::parse(request.to_string().as_bytes()).unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/assetInfo/assetList/0/make");
    request["assetInfo"]["assetList"][0].as_object_mut().unwrap().remove("model");
    assert_eq!(enroll(&request).unwrap()["assetInfo"]["assetList"][0].get("specification"), None);
}

#[test]
fn what_is_wrong_with_one_request_is_its_own_fault_and_an_entry_that_nobody_can_answer_is_the_lists() {
    let mut second = request("M-2");
    second["locationInfo"].as_object_mut().unwrap().remove("timeZone");
    second["assetInfo"]["assetOwnership"] = json!("MINE");
    let list = json!([request("M-1"), second, request("M-3")]).to_string();
    let listed = EnrollmentRequest::parse_list(list.as_bytes()).unwrap();
    let faults = |listed: &Listed| listed.request.as_ref().err().map(|problem| problem.errors.clone());
    let pointers = |listed| Some(faults(listed)?.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>().join(" "));
    let found: Vec<_> = listed.iter().map(pointers).collect();
    assert_eq!(found, [None, Some("/locationInfo/timeZone /assetInfo/assetOwnership".to_owned()), None]);

    let list = json!([request("M-1"), {"messageId": ""}, 7, request(&"x".repeat(121))]).to_string();
    let problem = EnrollmentRequest::parse_list(list.as_bytes()).unwrap_err();
    let pointers: Vec<_> = problem.errors.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(pointers, ["/1/messageId", "/2", "/3/messageId"]);
}

#[test]
fn a_request_of_a_list_is_the_message_that_it_would_be_alone() {
    let list = json!([request("M-1"), request("M-2")]).to_string();
    let listed = EnrollmentRequest::parse_list(list.as_bytes()).unwrap();
    for (listed, id) in listed.iter().zip(["M-1", "M-2"]) {
        let alone = request(id).to_string();
        assert_eq!(listed.message_id.as_str(), id);
        assert_eq!(listed.request, EnrollmentRequest::parse(listed.body.as_bytes()));
        assert_eq!(listed.hash, Document::parse(alone.as_bytes()).unwrap().hash());
    }
}

#[test]
fn who_is_to_be_enrolled_no_more_is_unenrolled_with_the_reason_in_the_program_systems_code() {
    let mut request = request("M-1");
    request["action"] = json!("UNENROLL");
    let fault = |request: &Value| {
        let problem = EnrollmentRequest::parse(request.to_string().as_bytes()).unwrap_err();
        problem.to_string().replace("400 The message is not valid: ", "")
    };
    assert_eq!(fault(&request), "/unenrollReason is required where action is UNENROLL");
    request["unenrollReason"] = json!("CUSTOMEROPTOUT");
    let (asked, lookups) = (parse(&request), lookups());
    let call = asked.call(&lookups).unwrap();
    assert_eq!(call.path(), "/rest/apis/cross/digitalAssets/programEnrollments/unenroll");
    let body = serde_json::to_value(&call).unwrap();
    assert_eq!((body.get("enrollmentSource"), &body["unenrollReason"]), (None, &json!("CUSTOMEROPTOUT")));
    request["unenrollReason"] = json!("MOVED");
    assert_eq!(enroll(&request).unwrap_err(), "lookup UnenrollReason has no entry for \"MOVED\"");
    request["action"] = json!("ENROLL");
    assert_eq!(fault(&request), "/unenrollReason stands only where action is UNENROLL");
}

/// The program system's answer, with 10589 as the number of what exists and 20012 of what is early.
fn answered(status: u16, body: &str) -> Outcome {
    read_answer(status, body.as_bytes(), &|number| match number {
        Some(10_589) => Verdict::AlreadyDone,
        Some(20_012) => Verdict::NotYet,
        _ => Verdict::Refused,
    })
}

#[test]
fn an_answer_is_an_enrollment_a_repeat_a_refusal_or_none() {
    let refused = |number, message: Option<&str>| {
        Outcome::Refused(crate::sync_request::Refusal { number, message: message.map(str::to_owned) })
    };
    assert_eq!(answered(200, r#"{"enrollmentId":"EN1","status":"PENDING"}"#), Outcome::Pending("EN1".to_owned()));
    for status in [200, 400] {
        let error =
            |number: u32| format!(r#"{{"status":"VAL-ERROR","messageNumber":{number},"message":"not eligible"}}"#);
        assert_eq!(answered(status, &error(11_001)), refused(Some(11_001), Some("not eligible")), "{status}");
        assert_eq!(answered(status, &error(10_589)), Outcome::Exists, "{status}");
        assert!(matches!(answered(status, &error(20_012)), Outcome::NotYet(_)), "{status}");
        assert_eq!(answered(status, r#"{"status":"ERROR"}"#), refused(None, None), "{status}");
    }
    assert_eq!(answered(400, "no JSON"), refused(None, None));
    assert_eq!(answered(200, "no JSON"), Outcome::Unclear);
    assert_eq!(answered(200, r#"{"status":"PENDING"}"#), Outcome::Unclear);
    assert_eq!(answered(404, r#"{"enrollmentId":"EN1"}"#), Outcome::Unclear);
}

proptest! {
    /// Four lines of an address, each there or not: what is there arrives, in its place.
    #[test]
    fn every_line_of_an_address_is_kept(lines in prop::array::uniform4(prop::option::of("[!-~]{1,60}"))) {
        let mut request = request("M-1");
        for (name, line) in ["address1", "address2", "address3", "address4"].into_iter().zip(&lines) {
            request["locationInfo"][name] = json!(line);
        }
        let location = enroll(&request).unwrap()["locationInfo"].clone();
        for (name, line) in ["address1", "address2", "address3", "address4"].into_iter().zip(&lines) {
            prop_assert_eq!(location.get(name).and_then(Value::as_str), line.as_deref());
        }
    }
}
