use super::*;
use crate::csv::{Delimiter, Split, Splitter};
use proptest::prelude::*;

const HEADER: &str = "deviceId,headEndSystem,nicId,programCode,score,available,scoreDateTime,availableFrom,availableTo";

fn sheet(header: &str) -> ScoreSheet {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(header) = splitter.split(header.as_bytes(), true) else { panic!("not a record") };
    ScoreSheet::open(&header, &Spelling::default()).unwrap()
}

/// What the DERMS would get for a row, or why it gets nothing.
fn read(header: &str, row: &str) -> Result<String, String> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(row) = splitter.split(row.as_bytes(), true) else { panic!("not a record") };
    let row = sheet(header).read(&row).map_err(|fault| fault.to_string())?.to_owned();
    let mut out = Vec::new();
    row.write_csv(&mut out);
    Ok(String::from_utf8(out).unwrap())
}

/// A row with these five columns from `score` on.
fn row(rest: &str) -> Result<String, String> {
    read(HEADER, &format!("D1,ACME,nic-1,TSTAT,{rest}"))
}

fn refused(reason: &str) -> Result<String, String> {
    Err(reason.to_owned())
}

#[test]
fn a_row_is_written_as_it_was_read_in_our_order_of_columns() {
    let header = "note,nicId,headEndSystem,deviceId,unavailableReason,programCode,available,score,scoreDateTime";
    let row = "x,nic-1,ACME,D1,\"broken, \"\"again\"\"\",TSTAT,N,,2026-07-01T05:00:00-05:00";
    let written = "D1,ACME,nic-1,TSTAT,,N,2026-07-01T05:00:00-05:00,,,,,\"broken, \"\"again\"\"\"\n";
    assert_eq!(read(header, row), Ok(written.to_owned()));
    assert_eq!(DERMS_HEADER.trim_end().split(',').count(), LAYOUT.columns.len());
    assert!(LAYOUT.columns.iter().map(|column| column.name).eq(DERMS_HEADER.trim_end().split(',')));
}

#[test]
fn a_score_may_be_negative_and_absent_only_for_an_unavailable_device() {
    let written = |score: &str, available: &str| {
        Ok(format!("D1,ACME,nic-1,TSTAT,{score},{available},2026-07-01T05:00:00Z,,,,,\n"))
    };
    assert_eq!(row("-1.50,Y,2026-07-01T05:00:00Z,,"), written("-1.50", "Y"));
    assert_eq!(row(",N,2026-07-01T05:00:00Z,,"), written("", "N"));
    assert_eq!(row("7,N,2026-07-01T05:00:00Z,,"), written("7", "N"));
    assert_eq!(row(",Y,2026-07-01T05:00:00Z,,"), refused("score: is empty though the device is available"));
    assert_eq!(row("NaN,Y,2026-07-01T05:00:00Z,,"), refused("score: \"NaN\" is not a decimal number"));
    assert_eq!(row("high,N,2026-07-01T05:00:00Z,,"), refused("score: \"high\" is not a decimal number"));
}

#[test]
fn a_device_is_available_or_not_and_nothing_else() {
    assert_eq!(row("1,y,2026-07-01T05:00:00Z,,"), refused("available: \"y\" is neither Y nor N"));
    assert_eq!(row("1,,2026-07-01T05:00:00Z,,"), refused("available: is empty; it must be Y or N"));
}

#[test]
fn times_have_an_offset_and_the_end_comes_after_the_start() {
    let scored = "1,Y,2026-07-01T05:00:00Z";
    assert!(row(&format!("{scored},2026-07-01T05:00:00-05:00,2026-07-01T06:00:00-05:00")).is_ok());
    assert!(row(&format!("{scored},,2026-07-01T06:00:00-05:00")).is_ok());
    assert_eq!(
        row(&format!("{scored},2026-07-01T05:00:00-05:00,2026-07-01T10:00:00Z")),
        refused("availableTo: is not after availableFrom")
    );
    assert_eq!(
        row("1,Y,2026-07-01T05:00:00,,"),
        refused("scoreDateTime: \"2026-07-01T05:00:00\" has no offset from UTC (such as -05:00, or Z)")
    );
    assert_eq!(
        row("1,Y,2026-02-30T05:00:00Z,,"),
        refused("scoreDateTime: \"2026-02-30T05:00:00Z\" names a day that does not exist: year 2026, month 2, day 30")
    );
    assert_eq!(row("1,Y,,,"), refused("scoreDateTime: is empty"));
}

#[test]
fn identifiers_have_the_lengths_of_the_contract() {
    let with = |device: &str, head_end: &str, nic: &str, program: &str| {
        read(HEADER, &format!("{device},{head_end},{nic},{program},1,Y,2026-07-01T05:00:00Z,,"))
    };
    assert!(with(&"d".repeat(12), &"h".repeat(50), &"n".repeat(100), "P").is_ok());
    assert_eq!(
        with("1234567890123", "h", "n", "P"),
        refused("deviceId: \"1234567890123\" has 13 characters, at most 12 are allowed")
    );
    assert!(with("d", &"h".repeat(51), "n", "P").unwrap_err().ends_with("has 51 characters, at most 50 are allowed"));
    assert!(
        with("d", "h", &"n".repeat(101), "P").unwrap_err().ends_with("has 101 characters, at most 100 are allowed")
    );
    assert_eq!(with("d", "h", "n", ""), refused("programCode: is empty"));
    assert_eq!(with("d", "h", "n ", "P"), refused("nicId: \"n \" begins or ends with white space"));
}

#[test]
fn a_row_of_another_width_is_refused_with_both_counts() {
    assert_eq!(row("1,Y"), refused("too few fields: the row has 6, the header has 9"));
    assert_eq!(row("1,Y,2026-07-01T05:00:00Z,,,"), refused("too many fields: the row has 10, the header has 9"));
}

#[test]
fn the_head_end_can_be_told_in_the_targets_code() {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let line = "D1,ACME,nic-1,TSTAT,1,Y,2026-07-01T05:00:00Z,,";
    let Split::Record(record) = splitter.split(line.as_bytes(), true) else { panic!("not a record") };
    let row = sheet(HEADER).read(&record).unwrap().with_head_end_system("HES-7");
    assert_eq!(row.key(), ("HES-7", "nic-1", "TSTAT"));
    let mut out = Vec::new();
    row.write_csv(&mut out);
    assert!(out.starts_with(b"D1,HES-7,nic-1,"));
}

proptest! {
    #[test]
    fn a_written_row_reads_back_the_same(nic in "[!-~]{1,20}", score in -1_000_000_i64..1_000_000, reason in "\\PC{0,20}") {
        let mut file = Vec::new();
        let score = Decimal::new(score, 2).to_string();
        let fields = ["D1", "ACME", &nic, "P", &score, "Y", "2026-07-01T05:00:00Z", "", "", "", "", &reason];
        crate::csv::write_record(&mut file, fields.map(str::as_bytes));
        let file = String::from_utf8(file).unwrap();
        prop_assert_eq!(read(DERMS_HEADER.trim_end(), &file), Ok(file));
    }
}
