mod orders;
mod trips;

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use domain::stage::Limits;
use flow::memory::{CONFIG, Targets, World};
use flow::ports::{Answer as Answered, Audience, Call, Clock, Payload};
use flow::stage::{ProgramEvents, StageDesk};
use flow::trigger::HttpRequest;
use jiff::SignedDuration;
use serde_json::json;

use super::*;

/// The flow with DERMS and DACS, of which the second does what it is told unless a status is set.
struct Bench {
    world: World,
    flow: Flow,
    dacs: Targets,
    derms: Targets,
    answer: Arc<Mutex<Script>>,
}

/// What DACS answers: to the calls whose body holds the first text, and 200 to others.
type Script = (&'static str, u16, &'static str);

impl Bench {
    fn new() -> Self {
        Self::with(ResponseCode::Error)
    }

    fn with(refusal: ResponseCode) -> Self {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        let programs = "programId,programCode,programExternalIdentifier\n90000001,SUMMER-T,PRG-SUMMER-T\n";
        world.objects.put(CONFIG, "lookups/Program.csv", programs);
        let answer = Arc::new(Mutex::new(("", 200, "{}")));
        let script = answer.clone();
        let dacs = Targets::new(move |call| {
            let (about, status, body) = *script.lock().unwrap();
            let is_meant = json_of(call).to_string().contains(about);
            let (status, body) = if is_meant { (status, body) } else { (200, "{}") };
            Ok(Answered { status, retry_after: None, body: Bytes::from(body) })
        });
        let derms = Targets::answering(200, "");
        let kit = world.message_kit(NAME, LOOKUPS);
        let (dacs_client, release) = (world.target("dacs", dacs.clone()), "25.4".parse().unwrap());
        let program_events = ProgramEvents { dacs: dacs_client, release, lookups: kit.lookups.clone() };
        let clock: Arc<dyn Clock> = Arc::new(world.clock.clone());
        let acks = DermsAcks { derms: world.target("derms", derms.clone()) };
        let calls = Calls {
            stages: Stages::new(world.ledger(), clock, program_events, Limits::default()).told_next(acks.derms.clone()),
            acks,
            lookups: kit.lookups.clone(),
            refusal,
            side_by_side: 4,
        };
        Self { world, flow: Flow { kit, calls }, dacs, derms, answer }
    }

    fn dacs_answers(&self, status: u16, body: &'static str) {
        *self.answer.lock().unwrap() = ("", status, body);
    }

    fn dacs_answers_to(&self, action: &'static str, status: u16, body: &'static str) {
        *self.answer.lock().unwrap() = (action, status, body);
    }

    async fn post(&self, body: Value) -> u16 {
        let request = HttpRequest {
            body: body.to_string().into(),
            content_type: None,
            request_id: format!("request-{}", self.world.queue.sent().len()),
            correlation: "c-1".into(),
            path: "/".into(),
            query: Default::default(),
            claims: Default::default(),
        };
        match self.flow.handle(Trigger::Http(request), self.world.invocation("door")).await.unwrap() {
            Reply::Http(reply) => reply.status,
            other => panic!("{other:?}"),
        }
    }

    /// Everything that is in sight, once; whether there was anything.
    async fn work(&self) -> bool {
        let deliveries = self.world.queue.take(10);
        let reply = self.flow.handle(Trigger::Queue(deliveries.clone()), self.world.invocation("worker")).await;
        let Reply::Batch { failed } = reply.unwrap() else { panic!("no batch") };
        for delivery in deliveries.iter().filter(|delivery| !failed.contains(&delivery.message_id)) {
            self.world.queue.remove(delivery.receipt.as_ref().unwrap());
        }
        !deliveries.is_empty()
    }

    /// Works for so long; what waits is looked at when it comes in sight.
    async fn work_for(&self, span: SignedDuration) {
        let end = self.world.clock.now() + span;
        while self.world.queue.next_visible().is_some_and(|next| next <= end) {
            let next = self.world.queue.next_visible().unwrap();
            self.world.clock.set(next.max(self.world.clock.now()));
            // What is in sight may still be kept back by another message of its group.
            if !self.work().await {
                self.world.clock.advance(Duration::from_secs(1));
                if self.world.clock.now() > end {
                    break;
                }
            }
        }
        self.world.clock.set(end.max(self.world.clock.now()));
    }

    async fn send(&self, message: Value) {
        assert_eq!(self.post(message).await, 202);
        self.work().await;
    }

    /// What DACS was told, in order: `S-1 X1IP`, or `S-1 create`.
    fn told(&self) -> Vec<String> {
        self.dacs.calls().iter().map(told).collect()
    }

    /// What the DERMS was told: type, then id and value of each response.
    fn acks(&self) -> Vec<String> {
        self.derms.calls().iter().map(ack).collect()
    }
}

