//! The other file flows, each with an example of its own: published where they belong, or told to DACS record by record.

use flow::ledger::run::RunState;
use it::repo;
use serde_json::json;

use crate::support::{Platform, sync_request_id, unique};

fn example(flow: &str, name: &str) -> String {
    let path = repo::root().join(format!("events/{flow}/examples/{name}"));
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn locations_and_forecasts_arrive_in_the_inbox_that_they_are_for() {
    let platform = Platform::here().await;
    for (flow, name, inbox) in [
        ("derms-dacs-network-location", "valid-initial-load.csv", "DacsInboxBucket"),
        ("ouai-derms-load-reduction-forecast", "valid-crlf.csv", "DermsInboxBucket"),
    ] {
        let (id, bytes) = (unique(), example(flow, name));
        let object = platform.drop_file(flow, &format!("{id}.csv"), bytes.clone()).await;
        let run = platform.settled(flow, &object, 60).await;
        assert_eq!((run.state, run.counts.rejected), (RunState::Delivered, 0), "{flow}: {:?}", run.reason);
        let arrived = platform.bytes(platform.output(inbox), &object.key).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&arrived), bytes, "{flow}");
    }
}

/// DACS has sent these sync requests.
async fn sent(platform: &Platform, ids: &[&String]) {
    platform.tell(reqwest::Method::POST, "dacs/sync-requests", json!({ "ids": ids }).to_string()).await;
}

#[tokio::test]
async fn an_extract_reaches_ouai_and_the_sync_request_of_its_bad_row_goes_to_error() {
    let flow = "dacs-ouai-enrollment-sync";
    let (platform, id) = (Platform::here().await, unique());
    let (good, bad) = (sync_request_id(), sync_request_id());
    sent(&platform, &[&good, &bad]).await;
    let text = example(flow, "valid-crlf.csv").replace('\r', "");
    let mut lines = text.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    let with = |id: &str| row.replacen(row.split(',').next().unwrap(), id, 1);
    let broken = with(&bad).replacen(",ENROLL,", ",SOMETHING,", 1);
    let object = platform.drop_file(flow, &format!("{id}.csv"), format!("{header}\n{}\n{broken}\n", with(&good))).await;
    let run = platform.settled(flow, &object, 60).await;
    assert_eq!((run.state, run.counts.delivered, run.counts.rejected), (RunState::Delivered, 1, 1), "{:?}", run.reason);
    let arrived = platform.bytes(platform.output("OuaiInboxBucket"), &object.key).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&arrived), format!("{header}\n{}\n", with(&good)));
    let requests = platform.books("dacs").await["syncRequests"].clone();
    assert_eq!((&requests[&good]["state"], &requests[&bad]["state"]), (&json!("sent"), &json!("Error")));
}

#[tokio::test]
async fn acknowledgements_of_ouai_reach_their_sync_requests_one_by_one() {
    let flow = "ouai-dacs-enrollment-ack";
    let (platform, id) = (Platform::here().await, unique());
    let (taken, refused) = (sync_request_id(), sync_request_id());
    sent(&platform, &[&taken, &refused]).await;
    let file = format!("syncRequestId,status,comments\n{taken},SUCCESS,\n{refused},ERROR,no meter\n");
    let object = platform.drop_file(flow, &format!("{id}.csv"), file).await;
    let run = platform.settled(flow, &object, 60).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 2), "{:?}", run.reason);
    let requests = platform.books("dacs").await["syncRequests"].clone();
    assert_eq!((&requests[&taken]["state"], &requests[&refused]["state"]), (&json!("Synchronized"), &json!("Error")));
}
