//! DERMS's programs, aggregators, status checks, opt-outs and unavailabilities as contracts.md §5 has
//! them, and DACS's side of enrollment requests and status checks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod neighbours;

use neighbours::{Neighbours, named, read, start};
use reqwest::Method;
use serde_json::{Value, json};

fn program(id: &str) -> Value {
    json!({
        "dacsMessageId": id, "programId": "90000001", "programCode": "SUMMER-T", "timeZone": "America/Chicago",
        "status": "ACTIVE", "startDate": "2026-05-01", "changeDateTimeISO": "2026-04-20T14:00:00.000Z",
        "rules": [{
            "ruleId": "R-1", "ruleType": "PARTICIPATION", "effectiveDate": "2027-05-01",
            "allowedEventDays": ["MONDAY"], "eventCategories": [], "maximumEventDuration": "PT4H",
        }],
    })
}

fn enrollment(id: &str) -> Value {
    json!({
        "transactionId": id, "enrollmentSource": "X1BY", "customerInfo": {"cisPersonId": "P-1"},
        "programInfo": {"programCode": "SUMMER-T", "startDate": "2026-06-01"},
        "locationInfo": {"timeZone": "America/Chicago", "address1": "1 Main St", "address4": "Unit 7"},
        "assetInfo": {
            "installationMethod": "X1SD", "assetOwnership": "W1CO",
            "assetList": [{"sequence": 1, "assetType": "THERMOSTAT", "nicId": "nic-1", "headEndSystem": "HES-NORTH"}],
        },
    })
}

async fn derms(it: &Neighbours, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let call = it.http.request(method, it.url(&format!("/derms/{path}"))).json(body);
    read(it.as_derms(call).send().await.unwrap()).await
}

async fn dacs(it: &Neighbours, path: &str, body: &Value) -> (u16, Value) {
    let call = it.http.post(it.url(&format!("/dacs/rest/apis/cross/digitalAssets/{path}"))).json(body);
    read(it.as_dacs(call).send().await.unwrap()).await
}

#[tokio::test]
async fn a_program_replaces_what_was_known_of_it_and_a_repeat_takes_no_effect() {
    let it = start().await;
    for id in ["1", "1", "2"] {
        let (status, ack) = derms(&it, Method::PUT, "programs/SUMMER-T", &program(id)).await;
        assert_eq!((status, &ack["MsgAck"]["ackType"]), (200, &json!("SUCCESS")));
    }
    let books = it.books("derms").await["programRules"].clone();
    assert_eq!((&books["messages"]["1"]["repeats"], &books["effects"]), (&json!(1), &json!(2)));
    assert_eq!(books["latest"]["SUMMER-T"]["message"], "2");
}

#[tokio::test]
async fn everything_wrong_with_a_program_or_aggregator_is_named() {
    let it = start().await;
    let mut wrong = program("1");
    wrong["rules"][0]["allowedEventDays"] = json!(["FUNDAY"]);
    wrong["rules"][0]["expirationDate"] = json!("2027-04-30");
    wrong["changeDateTimeISO"] = json!("2026-04-20T09:00:00-05:00");
    let (status, problem) = derms(&it, Method::PUT, "programs/WINTER", &wrong).await;
    assert_eq!(status, 400);
    let expected = ["changeDateTimeISO", "rules[0].allowedEventDays[0]", "programCode", "rules[0].expirationDate"];
    assert_eq!(named(&problem), expected);
    let aggregator = json!({
        "dacsMessageId": "1", "action": "ADD", "aggregatorId": "A-1", "name": "Bright", "headEndSystem": "HES",
        "status": "ACTIVE", "effectiveDate": "2026-05-01", "changeDateTimeISO": "2026-04-20T14:00:00.000Z",
        "assetTypes": [], "programCodes": [], "password": "p",
    });
    let (_, problem) = derms(&it, Method::PUT, "aggregators/A-1", &aggregator).await;
    assert_eq!(named(&problem), ["password"]);
}

