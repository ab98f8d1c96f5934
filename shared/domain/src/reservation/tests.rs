use super::*;
use crate::csv::{Delimiter, Split, Splitter};
use crate::envelope::Metadata;
use crate::json::Document;
use serde_json::json;

const HEADER: &str = "recordId,nicId,headEndSystemId,reservationStartDateTime,reservationEndDateTime";
const ENVELOPE: [(&str, &str); 8] = [
    ("drms-instance-id", "DRMS-1"),
    ("message-id", "M-1"),
    ("event-id", "E-1"),
    ("stage-id", "S-1"),
    ("event-start-date-time", "2026-07-01T14:00:00-04:00"),
    ("event-end-date-time", "2026-07-01T16:00:00-04:00"),
    ("program-code", "TSTAT"),
    ("record-count", "2"),
];

/// The metadata of a good file, with some of it replaced.
fn metadata(replaced: &[(&str, &str)]) -> Metadata {
    let pairs = ENVELOPE.iter().chain(replaced);
    pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn envelope() -> Envelope {
    Envelope::from_metadata(&metadata(&[])).unwrap()
}

/// The item of `deviceList` for a row, or why it is refused.
fn item(header: &str, row: &str) -> Result<serde_json::Value, String> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(line) = splitter.split(header.as_bytes(), true) else { panic!("not a record") };
    let sheet = ReservationSheet::open(&line, &Spelling::default()).unwrap();
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(row) = splitter.split(row.as_bytes(), true) else { panic!("not a record") };
    let row = sheet.read(&row, &envelope()).map_err(|fault| fault.to_string())?;
    let mut out = Vec::new();
    row.write_item(&mut out);
    Ok(serde_json::from_slice(&out).unwrap())
}

/// A row with these two times.
fn times(start: &str, end: &str) -> Result<serde_json::Value, String> {
    item(HEADER, &format!("R-1,nic-1,ACME,{start},{end}"))
}

fn refused(reason: &str) -> Result<serde_json::Value, String> {
    Err(reason.to_owned())
}

#[test]
fn a_device_without_times_is_held_as_long_as_its_stage() {
    let device = json!({"headEndSystem": "ACME", "nicId": "nic-1"});
    assert_eq!(times("", ""), Ok(device.clone()));
    assert_eq!(item("headEndSystemId,recordId,nicId,note", "ACME,R-1,nic-1,x"), Ok(device));
    let held = json!({
        "headEndSystem": "ACME", "nicId": "nic-1",
        "reservationStartDateTime": "2026-07-01T18:15:00Z", "reservationEndDateTime": "2026-07-01T19:00:00Z",
    });
    assert_eq!(times("2026-07-01T14:15:00-04:00", "2026-07-01T15:00:00-04:00"), Ok(held));
}

#[test]
fn the_end_is_after_the_start_also_where_one_of_them_is_the_stages() {
    assert_eq!(
        times("2026-07-01T15:00:00-04:00", "2026-07-01T19:00:00Z"),
        refused("reservationEndDateTime: is not after reservationStartDateTime")
    );
    assert!(times("2026-07-01T15:00:00-04:00", "").is_ok());
    assert!(times("", "2026-07-01T15:00:00-04:00").is_ok());
    assert_eq!(
        times("2026-07-01T16:00:00-04:00", ""),
        refused("reservationStartDateTime: is not before the end of the stage")
    );
    assert_eq!(
        times("", "2026-07-01T18:00:00Z"),
        refused("reservationEndDateTime: is not after the start of the stage")
    );
    assert_eq!(times("", "2026-07-01"), refused("reservationEndDateTime: \"2026-07-01\" has no time of day"));
}

#[test]
fn a_record_and_its_device_are_named() {
    assert_eq!(item(HEADER, ",nic-1,ACME,,"), refused("recordId: is empty"));
    assert_eq!(item(HEADER, "R-1,,ACME,,"), refused("nicId: is empty"));
    let long = "h".repeat(51);
    assert!(item(HEADER, &format!("R-1,nic-1,{long},,")).unwrap_err().ends_with("at most 50 are allowed"));
}

