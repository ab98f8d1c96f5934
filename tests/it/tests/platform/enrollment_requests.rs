//! Requests for enrollment: many in one list, answered while the DERMS waits, or acknowledged when DACS is back.

use serde_json::{Value, json};

use crate::devices::acknowledged;
use crate::support::{MESSAGES, Platform, unique};

const ROUTE: &str = "/v1/derms/enrollment-request";

fn request(id: &str) -> Value {
    json!({
        "messageId": id,
        "drmsInstanceId": "DRMS-1",
        // Evening of the last of June where the device is; the first of July in UTC.
        "programInfo": {"programCode": "SUMMER-T", "startDateTimeISO": "2026-07-01T03:30:00Z"},
        "locationInfo": {"timeZone": "America/Chicago", "address1": "12 Elm Street", "address4": "c/o Example"},
        "assetInfo": {"installationMethod": "X1SD", "assetOwnership": "W1CO", "assetList": [
            {"sequence": 1, "assetType": "THERMOSTAT", "nicId": format!("nic-{id}"), "headEndSystem": "ACME-HES"},
        ]},
    })
}

/// Posts a list: status, ackType, and (id, value, code) of each response after the list's own.
async fn post(platform: &Platform, list: &[Value]) -> (u16, String, Vec<(String, String, String)>) {
    let (status, answer) = platform.post_as("derms", ROUTE, &json!(list)).await;
    let text = |it: &Value| it.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let responses = answer["MsgAck"]["responses"]["response"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let told = responses.iter().skip(1).map(|it| (text(&it["id"]), text(&it["value"]), text(&it["responseCode"])));
    (status, text(&answer["MsgAck"]["ackType"]), told.collect())
}

async fn at_dacs(platform: &Platform, id: &str) -> Value {
    platform.books("dacs").await["enrollments"]["requests"][id].clone()
}

#[tokio::test]
async fn many_requests_are_answered_one_by_one_in_their_order_and_a_repeat_changes_nothing() {
    let _with_others = MESSAGES.read().await;
    let (platform, mark) = (Platform::here().await, unique());
    let ids: Vec<_> = (0..40).map(|n| format!("R{n:02}-{mark}")).collect();
    let mut list: Vec<_> = ids.iter().map(|id| request(id)).collect();
    for (id, number, http) in [(&ids[7], 11_001, 200), (&ids[9], 10_589, 400)] {
        let refusal = json!({"transactionId": id, "status": "VAL-ERROR", "messageNumber": number,
            "message": "not eligible", "http": http, "count": 1});
        platform.set("dacs/enrollment-refusals", &refusal).await;
    }
    list[11]["locationInfo"] = json!({});
    list.push(request(&ids[0]));
    let (status, kind, told) = post(&platform, &list).await;
    assert_eq!((status, kind.as_str()), (200, "ERROR"));
    let order: Vec<_> = told.iter().map(|(id, _, _)| id.clone()).collect();
    assert_eq!(order, [ids.as_slice(), &ids[..1]].concat());
    for (place, (id, value, code)) in told.iter().enumerate() {
        let book = at_dacs(&platform, id).await;
        let wanted = match place {
            7 => ("message number 11001, not eligible", "ERROR"),
            9 => ("EXISTS", "SUCCESS"),
            11 => ("/locationInfo/timeZone is required", "ERROR"),
            _ => (book["enrollmentId"].as_str().unwrap_or_else(|| panic!("{id}: {book}")), "SUCCESS"),
        };
        assert_eq!((value.as_str(), code.as_str()), wanted, "{id}");
    }
    let enrolled = at_dacs(&platform, &ids[0]).await;
    assert_eq!((&enrolled["calls"], &enrolled["kind"]), (&json!(1), &json!("enroll")), "listed twice, asked once");
    assert_eq!(enrolled["body"]["programInfo"]["startDate"], "2026-06-30", "the day at the location");
    assert_eq!(enrolled["body"]["locationInfo"]["address4"], "c/o Example");
    assert_eq!(enrolled["body"]["assetInfo"]["assetList"][0]["assetType"], "SMART-THERMOSTAT");

    list[11] = request(&ids[11]);
    let (status, kind, again) = post(&platform, &list).await;
    assert_eq!((status, kind.as_str()), (200, "SUCCESS"), "what failed is attempted anew");
    for (place, (first, second)) in told.iter().zip(&again).enumerate().filter(|(place, _)| ![7, 11].contains(place)) {
        assert_eq!(first, second, "entry {place} is answered as before");
    }
    for (place, calls) in [(0, 1), (7, 2), (9, 1), (11, 1)] {
        assert_eq!(at_dacs(&platform, &ids[place]).await["calls"], calls, "{}", ids[place]);
    }
}

#[tokio::test]
async fn an_unenrollment_stands_among_enrollments_and_a_list_that_nobody_could_answer_is_refused() {
    let _with_others = MESSAGES.read().await;
    let (platform, mark) = (Platform::here().await, unique());
    let ids = ["U1", "U2"].map(|name| format!("{name}-{mark}"));
    let mut list = [request(&ids[0]), request(&ids[1])];
    list[1]["action"] = json!("UNENROLL");
    list[1]["unenrollReason"] = json!("CUSTOMEROPTOUT");
    let (status, kind, _) = post(&platform, &list).await;
    assert_eq!((status, kind.as_str()), (200, "SUCCESS"));
    let out = at_dacs(&platform, &ids[1]).await;
    assert_eq!((&out["kind"], &out["body"]["unenrollReason"]), (&json!("unenroll"), &json!("CUSTOMEROPTOUT")));

    let (fresh, mut nameless) = (format!("U3-{mark}"), request("none"));
    nameless.as_object_mut().unwrap().remove("messageId");
    let (status, problem) = platform.post_as("derms", ROUTE, &json!([request(&fresh), nameless])).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/1/messageId")), "{problem}");
    assert!(at_dacs(&platform, &fresh).await.is_null(), "nothing of it was taken");
}

#[tokio::test]
async fn what_dacs_could_not_take_in_time_is_acknowledged_when_it_is_back_each_request_once() {
    let _alone = MESSAGES.write().await;
    let (platform, mark) = (Platform::here().await, unique());
    let ids: Vec<_> = (0..6).map(|n| format!("L{n}-{mark}")).collect();
    let path = "/dacs/rest/apis/cross/digitalAssets/programEnrollments/";
    let down = platform.fault(&json!({"path": path, "fault": {"kind": "down"}})).await;
    let list: Vec<_> = ids.iter().map(|id| request(id)).collect();
    let (status, kind, told) = post(&platform, &list).await;
    assert_eq!((status, kind.as_str(), told.len()), (202, "SUCCESS", 0));
    // Its sender has heard nothing of them, and sends them again meanwhile.
    assert_eq!(post(&platform, &list).await.0, 202);
    platform.end_fault(&down).await;
    let mut results = Vec::new();
    for id in &ids {
        let enrolled = at_dacs_enrolled(&platform, id).await;
        let (kind, responses) = acknowledged(&platform, id).await;
        let wanted = [(id.clone(), "delivered=1;failed=0".to_owned()), (id.clone(), enrolled.clone())];
        assert_eq!((kind.as_str(), responses.as_slice()), ("SUCCESS", wanted.as_slice()));
        results.push((id.clone(), enrolled, "SUCCESS".to_owned()));
    }
    assert_eq!(post(&platform, &list).await, (200, "SUCCESS".into(), results), "and then it is answered at once");
    for id in &ids {
        assert_eq!(at_dacs(&platform, id).await["effects"], 1, "{id}");
    }
}

/// The enrollment that a request has become, once it has.
async fn at_dacs_enrolled(platform: &Platform, id: &str) -> String {
    crate::support::eventually(&format!("{id} is enrolled"), 120, async || {
        at_dacs(platform, id).await["enrollmentId"].as_str().map(str::to_owned)
    })
    .await
}
