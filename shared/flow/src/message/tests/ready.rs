//! What is made ready while a message is read: how often a message that comes alone waits for the ledger.

use std::sync::Arc;

use domain::aggregator::Aggregator;
use jiff::Timestamp;

use super::*;
use crate::ledger::Ledger;
use crate::lookups::LookupBook;
use crate::memory::{Distant, RuntimeClock, Targets};
use crate::ports::Clock;
use crate::sync_ack::SyncRequestAcks;
use crate::target::{Pacer, TargetClient};
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
    world: World,
    clock: RuntimeClock,
    kit: MessageKit,
    calls: SyncCalls<Aggregator>,
    dacs: Targets,
}

impl Distantly {
    fn new(derms: Targets) -> Self {
        let start: Timestamp = "2026-07-01T10:00:00Z".parse().unwrap();
        let (world, clock) = (World::new(start), RuntimeClock::new(start));
        let ledger = Ledger::new(Arc::new(Distant { table: world.table.clone(), clock: clock.clone(), after: TRIP }));
        let kit = world.message_kit("dacs-derms-aggregators", LOOKUPS);
        let kit = MessageKit { ledger: ledger.clone(), clock: Arc::new(clock.clone()), ..kit };
        let client = |name: &'static str, target: &Targets| {
            let clock: Arc<dyn Clock> = Arc::new(clock.clone());
            let ports = (clock, kit.notifier.clone());
            let pacer = Pacer::new(ledger.clone(), name, 50, "one".into());
            TargetClient::new(name, Arc::new(target.clone()), pacer, ports, Duration::from_secs(20))
        };
        let dacs = Targets::answering(200, "{}");
        let lookups: LookupBook = kit.lookups.clone();
        let acks = world.sync_request_acks(&lookups, "25.4".parse().unwrap(), dacs.clone());
        let acks = SyncRequestAcks { dacs: client("dacs", &dacs), ..acks };
        let calls = SyncCalls::new(Derms { target: client("derms", &derms), lookups }, acks);
        Self { world, clock, kit, calls, dacs }
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
        let (deliveries, began) = (self.world.queue.take(10), self.clock.now());
        let failed = work(&self.kit, &self.calls, &deliveries, &self.world.invocation("one")).await;
        assert_eq!(failed, Vec::<String>::new());
        let took = Duration::try_from(self.clock.now().duration_since(began)).unwrap();
        took.as_millis() / TRIP.as_millis()
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
