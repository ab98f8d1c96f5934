use super::*;
use crate::csv::{Delimiter, Split, Splitter};
use crate::lookups::{self, Lookup, Lookups, MapName};
use proptest::prelude::*;
use serde_json::json;

const HEADER: &str = "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,\
servicePointId,headEndSystemId,nicId,outcome,errorMessage,participationStartDateTime,participationEndDateTime";
const LEAD: &str = "R-1,E-1,ECONOMIC,S-1,2026-07-01T14:00:00-04:00,2026-07-01T16:00:00-04:00,77,TSTAT,SP-1,ACME,nic-1";
const TIMES: &str = "2026-07-01T14:00:00-04:00,2026-07-01T15:30:00-04:00";

fn shipped() -> OutcomeCodes {
    OutcomeCodes::new(Lookups::shipped().map(MapName::OutcomeCode))
}

fn with_row<T>(row: &str, codes: &OutcomeCodes, use_it: impl Fn(OutcomeRow<'_>) -> T) -> Result<T, String> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(line) = splitter.split(HEADER.as_bytes(), true) else { panic!("not a record") };
    let sheet = OutcomeSheet::open(&line, &Spelling::default()).unwrap();
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(record) = splitter.split(row.as_bytes(), true) else { panic!("not a record") };
    sheet.read(&record, codes).map(use_it).map_err(|fault| fault.to_string())
}

/// The item of `postEventOutcome` for a row with these columns from `outcome` on, or why it is refused.
fn item(rest: &str) -> Result<serde_json::Value, String> {
    with_row(&format!("{LEAD},{rest}"), &shipped(), |row| {
        let mut out = Vec::new();
        row.write_item(ProgramEventKey::Stage, &mut out);
        serde_json::from_slice(&out).unwrap()
    })
}

fn code(outcome: &str) -> String {
    item(&format!("{outcome},,{TIMES}")).unwrap()["outcome"].as_str().unwrap().to_owned()
}

fn refused(rest: &str) -> String {
    item(rest).unwrap_err()
}

#[test]
fn every_outcome_has_its_code_in_the_program_system() {
    let outcomes = ["SUCCESS", "OVERRIDE", "NON_RESPONSIVE", "ERROR", "REJECTED", "CANCELED"];
    assert_eq!(outcomes.map(code), ["D1SP", "D1IO", "D1ND", "D1ER", "D1ER", "D1CN"]);
    assert_eq!(refused("WON,,,"), "outcome: lookup OutcomeCode has no entry for \"WON\"");
    assert_eq!(refused(",,,"), "outcome: is empty");
}

#[test]
fn a_lookup_may_know_other_words_but_not_other_codes() {
    let lookup = lookups::parse("OutcomeCode", b"key,value\nOK,D1SP\nBAD,D1XX\n").unwrap();
    let Lookup::Map(map) = lookup else { panic!("not a map") };
    let codes = OutcomeCodes::new(map);
    let outcome = |word: &str| with_row(&format!("{LEAD},{word},,{TIMES}"), &codes, |row| row.outcome);
    assert_eq!(outcome("OK"), Ok(DacsOutcome::Success));
    assert_eq!(
        outcome("BAD"),
        Err("outcome: lookup OutcomeCode has \"D1XX\" for \"BAD\", which is no outcome code".to_owned())
    );
    let without_times = with_row(&format!("{LEAD},OK,,,"), &codes, |row| row.outcome);
    assert_eq!(without_times, Err("participationStartDateTime: is empty, though the outcome is OK".to_owned()));
}

#[test]
fn who_took_part_did_so_from_some_time_to_some_later_time() {
    let expected = json!({
        "eventExternalIdentifier": "S-1", "headEndSystem": "ACME", "nicId": "nic-1", "outcome": "D1IO",
        "participationStartDateTime": "2026-07-01T18:00:00Z", "participationEndDateTime": "2026-07-01T19:30:00Z",
    });
    assert_eq!(item(&format!("OVERRIDE,,{TIMES}")), Ok(expected));
    for outcome in ["SUCCESS", "OVERRIDE"] {
        let start = format!("participationStartDateTime: is empty, though the outcome is {outcome}");
        assert_eq!(refused(&format!("{outcome},,,")), start);
        let end = format!("participationEndDateTime: is empty, though the outcome is {outcome}");
        assert_eq!(refused(&format!("{outcome},,2026-07-01T18:00:00Z,")), end);
    }
    assert_eq!(
        refused("SUCCESS,,2026-07-01T18:00:00Z,2026-07-01T14:00:00-04:00"),
        "participationEndDateTime: is not after participationStartDateTime"
    );
    let expected =
        json!({"eventExternalIdentifier": "S-1", "headEndSystem": "ACME", "nicId": "nic-1", "outcome": "D1ND"});
    assert_eq!(item("NON_RESPONSIVE,,,"), Ok(expected));
}

#[test]
fn an_error_is_cut_to_a_hundred_characters_and_absent_on_success() {
    let message = |rest: &str| item(rest).unwrap().get("errorMessage").map(|it| it.as_str().unwrap().to_owned());
    assert_eq!(message("ERROR,no contact,,"), Some("no contact".to_owned()));
    assert_eq!(message(&format!("ERROR,{},,", "x".repeat(101))), Some("x".repeat(100)));
    assert_eq!(message(&format!("REJECTED,{},,", "é".repeat(150))), Some("é".repeat(100)));
    assert_eq!(message(&format!("SUCCESS,all well,{TIMES}")), None);
    assert_eq!(message("ERROR,,,"), None);
    let uncut =
        with_row(&format!("{LEAD},ERROR,{},,", "x".repeat(150)), &shipped(), |row| row.error_message.map(str::len));
    assert_eq!(uncut, Ok(Some(150)), "only towards the program system");
}

#[test]
fn one_service_point_may_take_part_with_two_devices_in_two_stages() {
    // contracts.md §6: "Example that must work".
    let first = "R-1,E-1,ECONOMIC,S-1,2026-07-01T14:00:00Z,2026-07-01T16:00:00Z,77,TSTAT,SP-1,ACME,nic-1,ERROR,,,";
    let second = "R-2,E-1,ECONOMIC,S-2,2026-07-01T18:00:00Z,2026-07-01T19:00:00Z,77,TSTAT,SP-1,ACME,nic-2,ERROR,,,";
    let keys = |row| with_row(row, &shipped(), |row| (row.key_bytes(), row.stage())).unwrap();
    assert_eq!(keys(first), (b"E-1\0S-1\0ACME\0nic-1".to_vec(), b"E-1\0S-1".to_vec()));
    assert_ne!(keys(first).0, keys(second).0);
    assert_ne!(keys(first).1, keys(second).1);
}

#[test]
fn a_row_names_its_stage_its_program_and_its_service_point() {
    let with = |from: &str, to: &str| {
        let row = format!("{LEAD},ERROR,,,").replace(&format!(",{from},"), &format!(",{to},"));
        with_row(&row, &shipped(), |_| ()).unwrap_err()
    };
    assert_eq!(with("S-1", ""), "stageId: is empty");
    assert_eq!(with("E-1", ""), "eventId: is empty");
    assert_eq!(with("ECONOMIC", ""), "eventType: is empty");
    assert_eq!(with("SP-1", ""), "servicePointId: is empty");
    assert_eq!(with("77", " 7"), "programId: \" 7\" begins or ends with white space");
    assert_eq!(
        with("2026-07-01T16:00:00-04:00", "2026-07-01T18:00:00Z"),
        "stageEndDateTime: is not after stageStartDateTime"
    );
}

#[test]
fn a_call_is_a_list_of_outcomes_of_one_stage() {
    let items: [&[u8]; 2] = [b"{\"a\":1}", b"{\"b\":2}"];
    assert_eq!(post_event_outcome(items), b"[{\"a\":1},{\"b\":2}]");
}

proptest! {
    #[test]
    fn an_item_reads_back_whatever_the_device_and_its_error_are_called(
        nic in "[!-~é]{1,20}",
        error in "\\PC{0,120}",
    ) {
        let mut row = Vec::new();
        let lead: Vec<&str> = LEAD.split(',').collect();
        let fields = lead[..10].iter().copied().chain([nic.as_str(), "ERROR", error.as_str(), "", ""]);
        crate::csv::write_record(&mut row, fields.map(str::as_bytes).collect::<Vec<_>>());
        let item = with_row(std::str::from_utf8(&row).unwrap(), &shipped(), |row| {
            let mut out = Vec::new();
            row.write_item(ProgramEventKey::Stage, &mut out);
            let list = post_event_outcome([out.as_slice()]);
            serde_json::from_slice::<Vec<serde_json::Value>>(&list).unwrap().remove(0)
        }).unwrap();
        prop_assert_eq!(&item["nicId"], &json!(nic));
        let kept: String = error.chars().take(LONGEST_ERROR).collect();
        prop_assert_eq!(item["errorMessage"].as_str().unwrap_or_default(), kept);
    }
}
