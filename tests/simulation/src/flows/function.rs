//! The real flows, wired to simulated ports.

use std::sync::Arc;
use std::time::Duration;

use domain::participation::ProgramEventKey;
use domain::sync_request::{DacsRelease, ExceptionCode};
use flow::Transient;
use flow::derms_ack::DermsAcks;
use flow::file::{FileKit, FileToFile, Limits, OpenSheet, RejectStore, ToCallsFlow, ToFileFlow};
use flow::ledger::Ledger;
use flow::lookups::LookupBook;
use flow::memory::{BODIES, CONFIG, REJECTS};
use flow::message::{BodyStore, MessageKit};
use flow::ports::{Clock, Notifier, Outlet, Queue, Source, Store};
use flow::sync_ack::{self, AckCalls, SyncRequestAcks};
use flow::target::{Pacer, TargetClient};
use flow::to_derms::SyncCalls;
use flow::trigger::{Invocation, Reply, Trigger};
use jiff::SignedDuration;

use super::FlowId;
use super::sheets::{DACS_INBOX, DERMS_INBOX, OUAI_INBOX};
use crate::cloud::Services;
use crate::neighbours::{Dacs, Derms};
use crate::ports::{
    LocalClock, Neighbour, SimNotifier, SimOutlet, SimQueue, SimSource, SimStore, SimTarget, SimTelemetry, Wire,
};

/// As the template sets it: when a message is given up.
pub const RETRY_LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// As the wiring of the real functions sets it.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Small, so that the few rows of a schedule make several parts.
const PART_SIZE: usize = 700;
const RATE: u32 = 50;
/// Few, so that the few rows of a schedule make several calls in each lane.
const ROWS_PER_CALL: usize = 3;
const LANES: usize = 3;

/// The neighbours of one schedule.
#[derive(Clone)]
pub struct Neighbours {
    /// The program system.
    pub dacs: Arc<Dacs>,
    /// The DERMS.
    pub derms: Arc<Derms>,
    /// The release of the program system.
    pub release: DacsRelease,
}

/// One function instance: what stays in memory between invocations.
pub enum Function {
    /// dacs-derms-device-score
    DeviceScore(dacs_derms_device_score::Flow),
    /// A file that is published in an inbox.
    Published(ToFileFlow),
    /// dacs-derms-enrollment-sync
    EnrollmentSync(dacs_derms_enrollment_sync::Flow),
    /// derms-dacs-enrollment-ack
    EnrollmentAck(derms_dacs_enrollment_ack::Flow),
    /// A file that goes out in many calls.
    Calls(ToCallsFlow),
}

