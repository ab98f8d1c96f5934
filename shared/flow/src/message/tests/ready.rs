//! What is made ready while a message is read: how often a message that comes alone waits for the ledger.

use domain::aggregator::Aggregator;

use super::*;
use crate::memory::{FarLedger, Targets};
use crate::ports::Clock;
use crate::sync_ack::SyncRequestAcks;
use crate::to_derms::{self, Derms, SyncCalls};

/// What the ledger takes for each thing that is asked of it.
const TRIP: Duration = Duration::from_millis(10);
const LOOKUPS: &[&str] = &["DacsMessages", "HeadEndSystem", "Routing", "Targets"];
const MESSAGE: &str = r#"{"syncRequestId":"10000000000001","action":"ADD","aggregatorId":"AGG-7","name":"Bright Homes",
    "headEndSystem":"HES-NORTH","status":"ACTIVE","effectiveDate":"2026-05-01","changeDateTime":"2026-04-20T09:00:00-05:00"}"#;
const SUCCESS: &str = r#"{"MsgAck":{"ackType":"SUCCESS","whenISO":"2026-07-01T10:00:00.000Z","responses":{"response":[{
    "id":"10000000000001","value":"","responseCode":"SUCCESS","responseTimeISO":"2026-07-01T10:00:00.000Z"}]}}}"#;

/// A flow to a DERMS that answers so, over a ledger that is far away.
struct Distantly {
    far: FarLedger,
    kit: MessageKit,
    calls: SyncCalls<Aggregator>,
    dacs: Targets,
}

impl Distantly {
    fn new(derms: Targets) -> Self {
        let far = FarLedger::new("2026-07-01T10:00:00Z".parse().unwrap(), TRIP);
        let kit = far.message_kit("dacs-derms-aggregators", LOOKUPS);
        let (dacs, lookups) = (Targets::answering(200, "{}"), kit.lookups.clone());
        let acks = far.world.sync_request_acks(&lookups, "25.4".parse().unwrap(), dacs.clone());
        let acks = SyncRequestAcks { dacs: far.target("dacs", &dacs), ..acks };
        let calls = SyncCalls::new(Derms { target: far.target("derms", &derms), lookups }, acks);
        Self { far, kit, calls, dacs }
    }

    /// How often the worker waited for the ledger until the message had its end.
    async fn trips(&self) -> u128 {
        let request = HttpRequest {
            body: Bytes::from_static(MESSAGE.as_bytes()),
            content_type: None,
            request_id: "one".into(),
            correlation: "one".into(),
            path: "/".into(),
            query: Default::default(),
            claims: Default::default(),
        };
        let reply = accept(&self.kit, to_derms::identify::<Aggregator>, &request).await;
        assert_eq!(reply.status, 202, "{}", reply.body);
        let (deliveries, began) = (self.far.world.queue.take(10), self.far.clock.now());
        let failed = work(&self.kit, &self.calls, &deliveries, &self.far.world.invocation("one")).await;
        assert_eq!(failed, Vec::<String>::new());
        self.far.trips_since(began)
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_which_both_sides_are_told_waits_for_the_ledger_three_times() {
    let flow = Distantly::new(Targets::answering(200, SUCCESS));
    assert_eq!(flow.trips().await, 3, "read, a slot of DACS, ended; the slot of the DERMS was reserved meanwhile");
    assert_eq!(flow.dacs.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_which_one_side_is_told_waits_for_the_ledger_twice() {
    let flow = Distantly::new(Targets::answering(202, ""));
    assert_eq!(flow.trips().await, 2, "read, ended");
    assert_eq!(flow.dacs.calls().len(), 0);
}
