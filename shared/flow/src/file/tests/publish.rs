use std::io::Write;

use super::harness::Bench;
use crate::file::Next;
use crate::ledger::run::{Run, RunState};
use crate::ports::{Audience, Destination, Metadata, ObjectRef, Outlet, Source};

const CLEAN: &str = "key,value\na,1\nb,2\n";

async fn published(bytes: impl Into<bytes::Bytes>) -> (Bench, ObjectRef) {
    let bench = Bench::new();
    let object = bench.drop_file("in/f.csv", bytes);
    bench.publish(&object).await;
    (bench, object)
}

/// The reason for which a file as a whole is rejected.
async fn reason_for(bytes: impl Into<bytes::Bytes>) -> String {
    let (bench, object) = published(bytes).await;
    let run = bench.run(&object);
    assert_eq!(run.state, RunState::Rejected, "{run:?}");
    assert!(run.counts.balance(), "{:?}", run.counts);
    assert_eq!(bench.delivered("in/f.csv"), None);
    assert_eq!(bench.world.notices.all().len(), 1);
    run.reason.unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        archive.start_file(*name, options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[tokio::test]
async fn a_clean_file_arrives_byte_for_byte_and_its_books_balance() {
    let (bench, object) = published(CLEAN).await;
    assert_eq!(bench.delivered("in/f.csv").as_deref(), Some(CLEAN));
    let counts = bench.counts(&object);
    assert_eq!((counts.rows, counts.delivered), (2, 2));
    assert!(counts.balance());
    assert_eq!(bench.world.notices.all(), vec![]);
}

#[tokio::test]
async fn a_bad_row_is_rejected_with_line_and_reason_and_the_rest_arrives() {
    let (bench, object) = published("key,value\na,1\nb,x\n\"c,\nd\",3\ne,\n").await;
    assert_eq!(bench.delivered("in/f.csv").as_deref(), Some("key,value\na,1\n\"c,\nd\",3\n"));
    let (rows, reasons) = bench.rejects(&object);
    assert_eq!(rows.as_deref(), Some("key,value\nb,x\ne,\n"));
    assert_eq!(reasons.as_deref(), Some("line,column,reason\n3,value,not a number\n6,value,not a number\n"));
    let counts = bench.counts(&object);
    assert_eq!((counts.rows, counts.delivered, counts.rejected), (4, 2, 2));
    assert_eq!(bench.world.notices.all().remove(0).audience, Audience::Business);
}

#[tokio::test]
async fn the_reject_file_dropped_back_is_a_valid_file_of_the_same_flow() {
    let (bench, object) = published("key,value\na,1\nb,x\n").await;
    let corrected = bench.rejects(&object).0.unwrap().replace(",x", ",7");
    let again = bench.drop_file("in/f.rows.csv", corrected);
    assert_eq!(bench.publish(&again).await, Next::Settled(RunState::Delivered));
    assert_eq!(bench.delivered("in/f.rows.csv").as_deref(), Some("key,value\nb,7\n"));
}

#[tokio::test]
async fn marks_tabs_line_ends_and_order_of_columns_are_made_ours() {
    for (sent, arrives) in [
        ("\u{feff}key,value\na,1\n", "key,value\na,1\n"),
        ("key\tvalue\na,b\t1\n", "key,value\n\"a,b\",1\n"),
        ("key,value\r\na,1\r\nb,x\r\n", "key,value\na,1\n"),
        ("value,key\r\n1,a\r\n", "value,key\r\n1,a\r\n"),
        ("key,value\n\n\na,1", "key,value\n\n\na,1"),
    ] {
        let (bench, _) = published(sent).await;
        assert_eq!(bench.delivered("in/f.csv").as_deref(), Some(arrives), "{sent:?}");
    }
}

#[tokio::test]
async fn gzip_with_one_member_or_two_and_zip_arrive_unpacked_without_their_suffix() {
    let two_members = [gzip("key,value\na,1\n"), gzip("b,2\n")].concat();
    for (key, bytes) in
        [("f.csv.gz", gzip(CLEAN)), ("f.csv.gz", two_members), ("f.csv.zip", zip(&[("x/f.csv", CLEAN)]))]
    {
        let bench = Bench::new();
        let object = bench.drop_file(key, bytes);
        assert_eq!(bench.publish(&object).await, Next::Settled(RunState::Delivered), "{:?}", bench.run(&object));
        assert_eq!(bench.delivered("f.csv").as_deref(), Some(CLEAN));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_rejected_whole_and_says_why() {
    assert_eq!(reason_for("").await, "the file is empty");
    assert_eq!(reason_for("key,value\n").await, "the file has a header and no rows");
    assert_eq!(reason_for("\n\n").await, "the file has nothing but blank lines");
    assert!(reason_for("key,amount\na,1\n").await.contains("value"));
    assert!(reason_for("key,value,value\na,1,1\n").await.contains("value"));
    assert_eq!(reason_for("key,value\na,x\n").await, "none of the 1 rows is valid");
    assert!(reason_for(zip(&[("a", CLEAN), ("b", CLEAN)])).await.contains("2 files"));
    assert!(reason_for(zip(&[])).await.contains("no file"));
    let utf16: Vec<u8> = "\u{feff}key,value\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(reason_for(utf16).await.contains("UTF-16"));
}

#[tokio::test]
async fn a_gzip_that_breaks_off_delivers_nothing_of_a_file_to_file_flow() {
    let rows: String = (0..50_000).map(|n| format!("k{n},{n}\n")).collect();
    let whole = gzip(&format!("key,value\n{rows}"));
    let reason = reason_for(whole[..whole.len() / 2].to_vec()).await;
    assert!(reason.contains("breaks off"), "{reason}");
}

#[tokio::test]
async fn a_decompression_bomb_is_stopped() {
    let bomb = gzip(&format!("key,value\n{}", "0".repeat(60 << 20)));
    assert!(bomb.len() * 200 < 60 << 20);
    assert!(reason_for(bomb).await.contains("decompression stopped"));
}

#[tokio::test]
async fn a_record_over_one_mebibyte_is_passed_by_and_the_rows_around_it_arrive() {
    let (bench, object) = published(format!("key,value\na,1\n{},2\nb,3\n", "x".repeat(3 << 20))).await;
    assert_eq!(bench.delivered("in/f.csv").as_deref(), Some("key,value\na,1\nb,3\n"));
    let (rows, reasons) = bench.rejects(&object);
    assert_eq!(rows, None);
    let reasons = reasons.unwrap();
    assert!(
        reasons.contains("3,,") && reasons.contains("3145731 bytes long, from byte 14 of the file on"),
        "{reasons}"
    );
}

#[tokio::test]
async fn a_quote_that_is_never_closed_rejects_the_file_for_it_has_swallowed_rows_that_nobody_can_count() {
    let reason = reason_for("key,value\na,1\n\"b,2\nc,3\nd,4\n").await;
    assert!(reason.contains("opened at line 3 is never closed"), "{reason}");
    let long = format!("key,value\na,1\n\"b,2\n{}", "c,3\n".repeat(500_000));
    assert!(reason_for(long).await.contains("opened at line 3"));
    let (bench, _) = published("key,value\na,1\n\"b,2\n").await;
    assert_eq!(bench.delivered("in/f.csv").as_deref(), Some("key,value\na,1\n"), "on the last line it is one bad row");
}

#[tokio::test]
async fn a_row_that_is_not_utf_8_is_rejected_and_the_others_arrive() {
    let (bench, object) = published(b"key,value\na,1\nb\xff,2\nc,3\n".to_vec()).await;
    assert_eq!(bench.delivered("in/f.csv").as_deref(), Some("key,value\na,1\nc,3\n"));
    assert!(bench.rejects(&object).1.unwrap().contains("UTF-8"));
}

/// Publishes a file that comes with metadata; its run.
async fn published_with(name: &str, metadata: &[(&str, &str)]) -> (Bench, Run) {
    let bench = Bench::new();
    let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let to = Destination { key: name.into(), metadata };
    bench.world.objects.outlet(super::harness::OUTBOX).put(&to, CLEAN.into()).await.unwrap();
    let object = bench.world.objects.versions(super::harness::OUTBOX, name).remove(0);
    bench.publish(&object).await;
    let run = bench.run(&object);
    (bench, run)
}

#[tokio::test]
async fn a_row_count_that_is_wrong_rejects_the_file_before_anything_of_it_is_delivered() {
    for name in ["row-count", "record-count"] {
        let (bench, run) = published_with("f.csv", &[(name, "3")]).await;
        assert_eq!(run.state, RunState::Rejected);
        assert_eq!(run.reason.as_deref(), Some("row-count says 3 rows, the file has 2"));
        assert_eq!(bench.delivered("f.csv"), None);
        assert!(run.counts.balance());
    }
}

#[tokio::test]
async fn a_delivered_file_carries_its_envelope_its_own_row_count_and_its_senders_correlation_id() {
    let envelope = [("message-id", "Zählpunkt 7"), ("record-count", "2"), ("correlation-id", "c-1")];
    let (bench, run) = published_with("f.csv", &envelope).await;
    assert_eq!(run.correlation, "c-1");
    let delivered = bench.world.objects.versions(super::harness::INBOX, "f.csv").remove(0);
    let metadata = bench.world.objects.head(&delivered).await.unwrap().unwrap().metadata;
    let pairs = [("correlation-id", "c-1"), ("message-id", "Zählpunkt 7"), ("row-count", "2")];
    let mut expected: Metadata = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    expected.insert("run-id".into(), run.id.to_string());
    assert_eq!(metadata, expected);
    let (_, run) = published_with("f.csv", &[("correlation-id", "not one")]).await;
    assert!(run.correlation.starts_with("correlation-invocation"), "{}", run.correlation);
}

#[tokio::test]
async fn above_five_percent_and_a_hundred_bad_rows_the_run_is_held_and_lets_the_next_file_pass() {
    let rows: String = (0..1000).map(|n| if n < 101 { "b,x\n".into() } else { format!("k{n},{n}\n") }).collect();
    let (bench, object) = published(format!("key,value\n{rows}")).await;
    let run = bench.run(&object);
    assert_eq!(run.state, RunState::Held);
    assert!(run.reason.unwrap().contains("101 of 1000"));
    assert_eq!(bench.delivered("in/f.csv"), None);
    let next = bench.drop_file("in/g.csv", CLEAN);
    assert_eq!(bench.publish(&next).await, Next::Settled(RunState::Delivered));
}

#[tokio::test]
async fn the_same_event_again_is_one_run_and_a_new_version_is_a_new_one() {
    let (bench, first) = published(CLEAN).await;
    assert_eq!(bench.publish(&first).await, Next::Settled(RunState::Delivered));
    assert_eq!(bench.world.objects.versions(super::harness::INBOX, "in/f.csv").len(), 1);
    let second = bench.drop_file("in/f.csv", "key,value\nz,9\n");
    bench.publish(&second).await;
    assert_eq!(bench.world.objects.versions(super::harness::INBOX, "in/f.csv").len(), 2);
    assert_eq!(bench.delivered("in/f.csv").as_deref(), Some("key,value\nz,9\n"));
}