#[test]
fn a_rejected_row_is_acknowledged_by_its_record_id() {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(line) = splitter.split(HEADER.as_bytes(), true) else { panic!("not a record") };
    let sheet = ReservationSheet::open(&line, &Spelling::default()).unwrap();
    let id = |row: &str| {
        let mut splitter = Splitter::new(Delimiter::Comma);
        let Split::Record(row) = splitter.split(row.as_bytes(), true) else { panic!("not a record") };
        sheet.record_id(&row).map(str::to_owned)
    };
    assert_eq!(id("R-1,,ACME,,"), Some("R-1".to_owned()));
    assert_eq!(id("R-1"), Some("R-1".to_owned()));
    assert_eq!(id(",nic-1,ACME,,"), None);
}

#[test]
fn the_call_carries_the_stage_as_its_program_event_and_all_devices() {
    let row = |nic_id| ReservationRow { record_id: "R-1", nic_id, head_end_system: "ACME", start: None, end: None };
    let (mut first, mut second) = (Vec::new(), Vec::new());
    row("nic-1").write_item(&mut first);
    row("nic \"2\"").with_head_end_system("HES-7").write_item(&mut second);
    let body = |key, items: &[&[u8]]| -> serde_json::Value {
        serde_json::from_slice(&reserve_device(&envelope(), key, items.iter().copied())).unwrap()
    };
    let expected = json!({
        "eventExternalIdentifier": "S-1",
        "eventStartDateTime": "2026-07-01T18:00:00Z",
        "eventEndDateTime": "2026-07-01T20:00:00Z",
        "deviceList": [
            {"headEndSystem": "ACME", "nicId": "nic-1"},
            {"headEndSystem": "HES-7", "nicId": "nic \"2\""},
        ],
    });
    assert_eq!(body(ProgramEventKey::Stage, &[&first, &second]), expected);
    assert_eq!(body(ProgramEventKey::Event, &[])["eventExternalIdentifier"], "E-1");
}

#[test]
fn two_rows_are_the_same_when_stage_head_end_and_nic_are() {
    let row = ReservationRow { record_id: "R-1", nic_id: "nic-1", head_end_system: "ACME", start: None, end: None };
    assert_eq!(row.key(), ("ACME", "nic-1"));
    assert_eq!(row.key_in(&envelope()), b"S-1\0ACME\0nic-1");
}

#[test]
fn an_envelope_reads_back_from_the_metadata_that_it_is_stored_as() {
    let envelope = envelope();
    assert_eq!(envelope.program_code.as_ref().unwrap().as_str(), "TSTAT");
    assert_eq!(envelope.record_count, Some(2));
    assert_eq!(Envelope::from_metadata(&envelope.to_metadata()), Ok(envelope));
    let posted = r#"{"drmsInstanceId": "DRMS-1", "messageId": "M-1", "eventId": "E-1", "stageId": "S-1",
        "eventStartDateTime": "2026-07-01T18:00:00Z", "eventEndDateTime": "2026-07-01T20:00:00Z",
        "programCode": "TSTAT", "recordCount": 2}"#;
    let posted = Envelope::from_json(&Document::parse(posted.as_bytes()).unwrap()).unwrap();
    assert_eq!(Envelope::from_metadata(&metadata(&[])), Ok(posted));
}

#[test]
fn a_file_without_a_stage_or_with_a_wrong_envelope_is_refused_with_all_reasons() {
    let refused = |replaced: &[(&str, &str)]| Envelope::from_metadata(&metadata(replaced)).unwrap_err().to_string();
    assert_eq!(refused(&[("stage-id", "")]), "wrong envelope: stage-id is missing");
    assert_eq!(
        refused(&[("event-end-date-time", "2026-07-01T18:00:00Z"), ("record-count", "two")]),
        "wrong envelope: record-count \"two\" is not a whole number of rows; event-end-date-time is not after the start"
    );
    assert_eq!(
        refused(&[("event-start-date-time", "2026-07-01T14:00:00"), ("message-id", "")]),
        "wrong envelope: message-id is missing; \
         event-start-date-time \"2026-07-01T14:00:00\" has no offset from UTC (such as -05:00, or Z)"
    );
    assert_eq!(Envelope::from_metadata(&Metadata::new()).unwrap_err().0.len(), 6);
    let problem = Envelope::from_json(&Document::parse(br#"{"messageId": "M-1"}"#).unwrap()).unwrap_err();
    assert_eq!(problem.errors.len(), 5);
}
