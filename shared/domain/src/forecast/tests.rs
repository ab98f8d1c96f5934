use super::*;
use crate::csv::{Delimiter, Split, Splitter};

const LEAD: &str = "SPId,ProgramId,ForecastCreatedTime,ForecastStartTime,ForecastEndTime,IntervalSize(Seconds)";

/// A header with this many intervals.
fn header(intervals: usize) -> String {
    (1..=intervals).fold(LEAD.to_owned(), |header, number| format!("{header},LoadReductionKw{number}"))
}

/// How many intervals a row has, or why it is refused.
fn read(header: &str, row: &str) -> Result<usize, String> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(line) = splitter.split(header.as_bytes(), true) else { panic!("not a record") };
    let sheet = ForecastSheet::open(&line, &Spelling::default()).unwrap();
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(row) = splitter.split(row.as_bytes(), true) else { panic!("not a record") };
    sheet.read(&row).map(|row| row.intervals).map_err(|fault| fault.to_string())
}

/// A row from `start` to `end` in quarter-hours with these values.
fn span(start: &str, end: &str, values: &str) -> Result<usize, String> {
    read(&header(96), &format!("SP-1,77,2026-03-07T20:00:00-05:00,{start},{end},900{values}"))
}

/// An hour in quarters with these values.
fn hour(values: &str) -> Result<usize, String> {
    span("2026-07-02T00:00:00-04:00", "2026-07-02T01:00:00-04:00", values)
}

#[test]
fn a_civil_day_has_92_96_or_100_quarter_hours() {
    let values = |count: usize| ",1.25".repeat(count);
    let day = |start: &str, end: &str, count: usize| span(start, end, &values(count));
    assert_eq!(day("2026-07-02T00:00:00-04:00", "2026-07-03T00:00:00-04:00", 96), Ok(96));
    assert_eq!(day("2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00", 92), Ok(92));
    assert_eq!(day("2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00", 100), Ok(100));
    assert_eq!(
        day("2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00", 96),
        Err("too few intervals: the row has 96, there are 100 from ForecastStartTime to ForecastEndTime".to_owned())
    );
    assert_eq!(
        day("2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00", 96),
        Err("LoadReductionKw93: \"1.25\" stands beyond the 92 intervals from ForecastStartTime to ForecastEndTime"
            .to_owned())
    );
    assert_eq!(day("2026-07-02T00:00:00-04:00", "2026-07-04T00:00:00-04:00", 192), Ok(192), "or longer than a day");
}

#[test]
fn snap_back_is_negative_and_an_empty_interval_has_no_forecast() {
    assert_eq!(hour(",1.5,-0.75,,0"), Ok(4));
    assert_eq!(hour(",,,,"), Ok(4));
    assert_eq!(hour(",1,2,3,4,,,"), Ok(4), "trailing empty fields are fine");
    assert_eq!(hour(",1,no,3,4"), Err("LoadReductionKw2: \"no\" is not a decimal number".to_owned()));
    assert_eq!(
        hour(",1,2,3"),
        Err("too few intervals: the row has 3, there are 4 from ForecastStartTime to ForecastEndTime".to_owned())
    );
}

#[test]
fn the_end_is_after_the_start_and_a_whole_number_of_intervals_away() {
    let refused = |start: &str, end: &str| span(start, end, ",1").unwrap_err();
    assert_eq!(
        refused("2026-07-02T00:00:00-04:00", "2026-07-02T04:00:00Z"),
        "ForecastEndTime: is not after ForecastStartTime"
    );
    assert_eq!(
        refused("2026-07-02T00:00:00-04:00", "2026-07-02T00:20:00-04:00"),
        "IntervalSize(Seconds): 900 s do not divide the 1200 s from start to end"
    );
    assert!(refused("2026-07-02T00:00:00", "2026-07-02T04:00:00Z").starts_with("ForecastStartTime: "));
}

#[test]
fn a_row_is_known_by_service_point_program_and_start() {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(line) = splitter.split(
        b"ProgramId,SPId,IntervalSize(Seconds),ForecastStartTime,ForecastEndTime,ForecastCreatedTime,LoadReductionKw1",
        true,
    ) else {
        panic!("not a record")
    };
    let sheet = ForecastSheet::open(&line, &Spelling::default()).unwrap();
    let mut splitter = Splitter::new(Delimiter::Comma);
    let row = b"77,SP-1,3600,2026-07-02T00:00:00-04:00,2026-07-02T01:00:00-04:00,2026-07-01T05:00:00Z,4";
    let Split::Record(row) = splitter.split(row, true) else { panic!("not a record") };
    let row = sheet.read(&row).unwrap();
    assert_eq!(row.key(), ("SP-1", "77", "2026-07-02T04:00:00Z".parse().unwrap()));
    assert_eq!(
        (row.created.to_string().as_str(), row.end.to_string().as_str()),
        ("2026-07-01T05:00:00Z", "2026-07-02T05:00:00Z")
    );
    assert!(read(&header(4), ",77,2026-07-01T05:00:00Z,,,").unwrap_err().starts_with("SPId: is empty"));
}
