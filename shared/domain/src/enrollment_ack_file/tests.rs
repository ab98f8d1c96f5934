use super::*;
use crate::csv::{Delimiter, Split, Splitter};
use serde_json::json;

const HEADER: &str = "syncRequestId,status,messageCategory,messageNumber,comments,subscriptionId,processedDateTime,\
sourceFile";

fn call(header: &str, row: &str) -> Result<DacsCall, String> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(line) = splitter.split(header.as_bytes(), true) else { panic!("not a record") };
    let sheet = AckSheet::open(&line, &Spelling::default()).unwrap();
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(row) = splitter.split(row.as_bytes(), true) else { panic!("not a record") };
    let row = sheet.read(&row).map_err(|fault| fault.to_string())?;
    assert_eq!(row.key(), row.sync_request_id.as_str());
    Ok(row.acknowledge(ExceptionCode::new(90_000, 1001).unwrap()))
}

fn body(row: &str) -> serde_json::Value {
    serde_json::to_value(call(HEADER, row).unwrap().body).unwrap()
}

fn refused(row: &str) -> String {
    call(HEADER, row).unwrap_err()
}

/// Category and number of the exception of a negative row with these.
fn code(category: &str, number: &str) -> (i32, i32) {
    let call = call(HEADER, &format!("10000000000001,ERROR,{category},{number},,,,")).unwrap();
    let exception = &call.body.exception_info[0];
    (exception.message_category, exception.message_number)
}

#[test]
fn a_positive_row_synchronizes_its_sync_request() {
    let call = call("syncRequestId,status", "10000000000001,SUCCESS").unwrap();
    assert_eq!(call.method, sync_request::Method::Patch);
    assert_eq!(call.path, "/rest/apis/common/sync/syncRequest/10000000000001");
    let expected = json!({"hasError": false, "syncRequestId": "10000000000001"});
    assert_eq!(serde_json::to_value(&call.body).unwrap(), expected);
    assert_eq!(body("10000000000001,SUCCESS,1,2,all well,SUB-1,2026-07-01T05:00:00Z,ENROLL_SYNC_1.csv"), expected);
}

#[test]
fn a_negative_row_brings_its_exception_to_the_sync_request() {
    let expected = json!({
        "hasError": true,
        "syncRequestId": "10000000000001",
        "exceptionInfo": [{
            "messageCategory": 11, "messageNumber": -7, "comments": "service point SP-9 is unknown", "sequence": 1,
            "messageParameters": [{"parameterSequence": 1, "messageParameterValue": "service point SP-9 is unknown"}],
        }],
    });
    assert_eq!(body("10000000000001,ERROR,11,-7,service point SP-9 is unknown,,,"), expected);
}

#[test]
fn an_error_without_number_gets_the_configured_default() {
    assert_eq!(code("", ""), (90_000, 1001));
    assert_eq!(code("11", ""), (90_000, 1001), "a category alone says nothing");
    assert_eq!(code("", "7"), (90_000, 7));
    assert_eq!(code("11", "7"), (11, 7));
    let comments = body("10000000000001,ERROR,,,,,,")["exceptionInfo"][0]["comments"].clone();
    assert_eq!(comments, "The analytics engine refused the enrollment without a reason");
}

#[test]
fn a_long_reason_is_cut_where_the_program_system_wants_it_short() {
    let body = body(&format!("10000000000001,ERROR,,,{},,,", "x".repeat(3000)));
    let exception = &body["exceptionInfo"][0];
    assert_eq!(exception["comments"].as_str().unwrap().len(), 254);
    assert_eq!(exception["messageParameters"][0]["messageParameterValue"].as_str().unwrap().len(), 2000);
}

#[test]
fn a_row_that_answers_nothing_or_says_nothing_is_refused() {
    assert_eq!(refused(",SUCCESS,,,,,,"), "syncRequestId: is empty");
    assert_eq!(
        refused("100000000000012,SUCCESS,,,,,,"),
        "syncRequestId: \"100000000000012\" has 15 characters, at most 14 are allowed"
    );
    assert_eq!(refused("1,FAILURE,,,,,,"), "status: \"FAILURE\" is neither SUCCESS nor ERROR");
    assert_eq!(refused("1,,,,,,,"), "status: is empty; it must be SUCCESS or ERROR");
    let between = "is not a whole number between -99999 and 99999";
    assert_eq!(refused("1,ERROR,,100000,,,,"), format!("messageNumber: \"100000\" {between}"));
    assert_eq!(refused("1,ERROR,x,1,,,,"), format!("messageCategory: \"x\" {between}"));
    assert_eq!(refused("1,ERROR,,1.0,,,,"), format!("messageNumber: \"1.0\" {between}"));
    assert_eq!(refused("1,SUCCESS,,,,,2026-07-01,"), "processedDateTime: \"2026-07-01\" has no time of day");
}
