//! The journeys of a utility's business, each a story across flows that ends with the systems agreeing.
//!
//! What a system sends is made of what it holds: DACS synchronizes the enrollments in its own books, OUAI acknowledges and
//! measures what lies in its inbox. At the end the books are held against each other, not against what the test meant.

mod enrollment;
mod event;
mod settlement;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::Platform;

const STATUS: &str = "/v1/derms/event-status";
const RESERVATION: &str = "derms-dacs-device-reservation";
const OUTCOME: &str = "derms-dacs-device-outcome";
const OUAI_OUTCOME: &str = "derms-ouai-device-outcome";

/// An event of two stages, which begin later today.
struct Event {
    /// What makes its ids its own.
    id: String,
    /// Start and end of each.
    stages: [(String, String); 2],
}

/// What one device did in a stage.
struct Did<'a> {
    stage: usize,
    nic: &'a str,
    service_point: &'a str,
    outcome: &'a str,
}

impl Event {
    fn new(id: &str) -> Self {
        let now = flow::ports::Clock::now(&aws::SystemClock);
        let at = |hours: i64| now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap();
        let at = |hours| at(hours).round(jiff::Unit::Second).unwrap().to_string();
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

    /// The file of what devices did, and its bytes.
    async fn report(&self, platform: &Platform, all: &[Did<'_>]) -> (flow::ports::ObjectRef, String) {
        let header = "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,\
                      servicePointId,headEndSystemId,nicId,outcome,errorMessage,participationStartDateTime,\
                      participationEndDateTime\n";
        let rows: String = all.iter().map(|did| self.row(did)).collect();
        let (file, message) = (format!("{header}{rows}"), format!("O-{}", self.id));
        let name = format!("{}.csv", self.id);
        (platform.drop_with(OUTCOME, &name, &[("message-id", &message)], file.clone()).await, file)
    }

    fn row(&self, did: &Did<'_>) -> String {
        let (start, end) = &self.stages[did.stage - 1];
        let took_part = ["SUCCESS", "OVERRIDE"].contains(&did.outcome);
        let times = if took_part { format!("{start},{end}") } else { ",".into() };
        format!(
            "o-{nic},E-{id},ECONOMIC,{stage},{start},{end},90000001,SUMMER-T,{service_point},HES,{nic}-{id},{outcome},,{times}\n",
            nic = did.nic,
            id = self.id,
            stage = self.stage(did.stage),
            service_point = did.service_point,
            outcome = did.outcome,
        )
    }

    /// Waits until DACS has a stage in this state.
    async fn is(&self, platform: &Platform, number: usize, state: &str) -> Value {
        let (stage, what) = (self.stage(number), format!("stage {number} is {state}"));
        crate::support::eventually(&what, 90, async || {
            let event = platform.books("dacs").await["programEvents"][&stage].clone();
            (event["state"] == state).then_some(event)
        })
        .await
    }
}

/// The rows of a file, by column.
fn rows_of(file: &[u8]) -> Vec<BTreeMap<String, String>> {
    let text = std::str::from_utf8(file).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().unwrap().collect();
    lines.map(|fields| header.iter().cloned().zip(fields).collect()).collect()
}
