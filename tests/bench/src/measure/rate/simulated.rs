//! The same in simulated time: the kit's code over ports in memory, in a runtime whose clock jumps to whoever wakes
//! up next. So a million records take minutes, and the figures do not depend on what else the machine does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::enrollment_ack_file::AckSheet;
use domain::sync_request::ExceptionCode;
use flow::Transient;
use flow::file::{FileToCalls, ToCallsFlow};
use flow::ledger::Ledger;
use flow::memory::{Distant, RuntimeClock, World};
use flow::ports::{Answer, Call, Clock, Notifier, ObjectRef, Target};
use flow::sync_ack::{self, LOOKUPS, SyncRequestAcks};
use flow::target::{Pacer, TargetClient};
use flow::trigger::{Invocation, Reply, Trigger};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};

use super::{CALLS, LATENCY, LIMIT, Scene};
use crate::Fault;
use crate::content::{Content, Kind};
use crate::function::ACK_FILES as NAME;

/// What a read or a write of the ledger takes.
const LEDGER: Duration = Duration::from_millis(5);
/// What a call of DACS ends after, as the functions are wired.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// What an invocation may take.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(120);

/// When calls came, of all files of `scene`.
///
/// # Errors
/// When not every record was taken once.
pub(super) fn play(scene: &Scene) -> Result<Vec<Duration>, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let simulated = Simulated::new();
        let files: Vec<ObjectRef> = (0..scene.files).map(|number| simulated.file(scene, number)).collect();
        let instances = (0..scene.instances).zip(files.iter().cycle());
        try_join_all(instances.map(|(number, file)| simulated.work(number, file))).await?;
        simulated.check(scene, &files)
    })
}

struct Simulated {
    world: World,
    clock: RuntimeClock,
    dacs: Dacs,
}

impl Simulated {
    fn new() -> Self {
        let start = Timestamp::UNIX_EPOCH;
        let clock = RuntimeClock::new(start);
        Self { world: World::new(start), dacs: Dacs { clock: clock.clone(), arrivals: Arc::default() }, clock }
    }

    fn file(&self, scene: &Scene, number: u64) -> ObjectRef {
        let content = Arc::new(Content::numbered(Kind::EnrollmentAck, number, scene.records / scene.files));
        let bytes: Vec<u8> = content.range(0, u64::MAX).flatten().collect();
        self.world.objects.put("ouai-outbox", &format!("enrollment-ack/ACK_{number}.csv"), bytes)
    }

    /// An instance of the flow, over memory.
    fn flow(&self, number: u64) -> Result<ToCallsFlow, Fault> {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let notifier: Arc<dyn Notifier> = Arc::new(self.world.notices.clone());
        let distant = Distant { table: self.world.table.clone(), clock: self.clock.clone(), after: LEDGER };
        let ledger = Ledger::new(Arc::new(distant));
        let pacer = Pacer::new(ledger.clone(), "dacs", u32::try_from(LIMIT)?, number.to_string());
        let dacs = Arc::new(self.dacs.clone());
        let mut kit = self.world.file_kit(NAME, LOOKUPS);
        kit.in_order = false;
        kit.ledger = ledger;
        kit.clock = clock.clone();
        let exception = ExceptionCode::new(90_000, 1)?;
        let acks = SyncRequestAcks {
            dacs: TargetClient::new("dacs", dacs, pacer, (clock, notifier), CALL_TIMEOUT),
            release: "25.4".parse()?,
            exception,
            lookups: kit.lookups.clone(),
        };
        let to_calls = FileToCalls {
            open: Box::new(move |header, lookups, _| {
                let sheet = AckSheet::open(header, &lookups.spelling("enrollment-ack"))?;
                Ok(Box::new(move |record| {
                    let row = sheet.read(record)?;
                    Ok(sync_ack::row(row.key(), &row.acknowledge(exception)))
                }))
            }),
            rows_per_call: 1,
            side_by_side: usize::try_from(CALLS)?,
            target: Arc::new(acks),
            gate: None,
            ack: None,
            is_answer: true,
        };
        Ok(ToCallsFlow { kit, to_calls })
    }

    /// One instance with one file, invocation after invocation.
    async fn work(&self, number: u64, file: &ObjectRef) -> Result<(), Fault> {
        let flow = self.flow(number)?;
        for turn in 0.. {
            let deadline = self.clock.now().checked_add(TIMEOUT)?;
            let owner = format!("{number}-{turn}");
            let invocation = Invocation { deadline, correlation: owner.clone(), owner };
            let trigger = Trigger::Queue(vec![self.world.notification(file)]);
            if matches!(flow.handle(trigger, invocation).await?, Reply::Batch { failed } if failed.is_empty()) {
                break;
            }
            self.clock.sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    fn check(&self, scene: &Scene, files: &[ObjectRef]) -> Result<Vec<Duration>, Fault> {
        let runs = files.iter().filter_map(|file| self.world.run(NAME, file));
        let delivered: u64 = runs.map(|run| run.counts.delivered).sum();
        let arrivals = self.dacs.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let records = scene.records / scene.files * scene.files;
        if delivered != records || u64::try_from(arrivals.len())? != records {
            return Err(format!("{} calls, {delivered} of {records} delivered", arrivals.len()).into());
        }
        Ok(arrivals)
    }
}

/// DACS, which takes everything.
#[derive(Clone)]
struct Dacs {
    clock: RuntimeClock,
    arrivals: Arc<Mutex<Vec<Duration>>>,
}

#[async_trait]
impl Target for Dacs {
    async fn call(&self, _: &Call, _: Duration) -> Result<Answer, Transient> {
        let since = self.clock.now().duration_since(Timestamp::UNIX_EPOCH);
        let since = Duration::try_from(since).unwrap_or_default();
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(since);
        self.clock.sleep(LATENCY).await;
        Ok(Answer { status: 200, retry_after: None, body: Bytes::from_static(b"{}") })
    }
}

#[cfg(test)]
mod tests {
    use super::super::windows::{mean_after, most_in_a_second};
    use super::*;

    fn held(files: u64, instances: u64) {
        let scene = Scene { name: "", files, instances, records: 12_000, pauses: false };
        let times = play(&scene).unwrap();
        let mean = mean_after(&times, Duration::from_secs(10));
        assert!(most_in_a_second(&times) <= 202 && mean >= 190_000, "{} {mean}", most_in_a_second(&times));
    }

    #[test]
    fn the_rate_holds_for_one_file() {
        held(1, 1);
    }

    #[test]
    fn the_rate_holds_for_two_files_that_are_given_to_four_instances() {
        held(2, 4);
    }

    #[test]
    fn the_rate_holds_for_four_files_on_four_instances() {
        held(4, 4);
    }
}
