//! Lookups changed at run time: taken without a redeploy, and a broken version refused while the last good one stays.

use std::time::Duration;

use flow::ledger::run::{Run, RunState};
use serde_json::json;

use crate::kwh::{FLOW, example};
use crate::messages::{Sent, becomes, send};
use crate::neighbours::eventually_told;
use crate::support::{self, KWH, MESSAGES, Platform, unique};

const COLUMNS: &str = "lookups/Columns-kwh-avoided.csv";
const PROGRAMS: &str = "lookups/Program.csv";

/// A kWh file with the service point's column respelled.
async fn dropped(platform: &Platform, spelling: &str) -> (String, Run) {
    let sent = String::from_utf8(example("valid-kwh-avoided.csv")).unwrap().replacen("SPId", spelling, 1);
    let object = platform.drop_file(FLOW, &format!("{}.csv", unique()), sent).await;
    (object.key.clone(), platform.settled(FLOW, &object, 60).await)
}

/// Instances look at the bucket once a minute.
async fn a_minute() {
    tokio::time::sleep(Duration::from_secs(62)).await;
}

#[tokio::test]
async fn a_column_is_respelled_at_run_time_and_a_broken_version_is_refused_with_one_notice() {
    let _alone = KWH.lock().await;
    let platform = Platform::here().await;
    let before = platform.bytes(platform.output("ConfigBucket"), COLUMNS).await.unwrap();
    let (_, run) = dropped(&platform, "ServicePoint").await;
    assert!(run.reason.unwrap().contains("column SPId is missing"));

    platform.put(platform.output("ConfigBucket"), COLUMNS, "column,spelling\nSPId,ServicePoint\n").await;
    a_minute().await;
    let (key, run) = dropped(&platform, "ServicePoint").await;
    assert_eq!(run.state, RunState::Delivered, "{:?}", run.reason);
    let arrived = platform.bytes(platform.output("DacsInboxBucket"), &key).await.unwrap();
    assert_eq!(arrived, example("valid-kwh-avoided.csv"), "under our own name");

    platform.put(platform.output("ConfigBucket"), COLUMNS, "column,spelling\nSPId,ServicePoint\nNoSuchColumn").await;
    a_minute().await;
    for _ in 0..2 {
        let (_, run) = dropped(&platform, "ServicePoint").await;
        assert_eq!(run.state, RunState::Delivered, "the last good version stays: {:?}", run.reason);
    }
    let refused = eventually_told(&platform, "Lookup Columns-kwh-avoided: a broken version was refused", 1).await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].topic.ends_with("business") && refused[0].text.contains(FLOW), "{refused:?}");
    platform.put(platform.output("ConfigBucket"), COLUMNS, before).await;
}

#[tokio::test]
async fn a_program_that_the_lookup_lacks_is_an_error_that_names_it_and_is_cured_by_a_new_version() {
    let _with_others = MESSAGES.read().await;
    let platform = Platform::here().await;
    let external = format!("PRG-{}", unique());
    let mut sent = Sent::of("valid-minimal.json");
    sent.body["sendDetails"]["subscriptionInfo"]["programExternalIdentifier"] = json!(external);
    assert_eq!(send(&platform, &sent).await.0, 202);
    let failed = becomes(&platform, &sent.id, "Error", 30).await;
    let why = format!("lookup Program has no entry for \"{external}\"");
    assert_eq!(failed["history"][1]["body"]["exceptionInfo"][0]["comments"], why);

    let rows = format!("{}9{},P-{external},{external}\n", support::PROGRAMS, unique());
    platform.put(platform.output("ConfigBucket"), PROGRAMS, rows).await;
    a_minute().await;
    assert_eq!(platform.post_as("dacs", "/v1/dacs/enrollment-sync", &sent.body).await.0, 202, "sent again as it was");
    becomes(&platform, &sent.id, "Synchronized", 30).await;
    let told = &platform.books("derms").await["messages"][&sent.id]["history"][0]["body"]["subscriptionInfo"].clone();
    assert_eq!(told["programCode"], format!("P-{external}"));
}
