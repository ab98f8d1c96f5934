//! Score files: from the DACS outbox to the DERMS Device Score API, and the DERMS's books afterwards.

use std::io::Write;

use flow::ledger::run::{Run, RunState};
use serde_json::{Value, json};

use crate::neighbours::eventually_told;
use crate::support::{Platform, SCORES, eventually, unique};

/// The flow under test.
pub const FLOW: &str = "dacs-derms-device-score";
const HEADER: &str = "deviceId,headEndSystem,nicId,programCode,score,available,scoreDateTime,subscriptionId,\
                      servicePointId,availableFrom,availableTo,unavailableReason";

/// A row of a device of its own, with this score.
fn row(nic: &str, score: &str) -> String {
    format!("D1,HES,{nic},SUMMER,{score},Y,2026-07-01T05:00:00-04:00,S-1,SP-1,,,")
}

fn file(rows: &[String]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

/// The DERMS's newest score of a device.
async fn newest(platform: &Platform, nic: &str) -> Option<Value> {
    let books = platform.books("derms/scores").await;
    books["latest"].as_array().unwrap().iter().find(|score| score["nicId"] == nic).cloned()
}

/// The set of a run in the DERMS's books.
pub async fn set(platform: &Platform, run: &Run) -> Value {
    platform.books("derms").await["scores"]["sets"][run.id.to_string()].clone()
}

/// The calls that brought the parts of a run, all together.
async fn calls(platform: &Platform, run: &Run) -> u64 {
    let set = set(platform, run).await;
    set["parts"].as_object().unwrap().values().map(|part| part["calls"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_score_file_reaches_the_derms_field_by_field_and_its_bad_rows_the_reject_files() {
    let _alone = SCORES.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let rows = [
        format!("D-a{id},HES-1,nic-a{id},SUMMER,12.50,Y,2026-07-01T05:00:00-04:00,S-1,SP-1,,,"),
        format!("D-b{id},HES-1,nic-b{id},SUMMER,NaN,Y,2026-07-01T05:00:00-04:00,S-2,SP-2,,,"),
        format!(
            "D-c{id},HES-2,nic-c{id},EV,,N,2026-07-01T05:00:00Z,,,2026-07-01T00:00:00Z,2026-07-02T00:00:00Z,\"in repair, \"\"again\"\"\""
        ),
    ];
    let object = platform.drop_file(FLOW, &format!("SDCSE-{id}.csv"), file(&rows)).await;
    let run = platform.settled(FLOW, &object, 60).await;
    assert_eq!((run.state, run.counts.rows, run.counts.delivered, run.counts.rejected), (RunState::Delivered, 3, 2, 1));

    let run_id = run.id.to_string();
    let first = json!({
        "deviceId": format!("D-a{id}"), "headEndSystem": "HES-1", "nicId": format!("nic-a{id}"), "programCode": "SUMMER",
        "score": "12.50", "available": "Y", "scoreDateTime": "2026-07-01T05:00:00-04:00", "subscriptionId": "S-1",
        "servicePointId": "SP-1", "scoreFileId": run_id,
    });
    let third = json!({
        "deviceId": format!("D-c{id}"), "headEndSystem": "HES-2", "nicId": format!("nic-c{id}"), "programCode": "EV",
        "available": "N", "scoreDateTime": "2026-07-01T05:00:00Z", "availableFrom": "2026-07-01T00:00:00Z",
        "availableTo": "2026-07-02T00:00:00Z", "unavailableReason": "in repair, \"again\"", "scoreFileId": run_id,
    });
    assert_eq!(newest(&platform, &format!("nic-a{id}")).await, Some(first));
    assert_eq!(newest(&platform, &format!("nic-b{id}")).await, None);
    assert_eq!(newest(&platform, &format!("nic-c{id}")).await, Some(third));

    let (kept, reasons) = platform.rejects(FLOW, &run).await;
    assert_eq!(kept.unwrap(), format!("{HEADER}\n{}\n", rows[1]));
    assert_eq!(reasons.unwrap(), "line,column,reason\n3,score,\"\"\"NaN\"\" is not a decimal number\"\n");
    let told = eventually_told(&platform, &run_id, 1).await;
    assert!(told[0].topic.ends_with("business") && told[0].text.contains("Rows: 3 = 2 delivered"), "{told:?}");
}

#[tokio::test]
async fn a_file_without_a_valid_row_makes_no_call_and_says_why() {
    let _alone = SCORES.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let object = platform.drop_file(FLOW, &format!("{id}.csv"), file(&[row("nic", "high")])).await;
    let run = platform.settled(FLOW, &object, 60).await;
    assert_eq!((run.state, run.reason.as_deref()), (RunState::Rejected, Some("none of the 1 rows is valid")));
    assert_eq!(set(&platform, &run).await, Value::Null);
    let broken = platform.drop_file(FLOW, &format!("{id}-broken.csv"), "deviceId,score\nD1,1\n").await;
    let run = platform.settled(FLOW, &broken, 60).await;
    assert_eq!(run.state, RunState::Rejected);
    assert!(run.reason.unwrap().contains("column nicId is missing"));
}

#[tokio::test]
async fn the_same_event_again_sends_nothing_again_and_a_new_version_is_sent() {
    let _alone = SCORES.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let (name, nic) = (format!("{id}.csv"), format!("nic-{id}"));
    let object = platform.drop_file(FLOW, &name, file(&[row(&nic, "1")])).await;
    let run = platform.settled(FLOW, &object, 60).await;
    for _ in 0..2 {
        platform.notify_again(FLOW, &object).await;
    }
    platform.drained(FLOW).await;
    assert_eq!(calls(&platform, &run).await, 1);
    assert_eq!(platform.run(FLOW, &object).await, Some(run));

    let corrected = platform.drop_file(FLOW, &name, file(&[row(&nic, "2")])).await;
    let second = platform.settled(FLOW, &corrected, 60).await;
    assert_eq!(newest(&platform, &nic).await.unwrap()["scoreFileId"], second.id.to_string());
}

#[tokio::test]
async fn a_gzip_under_a_key_with_spaces_and_signs_and_other_scripts_is_taken() {
    let _alone = SCORES.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(file(&[row(&format!("nic-{id}"), "7")]).as_bytes()).unwrap();
    let name = format!("SDCSE {id} a+b 100%&c=größe-日.csv.gz");
    let object = platform.drop_file(FLOW, &name, packed.finish().unwrap()).await;
    let run = platform.settled(FLOW, &object, 60).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 1));
    assert_eq!(newest(&platform, &format!("nic-{id}")).await.unwrap()["score"], "7");
}

#[tokio::test]
async fn files_are_sent_one_at_a_time_in_order_of_arrival() {
    let _alone = SCORES.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let slow =
        platform.fault(&json!({"path": "/derms/device_scores", "fault": {"kind": "latency", "millis": 400}})).await;
    let mut objects = Vec::new();
    for n in 1..=3 {
        let bytes = file(&[row(&format!("nic-{id}"), &n.to_string())]);
        objects.push(platform.drop_file(FLOW, &format!("{id}-{n}.csv"), bytes).await);
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    }
    let mut runs = Vec::new();
    for object in &objects {
        runs.push(platform.settled(FLOW, object, 90).await);
    }
    platform.end_fault(&slow).await;
    let mut opened = Vec::new();
    for run in &runs {
        let set = set(&platform, run).await;
        assert_eq!((&set["openedWhileOpen"], &set["lastCameEarly"]), (&json!([]), &json!(false)), "{set}");
        opened.push(set["counted"].as_u64().unwrap());
    }
    assert!(opened.is_sorted(), "{opened:?}");
    assert_eq!(newest(&platform, &format!("nic-{id}")).await.unwrap()["score"], "3");
}

#[tokio::test]
async fn a_derms_that_is_down_or_busy_or_loses_its_answer_gets_the_file_all_the_same_and_once() {
    let _alone = SCORES.lock().await;
    let platform = Platform::here().await;
    for (fault, count) in [
        (json!({"kind": "down"}), 6),
        (json!({"kind": "error", "status": 429, "retryAfterSeconds": 2}), 1),
        (json!({"kind": "dropAnswer"}), 1),
    ] {
        let nic = format!("nic-{}", unique());
        let rule = json!({"path": "/derms/device_scores", "count": count, "fault": fault});
        let id = platform.fault(&rule).await;
        let object = platform.drop_file(FLOW, &format!("{nic}.csv"), file(&[row(&nic, "1")])).await;
        let run = platform.settled(FLOW, &object, 90).await;
        platform.end_fault(&id).await;
        assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 1), "{fault}");
        let set = set(&platform, &run).await;
        assert_eq!(set["parts"]["1"]["effects"], 1, "{fault}: {set}");
        assert!(newest(&platform, &nic).await.is_some(), "{fault}");
    }
}