impl Function {
    /// Wires `flow` as its `main` does, over `wire`.
    #[must_use]
    pub fn new(flow: FlowId, wire: &Wire, services: &Services, neighbours: &Neighbours, name: &str) -> Self {
        let wiring = Wiring { flow, wire, services, neighbours, name };
        match flow {
            FlowId::DeviceScore => {
                let scores = dacs_derms_device_score::DeviceScores { derms: wiring.derms() };
                let mut to_rest = dacs_derms_device_score::to_rest(scores);
                to_rest.part_size = PART_SIZE;
                let kit = wiring.file_kit(dacs_derms_device_score::LOOKUPS);
                Self::DeviceScore(dacs_derms_device_score::Flow { kit, to_rest })
            }
            FlowId::KwhAvoided => {
                use ouai_dacs_kwh_avoided::{LOOKUPS, open};
                Self::Published(wiring.to_file_flow(LOOKUPS, open, DACS_INBOX))
            }
            FlowId::Location => {
                use derms_dacs_network_location::{LOOKUPS, open};
                Self::Published(wiring.to_file_flow(LOOKUPS, open, DACS_INBOX))
            }
            FlowId::Forecast => {
                use ouai_derms_load_reduction_forecast::{LOOKUPS, open};
                Self::Published(wiring.to_file_flow(LOOKUPS, open, DERMS_INBOX))
            }
            FlowId::OuaiOutcome => {
                use derms_ouai_device_outcome::{LOOKUPS, open};
                Self::Published(wiring.to_file_flow(LOOKUPS, open, OUAI_INBOX))
            }
            FlowId::Extract => {
                use dacs_ouai_enrollment_sync::{LOOKUPS, open, tell};
                let mut flow = wiring.to_file_flow(LOOKUPS, open, OUAI_INBOX);
                flow.to_file.tell = Some(tell(wiring.acks(&flow.kit.lookups)));
                Self::Published(flow)
            }
            FlowId::EnrollmentSync => {
                let kit = wiring.message_kit(dacs_derms_enrollment_sync::LOOKUPS);
                let derms = flow::to_derms::Derms { target: wiring.derms(), lookups: kit.lookups.clone() };
                let calls = SyncCalls::new(derms, wiring.acks(&kit.lookups));
                Self::EnrollmentSync(dacs_derms_enrollment_sync::Flow { kit, calls })
            }
            FlowId::EnrollmentAck => {
                let kit = wiring.message_kit(sync_ack::LOOKUPS);
                let acks = wiring.acks(&kit.lookups);
                let calls = AckCalls { acks, read: derms_dacs_enrollment_ack::READ };
                Self::EnrollmentAck(derms_dacs_enrollment_ack::Flow { kit, calls })
            }
            FlowId::AckFile => {
                let kit = wiring.unordered(ouai_dacs_enrollment_ack::LOOKUPS);
                let to_calls = ouai_dacs_enrollment_ack::to_calls(wiring.acks(&kit.lookups), LANES);
                Self::Calls(ToCallsFlow { kit, to_calls })
            }
            FlowId::Reservation => {
                let kit = wiring.unordered(derms_dacs_device_reservation::LOOKUPS);
                let neighbours = derms_dacs_device_reservation::Neighbours {
                    dacs: wiring.dacs(),
                    derms: DermsAcks { derms: wiring.derms() },
                    key: ProgramEventKey::Stage,
                    calls: (ROWS_PER_CALL, LANES),
                };
                let ports = (kit.ledger.clone(), kit.clock.clone());
                let to_calls = derms_dacs_device_reservation::to_calls(neighbours, ports, kit.lookups.clone());
                Self::Calls(ToCallsFlow { kit, to_calls })
            }
            FlowId::Outcome => {
                let kit = wiring.unordered(derms_dacs_device_outcome::LOOKUPS);
                let neighbours = derms_dacs_device_outcome::Neighbours {
                    dacs: wiring.dacs(),
                    derms: DermsAcks { derms: wiring.derms() },
                    key: ProgramEventKey::Stage,
                    calls: (ROWS_PER_CALL, LANES),
                };
                let (ledger, clock) = (kit.ledger.clone(), kit.clock.clone());
                let gate = derms_dacs_device_outcome::FinalStage { ledger, clock, limit: RETRY_LIMIT };
                let to_calls = derms_dacs_device_outcome::to_calls(neighbours, gate, kit.lookups.clone());
                Self::Calls(ToCallsFlow { kit, to_calls })
            }
        }
    }

    /// One invocation.
    ///
    /// # Errors
    /// As the flow's own.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        match self {
            Self::DeviceScore(flow) => flow.handle(trigger, invocation).await,
            Self::Published(flow) => flow.handle(trigger, invocation).await,
            Self::EnrollmentSync(flow) => flow.handle(trigger, invocation).await,
            Self::EnrollmentAck(flow) => flow.handle(trigger, invocation).await,
            Self::Calls(flow) => flow.handle(trigger, invocation).await,
        }
    }
}

struct Wiring<'a> {
    flow: FlowId,
    wire: &'a Wire,
    services: &'a Services,
    neighbours: &'a Neighbours,
    name: &'a str,
}

