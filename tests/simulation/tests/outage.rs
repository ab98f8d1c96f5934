//! "Accepted means delivered": the DERMS is down for ten minutes, 10,000 messages are accepted meanwhile, and when it is
//! back its books are the senders' books, in order per subscription.
//!
//! The real flow over the ports in memory, as Lambda runs it: ten instances take batches of ten from the FIFO queue. Time is
//! the runtime's, which jumps to whoever wakes up next, so that half an hour takes seconds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dacs_derms_enrollment_sync::{Flow, LOOKUPS, NAME};
use flow::Transient;
use flow::ledger::Ledger;
use flow::memory::{Distant, Fifo, RuntimeClock, World};
use flow::ports::{Answer, Call, Clock, Notifier, Payload, Target};
use flow::sync_ack::SyncRequestAcks;
use flow::target::{Pacer, TargetClient};
use flow::to_derms::{Derms, SyncCalls};
use flow::trigger::{HttpRequest, Invocation, Reply, Trigger};
use futures_util::future::{join_all, select};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const MESSAGES: u32 = 10_000;
/// Messages of one subscription, which have an order.
const EACH: u32 = 5;
/// While it lasts, the messages are accepted.
const OUTAGE: Duration = Duration::from_secs(600);
/// Instances of the flow that run at once: the default of the template's parameter.
const INSTANCES: u32 = 10;
/// How far away the ledger is: whoever reads and writes is overtaken by others.
const AWAY: Duration = Duration::from_millis(5);
/// What a call takes.
const LATENCY: Duration = Duration::from_millis(50);
/// Calls a second to either system: the default of the template's parameters.
const RATE: u32 = 50;
/// The last acknowledgement comes within this time after the outage, or something goes in circles.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What a system was told, by key: the messages on which it acted, in order. One that is told again is there again.
type Books = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// The DERMS: down at first. Calls that are on their way when it goes down, as when it was up a moment before, take effect
/// and get no answer; so does one in a hundred in its first minute after the outage.
struct DermsModel {
    clock: RuntimeClock,
    start: Timestamp,
    books: Books,
    calls: Mutex<u64>,
}

#[async_trait]
impl Target for DermsModel {
    async fn call(&self, call: &Call, _: Duration) -> Result<Answer, Transient> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        self.clock.sleep(LATENCY).await;
        let since = Duration::try_from(self.clock.now().duration_since(self.start)).unwrap();
        // The first ten calls found it up: they were on their way when it went down.
        let is_up = since >= OUTAGE || number <= 10;
        if !is_up {
            // Half of the time nobody listens, half of the time a gateway says so.
            if number % 2 == 0 {
                return Err(Transient::new("connection refused"));
            }
            return Ok(Answer { status: 503, retry_after: None, body: Default::default() });
        }
        let Payload::Json(body) = &call.payload else { panic!("no JSON") };
        let body: Value = serde_json::from_slice(body).unwrap();
        let id = text(&body, "/dacsMessageId");
        let key = text(&body, "/subscriptionInfo/subscriptionId");
        self.books.lock().unwrap().entry(key).or_default().push(id.clone());
        let shaky = since < OUTAGE + Duration::from_secs(60) && number % 100 == 0;
        if number <= 10 || shaky {
            return Err(Transient::new("the answer was lost"));
        }
        let response = json!({"id": id, "value": "taken", "responseCode": "SUCCESS", "dacsMessageId": id});
        let ack =
            json!({"ackType": "SUCCESS", "whenISO": "2026-07-01T18:00:00.000Z", "responses": {"response": [response]}});
        Ok(Answer { status: 200, retry_after: None, body: json!({ "MsgAck": ack }).to_string().into() })
    }
}

/// DACS: which sync requests it was told of.
struct DacsModel {
    clock: RuntimeClock,
    books: Books,
}

