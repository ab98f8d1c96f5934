//! DACS's inbox as contracts.md §6 has its files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod neighbours;

use neighbours::{Neighbours, read, start};
use serde_json::{Value, json};

const HEADER: &str =
    "EventId,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),MaxKwDrop,KwDrop1,KwDrop2\n";

fn row(point: &str, max: &str, values: &str) -> String {
    format!("E-1,P-1,{point},2026-07-01T14:00:00-05:00,2026-07-01T14:30:00-05:00,900,{max},{values}\n")
}

async fn put(it: &Neighbours, key: &str, file: String) -> Value {
    let call = it.http.put(it.url(&format!("/control/dacs/inbox/{key}")));
    let (status, entry) = read(call.body(file).send().await.unwrap()).await;
    assert_eq!(status, 200, "{entry}");
    entry
}

#[tokio::test]
async fn a_later_row_of_the_same_key_is_a_correction() {
    let it = start().await;
    let first = format!("{HEADER}{}{}", row("SP-1", "2.0", "1,2.0"), row("SP-2", "", ","));
    let entry = put(&it, "kwh-avoided/one.csv", first).await;
    assert_eq!((&entry["kind"], &entry["violations"]), (&json!("kw-drop"), &json!([])));
    assert_eq!(entry["digest"]["rows"], 2);
    put(&it, "kwh-avoided/two.csv", format!("{HEADER}{}", row("SP-1", "3.0", "1,3.0"))).await;
    let inbox = it.books("dacs/inbox").await;
    assert_eq!(inbox["rows"].as_array().unwrap().len(), 2);
    assert_eq!(inbox["rows"][0]["file"], "kwh-avoided/two.csv");
    assert_eq!(inbox["rows"][0]["row"]["MaxKwDrop"], "3.0");
}

#[tokio::test]
async fn a_row_that_should_have_been_rejected_is_named() {
    let it = start().await;
    let file = format!("{HEADER}{}{}", row("SP-1", "2", "1,2"), row("SP-2", "5", "1,2"));
    let entry = put(&it, "kwh-avoided/one.csv", file).await;
    assert_eq!(entry["violations"][0]["field"], "line 3, column MaxKwDrop");
    assert_eq!(entry["digest"]["rows"], 1);
}

#[tokio::test]
async fn compressed_or_marked_files_do_not_belong_in_an_inbox() {
    let it = start().await;
    for file in ["\u{1f}\u{8b}\u{8}".to_owned(), format!("\u{feff}{HEADER}"), String::new()] {
        let entry = put(&it, "kwh-avoided/one.csv", file).await;
        assert!(!entry["violations"].as_array().unwrap().is_empty(), "{entry}");
    }
}
