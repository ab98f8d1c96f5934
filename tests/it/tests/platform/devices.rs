//! Devices in stages: reservation files to DACS and their acknowledgement to the DERMS; outcome files by a topic to DACS and
//! to OUAI's inbox at once.

use aws::SystemClock;
use flow::ledger::run::RunState;
use flow::ports::{Clock, ObjectRef};
use serde_json::{Value, json};

use crate::support::{Platform, eventually, unique};

const RESERVATION: &str = "derms-dacs-device-reservation";
const OUTCOME: &str = "derms-dacs-device-outcome";
const OUAI_OUTCOME: &str = "derms-ouai-device-outcome";

/// The times of a stage that is not over while the tests run.
fn times() -> (String, String) {
    let now = SystemClock.now();
    let at = |hours: i64| now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap().to_string();
    (at(1), at(3))
}

async fn schedule(platform: &Platform, stages: &[String]) {
    let body = json!({ "stages": stages }).to_string();
    platform.tell(reqwest::Method::POST, "dacs/program-events", body).await;
}

/// Drops a file of devices reserved for stage `S-<id>` of event `E-<id>`.
pub async fn reserve(platform: &Platform, id: &str, rows: &str) -> ObjectRef {
    let (start, end) = times();
    let (message, event, stage) = (format!("M-{id}"), format!("E-{id}"), format!("S-{id}"));
    let envelope = [
        ("drms-instance-id", "DRMS-1"),
        ("message-id", message.as_str()),
        ("event-id", event.as_str()),
        ("stage-id", stage.as_str()),
        ("event-start-date-time", start.as_str()),
        ("event-end-date-time", end.as_str()),
    ];
    let file = format!("recordId,nicId,headEndSystemId\n{rows}");
    platform.drop_with(RESERVATION, &format!("{id}.csv"), &envelope, file).await
}

/// The acknowledgement of message `id` in the DERMS's books, once it is there: its type, and (id, value) of its responses.
pub async fn acknowledged(platform: &Platform, id: &str) -> (String, Vec<(String, String)>) {
    let what = format!("message {id} is acknowledged");
    let ack = eventually(&what, 60, async || {
        let book = platform.books("derms").await["acks"].get(id)?.clone();
        assert_eq!(book["effects"], 1, "{id} was acknowledged twice: {book}");
        Some(book["history"][0]["body"]["MsgAck"].clone())
    });
    let ack = ack.await;
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let responses = ack["responses"]["response"].as_array().unwrap().iter();
    (text(&ack["ackType"]), responses.map(|it| (text(&it["id"]), text(&it["value"]))).collect())
}

/// What the devices of a stage did, in DACS's books.
async fn outcomes(platform: &Platform, stage: &str) -> Value {
    platform.books("dacs").await["participations"]["outcomes"][stage].clone()
}

#[tokio::test]
async fn reserved_devices_reach_dacs_and_the_derms_hears_of_every_record() {
    let (platform, id) = (Platform::here().await, unique());
    schedule(&platform, &[format!("S-{id}")]).await;
    let rows = format!("r1,a-{id},HES\nr2,,HES\nr3,c-{id},HES\n");
    let object = reserve(&platform, &id, &rows).await;
    let run = platform.settled(RESERVATION, &object, 60).await;
    assert_eq!((run.state, run.counts.delivered, run.counts.rejected), (RunState::Delivered, 2, 1), "{:?}", run.reason);
    let reserved = platform.books("dacs").await["participations"]["reservations"][format!("S-{id}")].clone();
    assert_eq!(reserved, json!([format!("HES/a-{id}"), format!("HES/c-{id}")]));
    let (kind, responses) = acknowledged(&platform, &format!("M-{id}")).await;
    assert_eq!((kind.as_str(), &responses[0]), ("ERROR", &(format!("M-{id}"), "delivered=2;failed=1".into())));
    assert_eq!(responses[1], ("r1".into(), "DELIVERED".into()));
    assert!(responses[2].0 == "r2" && responses[2].1.starts_with("nicId"), "{responses:?}");
}

