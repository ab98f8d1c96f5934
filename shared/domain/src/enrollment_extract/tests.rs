use super::*;
use crate::csv::{Delimiter, Split, Splitter};

const HEADER: &str = "syncRequestId,syncFlag,action,subscriptionId,subscriptionType,status,programId,programCode,\
cisPersonId,cisAccountId,cisPremiseId,cisServicePointId,servicePointId,division,timeZone,startDateTime,endDateTime,\
changeDateTime";
const REST: &str = "SUB-1,DR,ACTIVE,77,TSTAT,P-1,A-1,PR-1,CSP-1,SP-1,NORTH,America/New_York,\
2026-06-01T00:00:00-04:00,,2026-05-20T08:00:00Z";

fn sheet(header: &str) -> Result<ExtractSheet, HeaderFault> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(header) = splitter.split(header.as_bytes(), true) else { panic!("not a record") };
    ExtractSheet::open(&header, &Spelling::default())
}

/// Whether the row is taken, and the sync request that it would leave without an answer.
fn with_sync_request(header: &str, row: &[u8]) -> (Result<(), String>, Option<String>) {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(row) = splitter.split(row, true) else { panic!("not a record") };
    let sheet = sheet(header).unwrap();
    let id = sheet.sync_request(&row).map(|id| id.to_string());
    (sheet.check(&row).map_err(|fault| fault.to_string()), id)
}

fn check(row: &str) -> Result<(), String> {
    with_sync_request(HEADER, row.as_bytes()).0
}

fn refused(reason: &str) -> Result<(), String> {
    Err(reason.to_owned())
}

#[test]
fn a_device_column_rejects_the_file_and_is_named() {
    let fault = sheet(&format!("{HEADER},nicId,serialNumber")).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "wrong header: column \"nicId\" is not allowed in this file; \
         column \"serialNumber\" is not allowed in this file"
    );
    assert!(sheet(&HEADER.replace(",division,timeZone", "").replace(",endDateTime", "")).is_ok());
}

#[test]
fn a_row_of_the_initial_load_has_no_sync_request_and_every_other_row_has_one() {
    assert_eq!(check(&format!(",F1IL,ENROLL,{REST}")), Ok(()));
    assert_eq!(check(&format!("10000000000001,F1IC,ENROLL,{REST}")), Ok(()));
    assert_eq!(
        check(&format!(",F1IC,ENROLL,{REST}")),
        refused("syncRequestId: is empty in a row that is not of an initial load")
    );
    assert_eq!(
        check(&format!("10000000000001,F1IL,ENROLL,{REST}")),
        refused(
            "syncRequestId: \"10000000000001\" is given in a row of an initial load (F1IL), which gets no \
             acknowledgement"
        )
    );
}

#[test]
fn a_replacement_is_never_in_an_extract() {
    assert_eq!(check(&format!("1,F1IC,UNENROLL,{REST}")), Ok(()));
    assert_eq!(check(&format!("1,F1IC,REPLACE,{REST}")), refused("action: \"REPLACE\" is neither ENROLL nor UNENROLL"));
    assert_eq!(check(&format!("1,F1IC,,{REST}")), refused("action: is empty; it must be ENROLL or UNENROLL"));
}

#[test]
fn the_end_is_after_the_start_and_every_identifier_is_there() {
    let row = |end: &str| check(&format!("1,F1IC,ENROLL,{}", REST.replace(",,2026", &format!(",{end},2026"))));
    assert_eq!(row("2026-06-01T00:00:00-05:00"), Ok(()));
    assert_eq!(row("2026-06-01T04:00:00Z"), refused("endDateTime: is not after startDateTime"));
    for (value, column) in [("SP-1", "servicePointId"), ("A-1", "cisAccountId"), ("TSTAT", "programCode")] {
        let row = format!("1,F1IC,ENROLL,{}", REST.replace(&format!(",{value},"), ",,"));
        assert_eq!(check(&row), Err(format!("{column}: is empty")));
    }
    let row = format!("1,F1IC,ENROLL,{}", REST.replace("P-1", &"p".repeat(31)));
    assert!(check(&row).unwrap_err().ends_with("has 31 characters, at most 30 are allowed"));
}

#[test]
fn a_rejected_row_gives_the_sync_request_that_nobody_will_answer() {
    let id = |row: &str| with_sync_request(HEADER, row.as_bytes()).1;
    assert_eq!(id(&format!("10000000000001,F1IC,SWAP,{REST}")), Some("10000000000001".to_owned()));
    assert_eq!(id("10000000000001,F1IC"), Some("10000000000001".to_owned()), "the first field is in place");
    assert_eq!(id(&format!(",F1IC,ENROLL,{REST}")), None);
    assert_eq!(id(&format!("100000000000012,F1IC,ENROLL,{REST}")), None, "no sync request has such an id");
    assert_eq!(id("\"10000000000001,F1IC"), None);
    let (fault, id) = with_sync_request(HEADER, b"10000000000001,F1IC,ENROLL,S\xff");
    assert_eq!((fault, id), (refused("subscriptionId: is not valid UTF-8"), Some("10000000000001".to_owned())));
}

#[test]
fn a_sync_request_is_not_guessed_from_a_row_whose_fields_are_out_of_place() {
    let header =
        HEADER.replace("syncRequestId,syncFlag,action,subscriptionId", "action,subscriptionId,syncRequestId,syncFlag");
    let rest = REST.strip_prefix("SUB-1,").unwrap();
    let row = |lead: &str| with_sync_request(&header, format!("{lead},{rest}").as_bytes());
    assert_eq!(row("ENROLL,SUB-1,77,F1IC"), (Ok(()), Some("77".to_owned())));
    assert_eq!(row("ENROLL,12,SUB-1,77,F1IC").1, None, "an extra field would make SUB-1 of it");
}
