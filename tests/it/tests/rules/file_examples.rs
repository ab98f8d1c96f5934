//! Every file example goes through its real flow and is refused exactly for the reason that `expected.csv` gives; the
//! valid ones, and the valid rows of the others, are delivered.

use flow::ledger::run::RunState;
use it::examples::{self, Example};

use crate::file_world::{Flow, Outcome};

const FLOWS: [Flow; 9] = [
    Flow::Scores,
    Flow::KwhAvoided,
    Flow::Locations,
    Flow::Forecast,
    Flow::Extract,
    Flow::Acks,
    Flow::Reservations,
    Flow::Outcomes,
    Flow::OutcomesToOuai,
];

/// What `expected.csv` says of a file: refused whole or not, and the places as (line, column, part of the reason).
fn expected(flow: Flow, file: &str) -> (bool, Vec<(String, String, String)>) {
    let lines = examples::expected(flow.name()).remove(file).unwrap_or_default();
    let whole = lines.iter().any(|line| line[0] == "file-rejected");
    (whole, lines.into_iter().map(|line| (line[1].clone(), line[2].clone(), line[3].clone())).collect())
}

fn named(flow: Flow, prefix: &str) -> Vec<Example> {
    let all = examples::of(flow.name()).into_iter();
    all.filter(|example| example.name.starts_with(prefix)).collect()
}

/// The number of lines of a delivered file.
fn lines(outcome: &Outcome) -> usize {
    let text = String::from_utf8(outcome.delivered.clone().unwrap().to_vec()).unwrap();
    csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes()).into_records().count()
}

/// The same place and a reason that has the expected one in it.
fn same(seen: &[(String, String, String)], expected: &[(String, String, String)]) -> bool {
    seen.len() == expected.len()
        && seen
            .iter()
            .zip(expected)
            .all(|(seen, expected)| seen.0 == expected.0 && seen.1 == expected.1 && seen.2.contains(&expected.2))
}