#[async_trait]
impl Target for DacsModel {
    async fn call(&self, call: &Call, _: Duration) -> Result<Answer, Transient> {
        self.clock.sleep(LATENCY).await;
        let Payload::Json(body) = &call.payload else { panic!("no JSON") };
        let body: Value = serde_json::from_slice(body).unwrap();
        let told = if body.pointer("/hasError") == Some(&json!(false)) { "Synchronized" } else { "Error" };
        self.books.lock().unwrap().entry(text(&body, "/syncRequestId")).or_default().push(told.into());
        Ok(Answer { status: 200, retry_after: None, body: Default::default() })
    }
}

fn text(body: &Value, pointer: &str) -> String {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {body}")).to_owned()
}

/// Everything that the instances share.
struct Stage {
    world: World,
    clock: RuntimeClock,
    queue: Fifo,
    derms: Arc<DermsModel>,
    dacs: Arc<DacsModel>,
}

impl Stage {
    fn new() -> Self {
        let start = "2026-07-01T10:00:00Z".parse().unwrap();
        let clock = RuntimeClock::new(start);
        // The visibility timeout of the template.
        let queue = Fifo::new(Arc::new(clock.clone()), Duration::from_secs(70));
        let derms = DermsModel { clock: clock.clone(), start, books: Books::default(), calls: Mutex::default() };
        let dacs = DacsModel { clock: clock.clone(), books: Books::default() };
        Self { world: World::new(start), clock, queue, derms: Arc::new(derms), dacs: Arc::new(dacs) }
    }

    /// An instance of the function.
    fn flow(&self, owner: &str) -> Flow {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let notifier: Arc<dyn Notifier> = Arc::new(self.world.notices.clone());
        let table = Distant { table: self.world.table.clone(), clock: self.clock.clone(), after: AWAY };
        let ledger = Ledger::new(Arc::new(table));
        let client = |name: &'static str, target: Arc<dyn Target>| {
            let pacer = Pacer::new(ledger.clone(), name, RATE, owner.to_owned());
            TargetClient::new(name, target, pacer, (clock.clone(), notifier.clone()), Duration::from_secs(20))
        };
        let mut kit = self.world.message_kit(NAME, LOOKUPS);
        (kit.ledger, kit.clock, kit.queue) = (ledger.clone(), clock.clone(), Arc::new(self.queue.clone()));
        let acks = SyncRequestAcks {
            dacs: client("dacs", self.dacs.clone()),
            release: "25.4".parse().unwrap(),
            exception: Default::default(),
            lookups: kit.lookups.clone(),
        };
        let derms = Derms { target: client("derms", self.derms.clone()), lookups: kit.lookups.clone() };
        Flow { calls: SyncCalls::new(derms, acks), kit }
    }

    fn invocation(&self, owner: String) -> Invocation {
        let deadline = self.clock.now().checked_add(SignedDuration::from_secs(60)).unwrap();
        Invocation { deadline, correlation: owner.clone(), owner }
    }

    /// DACS posts its messages, evenly over the outage, those of a subscription one after the other.
    async fn accept_all(&self) {
        let door = self.flow("door");
        for number in 0..MESSAGES {
            let request = HttpRequest {
                body: body(number).into(),
                content_type: Some("application/json".into()),
                request_id: format!("request-{number}"),
                correlation: format!("request-{number}"),
                path: "/v1/dacs/enrollment-sync".into(),
                query: BTreeMap::new(),
                claims: BTreeMap::new(),
            };
            let reply = door.handle(Trigger::Http(request), self.invocation(format!("door-{number}"))).await.unwrap();
            let Reply::Http(reply) = reply else { panic!("no answer") };
            assert_eq!(reply.status, 202, "message {number}");
            let next = OUTAGE * (number + 1) / (MESSAGES + 1);
            let since = Duration::try_from(self.clock.now().duration_since(self.derms.start)).unwrap();
            self.clock.sleep(next.saturating_sub(since)).await;
        }
    }

    /// Lambda: one instance takes batch after batch.
    async fn work(&self, instance: u32) {
        let flow = self.flow(&format!("instance-{instance}"));
        for turn in 0_u64.. {
            let deliveries = self.queue.take(10);
            if deliveries.is_empty() {
                self.clock.sleep(Duration::from_millis(500)).await;
                continue;
            }
            let invocation = self.invocation(format!("{instance}-{turn}"));
            let reply = flow.handle(Trigger::Queue(deliveries.clone()), invocation).await.unwrap();
            let Reply::Batch { failed } = reply else { panic!("no batch") };
            for delivery in deliveries.iter().filter(|delivery| !failed.contains(&delivery.message_id)) {
                self.queue.remove(delivery.receipt.as_ref().unwrap());
            }
        }
    }

    /// Until nothing waits in the queue any more.
    async fn all_delivered(&self) {
        while self.queue.waiting() > 0 {
            let since = Duration::try_from(self.clock.now().duration_since(self.derms.start)).unwrap();
            assert!(since < OUTAGE + PATIENCE, "{} messages wait", self.queue.waiting());
            self.clock.sleep(Duration::from_secs(5)).await;
        }
    }
}