#[tokio::test]
async fn a_message_that_is_answered_later_counts_when_the_derms_has_made_up_its_mind() {
    let it = start().await;
    it.control("derms/answers", &json!({"answer": "later", "dacsMessageId": "1"})).await;
    assert_eq!(derms(&it, Method::PUT, "programs/SUMMER-T", &program("1")).await.0, 202);
    assert_eq!(it.books("derms").await["programRules"]["effects"], 0);
    let ack = it.control("derms/late-acks", &json!({"dacsMessageId": "1"})).await;
    assert_eq!(ack, json!({"dacsMessageId": "1", "responseCode": "SUCCESS"}));
    assert_eq!(it.books("derms").await["programRules"]["effects"], 1);
}

#[tokio::test]
async fn an_unavailability_is_kept_by_its_id_and_its_cancellation_is_another_message() {
    let it = start().await;
    let mut body = json!({
        "dacsMessageId": "C-1", "unavailabilityId": "U-1", "action": "ADD", "headEndSystem": "HES", "nicId": "nic-1",
        "startDateTimeISO": "2026-07-10T05:00:00.000Z", "endDateTimeISO": "2026-07-20T05:00:00.000Z",
    });
    assert_eq!(derms(&it, Method::POST, "device_unavailability", &body).await.0, 200);
    body["action"] = json!("CANCEL");
    assert_eq!(derms(&it, Method::POST, "device_unavailability", &body).await.0, 200);
    let books = it.books("derms").await["unavailabilities"].clone();
    assert_eq!((&books["effects"], &books["latest"]["U-1"]["body"]["action"]), (&json!(2), &json!("CANCEL")));
    body["endDateTimeISO"] = json!("2026-07-09T05:00:00.000Z");
    let (_, problem) = derms(&it, Method::POST, "device_unavailability", &body).await;
    assert_eq!(named(&problem), ["endDateTimeISO"]);
}

#[tokio::test]
async fn an_enrollment_request_makes_one_enrollment_however_often_it_comes() {
    let it = start().await;
    let (status, first) = dacs(&it, "programEnrollments/enroll", &enrollment("M-1")).await;
    assert_eq!((status, &first["status"]), (200, &json!("PENDING")));
    let (status, again) = dacs(&it, "programEnrollments/enroll", &enrollment("M-1")).await;
    assert_eq!((status, &again["messageNumber"]), (400, &json!(10589)));
    let books = it.books("dacs").await["enrollments"].clone();
    assert_eq!((&books["effects"], &books["requests"]["M-1"]["repeats"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn an_enrollment_request_that_is_refused_can_be_made_again() {
    let it = start().await;
    let refusal = json!({
        "transactionId": "M-1", "count": 1, "status": "VAL-ERROR", "messageNumber": 11001, "message": "not eligible",
    });
    it.control("dacs/enrollment-refusals", &refusal).await;
    let (status, answer) = dacs(&it, "programEnrollments/enroll", &enrollment("M-1")).await;
    assert_eq!((status, &answer["status"], &answer["messageNumber"]), (200, &json!("VAL-ERROR"), &json!(11001)));
    assert_eq!(dacs(&it, "programEnrollments/enroll", &enrollment("M-1")).await.1["status"], "PENDING");
    let mut wrong = enrollment("M-2");
    wrong["programInfo"]["startDate"] = json!("2026-06-01T00:00:00-05:00");
    wrong["assetInfo"]["assetList"][0]["make"] = json!("Eco");
    let (status, problem) = dacs(&it, "programEnrollments/enroll", &wrong).await;
    assert_eq!((status, &problem["messageNumber"]), (400, &json!(20023)));
    assert_eq!(named(&problem), ["programInfo.startDate", "assetInfo.assetList[0].make"]);
}

#[tokio::test]
async fn an_answer_to_a_status_check_counts_once() {
    let it = start().await;
    let body = json!({"responseDetail": {"transactionID": "C-1", "result": {"status": "FAILURE"}}});
    for _ in 0..2 {
        assert_eq!(dacs(&it, "controllableDeviceStatus/response", &body).await.0, 200);
    }
    let books = it.books("dacs").await["deviceStatuses"]["C-1"].clone();
    assert_eq!((&books["status"], &books["calls"], &books["effects"]), (&json!("FAILURE"), &json!(2), &json!(1)));
}
