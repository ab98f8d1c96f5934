//! The example files of `events/<flow>/examples` are what they are named for: every row of a valid one is taken, and an
//! invalid one is refused at exactly the lines and columns, and for the reasons, that `expected.csv` lists, while its
//! other rows are taken. The packed ones (`.gz`, `.zip`) are unpacked by the flow, and held by its tests.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot read its files has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use domain::csv::{Delimiter, Record, Split, Splitter, foreign_encoding, strip_bom};
use domain::device_score::ScoreSheet;
use domain::enrollment_ack_file::AckSheet;
use domain::enrollment_extract::ExtractSheet;
use domain::forecast::ForecastSheet;
use domain::json::Document;
use domain::layout::{HeaderFault, RowFault, Spelling};
use domain::lookups::{Lookups, MapName};
use domain::measurement::Measurement;
use domain::network_location::LocationSheet;
use domain::outcome::{OutcomeCodes, OutcomeSheet};
use domain::reservation::{Envelope, ReservationSheet};

/// Line, column and reason, the first two empty where there is none.
type Place = (String, String, String);

/// What came of a file.
#[derive(Debug, Default)]
struct Outcome {
    /// Why the file as a whole is refused.
    file: Vec<Place>,
    /// The rows that are refused.
    rows: Vec<Place>,
    /// How many are taken.
    taken: usize,
}

fn events(flow: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(flow)
}

fn examples(flow: &str) -> PathBuf {
    events(flow).join("examples")
}

/// Whether the flow is there at all: its examples come with its function.
fn is_there(flow: &str) -> bool {
    let function = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions").join(flow).exists();
    assert!(events(flow).exists() || !function, "functions/{flow} is there, events/{flow} is not");
    function
}

