//! Sync requests that went to the analytics engine in a file and are not acknowledged.

use flow::ledger::open::{Matter, Open};
use flow::ledger::run::{Run, RunState};
use flow::operate;
use it::repo;
use serde_json::json;

use crate::neighbours::{eventually_told, told};
use crate::support::{Platform, eventually, sync_request_id, unique};

const SYNC: &str = "dacs-ouai-enrollment-sync";
const ACKS: &str = "ouai-dacs-enrollment-ack";

/// An extract of three sync requests reaches OUAI.
async fn extract(platform: &Platform, ids: &[String]) -> Run {
    platform.set("dacs/sync-requests", &json!({ "ids": ids })).await;
    let text = repo::text(format!("events/{SYNC}/examples/valid-crlf.csv")).replace('\r', "");
    let mut lines = text.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    let (_, rest) = row.split_once(',').unwrap();
    let rows: String = ids.iter().map(|id| format!("{id},{rest}\n")).collect();
    let object = platform.drop_file(SYNC, &format!("{}.csv", unique()), format!("{header}\n{rows}")).await;
    let run = platform.settled(SYNC, &object, 60).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 3), "{:?}", run.reason);
    run
}

async fn acknowledge(platform: &Platform, rows: &[(&String, &str)]) {
    let rows: String = rows.iter().map(|(id, status)| format!("{id},{status}\n")).collect();
    let text = format!("syncRequestId,status\n{rows}");
    let object = platform.drop_file(ACKS, &format!("{}.csv", unique()), text).await;
    let run = platform.settled(ACKS, &object, 60).await;
    assert_eq!((run.state, run.counts.rejected), (RunState::Delivered, 0), "{:?}", run.reason);
}

/// The open matter of a run, as `make open` lists it.
async fn open(platform: &Platform, run: &Run) -> Option<Open> {
    let open = operate::open(&platform.ledger, SYNC).await.unwrap();
    open.into_iter().find(|open| open.id == run.id.to_string())
}

#[tokio::test]
async fn sync_requests_that_ouai_does_not_acknowledge_are_told_once_and_listed_until_it_does() {
    let platform = Platform::here().await;
    let ids = [sync_request_id(), sync_request_id(), sync_request_id()];
    let run = extract(&platform, &ids).await;
    acknowledge(&platform, &[(&ids[1], "ERROR")]).await;
    assert_eq!(open(&platform, &run).await.unwrap().matter, Matter::AwaitingAck);

    let before = platform.function("watch").await["Environment"]["Variables"].clone();
    let mut impatient = before.clone();
    // No day is waited here, and other files that lack answers do not make this one's notice wait.
    (impatient["OUAI_ACK_LIMIT_MINUTES"], impatient["NOTICE_WINDOW_MINUTES"]) = (json!("0"), json!("0"));
    platform.set_variables("watch", &impatient).await;
    let overdue = eventually("the file is overdue", 30, async || {
        platform.start("watch").await;
        open(&platform, &run).await.filter(|open| open.matter == Matter::Overdue)
    })
    .await;
    let list = format!("{SYNC}/unanswered/{}.{}.csv", run.file_name(), run.id);
    let rejects = platform.output("RejectsBucket");
    assert_eq!(overdue.reason, Some(format!("2 rows are not acknowledged: s3://{rejects}/{list}")));
    let listed = platform.bytes(rejects, &list).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&listed), format!("syncRequestId\n{}\n{}\n", ids[0], ids[2]));
    let notices = eventually_told(&platform, &run.id.to_string(), 1).await;
    assert_eq!(notices[0].subject, format!("{SYNC}: answers are missing"));
    assert!(notices[0].topic.ends_with("business"), "{}", notices[0].topic);

    acknowledge(&platform, &[(&ids[0], "SUCCESS"), (&ids[2], "SUCCESS")]).await;
    eventually("the matter is closed", 30, async || {
        platform.start("watch").await;
        open(&platform, &run).await.is_none().then_some(())
    })
    .await;
    platform.set_variables("watch", &before).await;
    assert_eq!(told(&platform, &run.id.to_string()).await.len(), 1);
}