fn json_of(call: &Call) -> Value {
    let Payload::Json(body) = &call.payload else { panic!("no JSON") };
    serde_json::from_slice(body).unwrap()
}

fn told(call: &Call) -> String {
    let body = json_of(call);
    let stage = body["externalIdentifier"].as_str().unwrap();
    format!("{stage} {}", body["action"].as_str().unwrap_or("create"))
}

fn ack(call: &Call) -> String {
    assert_eq!(call.path, "/acks");
    let ack = MsgAck::parse(json_of(call).to_string().as_bytes()).unwrap();
    let mut text = ack.ack_type.to_string();
    for response in ack.responses {
        text.push_str(&format!(" {}={}", response.id.unwrap(), response.value.unwrap()));
    }
    text
}

fn stage(id: &str, status: &str) -> Value {
    json!({"stageId": id, "programCode": "SUMMER-T", "status": status,
        "startDateTime": "2026-07-01T14:00:00-05:00", "endDateTime": "2026-07-01T16:00:00-05:00"})
}

fn message(id: &str, stages: &[Value]) -> Value {
    json!({"messageId": id, "drmsInstanceId": "DERMS-1", "eventId": "E-1", "eventType": "ECONOMIC", "stages": stages})
}

fn canceled(id: &str, stages: &[Value]) -> Value {
    let mut message = message(id, stages);
    message["status"] = json!("CANCELLED");
    message["cancelReason"] = json!("storm over");
    message
}

#[tokio::test]
async fn a_stage_goes_through_its_life_and_each_message_is_acknowledged_once() {
    let bench = Bench::new();
    for (id, status) in [("M-1", "SCHEDULED"), ("M-2", "IN PROGRESS"), ("M-3", "COMPLETED")] {
        bench.send(message(id, &[stage("S-1", status)])).await;
    }
    assert_eq!(bench.told(), ["S-1 create", "S-1 X1IP", "S-1 F1CO"]);
    assert_eq!(
        bench.acks(),
        [
            "SUCCESS M-1=delivered=1;failed=0 S-1=SCHEDULED",
            "SUCCESS M-2=delivered=1;failed=0 S-1=IN_PROGRESS",
            "SUCCESS M-3=delivered=1;failed=0 S-1=COMPLETED",
        ]
    );
    assert_eq!(bench.post(message("M-1", &[stage("S-1", "SCHEDULED")])).await, 200, "the first answer again");
    bench.send(message("M-4", &[stage("S-1", "SCHEDULED")])).await;
    assert_eq!(bench.told().len(), 3, "a repeat is answered as done");
    assert_eq!(bench.acks().pop().unwrap(), "SUCCESS M-4=delivered=1;failed=0 S-1=COMPLETED");
}

#[tokio::test]
async fn an_early_status_is_held_and_applied_when_its_predecessor_has_come() {
    let bench = Bench::new();
    bench.send(message("M-2", &[stage("S-1", "IN_PROGRESS")])).await;
    bench.work_for(SignedDuration::from_mins(9)).await;
    assert_eq!((bench.told(), bench.acks()), (vec![], vec![]));
    bench.send(message("M-1", &[stage("S-1", "SCHEDULED")])).await;
    bench.work_for(SignedDuration::from_secs(20)).await;
    assert_eq!(bench.told(), ["S-1 create", "S-1 X1IP"]);
    assert_eq!(
        bench.acks(),
        ["SUCCESS M-1=delivered=1;failed=0 S-1=IN_PROGRESS", "SUCCESS M-2=delivered=1;failed=0 S-1=IN_PROGRESS"]
    );
}

