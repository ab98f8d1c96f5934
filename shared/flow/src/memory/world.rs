use std::sync::Arc;
use std::time::Duration;

use domain::lookups::Target;
use domain::sync_request::{DacsRelease, ExceptionCode};
use jiff::Timestamp;

use super::{Fifo, ManualClock, Notices, Objects, Reports, Table, Targets};
use crate::Transient;
use crate::file::{FileKit, FileToFile, Limits, OpenSheet, RejectStore, ToFileFlow};
use crate::ledger::Ledger;
use crate::ledger::open::{Matter, Open};
use crate::ledger::run::{Run, RunId};
use crate::lookups::LookupBook;
use crate::message::{BodyStore, Context, MessageKit};
use crate::ports::{Clock, Notifier, ObjectRef, Source};
use crate::sync_ack::SyncRequestAcks;
use crate::target::{Installations, Pacer, TargetClient};
use crate::trigger::{Delivery, Invocation, Reply, Trigger};
use crate::watch::{WatchKit, WatchLimits};

/// A whole platform in memory: one of each port, and kits for flows over them.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: ManualClock,
    /// All buckets.
    pub objects: Objects,
    /// The ledger's table.
    pub table: Table,
    /// The queue of the flow under test.
    pub queue: Fifo,
    /// What people were told.
    pub notices: Notices,
    /// What was logged.
    pub reports: Reports,
}

/// The bucket for rejects.
pub const REJECTS: &str = "rejects";
/// The bucket for large message bodies.
pub const BODIES: &str = "bodies";
/// The bucket for lookups.
pub const CONFIG: &str = "config";

