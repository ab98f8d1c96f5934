use super::*;
use crate::csv::{Delimiter, Split, Splitter};

const KWH: &str = "EventId,EventType,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),TotalKwh,\
TotalKwhSavedForPeriod,KwhSaved1,KwhSaved2,KwhSaved3,KwhSaved4";
const KW: &str = "EventId,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),MaxKwDrop,\
KwDrop1,KwDrop2,KwDrop3,KwDrop4";

fn open(header: &str) -> Result<Measurement, HeaderFault> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(header) = splitter.split(header.as_bytes(), true) else { panic!("not a record") };
    Measurement::open(&header, &Spelling::default())
}

fn check(header: &str, row: &str) -> Result<(), String> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(row) = splitter.split(row.as_bytes(), true) else { panic!("not a record") };
    open(header).unwrap().check(&row).map_err(|fault| fault.to_string())
}

/// A kWh row of one hour in quarters, with these totals and values.
fn kwh(rest: &str) -> Result<(), String> {
    check(KWH, &format!("4011,Economic,77,1122,2022-12-13T14:30:00-05:00,2022-12-13T15:30:00-05:00,900,{rest}"))
}

/// A kW row of one hour in quarters, with this maximum and values.
fn kw(rest: &str) -> Result<(), String> {
    check(KW, &format!("5011,77,1122,2022-12-13T14:30:00-05:00,2022-12-13T15:30:00-05:00,900,{rest}"))
}

/// A kW row without data from `start` to `end`.
fn span(start: &str, end: &str, interval: &str, fields: usize) -> Result<(), String> {
    check(KW, &format!("5011,77,1122,{start},{end},{interval},{}", ",".repeat(fields)))
}

fn refused(reason: &str) -> Result<(), String> {
    Err(reason.to_owned())
}

#[test]
fn the_samples_of_the_vendors_guide_are_accepted() {
    let row = "5011,1234512345,1122334455,2022-12-13T14:30:00-05:00,2022-12-13T16:30:00-05:00,900,20.00,5.00,3.00,\
               20.00,2.00,,8.00,,";
    assert_eq!(check(KW, row), Ok(()));
    let row = "4011,Economic,1234512345,1122334455,2022-12-13T14:30:00-05:00,2022-12-13T16:30:00-05:00,900,75.00,\
               33.00,5.00,3.00,5.00,4.00,4.00,4.00,4.00,4.00";
    assert_eq!(check(KWH, row), Ok(()));
}

#[test]
fn the_two_kinds_of_file_are_told_apart_by_their_header() {
    assert_eq!(open(KWH).unwrap().kind(), Kind::KwhAvoided);
    assert_eq!(open(KW).unwrap().kind(), Kind::KwDrop);
    assert!(!open(&KWH.replace("TotalKwh,", "TotalkWh,")).unwrap().columns().is_canonical());
    let both = format!("{KWH},MaxKwDrop,KwDrop1");
    assert!(open(&both).unwrap_err().to_string().contains("belong to two kinds of file"));
    let fault = open(&KW.replace("MaxKwDrop", "Max")).unwrap_err();
    assert_eq!(fault.to_string(), "wrong header: column MaxKwDrop is missing");
    let fault = open(&KWH.replace("SPId", "SpId").replace("KwhSaved3,", "")).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "wrong header: column SPId is missing (there is \"SpId\"; names are compared letter for letter); \
         column KwhSaved3 is missing, though KwhSaved4 is there"
    );
}

#[test]
fn a_row_is_as_long_as_its_own_duration_whatever_the_header_says() {
    let start = "2022-12-13T14:30:00-05:00";
    assert_eq!(span(start, "2022-12-13T15:00:00-05:00", "900", 2), Ok(()));
    assert_eq!(span(start, "2022-12-13T15:00:00-05:00", "900", 9), Ok(()));
    assert_eq!(span(start, "2022-12-13T18:30:00-05:00", "900", 16), Ok(()));
    assert_eq!(
        span(start, "2022-12-13T15:30:00-05:00", "900", 3),
        refused("too few intervals: the row has 3, there are 4 from ActualStartTime to ActualEndTime")
    );
    assert_eq!(
        kw("5,5,4,3,2,,1"),
        refused("KwDrop6: \"1\" stands beyond the 4 intervals from ActualStartTime to ActualEndTime")
    );
    assert_eq!(check(KW, "5011,77"), refused("too few fields: the row has 2, there are 7 before the intervals"));
}

#[test]
fn a_row_has_the_width_of_its_header_when_other_columns_follow_the_intervals() {
    let header = format!("{KW},Note");
    let row = "5011,77,1122,2022-12-13T14:30:00-05:00,2022-12-13T15:30:00-05:00,900,4,1,2,3,4";
    assert_eq!(check(&header, &format!("{row},checked")), Ok(()));
    assert_eq!(check(&header, row), refused("too few fields: the row has 11, the header has 12"));
}