#[tokio::test]
async fn an_early_status_whose_predecessor_never_comes_goes_to_the_operator_who_supplies_it() {
    let bench = Bench::new();
    bench.dacs_answers(400, r#"{"messageNumber":20011,"message":"program event unknown"}"#);
    bench.send(message("M-2", &[stage("S-1", "IN_PROGRESS")])).await;
    bench.work_for(SignedDuration::from_mins(11)).await;
    let reason = "IN_PROGRESS came before SCHEDULED, which did not come within 10 minutes; supply it, or send it and this \
                  one again";
    assert_eq!(bench.acks(), [format!("ERROR M-2=delivered=0;failed=1 S-1={reason}")]);
    let notice = bench.world.notices.all().pop().unwrap();
    assert_eq!(notice.audience, Audience::Business);
    assert!(notice.text.contains("E-1/S-1: IN_PROGRESS came before SCHEDULED"), "{}", notice.text);

    bench.dacs_answers(200, "{}");
    let clock: Arc<dyn Clock> = Arc::new(bench.world.clock.clone());
    let desk = StageDesk { ledger: bench.world.ledger(), queue: Arc::new(bench.world.queue.clone()), clock };
    let (event, stage) = ("E-1".parse().unwrap(), "S-1".parse().unwrap());
    desk.supply_predecessor(&event, &stage).await.unwrap();
    bench.work().await;
    assert_eq!(
        bench.told(),
        ["S-1 X1IP", "S-1 create", "S-1 X1IP"],
        "the first in case it was older than the platform"
    );
    assert_eq!((bench.world.queue.waiting(), bench.acks().len()), (0, 1), "one acknowledgement per message");
    assert!(desk.supply_predecessor(&event, &stage).await.is_err(), "nothing waits any more");
}

#[tokio::test]
async fn what_an_operator_supplied_survives_a_day_without_dacs_and_does_not_become_a_dead_letter() {
    let bench = Bench::new();
    bench.dacs_answers(400, r#"{"messageNumber":20011}"#);
    bench.send(message("M-1", &[stage("S-1", "IN_PROGRESS")])).await;
    bench.work_for(SignedDuration::from_mins(11)).await;
    bench.dacs_answers(503, "");
    let clock: Arc<dyn Clock> = Arc::new(bench.world.clock.clone());
    let desk = StageDesk { ledger: bench.world.ledger(), queue: Arc::new(bench.world.queue.clone()), clock };
    desk.supply_predecessor(&"E-1".parse().unwrap(), &"S-1".parse().unwrap()).await.unwrap();
    bench.work_for(SignedDuration::from_hours(24)).await;
    bench.dacs_answers(200, "{}");
    bench.world.clock.advance(Duration::from_secs(600));
    let nudge = bench.world.queue.take(1).remove(0);
    assert!(nudge.receive_count < 500, "shown {} times; after 1,000 it is a dead letter", nudge.receive_count);
}

#[tokio::test]
async fn a_canceled_event_cancels_its_stages_listed_or_not_and_leaves_completed_ones() {
    let bench = Bench::new();
    bench.send(message("M-1", &["S-1", "S-2", "S-3"].map(|id| stage(id, "SCHEDULED")))).await;
    bench.send(message("M-2", &["S-1", "S-2"].map(|id| stage(id, "IN_PROGRESS")))).await;
    bench.send(message("M-3", &[stage("S-1", "COMPLETED")])).await;
    bench.send(canceled("M-4", &[stage("S-2", "CANCELED")])).await;
    assert_eq!(bench.told().split_off(6), ["S-2 F1CN", "S-3 F1CN"]);
    assert_eq!(
        bench.acks().pop().unwrap(),
        "SUCCESS M-4=delivered=3;failed=0 S-2=CANCELED S-1=ALREADY_FINAL S-3=CANCELED"
    );
    let reasons: Vec<Value> = bench.dacs.calls().iter().map(|call| json_of(call)["cancelReason"].clone()).collect();
    assert_eq!(reasons[6..], [json!("storm over"), json!("storm over")]);
}

#[tokio::test]
async fn a_canceled_event_is_remembered_for_a_stage_that_comes_later() {
    let bench = Bench::new();
    bench.send(canceled("M-1", &[])).await;
    assert_eq!(bench.acks(), ["SUCCESS M-1=delivered=0;failed=0"]);
    bench.send(message("M-2", &[stage("S-1", "SCHEDULED")])).await;
    assert_eq!(bench.told(), ["S-1 create", "S-1 F1CN"]);
    assert_eq!(bench.acks().pop().unwrap(), "SUCCESS M-2=delivered=1;failed=0 S-1=CANCELED");
}

#[tokio::test]
async fn the_cancel_of_an_event_reaches_a_stage_that_dacs_cannot_cancel_yet_when_it_is_scheduled() {
    let bench = Bench::new();
    bench.send(canceled("M-1", &[])).await;
    bench.dacs_answers_to("F1CN", 400, r#"{"messageNumber":20012}"#);
    bench.send(message("M-2", &[stage("S-1", "SCHEDULED")])).await;
    assert_eq!(bench.told(), ["S-1 create", "S-1 F1CN"]);
    bench.dacs_answers(200, "{}");
    bench.work_for(SignedDuration::from_mins(1)).await;
    assert_eq!(bench.told(), ["S-1 create", "S-1 F1CN", "S-1 F1CN"]);
    assert_eq!(bench.acks(), ["SUCCESS M-1=delivered=0;failed=0", "SUCCESS M-2=delivered=1;failed=0 S-1=CANCELED"]);
}

#[tokio::test]
async fn a_stage_cannot_be_scheduled_anew_with_other_times() {
    let bench = Bench::new();
    bench.send(message("M-1", &[stage("S-1", "SCHEDULED")])).await;
    let mut retimed = stage("S-1", "SCHEDULED");
    retimed["endDateTime"] = json!("2026-07-01T17:00:00-05:00");
    bench.send(message("M-2", &[retimed])).await;
    assert_eq!(bench.told(), ["S-1 create"]);
    assert_eq!(
        bench.acks().pop().unwrap(),
        "ERROR M-2=delivered=0;failed=1 S-1=the stage is known with other times; cancel it and send a new stage id"
    );
}

#[tokio::test]
async fn a_stage_without_a_program_is_not_for_dacs() {
    let bench = Bench::new();
    let mut without = stage("S-1", "SCHEDULED");
    without["programCode"] = json!(null);
    bench.send(message("M-1", &[without.clone(), stage("S-2", "SCHEDULED")])).await;
    assert_eq!(bench.told(), ["S-2 create"]);
    assert_eq!(bench.acks(), ["SUCCESS M-1=delivered=2;failed=0 S-1=NO_PROGRAM S-2=SCHEDULED"]);
    let mut known = stage("S-2", "IN_PROGRESS");
    known["programCode"] = json!(null);
    bench.send(message("M-2", &[known])).await;
    assert_eq!(bench.told(), ["S-2 create", "S-2 X1IP"], "a stage is known by its program");
}

#[tokio::test]
async fn a_cancel_that_dacs_refuses_is_an_error_and_the_stage_stays_as_it_is() {
    for (refusal, word) in [(ResponseCode::Error, "ERROR"), (ResponseCode::Failure, "FAILURE")] {
        let bench = Bench::with(refusal);
        bench.send(message("M-1", &[stage("S-1", "SCHEDULED")])).await;
        bench.send(message("M-2", &[stage("S-1", "IN_PROGRESS")])).await;
        bench.dacs_answers(400, r#"{"messageNumber":30001,"message":"the program event cannot be cancelled"}"#);
        bench.send(message("M-3", &[stage("S-1", "CANCELED")])).await;
        let said = "DACS refuses CANCELED: message number 30001, the program event cannot be cancelled";
        assert_eq!(bench.acks().pop().unwrap(), format!("{word} M-3=delivered=0;failed=1 S-1={said}"));
        assert_eq!(bench.world.notices.all().len(), 1);
        bench.dacs_answers(200, "{}");
        bench.send(message("M-4", &[stage("S-1", "COMPLETED")])).await;
        assert_eq!(bench.acks().pop().unwrap(), "SUCCESS M-4=delivered=1;failed=0 S-1=COMPLETED");
    }
}

#[tokio::test]
async fn what_a_lookup_does_not_know_is_an_error_of_its_stage_that_names_it() {
    let bench = Bench::new();
    let mut odd = message("M-1", &[stage("S-1", "PAUSED"), stage("S-2", "SCHEDULED")]);
    bench.send(odd.clone()).await;
    assert_eq!(
        bench.acks().pop().unwrap(),
        "ERROR M-1=delivered=1;failed=1 S-1=lookup EventStatus has no entry for \"PAUSED\" S-2=SCHEDULED"
    );
    odd["messageId"] = json!("M-2");
    odd["status"] = json!("STOPPED");
    bench.send(odd).await;
    let reason = "lookup EventStatus has no entry for \"STOPPED\"";
    let all = format!("ERROR M-2=delivered=0;failed=2 S-1={reason} S-2={reason}");
    assert_eq!(bench.acks().pop().unwrap(), all, "perhaps it was meant as a cancel");
}

#[tokio::test]
async fn while_dacs_is_down_messages_wait_and_after_the_limit_they_are_failures() {
    let bench = Bench::new();
    bench.dacs_answers(503, "");
    bench.send(message("M-1", &[stage("S-1", "SCHEDULED")])).await;
    bench.work_for(SignedDuration::from_hours(1)).await;
    assert_eq!(bench.acks(), Vec::<String>::new());
    bench.work_for(SignedDuration::from_hours(24)).await;
    let [ack] = bench.acks().try_into().unwrap();
    assert!(ack.starts_with("FAILURE M-1=delivered=0;failed=1 S-1="), "{ack}");
    bench.dacs_answers(200, "{}");
    bench.send(message("M-1", &[stage("S-1", "SCHEDULED")])).await;
    assert_eq!(bench.acks().pop().unwrap(), "SUCCESS M-1=delivered=1;failed=0 S-1=SCHEDULED", "sent again");
}

#[tokio::test]
async fn above_a_thousand_stages_only_failures_follow() {
    let bench = Bench::new();
    let mut stages: Vec<Value> = (0..1001).map(|number| stage(&format!("S-{number}"), "SCHEDULED")).collect();
    stages[7]["status"] = json!("PAUSED");
    bench.send(message("M-1", &stages)).await;
    bench.work_for(SignedDuration::from_mins(1)).await;
    let reason = "lookup EventStatus has no entry for \"PAUSED\"";
    assert_eq!(bench.acks(), [format!("ERROR M-1=delivered=1000;failed=1 S-7={reason}")]);
}