fn subscription(number: u32) -> String {
    format!("S-{:05}", number % (MESSAGES / EACH))
}

fn sync_request(number: u32) -> String {
    format!("1{number:013}")
}

fn body(number: u32) -> String {
    json!({"sendDetails": {
        "syncRequestId": sync_request(number), "action": "ENROLL",
        "contactInfo": {"contactId": "C-1001", "cisPersonId": "P-5001"},
        "subscriptionInfo": {
            "subscriptionId": subscription(number), "cisAccountId": "A-3001", "subscriptionType": "DEVICE_CONTROL",
            "status": "ACTIVE", "programId": "90000001", "programCode": "SUMMER-T",
            "startDateTime": "2026-06-01T00:00:00-05:00",
        },
        "locationInfo": {
            "division": "NORTH", "servicePointId": "SP-2001", "cisPremiseId": "PR-4001", "cisServicePointId": "CSP-6001",
            "deviceLocationId": "DL-8001", "controllableDevices": [],
        },
    }})
    .to_string()
}

/// What the books must say: of each key its messages, once, in the order in which they were accepted.
fn wanted() -> BTreeMap<String, Vec<String>> {
    let mut wanted = BTreeMap::<_, Vec<String>>::new();
    for number in 0..MESSAGES {
        wanted.entry(subscription(number)).or_default().push(sync_request(number));
    }
    wanted
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_messages_accepted_while_the_derms_is_down_reach_it_in_order_and_hardly_any_twice() {
    let stage = Stage::new();
    let workers = join_all((0..INSTANCES).map(|instance| stage.work(instance)));
    let story = async {
        stage.accept_all().await;
        let derms = stage.derms.books.lock().unwrap().values().map(Vec::len).sum::<usize>();
        assert!(stage.clock.now() < stage.derms.start + OUTAGE && derms <= 10, "accepted while it was down");
        stage.all_delivered().await;
    };
    let (story, workers) = (Box::pin(story), Box::pin(workers));
    select(story, workers).await;

    let books = stage.derms.books.lock().unwrap().clone();
    let acted: usize = books.values().map(Vec::len).sum();
    let mut once = books;
    once.values_mut().for_each(|messages| messages.dedup());
    assert!(once == wanted(), "by key, each message once, in order; a repeat directly after its first");
    let effects = usize::try_from(MESSAGES).unwrap();
    assert!(acted * 100 <= effects * 105, "{acted} calls on which it acted, {effects} effects");
    assert!(acted > effects, "answers were lost: some calls had to be made again");
    let told = stage.dacs.books.lock().unwrap().clone();
    assert_eq!(told.len(), effects);
    let ends: BTreeSet<_> = told.values().flatten().cloned().collect();
    assert_eq!(ends, BTreeSet::from(["Synchronized".to_owned()]));
    let calls: usize = told.values().map(Vec::len).sum();
    assert!(calls * 100 <= effects * 105, "{calls} calls to DACS");
    let late = stage.clock.now().duration_since(stage.derms.start) - SignedDuration::try_from(OUTAGE).unwrap();
    println!("delivered {} s after the outage, {acted} calls acted upon", late.as_secs());
}