/// Splits a whole file, hands its header to `open` and its rows to what that gives.
fn read<S>(
    file: &[u8],
    open: impl Fn(&Record<'_>) -> Result<S, HeaderFault>,
    check: impl Fn(&S, &Record<'_>) -> Result<(), RowFault>,
) -> Outcome {
    let mut outcome = Outcome::default();
    if let Some(foreign) = foreign_encoding(file) {
        outcome.file.push((String::new(), String::new(), foreign.to_owned()));
        return outcome;
    }
    let mut rest = strip_bom(file);
    let mut splitter = Splitter::new(Delimiter::sniff(rest));
    let (mut sheet, mut line) = (None, 1);
    loop {
        let (len, lines) = match splitter.split(rest, true) {
            Split::Record(record) => {
                match &sheet {
                    None => match open(&record) {
                        Ok(opened) => sheet = Some(opened),
                        Err(HeaderFault(problems)) => {
                            let place = |problem: &domain::layout::HeaderProblem| {
                                let column = problem.column().unwrap_or_default().to_owned();
                                (line.to_string(), column, problem.to_string())
                            };
                            outcome.file = problems.iter().map(place).collect();
                            return outcome;
                        }
                    },
                    Some(sheet) => match check(sheet, &record) {
                        Ok(()) => outcome.taken += 1,
                        Err(RowFault { column, reason }) => {
                            let column = column.unwrap_or_default().into_owned();
                            outcome.rows.push((line.to_string(), column, reason.into_owned()));
                        }
                    },
                }
                (record.raw().len(), record.lines())
            }
            Split::Blank { len, lines } => (len, lines),
            Split::End => break,
            other => unreachable!("{other:?}"),
        };
        rest = &rest[len..];
        line += lines;
    }
    if sheet.is_none() {
        outcome.file.push((String::new(), String::new(), "the file is empty".to_owned()));
    } else if outcome.taken + outcome.rows.len() == 0 {
        outcome.file.push((String::new(), String::new(), "the file has a header and no rows".to_owned()));
    }
    outcome
}

/// What `expected.csv` says of each file: whether the whole file is refused, and the places.
fn expected(flow: &str) -> BTreeMap<String, (String, Vec<Place>)> {
    let mut files: BTreeMap<String, (String, Vec<Place>)> = BTreeMap::new();
    let csv = fs::read(examples(flow).join("expected.csv")).unwrap();
    let (mut splitter, mut rest) = (Splitter::new(Delimiter::Comma), csv.as_slice());
    while let Split::Record(record) = splitter.split(rest, true) {
        let text = record.text().unwrap();
        let [file, what, line, column, reason] = std::array::from_fn(|field| text.get(field).to_owned());
        rest = &rest[record.raw().len()..];
        files.entry(file).or_insert((what, Vec::new())).1.push((line, column, reason));
    }
    assert!(files.remove("file").is_some(), "expected.csv has a header");
    files
}

fn same_places(found: &[Place], listed: &[Place]) -> bool {
    found.len() == listed.len() && all_found(found, listed)
}

fn all_found(found: &[Place], listed: &[Place]) -> bool {
    listed.iter().all(|(line, column, reason)| {
        found.iter().any(|found| found.0 == *line && found.1 == *column && found.2.contains(reason.as_str()))
    })
}

/// Holds one flow's examples against `expected.csv`.
fn hold(flow: &str, read: impl Fn(&[u8]) -> Outcome) {
    let mut expected = expected(flow);
    let mut valid = 0;
    for entry in fs::read_dir(examples(flow)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "expected.csv" {
            continue;
        }
        let listed = expected.remove(&name);
        assert_eq!(listed.is_some(), name.starts_with("invalid-"), "{name} is listed as it is named");
        if !name.ends_with(".csv") {
            continue;
        }
        let outcome = read(&fs::read(&path).unwrap());
        match listed {
            None => {
                assert!(outcome.file.is_empty() && outcome.rows.is_empty(), "{name}: {outcome:?}");
                assert!(outcome.taken > 0, "{name} has rows");
                valid += 1;
            }
            Some((what, places)) if what == "file-rejected" => {
                assert!(all_found(&outcome.file, &places), "{name}: {outcome:?}");
            }
            Some((what, places)) => {
                assert_eq!(what, "rows-rejected");
                assert!(same_places(&outcome.rows, &places), "{name}: {outcome:?}");
                assert!(outcome.file.is_empty() && outcome.taken > 0, "{name}: its other rows are taken");
            }
        }
    }
    assert!(expected.is_empty(), "listed but not there: {:?}", expected.keys());
    assert!(valid > 0);
}

#[test]
fn every_device_score_example_is_taken_or_refused_for_its_own_reason() {
    hold("dacs-derms-device-score", |file| {
        let open = |header: &Record<'_>| ScoreSheet::open(header, &Spelling::default());
        read(file, open, |sheet, record| sheet.read(record).map(|_| ()))
    });
}

#[test]
fn every_measurement_example_is_taken_or_refused_for_its_own_reason() {
    hold("ouai-dacs-kwh-avoided", |file| {
        let open = |header: &Record<'_>| Measurement::open(header, &Spelling::default());
        read(file, open, Measurement::check)
    });
}

#[test]
fn every_network_location_example_is_taken_or_refused_for_its_own_reason() {
    let flow = "derms-dacs-network-location";
    if is_there(flow) {
        let open = |header: &Record<'_>| LocationSheet::open(header, &Spelling::default());
        hold(flow, |file| read(file, open, LocationSheet::check));
    }
}

#[test]
fn every_enrollment_extract_example_is_taken_or_refused_for_its_own_reason() {
    let flow = "dacs-ouai-enrollment-sync";
    if is_there(flow) {
        let open = |header: &Record<'_>| ExtractSheet::open(header, &Spelling::default());
        hold(flow, |file| read(file, open, ExtractSheet::check));
    }
}

#[test]
fn every_enrollment_ack_example_is_taken_or_refused_for_its_own_reason() {
    let flow = "ouai-dacs-enrollment-ack";
    if is_there(flow) {
        let open = |header: &Record<'_>| AckSheet::open(header, &Spelling::default());
        hold(flow, |file| read(file, open, |sheet, record| sheet.read(record).map(|_| ())));
    }
}

#[test]
fn every_forecast_example_is_taken_or_refused_for_its_own_reason() {
    let flow = "ouai-derms-load-reduction-forecast";
    if is_there(flow) {
        let open = |header: &Record<'_>| ForecastSheet::open(header, &Spelling::default());
        hold(flow, |file| read(file, open, ForecastSheet::check));
    }
}

#[test]
fn every_reservation_example_is_taken_or_refused_for_its_own_reason() {
    let flow = "derms-dacs-device-reservation";
    if is_there(flow) {
        let json = fs::read(events(flow).join("envelope.json")).unwrap();
        let envelope = Envelope::from_json(&Document::parse(&json).unwrap()).unwrap();
        let open = |header: &Record<'_>| ReservationSheet::open(header, &Spelling::default());
        hold(flow, |file| read(file, open, |sheet, record| sheet.read(record, &envelope).map(|_| ())));
    }
}

#[test]
fn every_outcome_example_is_taken_or_refused_for_its_own_reason_on_both_roads() {
    let codes = OutcomeCodes::new(Lookups::shipped().map(MapName::OutcomeCode));
    for flow in ["derms-dacs-device-outcome", "derms-ouai-device-outcome"] {
        if is_there(flow) {
            let open = |header: &Record<'_>| OutcomeSheet::open(header, &Spelling::default());
            hold(flow, |file| read(file, open, |sheet, record| sheet.read(record, &codes).map(|_| ())));
        }
    }
}