#[tokio::test]
async fn a_reservation_of_a_stage_that_dacs_does_not_have_yet_is_made_when_it_does() {
    let (platform, id) = (Platform::here().await, unique());
    let object = reserve(&platform, &id, &format!("r1,a-{id},HES\n")).await;
    eventually("it was tried in vain", 60, async || {
        let run = platform.run(RESERVATION, &object).await?;
        (run.attempt > 1 && !run.state.is_settled()).then_some(())
    })
    .await;
    schedule(&platform, &[format!("S-{id}")]).await;
    let run = platform.settled(RESERVATION, &object, 120).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 1), "{:?}", run.reason);
    assert_eq!(acknowledged(&platform, &format!("M-{id}")).await.0, "SUCCESS");
}

#[tokio::test]
async fn a_reservation_without_a_stage_is_a_failure_and_nothing_is_reserved() {
    let (platform, id) = (Platform::here().await, unique());
    let message = format!("M-{id}");
    let envelope = [("message-id", message.as_str())];
    let file = format!("recordId,nicId,headEndSystemId\nr1,a-{id},HES\n");
    let object = platform.drop_with(RESERVATION, &format!("{id}.csv"), &envelope, file).await;
    assert_eq!(platform.settled(RESERVATION, &object, 60).await.state, RunState::Rejected);
    let (kind, responses) = acknowledged(&platform, &message).await;
    assert!(kind == "FAILURE" && responses[1].1.contains("stage-id"), "{responses:?}");
}

/// A file of what device `a` did in the first stage and device `b` in the second, at one service point.
fn outcome_file(id: &str) -> String {
    let stage = "2026-07-01T18:00:00Z,2026-07-01T20:00:00Z,4711,SUMMER,SP-1,HES";
    let took_part = "2026-07-01T18:00:00Z,2026-07-01T19:30:00Z";
    let long = "x".repeat(150);
    format!(
        "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,servicePointId,\
         headEndSystemId,nicId,outcome,errorMessage,participationStartDateTime,participationEndDateTime\n\
         r1,E-{id},ECONOMIC,S1-{id},{stage},a-{id},SUCCESS,,{took_part}\n\
         r2,E-{id},ECONOMIC,S2-{id},{stage},b-{id},ERROR,{long},,\n"
    )
}

async fn drop_outcomes(platform: &Platform, id: &str) -> ObjectRef {
    schedule(platform, &[format!("S1-{id}"), format!("S2-{id}")]).await;
    let message = format!("M-{id}");
    platform.drop_with(OUTCOME, &format!("{id}.csv"), &[("message-id", message.as_str())], outcome_file(id)).await
}

#[tokio::test]
async fn one_upload_of_outcomes_reaches_dacs_by_stage_and_ouai_byte_for_byte() {
    let (platform, id) = (Platform::here().await, unique());
    let object = drop_outcomes(&platform, &id).await;
    let run = platform.settled(OUTCOME, &object, 60).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 2), "{:?}", run.reason);
    let first = outcomes(&platform, &format!("S1-{id}")).await[format!("HES/a-{id}")]["body"].clone();
    assert_eq!((&first["outcome"], first.get("errorMessage")), (&json!("D1SP"), None));
    let second = outcomes(&platform, &format!("S2-{id}")).await[format!("HES/b-{id}")]["body"].clone();
    assert_eq!((&second["outcome"], &second["errorMessage"]), (&json!("D1ER"), &json!("x".repeat(100))));
    assert_eq!(acknowledged(&platform, &format!("M-{id}")).await.0, "SUCCESS");
    let own = platform.settled(OUAI_OUTCOME, &object, 60).await;
    assert_eq!((own.state, own.counts.delivered), (RunState::Delivered, 2), "{:?}", own.reason);
    let arrived = platform.bytes(platform.output("OuaiInboxBucket"), &object.key).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&arrived), outcome_file(&id));
}

#[tokio::test]
async fn while_dacs_takes_no_outcomes_ouai_has_them_and_dacs_gets_them_later() {
    let (platform, id) = (Platform::here().await, unique());
    let path = "/dacs/rest/apis/cross/service/programEventParticipation/postEventOutcome";
    let rule = json!({"path": path, "fault": {"kind": "error", "status": 503}, "count": 6});
    let fault = platform.fault(&rule).await;
    let object = drop_outcomes(&platform, &id).await;
    let own = platform.settled(OUAI_OUTCOME, &object, 60).await;
    assert_eq!(own.state, RunState::Delivered);
    platform.end_fault(&fault).await;
    let run = platform.settled(OUTCOME, &object, 120).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 2), "{:?}", run.reason);
}
