//! The journeys of a utility's business, each a story across flows that ends with the systems agreeing.

use flow::ledger::run::RunState;
use serde_json::{Value, json};

use crate::devices::acknowledged;
use crate::support::{Platform, eventually, unique};

const STATUS: &str = "/v1/derms/event-status";
const RESERVATION: &str = "derms-dacs-device-reservation";
const OUTCOME: &str = "derms-dacs-device-outcome";
const OUAI_OUTCOME: &str = "derms-ouai-device-outcome";

/// The times of the two stages of an event, which begin later today.
struct Event {
    id: String,
    stages: [(String, String); 2],
}

impl Event {
    fn new(id: &str) -> Self {
        let now = flow::ports::Clock::now(&aws::SystemClock);
        let at = |hours: i64| now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap().to_string();
        Self { id: id.to_owned(), stages: [(at(1), at(2)), (at(5), at(6))] }
    }

    fn stage(&self, number: usize) -> String {
        format!("S{number}-{}", self.id)
    }

    /// The DERMS says where stages are.
    async fn say(&self, platform: &Platform, message: &str, statuses: &[(usize, &str)]) {
        let stages = statuses.iter().map(|(number, status)| {
            let (start, end) = &self.stages[number - 1];
            json!({"stageId": self.stage(*number), "programCode": "SUMMER-T", "status": status,
                "startDateTime": start, "endDateTime": end})
        });
        let body = json!({"messageId": format!("{message}-{}", self.id), "drmsInstanceId": "DERMS-1",
            "eventId": format!("E-{}", self.id), "eventType": "ECONOMIC", "stages": stages.collect::<Vec<_>>()});
        let (status, answer) = platform.post_as("derms", STATUS, &body).await;
        assert_eq!(status, 202, "{answer}");
    }

    /// The DERMS sends the devices that it holds for a stage.
    async fn reserve(&self, platform: &Platform, number: usize, nics: &[&str]) -> flow::ports::ObjectRef {
        let (start, end) = &self.stages[number - 1];
        let (message, event, stage) = (format!("R{number}-{}", self.id), format!("E-{}", self.id), self.stage(number));
        let envelope = [
            ("drms-instance-id", "DERMS-1"),
            ("message-id", message.as_str()),
            ("event-id", event.as_str()),
            ("stage-id", stage.as_str()),
            ("event-start-date-time", start.as_str()),
            ("event-end-date-time", end.as_str()),
        ];
        let rows = nics.iter().map(|nic| format!("r-{nic},{nic}-{},HES\n", self.id));
        let file = format!("recordId,nicId,headEndSystemId\n{}", rows.collect::<String>());
        platform.drop_with(RESERVATION, &format!("{message}.csv"), &envelope, file).await
    }

    /// A row of the outcome file: what a device at the one service point did in a stage.
    fn outcome(&self, number: usize, nic: &str, outcome: &str) -> String {
        let (start, end) = &self.stages[number - 1];
        let times = if outcome == "SUCCESS" { format!("{start},{end}") } else { ",".into() };
        format!(
            "o-{nic},E-{id},ECONOMIC,{stage},{start},{end},90000001,SUMMER-T,SP-{id},HES,{nic}-{id},{outcome},,{times}\n",
            id = self.id,
            stage = self.stage(number),
        )
    }

    /// Waits until DACS has a stage in this state.
    async fn is(&self, platform: &Platform, number: usize, state: &str) -> Value {
        let (stage, what) = (self.stage(number), format!("stage {number} is {state}"));
        eventually(&what, 90, async || {
            let event = platform.books("dacs").await["programEvents"][&stage].clone();
            (event["state"] == state).then_some(event)
        })
        .await
    }
}

/// Two devices at one service point in two stages; the second stage is canceled, and the end of the first is told late,
/// after the outcomes. DACS, DERMS and OUAI agree in the end on what happened.
#[tokio::test]
async fn an_event_of_two_stages_from_its_schedule_to_what_its_devices_did() {
    let (platform, id) = (Platform::here().await, unique());
    let event = Event::new(&id);
    // The reservation of the first stage comes before DACS has that stage.
    let first = event.reserve(&platform, 1, &["a", "b"]).await;
    event.say(&platform, "M1", &[(1, "SCHEDULED"), (2, "SCHEDULED")]).await;
    let second = event.reserve(&platform, 2, &["c"]).await;
    for object in [&first, &second] {
        let run = platform.settled(RESERVATION, object, 120).await;
        assert_eq!((run.state, run.counts.rejected), (RunState::Delivered, 0), "{:?}", run.reason);
    }
    let books = platform.books("dacs").await["participations"]["reservations"].clone();
    assert_eq!(books[event.stage(1)], json!([format!("HES/a-{id}"), format!("HES/b-{id}")]));
    assert_eq!(books[event.stage(2)], json!([format!("HES/c-{id}")]));

    event.say(&platform, "M2", &[(1, "IN_PROGRESS")]).await;
    event.is(&platform, 1, "In Progress").await;
    event.say(&platform, "M3", &[(2, "CANCELED")]).await;
    event.is(&platform, 2, "Canceled").await;

    // The outcomes come before the stage is told to be over: DACS gets them then, OUAI at once.
    let header = "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,\
                  servicePointId,headEndSystemId,nicId,outcome,errorMessage,participationStartDateTime,\
                  participationEndDateTime\n";
    let rows =
        [event.outcome(1, "a", "SUCCESS"), event.outcome(1, "b", "NON_RESPONSIVE"), event.outcome(2, "c", "CANCELED")];
    let file = format!("{header}{}", rows.concat());
    let message = format!("O-{id}");
    let outcomes = platform.drop_with(OUTCOME, &format!("{id}.csv"), &[("message-id", &message)], file.clone()).await;
    let own = platform.settled(OUAI_OUTCOME, &outcomes, 60).await;
    assert_eq!(own.state, RunState::Delivered, "{:?}", own.reason);
    let held = platform.run(OUTCOME, &outcomes).await;
    assert!(held.is_none_or(|run| !run.state.is_settled()), "outcomes reached DACS before their stage was over");
    event.say(&platform, "M4", &[(1, "COMPLETED")]).await;
    event.is(&platform, 1, "Completed").await;
    let run = platform.settled(OUTCOME, &outcomes, 120).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 3), "{:?}", run.reason);

    // The three agree: what DACS has of each device is what the DERMS said, and OUAI has the same file.
    let told = platform.books("dacs").await["participations"]["outcomes"].clone();
    for (number, nic, code) in [(1, "a", "D1SP"), (1, "b", "D1ND"), (2, "c", "D1CN")] {
        let outcome = &told[event.stage(number)][format!("HES/{nic}-{id}")]["body"]["outcome"];
        assert_eq!(outcome, code, "{nic} in stage {number}");
    }
    let at_ouai = platform.bytes(platform.output("OuaiInboxBucket"), &outcomes.key).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&at_ouai), file);
    for message in ["R1", "R2", "O", "M1", "M2", "M3", "M4"] {
        let (kind, responses) = acknowledged(&platform, &format!("{message}-{id}")).await;
        assert_eq!(kind, "SUCCESS", "{message}: {responses:?}");
    }
}