#[tokio::test]
async fn every_valid_file_is_delivered_with_every_row() {
    for flow in FLOWS {
        for Example { name, bytes } in named(flow, "valid-") {
            let outcome = flow.drop_file(&name, bytes.clone()).await;
            assert_eq!(outcome.run.state, RunState::Delivered, "{name}: {:?}", outcome.run.reason);
            let counts = outcome.run.counts;
            assert!(counts.rows > 0 && counts.rejected == 0 && outcome.rows.is_none(), "{name}: {:?}", outcome.reasons);
            assert_eq!(lines(&outcome).to_string(), counts.delivered.to_string(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_clean_file_arrives_in_the_inbox_byte_for_byte() {
    for Example { name, bytes } in named(Flow::KwhAvoided, "valid-") {
        let rewritten = ["bom", "tabs", "spelled", ".gz", ".zip"].iter().any(|word| name.contains(word));
        let outcome = Flow::KwhAvoided.drop_file(&name, bytes.clone()).await;
        assert_eq!(outcome.delivered.unwrap() == bytes, !rewritten, "{name}");
    }
}

#[tokio::test]
async fn every_file_that_cannot_be_taken_is_rejected_whole_for_its_own_reason() {
    let mut seen = 0;
    for flow in FLOWS {
        for Example { name, bytes } in named(flow, "invalid-") {
            let (true, places) = expected(flow, &name) else { continue };
            let outcome = flow.drop_file(&name, bytes).await;
            assert!(outcome.is_rejected_whole(), "{name}: {:?}", outcome.run);
            let reason = outcome.run.reason.unwrap();
            for (_, _, part) in places {
                assert!(reason.contains(&part), "{name}: {reason}");
            }
            assert_eq!(outcome.reasons.first().map(|first| &first.2), Some(&reason), "{name}: reasons.csv");
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen} examples are refused whole");
}

#[tokio::test]
async fn every_bad_row_is_rejected_at_its_line_and_column_and_the_other_rows_are_delivered() {
    let mut seen = 0;
    for flow in FLOWS {
        for Example { name, bytes } in named(flow, "invalid-") {
            let (false, places) = expected(flow, &name) else { continue };
            let outcome = flow.drop_file(&name, bytes).await;
            assert_eq!(outcome.run.state, RunState::Delivered, "{name}: {:?}", outcome.run.reason);
            assert!(same(&outcome.reasons, &places), "{name}: {:?}", outcome.reasons);
            let counts = outcome.run.counts;
            assert_eq!(counts.rejected.to_string(), places.len().to_string(), "{name}: {counts:?}");
            assert!(counts.delivered > 0, "{name}");
            assert_eq!(lines(&outcome).to_string(), counts.delivered.to_string(), "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 40, "{seen} examples have bad rows");
}

#[tokio::test]
async fn the_file_of_rejected_rows_can_be_dropped_again_as_it_is() {
    for flow in FLOWS {
        for Example { name, bytes } in named(flow, "invalid-") {
            let first = flow.drop_file(&name, bytes.clone()).await;
            let Some(rows) = first.rows else { continue };
            let header_end = rows.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            assert!(bytes.starts_with(&rows[..header_end]), "{name}: the header is kept byte for byte");
            let again = flow.drop_file(&name, rows.clone()).await;
            let why = |outcome: &[(String, String, String)]| -> Vec<_> {
                outcome.iter().map(|(_, column, reason)| (column.clone(), reason.clone())).collect()
            };
            assert_eq!(why(&again.reasons), why(&first.reasons), "{name}: dropped again, for the same reasons");
            assert_eq!(again.run.counts.rejected, first.run.counts.rejected, "{name}");
            assert_eq!(again.rows, Some(rows), "{name}: and gives the same file of rejected rows");
        }
    }
}

#[tokio::test]
async fn rejected_rows_that_were_corrected_are_delivered() {
    let example = named(Flow::Scores, "invalid-nan.csv").remove(0);
    let rows = Flow::Scores.drop_file(&example.name, example.bytes).await.rows.unwrap();
    let corrected = String::from_utf8(rows.to_vec()).unwrap().replace("NaN", "1.25");
    let outcome = Flow::Scores.drop_file("corrected.csv", corrected).await;
    assert_eq!((outcome.run.state, outcome.run.counts.delivered), (RunState::Delivered, 1));
    assert!(String::from_utf8_lossy(&outcome.delivered.unwrap()).contains(",1.25,"));
}

#[tokio::test]
async fn a_record_over_one_mebibyte_is_rejected_by_place_and_length_and_streamed_past() {
    for flow in FLOWS {
        let valid = named(flow, "valid-").into_iter().find(|example| example.name == "valid-crlf.csv").unwrap();
        let text = String::from_utf8(valid.bytes).unwrap();
        let mut lines: Vec<_> = text.split_inclusive('\n').map(str::to_owned).collect();
        let (rows, start) = (lines.len() - 1, lines[0].len() + lines[1].len());
        let long = format!("{}{}", "x".repeat(1 << 20), lines[1]);
        let length = long.len();
        lines.insert(2, long);
        let outcome = flow.drop_file("long.csv", lines.concat()).await;
        assert_eq!(outcome.run.state, RunState::Delivered);
        let [(line, column, reason)] = outcome.reasons.as_slice() else { panic!("{:?}", outcome.reasons) };
        assert_eq!((line.as_str(), column.as_str()), ("3", ""));
        for said in [format!("byte {start} "), format!("{length} bytes long")] {
            assert!(reason.contains(&said), "{reason} does not say {said}");
        }
        assert_eq!(outcome.run.counts.delivered.to_string(), rows.to_string());
    }
}

#[tokio::test]
async fn every_kind_of_bad_file_that_the_contract_names_has_an_example() {
    let bad = [
        "empty",
        "header-only",
        "wrong-column",
        "duplicate-column",
        "missing-columns",
        "utf-8-in-one-row",
        "truncated",
        "zip-with-two-files",
        "decompression-bomb",
        "too-few-fields",
        "too-many-fields",
        "nan",
        "text-for-a-number",
        "end-before-start",
        "time-without-offset",
        "30-february",
    ];
    let good =
        ["bom", "crlf", "tabs", "columns-in-another-order", "quotes-with-commas-and-line-breaks", "two-gzip-members"];
    for flow in [Flow::Scores, Flow::KwhAvoided] {
        for (prefix, kinds) in [("invalid-", bad.as_slice()), ("valid-", good.as_slice())] {
            for kind in kinds {
                let there = !named(flow, &format!("{prefix}{kind}.")).is_empty();
                assert!(there, "{}: no example {prefix}{kind}.*", flow.name());
            }
        }
    }
    for kind in ["ragged-rows", "dst-fall-back", "dst-spring-forward"] {
        assert!(!named(Flow::KwhAvoided, &format!("valid-{kind}.")).is_empty(), "no example valid-{kind}");
    }
}
