use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flow::memory::{Targets, World};
use flow::message::{accept, work};
use flow::ports::{Answer, Method, Payload};
use flow::to_derms::Derms;
use flow::trigger::HttpRequest;
use serde_json::{Value, json};

use super::*;

const TAKEN: &str = r#"{"MsgAck":{"ackType":"SUCCESS","responses":{"response":[]}}}"#;

/// The flow in a world of its own, with this DERMS and a DACS that takes everything.
struct Bench {
    world: World,
    derms: Targets,
    dacs: Targets,
    flow: Flow,
}

impl Bench {
    fn new(derms: Targets) -> Self {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        let programs = "programId,programCode,programExternalIdentifier\n90000001,SUMMER-T,PRG-SUMMER-T\n";
        world.objects.put(flow::memory::CONFIG, "lookups/Program.csv", programs);
        let (dacs, lookups) = (Targets::answering(200, ""), world.lookups(NAME, LOOKUPS));
        let acks = world.sync_request_acks(&lookups, "25.4".parse().unwrap(), dacs.clone());
        let calls = SyncCalls::new(Derms { target: world.target("derms", derms.clone()), lookups }, acks);
        Self { flow: Flow { kit: world.message_kit(NAME, LOOKUPS), calls }, world, derms, dacs }
    }

    async fn post(&self, id: &str, rule: &str) -> u16 {
        let body = json!({
            "syncRequestId": id, "programId": "90000001", "status": "ACTIVE", "timeZone": "America/Chicago",
            "startDate": "2026-05-01", "changeDateTime": "2026-05-01T09:00:00-05:00",
            "rules": [{"ruleId": rule, "ruleType": "PARTICIPATION", "effectiveDate": "2027-01-01"}],
        });
        let request = HttpRequest {
            body: body.to_string().into(),
            content_type: None,
            request_id: id.into(),
            correlation: id.into(),
            path: "/".into(),
            query: Default::default(),
            claims: Default::default(),
        };
        accept(&self.flow.kit, identify::<ProgramRules>, &request).await.status
    }

    /// Works until the queue is empty.
    async fn drain(&self) {
        while self.world.queue.waiting() > 0 {
            let deliveries = self.world.queue.take(10);
            let failed = work(&self.flow.kit, &self.flow.calls, &deliveries, &self.world.invocation("worker")).await;
            for delivery in deliveries.iter().filter(|delivery| !failed.contains(&delivery.message_id)) {
                self.world.queue.remove(delivery.receipt.as_ref().unwrap());
            }
            self.world.clock.advance(Duration::from_secs(60));
        }
    }
}

/// The JSON of every call to a neighbour.
fn bodies(targets: &Targets) -> Vec<Value> {
    let json = |payload| match payload {
        Payload::Json(body) => serde_json::from_slice(&body).unwrap(),
        other => panic!("{other:?}"),
    };
    targets.calls().into_iter().map(|call| json(call.payload)).collect()
}

#[tokio::test]
async fn a_program_is_put_under_its_code_and_its_sync_request_synchronized() {
    let bench = Bench::new(Targets::answering(200, TAKEN));
    assert_eq!(bench.post("10000000000001", "R-1").await, 202);
    bench.drain().await;
    let call = bench.derms.calls().remove(0);
    assert_eq!((call.method, call.path.as_str()), (Method::Put, "/programs/SUMMER-T"));
    assert_eq!(bodies(&bench.dacs), [json!({"hasError": false, "syncRequestId": "10000000000001"})]);
}

#[tokio::test]
async fn a_later_state_of_a_program_never_loses_to_an_earlier_one_that_is_still_being_retried() {
    let refusals = AtomicU32::new(6);
    let derms = Targets::new(move |_| {
        let status = if refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            503
        } else {
            200
        };
        Ok(Answer { status, retry_after: None, body: TAKEN.into() })
    });
    let bench = Bench::new(derms);
    bench.post("10000000000001", "R-1").await;
    bench.post("10000000000002", "R-2").await;
    bench.drain().await;
    let seen: Vec<_> = bodies(&bench.derms).iter().map(|body| body["rules"][0]["ruleId"].clone()).collect();
    assert_eq!(seen.iter().filter(|rule| **rule == "R-1").count(), 7, "six refused, one taken: {seen:?}");
    assert_eq!(seen.last(), Some(&json!("R-2")), "the later state is the last that the DERMS hears");
    let told: Vec<_> = bodies(&bench.dacs).iter().map(|body| body["syncRequestId"].clone()).collect();
    assert_eq!(told, ["10000000000001", "10000000000002"]);
}