impl Wiring<'_> {
    fn file_kit(&self, lookups: &'static [&'static str]) -> FileKit {
        FileKit {
            flow: self.flow.name(),
            in_order: true,
            ledger: self.ledger(),
            source: self.source(),
            rejects: RejectStore { bucket: REJECTS.into(), outlet: self.outlet(REJECTS), source: self.source() },
            queue: self.queue(),
            notifier: self.notifier(),
            telemetry: self.telemetry(),
            clock: self.clock(),
            lookups: self.lookups(lookups),
            limits: Limits { retry: RETRY_LIMIT, ..Limits::default() },
        }
    }

    fn to_file_flow(&self, lookups: &'static [&'static str], open: OpenSheet, inbox: &'static str) -> ToFileFlow {
        let to_file = FileToFile::into_inbox(open, inbox, self.outlet(inbox));
        ToFileFlow { kit: self.file_kit(lookups), to_file }
    }

    /// The kit of a flow whose files are taken as they come.
    fn unordered(&self, lookups: &'static [&'static str]) -> FileKit {
        FileKit { in_order: false, ..self.file_kit(lookups) }
    }

    fn message_kit(&self, lookups: &'static [&'static str]) -> MessageKit {
        MessageKit {
            flow: self.flow.name(),
            ledger: self.ledger(),
            bodies: BodyStore { bucket: BODIES.into(), outlet: self.outlet(BODIES), source: self.source() },
            queue: self.queue(),
            notifier: self.notifier(),
            telemetry: self.telemetry(),
            clock: self.clock(),
            lookups: self.lookups(lookups),
            retry_limit: RETRY_LIMIT,
        }
    }

    fn acks(&self, lookups: &LookupBook) -> SyncRequestAcks {
        SyncRequestAcks {
            dacs: self.dacs(),
            release: self.neighbours.release,
            exception: ExceptionCode::new(90_000, 90_001).expect("both are small"),
            lookups: lookups.clone(),
        }
    }

    fn dacs(&self) -> TargetClient {
        self.target("dacs", self.neighbours.dacs.clone())
    }

    fn derms(&self) -> TargetClient {
        self.target("derms", self.neighbours.derms.clone())
    }

    fn target(&self, name: &'static str, neighbour: Arc<dyn Neighbour>) -> TargetClient {
        let target = Arc::new(SimTarget { wire: self.wire.clone(), neighbour });
        let pacer = Pacer::new(self.ledger(), name, RATE, self.name.to_owned());
        TargetClient::new(name, target, pacer, (self.clock(), self.notifier()), CALL_TIMEOUT)
    }

    fn lookups(&self, names: &'static [&'static str]) -> LookupBook {
        let config = (CONFIG.to_owned(), self.source());
        LookupBook::new(self.flow.name(), names, config, self.ledger(), (self.notifier(), self.clock()))
    }

    fn ledger(&self) -> Ledger {
        let store: Arc<dyn Store> = Arc::new(SimStore {
            wire: self.wire.clone(),
            flow: self.flow,
            table: self.services.table.clone(),
            stale: self.services.stale.clone(),
        });
        Ledger::new(store)
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::new(SimSource { wire: self.wire.clone(), objects: self.services.objects.clone() })
    }

    fn outlet(&self, name: &'static str) -> Arc<dyn Outlet> {
        Arc::new(SimOutlet {
            wire: self.wire.clone(),
            objects: self.services.objects.clone(),
            bucket: self.services.objects.outlet(name),
            name,
            first_uploads: self.services.first_uploads.clone(),
        })
    }

    fn queue(&self) -> Arc<dyn Queue> {
        let queue = self.services.queues.get(&self.flow).expect("every simulated flow has a queue").clone();
        Arc::new(SimQueue { wire: self.wire.clone(), flow: self.flow, queue })
    }

    fn notifier(&self) -> Arc<dyn Notifier> {
        Arc::new(SimNotifier { wire: self.wire.clone(), notices: self.services.notices.clone() })
    }

    fn telemetry(&self) -> Arc<SimTelemetry> {
        Arc::new(SimTelemetry { wire: self.wire.clone(), reports: self.services.reports.clone() })
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(LocalClock(self.wire.clone()))
    }
}
