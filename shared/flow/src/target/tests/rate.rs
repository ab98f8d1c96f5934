use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{join, join_all};
use jiff::{SignedDuration, Timestamp};

use crate::Transient;
use crate::ledger::Ledger;
use crate::memory::{self, Distant, Notices, RuntimeClock, Table};
use crate::ports::{Answer, Call, Clock, Method, Notifier, Payload, Target};
use crate::target::{Pacer, TargetClient};

const RATE: u32 = 200;
const LATENCY: Duration = Duration::from_millis(50);
/// What the ledger takes.
const TRIP: Duration = Duration::from_millis(10);

/// A neighbour that needs [`LATENCY`] and asks everybody to wait while it is refusing.
#[derive(Clone)]
struct Neighbour {
    clock: RuntimeClock,
    /// When calls came, in milliseconds.
    arrivals: Arc<Mutex<Vec<i64>>>,
    refuses: (i64, i64),
}

#[async_trait]
impl Target for Neighbour {
    async fn call(&self, _: &Call, _: Duration) -> Result<Answer, Transient> {
        let now = self.clock.now().as_millisecond();
        self.arrivals.lock().unwrap().push(now);
        self.clock.sleep(LATENCY).await;
        let left = if (self.refuses.0..self.refuses.1).contains(&now) { self.refuses.1 - now } else { 0 };
        let pause = Duration::from_millis(u64::try_from(left).unwrap());
        let answer = Answer { status: 200, retry_after: None, body: Bytes::new() };
        Ok(if left > 0 { Answer { status: 429, retry_after: Some(pause), ..answer } } else { answer })
    }
}

struct World {
    clock: RuntimeClock,
    table: Table,
    neighbour: Neighbour,
}

impl World {
    fn new(refuses: (i64, i64)) -> Self {
        let clock = RuntimeClock::new(Timestamp::UNIX_EPOCH);
        let neighbour = Neighbour { clock: clock.clone(), arrivals: Arc::default(), refuses };
        Self { clock, table: Table::default(), neighbour }
    }

    fn client(&self, owner: usize) -> Arc<TargetClient> {
        let distant = Distant { table: self.table.clone(), clock: self.clock.clone(), after: TRIP };
        let ledger = Ledger::new(Arc::new(distant));
        let pacer = Pacer::new(ledger, "dacs", RATE, owner.to_string());
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let notifier: Arc<dyn Notifier> = Arc::new(Notices::default());
        let ports = (clock, notifier);
        Arc::new(TargetClient::new("dacs", Arc::new(self.neighbour.clone()), pacer, ports, Duration::from_secs(20)))
    }

    /// `instances` of forty callers each call as fast as they may, for so long; when the calls came.
    async fn calls(&self, instances: usize, seconds: i64) -> Vec<i64> {
        let end = Timestamp::from_second(seconds).unwrap();
        let deadline = end.saturating_add(SignedDuration::from_hours(1)).unwrap();
        let callers = (0..instances).flat_map(|owner| vec![self.client(owner); 40]).map(|client| async move {
            while self.clock.now() < end {
                client.call(&call(), deadline).await.unwrap();
            }
        });
        join_all(callers).await;
        self.neighbour.arrivals.lock().unwrap().clone()
    }

    /// The same, where each caller reads something of the ledger first, and makes ready meanwhile.
    async fn calls_made_ready(&self, instances: usize, seconds: i64) -> Vec<i64> {
        let end = Timestamp::from_second(seconds).unwrap();
        let deadline = end.saturating_add(SignedDuration::from_hours(1)).unwrap();
        let lookups = &memory::World::new(Timestamp::UNIX_EPOCH).lookups("a-flow", &[]);
        let callers = (0..instances).flat_map(|owner| vec![self.client(owner); 40]).map(|client| async move {
            while self.clock.now() < end {
                join(self.clock.sleep(TRIP), client.make_ready(lookups, deadline)).await;
                client.call(&call(), deadline).await.unwrap();
            }
        });
        join_all(callers).await;
        self.neighbour.arrivals.lock().unwrap().clone()
    }
}

fn call() -> Call {
    Call { method: Method::Post, path: "/".into(), payload: Payload::Empty, correlation: "one".into() }
}

fn within(arrivals: &[i64], from: i64, to: i64) -> i64 {
    i64::try_from(arrivals.iter().filter(|at| (from..to).contains(*at)).count()).unwrap()
}

fn most_in_a_second(arrivals: &[i64]) -> i64 {
    arrivals.iter().map(|at| within(arrivals, *at, at + 1000)).max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn any_second_is_within_the_limit_and_the_rate_is_used_by_one_and_by_four() {
    for instances in [1, 4] {
        let arrivals = World::new((0, 0)).calls(instances, 25).await;
        let most = most_in_a_second(&arrivals);
        assert!(most <= 202, "{instances}: {most} in a second");
        let mean = within(&arrivals, 10_000, 25_000) / 15;
        assert!(mean >= 190, "{instances}: {mean} a second");
    }
}

#[tokio::test(start_paused = true)]
async fn slots_that_are_made_ready_keep_to_the_limit_and_use_it() {
    for instances in [1, 4] {
        let arrivals = World::new((0, 0)).calls_made_ready(instances, 25).await;
        let most = most_in_a_second(&arrivals);
        assert!(most <= 202, "{instances}: {most} in a second");
        let mean = within(&arrivals, 10_000, 25_000) / 15;
        assert!(mean >= 190, "{instances}: {mean} a second");
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_pause_no_slot_is_used_that_was_made_ready_before() {
    let (begin, end) = (5_000, 10_000);
    let arrivals = World::new((begin, end)).calls_made_ready(4, 13).await;
    assert_eq!(within(&arrivals, begin + 100, end), 0);
    assert!(within(&arrivals, end + 1000, end + 2000) >= 190);
    assert!(most_in_a_second(&arrivals) <= 202);
}

#[tokio::test(start_paused = true)]
async fn in_a_pause_only_those_call_that_could_not_know_and_then_all_are_back() {
    let (begin, end) = (5_000, 10_000);
    let arrivals = World::new((begin, end)).calls(4, 13).await;
    // The first refusal is heard after 50 ms, and the ledger needs some writes of 10 ms to carry it.
    assert_eq!(within(&arrivals, begin + 100, end), 0);
    assert!((1..=20).contains(&within(&arrivals, begin, end)));
    assert!(within(&arrivals, end + 1000, end + 2000) >= 190);
    assert!(most_in_a_second(&arrivals) <= 202);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_no_failure_however_often_it_is_asked_for() {
    let world = World::new((0, 60_000));
    let client = world.client(1);
    let answer = client.call(&call(), Timestamp::from_second(120).unwrap()).await.unwrap();
    assert_eq!((answer.status, world.clock.now().as_second()), (200, 60));
}

#[tokio::test(start_paused = true)]
async fn no_call_begins_that_could_outlive_the_invocation() {
    let world = World::new((0, 0));
    let fault = world.client(1).call(&call(), Timestamp::from_second(15).unwrap()).await.unwrap_err();
    assert!(fault.chain().contains("not to be called before"), "{}", fault.chain());
    assert_eq!(world.neighbour.arrivals.lock().unwrap().len(), 0);
}
