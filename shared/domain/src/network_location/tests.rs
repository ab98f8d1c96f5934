use super::*;
use crate::csv::{Delimiter, Split, Splitter};

const HEADER: &str = "servicePointId,cisServicePointId,transformerId,feederId,substationId,phase,effectiveDateTime,\
syncFlag,changeDateTime";

fn sheet(header: &str) -> Result<LocationSheet, HeaderFault> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(header) = splitter.split(header.as_bytes(), true) else { panic!("not a record") };
    LocationSheet::open(&header, &Spelling::default())
}

fn check(header: &str, row: &str) -> Result<(), String> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(row) = splitter.split(row.as_bytes(), true) else { panic!("not a record") };
    sheet(header).unwrap().check(&row).map_err(|fault| fault.to_string())
}

fn refused(reason: &str) -> Result<(), String> {
    Err(reason.to_owned())
}

#[test]
fn a_service_point_is_fed_by_a_transformer_a_feeder_and_a_substation() {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let row = b"SP-1,CIS-1,TX-1,FD-1,SUB-1,ABC,2026-06-01T00:00:00-04:00,F1IC,2026-05-20T08:00:00Z";
    let Split::Record(record) = splitter.split(row, true) else { panic!("not a record") };
    let sheet = sheet(HEADER).unwrap();
    let row = sheet.read(&record).unwrap();
    assert_eq!((row.service_point_id, row.transformer_id, row.feeder_id), ("SP-1", "TX-1", "FD-1"));
    assert_eq!((row.substation_id, row.phase, row.cis_service_point_id), ("SUB-1", Some("ABC"), Some("CIS-1")));
    assert_eq!(row.sync_flag, SyncFlag::Incremental);
    assert_eq!(row.effective_date_time, "2026-06-01T04:00:00Z".parse().ok());
    assert_eq!(row.key(), ("SP-1", "2026-05-20T08:00:00Z".parse().unwrap()));
}

#[test]
fn only_what_the_contract_lets_be_absent_may_be_absent() {
    let short = "servicePointId,transformerId,feederId,substationId,syncFlag,changeDateTime";
    assert_eq!(check(short, "SP-1,TX-1,FD-1,SUB-1,F1IL,2026-05-20T08:00:00Z"), Ok(()));
    assert_eq!(check(HEADER, "SP-1,,TX-1,FD-1,SUB-1,,,F1IL,2026-05-20T08:00:00Z"), Ok(()));
    assert_eq!(check(HEADER, "SP-1,,,FD-1,SUB-1,,,F1IL,2026-05-20T08:00:00Z"), refused("transformerId: is empty"));
    assert_eq!(check(HEADER, "SP-1,,TX-1,FD-1,SUB-1,,,F1IL,"), refused("changeDateTime: is empty"));
    assert_eq!(
        sheet("servicePointId,transformerId,substationId,syncFlag").unwrap_err().to_string(),
        "wrong header: column feederId is missing; column changeDateTime is missing"
    );
}

#[test]
fn a_row_is_of_the_initial_load_or_a_change_and_nothing_else() {
    let row = |flag: &str| check(HEADER, &format!("SP-1,,TX-1,FD-1,SUB-1,,,{flag},2026-05-20T08:00:00Z"));
    assert_eq!(row("F1IL"), Ok(()));
    assert_eq!(row("f1il"), refused("syncFlag: \"f1il\" is neither F1IL nor F1IC"));
    assert_eq!(row(""), refused("syncFlag: is empty; it must be F1IL or F1IC"));
}
