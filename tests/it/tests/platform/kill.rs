//! A function that is killed in the middle of a file: the next attempt goes on, and the target's books balance.

use std::process::Command;

use flow::ledger::run::RunState;
use flow::ports::Key;
use serde_json::{Value, json};

use crate::scores::{FLOW, set};
use crate::support::{Platform, SCORES, eventually, unique};

/// Rows whose parts together have more than three times 4 MiB.
const ROWS: usize = 13_000;

/// The process that called the DERMS last: instances sign the target's rate item with flow and process id.
async fn working(platform: &Platform) -> Option<u32> {
    let key = Key { partition: "target#derms".into(), sort: "rate".into() };
    let rate = platform.ledger.get::<Value>(&key).await.unwrap()?.value;
    let mut signed = rate["by"].as_str()?.split('#');
    if signed.next() != Some(FLOW) {
        return None;
    }
    signed.next()?.parse().ok()
}

/// It takes more than two minutes: the queue shows the message again when its visibility of 130 s is over, and the
/// killed attempt's lease with it.
#[tokio::test]
async fn killed_in_the_middle_of_a_file_the_next_attempt_goes_on_and_the_books_balance() {
    let _alone = SCORES.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let reason = "x".repeat(1000);
    let mut file =
        "deviceId,headEndSystem,nicId,programCode,available,score,scoreDateTime,unavailableReason\n".to_owned();
    for n in 0..ROWS {
        file.push_str(&format!("D1,HES,nic-{id}-{n},SUMMER,N,,2026-07-01T05:00:00Z,{reason}\n"));
    }
    let slow =
        platform.fault(&json!({"path": "/derms/device_scores", "fault": {"kind": "latency", "millis": 6000}})).await;
    let object = platform.drop_file(FLOW, &format!("{id}.csv"), file).await;
    let begun = eventually("two parts are there", 60, async || {
        let run = platform.run(FLOW, &object).await?;
        (run.parts >= 2).then_some(run)
    });
    let begun = begun.await;
    let pid = eventually("the process is known", 10, async || working(&platform).await).await;
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    platform.end_fault(&slow).await;
    let stopped = platform.run(FLOW, &object).await.unwrap();
    assert_eq!(stopped.state, RunState::Working, "killed before it was done");

    let run = platform.settled(FLOW, &object, 200).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, ROWS.try_into().unwrap()));
    assert!(run.attempt > begun.attempt, "a further attempt");
    let set = set(&platform, &run).await;
    assert_eq!((&set["digest"]["rows"], &set["lastCameEarly"]), (&json!(ROWS), &json!(false)));
    let parts = set["parts"].as_object().unwrap();
    assert!(parts.len() >= 3 && parts.values().all(|part| part["effects"] == 1), "{set}");
    let calls: u64 = parts.values().map(|part| part["calls"].as_u64().unwrap()).sum();
    assert!(calls <= u64::try_from(parts.len()).unwrap() + 1, "at most the call in flight was repeated: {set}");
}
