use super::*;
use crate::csv::{Delimiter, Split, Splitter};

const LAYOUT: Layout = Layout {
    file: "kwh-avoided",
    columns: &[
        Column::required("EventId"),
        Column::required("SPId"),
        Column::optional("Note"),
        Column::required("TotalKwh").or(&["TotalkWh"]),
    ],
    series: Some("KwhSaved"),
    unknown: Unknown::PassThrough,
};
const CLOSED: Layout = Layout { series: None, unknown: Unknown::Reject, ..LAYOUT };

fn resolve(layout: &Layout, header: &str, spelling: &[(&str, &str)]) -> Result<Columns, HeaderFault> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let Split::Record(header) = splitter.split(header.as_bytes(), true) else { panic!("not a record") };
    let pairs = spelling.iter().map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned()));
    layout.resolve(&header, &Spelling::new(pairs))
}

fn problems(layout: &Layout, header: &str, spelling: &[(&str, &str)]) -> Vec<String> {
    let HeaderFault(problems) = resolve(layout, header, spelling).unwrap_err();
    problems.iter().map(HeaderProblem::to_string).collect()
}

#[test]
fn columns_are_found_by_name_in_any_order_and_unknown_ones_pass_through() {
    let columns = resolve(&LAYOUT, "KwhSaved2,TotalKwh,Extra,SPId,KwhSaved1,EventId", &[]).unwrap();
    assert_eq!([0, 1, 2, 3].map(|column| columns.place(column)), [Some(5), Some(3), None, Some(1)]);
    assert_eq!(columns.series(), [4, 0]);
    assert!(columns.is_canonical() && !columns.series_ends_the_row());
    assert_eq!(columns.our_names(), ["KwhSaved2", "TotalKwh", "Extra", "SPId", "KwhSaved1", "EventId"]);
}

#[test]
fn a_header_is_ours_only_when_every_name_is() {
    let columns = resolve(&LAYOUT, "EventId,SPId,TotalkWh,KwhSaved1,KwhSaved2", &[]).unwrap();
    assert!(!columns.is_canonical() && columns.series_ends_the_row());
    let mut header = Vec::new();
    columns.write_header(&mut header);
    assert_eq!(header, b"EventId,SPId,TotalKwh,KwhSaved1,KwhSaved2\n");
    assert_eq!((columns.name(4), columns.name(6)), ("KwhSaved2".into(), "KwhSaved4".into()));
}

#[test]
fn a_sender_may_spell_our_names_its_own_way() {
    let spelling = [("SPId", "EventId"), ("EventId", "Event"), ("KwhSaved", "Saved_")];
    let columns = resolve(&LAYOUT, "EventId,Event,TotalKwh,Saved_1,Saved_2", &spelling).unwrap();
    assert_eq!(columns.our_names(), ["SPId", "EventId", "TotalKwh", "KwhSaved1", "KwhSaved2"]);
    assert_eq!(
        problems(&LAYOUT, "Event,TotalKwh,Saved_1", &spelling),
        ["column SPId is missing (this sender spells it \"EventId\")"]
    );
}

#[test]
fn every_problem_of_a_header_is_named_not_only_the_first() {
    assert_eq!(
        problems(&LAYOUT, "eventid,Extra,Extra,,TotalKwh,TotalkWh,KwhSaved1,KwhSaved4", &[]),
        [
            "field 4 of the header has no name",
            "column EventId is missing (there is \"eventid\"; names are compared letter for letter)",
            "column SPId is missing",
            "column KwhSaved2 is missing, though KwhSaved4 is there",
            "column TotalKwh is there 2 times (fields 5, 6)",
            "column \"Extra\" is there 2 times (fields 2, 3)",
        ]
    );
    assert_eq!(problems(&LAYOUT, "EventId,SPId,TotalKwh,KwhSaved01", &[]), ["column KwhSaved1 is missing"]);
    assert_eq!(problems(&LAYOUT, "EventId,\"SPId,TotalKwh", &[]), ["a quoted name is opened and never closed"]);
}

#[test]
fn an_allow_list_rejects_a_column_it_does_not_know() {
    assert_eq!(
        problems(&CLOSED, "EventId,SPId,TotalKwh,deviceId", &[]),
        ["column \"deviceId\" is not allowed in this file"]
    );
}

#[test]
fn a_reason_quotes_no_more_than_forty_characters_of_a_value() {
    let fault = RowFault::value("score", &format!("a\nb{}", "x".repeat(50)), "is not a decimal number");
    assert_eq!(fault.to_string(), format!("score: \"a\\nb{}…\" is not a decimal number", "x".repeat(37)));
}

#[test]
fn a_row_of_another_width_is_refused_with_both_counts() {
    let columns = resolve(&CLOSED, "EventId,SPId,TotalKwh", &[]).unwrap();
    assert_eq!(columns.check_width(3), Ok(()));
    let fault = columns.check_width(2).unwrap_err();
    assert_eq!(fault.to_string(), "too few fields: the row has 2, the header has 3");
}