#[tokio::test]
async fn a_part_that_is_answered_202_is_taken_too() {
    let _alone = SCORES.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    platform.tell(reqwest::Method::PUT, "derms/scores", r#"{"status": 202}"#).await;
    let object = platform.drop_file(FLOW, &format!("{id}.csv"), file(&[row(&format!("nic-{id}"), "1")])).await;
    let run = platform.settled(FLOW, &object, 60).await;
    platform.tell(reqwest::Method::PUT, "derms/scores", r#"{"status": 200}"#).await;
    assert_eq!((run.state, calls(&platform, &run).await), (RunState::Delivered, 1));
    eventually("the set counts", 5, async || set(&platform, &run).await["counted"].as_u64()).await;
}

#[tokio::test]
async fn of_two_versions_of_a_key_the_older_one_is_superseded_if_it_is_not_done() {
    let _alone = SCORES.lock().await;
    let (platform, id) = (Platform::here().await, unique());
    let (name, nic) = (format!("{id}.csv"), format!("nic-{id}"));
    let down = platform.fault(&json!({"path": "/derms/device_scores", "fault": {"kind": "down"}})).await;
    let older = platform.drop_file(FLOW, &name, file(&[row(&nic, "1")])).await;
    eventually("the older version has begun", 30, async || {
        let run = platform.run(FLOW, &older).await?;
        run.first_turn
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let newer = platform.drop_file(FLOW, &name, file(&[row(&nic, "2")])).await;
    eventually("the newer version is registered", 30, async || platform.run(FLOW, &newer).await).await;
    platform.end_fault(&down).await;
    let newer = platform.settled(FLOW, &newer, 120).await;
    let older = platform.settled(FLOW, &older, 120).await;
    assert_eq!((newer.state, newer.counts.delivered), (RunState::Delivered, 1));
    assert_eq!((older.state, older.counts.superseded, older.superseded_by), (RunState::Superseded, 1, Some(newer.id)));
    assert_eq!(newest(&platform, &nic).await.unwrap()["score"], "2");
}