impl World {
    /// An empty world at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        let clock = ManualClock::new(start);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        Self {
            clock,
            objects: Objects::new(shared.clone()),
            table: Table::default(),
            queue: Fifo::new(shared, Duration::from_secs(130)),
            notices: Notices::default(),
            reports: Reports::default(),
        }
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::new(Arc::new(self.table.clone()))
    }

    /// The lookups `names` of `flow`.
    #[must_use]
    pub fn lookups(&self, flow: &'static str, names: &'static [&'static str]) -> LookupBook {
        let source: Arc<dyn Source> = Arc::new(self.objects.clone());
        let notifier: Arc<dyn Notifier> = Arc::new(self.notices.clone());
        LookupBook::new(flow, names, (CONFIG.into(), source), self.ledger(), (notifier, Arc::new(self.clock.clone())))
    }

    /// The bucket for rejects, as flows have it.
    fn rejects(&self) -> RejectStore {
        RejectStore {
            bucket: REJECTS.into(),
            outlet: Arc::new(self.objects.outlet(REJECTS)),
            source: Arc::new(self.objects.clone()),
        }
    }

    /// The kit of a file flow.
    #[must_use]
    pub fn file_kit(&self, flow: &'static str, lookups: &'static [&'static str]) -> FileKit {
        FileKit {
            flow,
            in_order: true,
            ledger: self.ledger(),
            source: Arc::new(self.objects.clone()),
            rejects: self.rejects(),
            queue: Arc::new(self.queue.clone()),
            notifier: Arc::new(self.notices.clone()),
            telemetry: Arc::new(self.reports.clone()),
            clock: Arc::new(self.clock.clone()),
            lookups: self.lookups(flow, lookups),
            limits: Limits::default(),
        }
    }

    /// A file → file flow into `inbox`.
    #[must_use]
    pub fn to_file_flow(
        &self,
        flow: &'static str,
        lookups: &'static [&'static str],
        open: OpenSheet,
        inbox: &str,
    ) -> ToFileFlow {
        let outlet = Arc::new(self.objects.outlet(inbox));
        ToFileFlow { kit: self.file_kit(flow, lookups), to_file: FileToFile::into_inbox(open, inbox, outlet) }
    }

    /// Drops a file and lets `flow` handle its event once; what stands under its key in the inbox then.
    ///
    /// # Errors
    /// [`Transient`] when the run is not settled after that.
    pub async fn drop_into(&self, flow: &ToFileFlow, key: &str, text: &str) -> Result<Option<String>, Transient> {
        let object = self.objects.put("outbox", key, text.to_owned());
        let trigger = Trigger::Queue(vec![self.notification(&object)]);
        match flow.handle(trigger, self.invocation("one")).await? {
            Reply::Batch { failed } if failed.is_empty() => {}
            _ => return Err(Transient::new("the run is not settled after one attempt")),
        }
        let arrived = self.objects.bytes(&flow.to_file.inbox_bucket, key);
        Ok(arrived.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The kit of a message flow.
    #[must_use]
    pub fn message_kit(&self, flow: &'static str, lookups: &'static [&'static str]) -> MessageKit {
        MessageKit {
            flow,
            ledger: self.ledger(),
            bodies: BodyStore {
                bucket: BODIES.into(),
                outlet: Arc::new(self.objects.outlet(BODIES)),
                source: Arc::new(self.objects.clone()),
            },
            queue: Arc::new(self.queue.clone()),
            notifier: Arc::new(self.notices.clone()),
            telemetry: Arc::new(self.reports.clone()),
            clock: Arc::new(self.clock.clone()),
            lookups: self.lookups(flow, lookups),
            retry_limit: jiff::SignedDuration::from_hours(24),
        }
    }

    /// What the duties of [`crate::watch`] work with, at the limits of the contract.
    #[must_use]
    pub fn watch_kit(&self) -> WatchKit {
        WatchKit {
            ledger: self.ledger(),
            notifier: Arc::new(self.notices.clone()),
            publisher: Arc::new(self.notices.clone()),
            telemetry: Arc::new(self.reports.clone()),
            clock: Arc::new(self.clock.clone()),
            lookups: self.lookups("watch", &["ExpectedFiles"]),
            rejects: self.rejects(),
            limits: WatchLimits {
                hold: jiff::SignedDuration::from_hours(72),
                derms_ack: jiff::SignedDuration::from_hours(1),
                ouai_ack: jiff::SignedDuration::from_hours(24),
            },
        }
    }

    /// The open matters of `flow`: what is waited for, by which run or message.
    #[must_use]
    pub fn open(&self, flow: &str) -> Vec<(Matter, String)> {
        let items = self.table.items().into_iter().filter(|item| item.key.partition == Open::partition(flow));
        let open = items.filter_map(|item| serde_json::from_str::<Open>(&item.body).ok());
        open.map(|open| (open.matter, open.id)).collect()
    }

    /// A neighbour as the flows call it, at a thousand calls per second.
    #[must_use]
    pub fn target(&self, name: &'static str, target: Targets) -> TargetClient {
        let pacer = Pacer::new(self.ledger(), name, 1000, "world".into());
        let ports: (Arc<dyn Clock>, Arc<dyn Notifier>) = (Arc::new(self.clock.clone()), Arc::new(self.notices.clone()));
        TargetClient::new(name, Arc::new(target), pacer, ports, Duration::from_secs(20))
    }

    /// The same, with other installations by their names in Targets.
    #[must_use]
    pub fn targets(&self, name: &'static str, target: Targets, others: &[(&'static str, Targets)]) -> TargetClient {
        self.target(name, target).beside(self.installations(others))
    }

    /// Installations by their names in Targets.
    #[must_use]
    pub fn installations(&self, others: &[(&'static str, Targets)]) -> Installations {
        let (world, others) = (self.clone(), others.to_vec());
        let connect = move |row: &Target| {
            let other = others.iter().find(|(name, _)| *name == row.name);
            let client = other.map(|(name, target)| world.target(name, target.clone()));
            client.ok_or_else(|| Transient::new("no such installation"))
        };
        Installations::new(self.ledger(), Box::new(connect))
    }

    /// Acknowledging sync requests of a DACS of `release`; `lookups` has [`crate::sync_ack::LOOKUPS`].
    #[must_use]
    pub fn sync_request_acks(&self, lookups: &LookupBook, release: DacsRelease, dacs: Targets) -> SyncRequestAcks {
        let exception = ExceptionCode::default();
        SyncRequestAcks { dacs: self.target("dacs", dacs), release, exception, lookups: lookups.clone() }
    }

    /// An invocation by `owner` that may run for 120 seconds from now.
    #[must_use]
    pub fn invocation(&self, owner: &str) -> Invocation {
        let deadline = self.clock.now().saturating_add(jiff::SignedDuration::from_secs(120));
        Invocation {
            deadline: deadline.unwrap_or(Timestamp::MAX),
            owner: owner.into(),
            correlation: format!("correlation-{owner}"),
        }
    }

    /// What the calls for a message are made with, within `invocation`.
    #[must_use]
    pub fn context<'a>(&self, invocation: &'a Invocation) -> Context<'a> {
        Context { flow: "test", invocation, correlation: &invocation.correlation, attempt: "message#1", beside: None }
    }

    /// The notification that S3 sends for `object`, as the queue delivers it.
    #[must_use]
    pub fn notification(&self, object: &ObjectRef) -> Delivery {
        let body = serde_json::json!({"Records": [{
            "eventVersion": "2.1",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": object.bucket},
                "object": {"key": form_encoded(&object.key), "versionId": object.version, "sequencer": "00"},
            },
        }]});
        Delivery {
            body: body.to_string(),
            receipt: None,
            receive_count: 1,
            group: None,
            sequence: None,
            message_id: format!("{}@{}", object.key, object.version.as_deref().unwrap_or_default()),
            sent: self.clock.now(),
        }
    }

    /// The run of `flow` over `object`, as the ledger has it.
    #[must_use]
    pub fn run(&self, flow: &str, object: &ObjectRef) -> Option<Run> {
        let key = Run::key(flow, &RunId::of(flow, object));
        let item = self.table.items().into_iter().find(|item| item.key == key)?;
        serde_json::from_str(&item.body).ok()
    }
}

fn form_encoded(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string().replace("%20", "+")
}
