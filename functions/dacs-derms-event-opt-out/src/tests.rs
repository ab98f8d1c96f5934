use std::time::Duration;

use domain::stage::Terms;
use flow::ledger::message::{Message, MessageState};
use flow::memory::{Targets, World};
use flow::message::{accept, work};
use flow::ports::{Clock, Write};
use flow::to_derms::Derms;
use flow::trigger::HttpRequest;

use super::*;

const MESSAGE: &[u8] = include_bytes!("../../../events/dacs-derms-event-opt-out/examples/valid-opt-out.json");

/// The flow with this DERMS; its message has been accepted.
struct Bench {
    world: World,
    flow: Flow,
}

impl Bench {
    async fn new(status: u16, answer: &'static str) -> Self {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        let target = world.target("derms", Targets::answering(status, answer));
        let derms = OneWayCalls::new(Derms { target, lookups: world.lookups(NAME, LOOKUPS) });
        let calls = Calls { derms, stages: world.ledger() };
        let bench = Self { flow: Flow { kit: world.message_kit(NAME, LOOKUPS), calls }, world };
        let request = HttpRequest {
            body: MESSAGE.into(),
            content_type: None,
            request_id: "one".into(),
            correlation: "one".into(),
            path: "/".into(),
            query: Default::default(),
            claims: Default::default(),
        };
        assert_eq!(accept(&bench.flow.kit, identify::<EventOptOut>, &request).await.status, 202);
        bench
    }

    /// The stage of the message starts then.
    async fn stage_starts(&self, start: &str) {
        let message: EventOptOut = stored(MESSAGE).unwrap();
        let terms = Terms {
            program_code: "SUMMER-T".parse().unwrap(),
            category: "X1EC".into(),
            start: start.parse().unwrap(),
            end: "2026-07-02T00:00:00Z".parse().unwrap(),
        };
        let stage = Stage::new(message.event_id.clone(), message.stage_id.clone(), terms);
        let key = Stage::key(&message.event_id, &message.stage_id);
        let write = Write::put(key, &stage, None, None).unwrap();
        self.world.ledger().commit(&[write]).await.unwrap();
    }

    /// Works until the message has ended; its state, reason, and the hours that it took.
    async fn ended(&self) -> (MessageState, String, i64) {
        let begun = self.world.clock.now();
        while self.world.queue.waiting() > 0 {
            let deliveries = self.world.queue.take(10);
            let failed = work(&self.flow.kit, &self.flow.calls, &deliveries, &self.world.invocation("worker")).await;
            for delivery in deliveries.iter().filter(|delivery| !failed.contains(&delivery.message_id)) {
                self.world.queue.remove(delivery.receipt.as_ref().unwrap());
            }
            self.world.clock.advance(Duration::from_secs(300));
        }
        let message = self.world.ledger().get::<Message>(&Message::key(NAME, "C-50002")).await.unwrap().unwrap().value;
        let hours = self.world.clock.now().duration_since(begun).as_hours();
        (message.state, message.reason.unwrap_or_default(), hours)
    }
}

#[tokio::test]
async fn an_opt_out_that_the_derms_takes_is_delivered() {
    let bench = Bench::new(200, r#"{"MsgAck":{"ackType":"SUCCESS","responses":{"response":[]}}}"#).await;
    assert_eq!(bench.ended().await.0, MessageState::Delivered);
    assert!(bench.world.notices.all().is_empty());
}

#[tokio::test]
async fn a_refused_opt_out_is_a_notification_with_the_reason_of_the_derms() {
    let refused = r#"{"MsgAck":{"ackType":"ERROR","responses":{"response":[{"value":"after the cut-off","responseCode":"ERROR"}]}}}"#;
    let bench = Bench::new(200, refused).await;
    let (state, reason, _) = bench.ended().await;
    assert_eq!((state, reason.as_str()), (MessageState::Refused, "the DERMS refused the message: after the cut-off"));
    let notices = bench.world.notices.all();
    assert!(notices.len() == 1 && notices[0].text.contains("after the cut-off"), "{notices:?}");
}

#[tokio::test]
async fn an_opt_out_that_cannot_be_delivered_is_given_up_when_its_stage_starts() {
    let bench = Bench::new(503, "").await;
    bench.stage_starts("2026-07-01T13:30:00Z").await;
    let (state, _, hours) = bench.ended().await;
    assert_eq!((state, hours), (MessageState::Failed, 3));
}

#[tokio::test]
async fn an_opt_out_from_a_stage_that_nobody_has_told_of_is_tried_until_the_limit() {
    let bench = Bench::new(503, "").await;
    let (state, _, hours) = bench.ended().await;
    assert_eq!((state, hours), (MessageState::Failed, 24));
}