#[test]
fn elapsed_time_decides_on_the_days_when_daylight_saving_time_changes() {
    // One o'clock comes twice on 1 November 2026 in New York; two o'clock is missing on 8 March.
    assert_eq!(span("2026-11-01T01:00:00-04:00", "2026-11-01T02:00:00-05:00", "900", 8), Ok(()));
    assert_eq!(span("2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "900", 4), Ok(()));
    assert_eq!(
        span("2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "900", 3),
        refused("too few intervals: the row has 3, there are 4 from ActualStartTime to ActualEndTime")
    );
}

#[test]
fn the_end_is_after_the_start_and_a_whole_number_of_intervals_away() {
    let start = "2022-12-13T14:30:00-05:00";
    assert_eq!(
        span(start, "2022-12-13T14:00:00-05:00", "900", 1),
        refused("ActualEndTime: is not after ActualStartTime")
    );
    assert_eq!(span(start, "2022-12-13T19:30:00Z", "900", 1), refused("ActualEndTime: is not after ActualStartTime"));
    assert_eq!(
        span(start, "2022-12-13T14:50:00-05:00", "900", 2),
        refused("IntervalSize(Seconds): 900 s do not divide the 1200 s from start to end")
    );
    for wrong in ["0", "-900", "900.0", "PT15M", "+900"] {
        let reason = format!("IntervalSize(Seconds): \"{wrong}\" is not a whole number of seconds above 0");
        assert_eq!(span(start, "2022-12-13T15:30:00-05:00", wrong, 4), Err(reason));
    }
    assert_eq!(
        span("2022-12-13T14:30:00", "2022-12-13T15:30:00-05:00", "900", 4),
        refused("ActualStartTime: \"2022-12-13T14:30:00\" has no offset from UTC (such as -05:00, or Z)")
    );
    assert_eq!(
        span("2022-02-30T14:30:00Z", "2022-12-13T15:30:00-05:00", "900", 4),
        refused(
            "ActualStartTime: \"2022-02-30T14:30:00Z\" names a day that does not exist: year 2022, month 2, day 30"
        )
    );
}

#[test]
fn the_total_is_the_sum_of_the_intervals_within_their_rounding() {
    assert_eq!(kwh("9.00,4.00,1.00,1.00,1.00,1.00"), Ok(()));
    assert_eq!(kwh("9.00,-1.50,-1.00,0.50,-2.00,1.00"), Ok(()), "a customer may use more");
    // Five numbers of two digits: 5 × 0.005.
    assert_eq!(kwh("9.00,4.02,1.00,1.00,1.00,1.00"), Ok(()));
    assert_eq!(
        kwh("9.00,4.03,1.00,1.00,1.00,1.00"),
        refused("TotalKwhSavedForPeriod: is 4.03, but the 4 intervals sum to 4.00")
    );
    // A total printed without decimals may be off by half of one, and 4 × 0.05 more.
    assert_eq!(kwh("9,5,1.1,1.1,1.1,1.0"), Ok(()));
    assert!(kwh("9,6,1.1,1.1,1.1,1.0").is_err());
    assert!(kwh("9.00,1.00,99999999999999999999999999.99,1,1,9999999999999999999999999999").is_err());
}

#[test]
fn kwh_avoided_needs_a_number_in_every_interval_and_total() {
    assert_eq!(kwh("9.00,4.00,1.00,1.00,1.00,1.00,,,"), Ok(()));
    assert_eq!(
        kwh("9.00,3.00,1.00,,1.00,1.00"),
        refused("KwhSaved2: is empty; kWh Avoided needs a value for each of the 4 intervals")
    );
    assert_eq!(kwh("9.00,4.00,1.00,NaN,1.00,1.00"), refused("KwhSaved2: \"NaN\" is not a decimal number"));
    assert_eq!(kwh("lots,4.00,1,1,1,1"), refused("TotalKwh: \"lots\" is not a decimal number"));
    assert_eq!(kwh("9.00,,1,1,1,1"), refused("TotalKwhSavedForPeriod: is empty where a number is needed"));
    assert_eq!(
        kwh("\"1,234.00\",4,1,1,1,1"),
        refused("TotalKwh: \"1,234.00\" is not a plain decimal number: it has a comma, a space or another separator")
    );
    assert!(kwh("9.00,4.00,1.00,1e0,1.00,1.00").unwrap_err().ends_with("it has an exponent"));
}

#[test]
fn the_maximum_is_the_largest_drop_and_no_data_when_there_is_none() {
    assert_eq!(kw("20.0,5.00,,20.00,-2.00"), Ok(()));
    assert_eq!(kw("-1.00,,-1.00,-2.00,"), Ok(()));
    assert_eq!(kw("5.00,5.00,,20.00,2.00"), refused("MaxKwDrop: is 5.00, but the largest interval is 20.00"));
    assert_eq!(kw(",,,,"), Ok(()));
    assert_eq!(kw("no data,,,,"), Ok(()));
    assert_eq!(kw("0.00,,,,"), refused("MaxKwDrop: \"0.00\" is given though no interval has data"));
    assert_eq!(
        kw("no data,,1.00,,"),
        refused("MaxKwDrop: says that there is no data, but the largest interval is 1.00")
    );
    assert_eq!(kw("much,,1.00,,"), refused("MaxKwDrop: \"much\" is not a decimal number"));
}

#[test]
fn identifiers_are_checked_and_one_row_that_is_not_utf8_is_refused_alone() {
    let row = "5011,77,,2022-12-13T14:30:00-05:00,2022-12-13T15:30:00-05:00,900,,,,,";
    assert_eq!(check(KW, row), refused("SPId: is empty"));
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(row) = splitter.split(b"5011,7\xff", true) else { panic!("not a record") };
    assert_eq!(open(KW).unwrap().check(&row).unwrap_err().to_string(), "ProgramId: is not valid UTF-8");
    let Split::Record(row) = splitter.split(b"5011,\"77,\n1,2", true) else { panic!("not a record") };
    let fault = open(KW).unwrap().check(&row).unwrap_err();
    assert_eq!(fault.to_string(), "a quoted field is opened and never closed");
}
