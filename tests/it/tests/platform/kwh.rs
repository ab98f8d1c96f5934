//! kWh Avoided and kW Drop files: from the OUAI outbox to DACS's inbox.

use std::io::Write;

use flow::ledger::run::RunState;
use flow::ports::ObjectRef;
use it::repo;
use serde_json::Value;

use crate::neighbours::eventually_told;
use crate::support::{KWH, Platform, unique};

/// The flow under test.
pub const FLOW: &str = "ouai-dacs-kwh-avoided";

/// The bytes of an example.
pub fn example(name: &str) -> Vec<u8> {
    std::fs::read(repo::root().join(format!("events/{FLOW}/examples/{name}"))).unwrap()
}

/// The key under which a file arrives.
pub fn arrives(object: &ObjectRef) -> String {
    object.key.trim_end_matches(".gz").trim_end_matches(".zip").to_owned()
}

/// What DACS makes of a file of its inbox, which it reads by its own rules.
async fn read_by_dacs(platform: &Platform, key: &str, bytes: Vec<u8>) -> Value {
    platform.tell(reqwest::Method::PUT, &format!("dacs/inbox/{key}"), bytes).await
}

#[tokio::test]
async fn a_clean_file_of_either_kind_arrives_byte_for_byte_and_once() {
    let _alone = KWH.lock().await;
    let (platform, inbox) = (Platform::here().await, "DacsInboxBucket");
    for kind in ["valid-kwh-avoided.csv", "valid-kw-drop.csv", "valid-ragged-rows.csv", "valid-dst-fall-back.csv"] {
        let (id, bytes) = (unique(), example(kind));
        let object = platform.drop_file(FLOW, &format!("{id}-{kind}"), bytes.clone()).await;
        let run = platform.settled(FLOW, &object, 60).await;
        assert_eq!((run.state, run.counts.rejected), (RunState::Delivered, 0), "{kind}: {:?}", run.reason);
        assert_eq!(platform.bytes(platform.output(inbox), &object.key).await.unwrap(), bytes, "{kind}");
        platform.notify_again(FLOW, &object).await;
        platform.drained(FLOW).await;
        assert_eq!(platform.versions(platform.output(inbox), &object.key).await, 1, "{kind} was published again");
        let seen = read_by_dacs(&platform, &object.key.replace(' ', "%20"), bytes).await;
        assert_eq!(seen["violations"].as_array().map(Vec::len), Some(0), "{kind}: {seen}");
    }
}

#[tokio::test]
async fn of_a_file_with_bad_rows_the_valid_ones_arrive_and_dacs_finds_nothing_wrong_with_them() {
    let _alone = KWH.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let sent = String::from_utf8(example("invalid-several-rows.csv")).unwrap();
    let object = platform.drop_file(FLOW, &format!("{id}.csv"), sent.clone()).await;
    let run = platform.settled(FLOW, &object, 60).await;
    assert_eq!(run.state, RunState::Delivered);
    assert!(run.counts.rejected > 0 && run.counts.delivered > 0, "{:?}", run.counts);
    let arrived = platform.bytes(platform.output("DacsInboxBucket"), &object.key).await.unwrap();
    let (rows, reasons) = platform.rejects(FLOW, &run).await;
    let (rows, reasons) = (String::from_utf8(rows.unwrap().to_vec()).unwrap(), reasons.unwrap());
    let bad = rows.lines().skip(1);
    let good: String = sent
        .lines()
        .filter(|line| !line.is_empty() && !bad.clone().any(|bad| bad == *line))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(arrived, good);
    assert_eq!(String::from_utf8_lossy(&reasons).lines().count() - 1, bad.count());
    let seen = read_by_dacs(&platform, &object.key, arrived.to_vec()).await;
    assert_eq!(seen["violations"].as_array().map(Vec::len), Some(0), "{seen}");
    let told = eventually_told(&platform, &run.id.to_string(), 1).await;
    assert!(told[0].topic.ends_with("business"), "{told:?}");
}

#[tokio::test]
async fn gzip_zip_marks_and_tabs_arrive_as_plain_files_under_a_key_without_the_suffix() {
    let _alone = KWH.lock().await;
    let platform = Platform::here().await;
    let plain = example("valid-kwh-avoided.csv");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&plain).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("kwh.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&plain).unwrap();
    let marked = [b"\xef\xbb\xbf".as_slice(), &plain].concat();
    for (suffix, bytes) in
        [("csv.gz", gzip.finish().unwrap()), ("csv.zip", zip.finish().unwrap().into_inner()), ("csv", marked)]
    {
        let name = format!("season 2026/{} a+b 100%&c=größe-日.{suffix}", unique());
        let object = platform.drop_file(FLOW, &name, bytes).await;
        let run = platform.settled(FLOW, &object, 60).await;
        assert_eq!(run.state, RunState::Delivered, "{name}: {:?}", run.reason);
        let arrived = platform.bytes(platform.output("DacsInboxBucket"), &arrives(&object)).await;
        assert_eq!(arrived.unwrap(), plain, "{name}");
    }
}

#[tokio::test]
async fn nothing_of_a_file_that_breaks_off_or_that_nobody_understands_is_ever_visible() {
    let _alone = KWH.lock().await;
    let platform = Platform::here().await;
    for (name, why) in [
        ("invalid-truncated.csv.gz", "breaks off"),
        ("invalid-zip-with-two-files.csv.zip", "2 files"),
        ("invalid-decompression-bomb.csv.gz", "decompression stopped"),
        ("invalid-both-kinds.csv", "two kinds"),
        ("invalid-empty.csv", "is empty"),
    ] {
        let object = platform.drop_file(FLOW, &format!("{}-{name}", unique()), example(name)).await;
        let run = platform.settled(FLOW, &object, 60).await;
        assert_eq!(run.state, RunState::Rejected, "{name}");
        assert!(run.reason.as_deref().unwrap().contains(why), "{name}: {:?}", run.reason);
        assert_eq!(platform.bytes(platform.output("DacsInboxBucket"), &arrives(&object)).await, None, "{name}");
        eventually_told(&platform, &run.id.to_string(), 1).await;
    }
}

#[tokio::test]
async fn above_five_percent_and_a_hundred_bad_rows_a_file_is_held_for_a_person() {
    let _alone = KWH.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let text = String::from_utf8(example("valid-kwh-avoided.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let good = rows.lines().next().unwrap();
    let bad = good.replacen(",900,", ",0,", 1);
    assert_ne!(good, bad);
    let rows: Vec<_> =
        (0..200).map(|n| if n % 2 == 0 && n < 202 { bad.as_str() } else { good }).chain([bad.as_str()]).collect();
    let object = platform.drop_file(FLOW, &format!("{id}.csv"), format!("{header}\n{}\n", rows.join("\n"))).await;
    let run = platform.settled_or_held(FLOW, &object, 60).await;
    assert_eq!((run.state, run.counts.rejected), (RunState::Held, 101));
    assert_eq!(platform.bytes(platform.output("DacsInboxBucket"), &object.key).await, None);
    let told = eventually_told(&platform, &run.id.to_string(), 1).await;
    assert!(told[0].text.contains("held"), "{told:?}");
}
