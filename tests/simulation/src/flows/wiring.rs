//! The ports of one instance, as `aws::Wiring` makes them from the template's parameters.

use std::sync::Arc;
use std::time::Duration;

use domain::msg_ack::ResponseCode;
use domain::participation::ProgramEventKey;
use domain::stage;
use domain::sync_request::ExceptionCode;
use flow::dead_letters::DeadLetterKit;
use flow::derms_ack::DermsAcks;
use flow::file::{FileKit, FileToFile, Limits, OpenSheet, RejectStore, ToCallsFlow, ToFileFlow};
use flow::ledger::Ledger;
use flow::lookups::LookupBook;
use flow::memory::{BODIES, CONFIG, REJECTS};
use flow::message::{BodyStore, MessageKit};
use flow::notices::OncePerWindow;
use flow::ports::{Clock, Notifier, Outlet, Queue, Source, Store};
use flow::stage::{ProgramEvents, Stages};
use flow::status_answers::StatusAnswers;
use flow::sync_ack::SyncRequestAcks;
use flow::target::{Pacer, TargetClient};
use flow::to_derms::Derms;
use flow::watch::{WatchKit, WatchLimits};
use jiff::SignedDuration;

use super::FlowId;
use super::function::Neighbours;
use super::watching::limits;
use crate::bugs::Bug;
use crate::cloud::Services;
use crate::ports::{
    LocalClock, Neighbour, SimNotifier, SimOutlet, SimQueue, SimSource, SimStore, SimTarget, SimTelemetry, Wire,
};

/// As the template sets it: when a message is given up.
const RETRY_LIMIT: SignedDuration = SignedDuration::from_hours(24);
/// As the wiring of the real functions sets it.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
const RATE: u32 = 50;
/// Few, so that the few rows of a schedule make several calls in each lane.
const ROWS_PER_CALL: usize = 3;
/// See above.
pub(super) const LANES: usize = 3;

/// What one instance of a flow is wired with.
pub(super) struct Wiring<'a> {
    pub(super) flow: FlowId,
    pub(super) wire: &'a Wire,
    pub(super) services: &'a Services,
    pub(super) neighbours: &'a Neighbours,
    pub(super) name: &'a str,
}

impl Wiring<'_> {
    pub(super) fn file_kit(&self, lookups: &'static [&'static str]) -> FileKit {
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

    pub(super) fn to_file_flow(
        &self,
        lookups: &'static [&'static str],
        open: OpenSheet,
        inbox: &'static str,
    ) -> ToFileFlow {
        let to_file = FileToFile::into_inbox(open, inbox, self.outlet(inbox));
        ToFileFlow { kit: self.file_kit(lookups), to_file }
    }

    /// The kit of a flow whose files are taken as they come.
    pub(super) fn unordered(&self, lookups: &'static [&'static str]) -> FileKit {
        FileKit { in_order: false, ..self.file_kit(lookups) }
    }

    /// derms-dacs-event-status
    pub(super) fn event_status(&self) -> derms_dacs_event_status::Flow {
        let kit = self.message_kit(derms_dacs_event_status::LOOKUPS);
        let (release, lookups) = (self.neighbours.release, kit.lookups.clone());
        let program_events = ProgramEvents { dacs: self.dacs(), release, lookups };
        let forgets_to_hold = self.wire.shared.has_bug(Bug::ForgetToHold);
        let hold = if forgets_to_hold { SignedDuration::ZERO } else { stage::Limits::default().hold };
        let limits = stage::Limits { hold, ..stage::Limits::default() };
        let calls = derms_dacs_event_status::Calls {
            stages: Stages::new(self.ledger(), self.clock(), program_events, limits).told_next(self.derms()),
            acks: DermsAcks { derms: self.derms() },
            lookups: kit.lookups.clone(),
            refusal: ResponseCode::Error,
            side_by_side: LANES,
        };
        derms_dacs_event_status::Flow { kit, calls }
    }

    /// derms-dacs-enrollment-request
    pub(super) fn request(&self) -> derms_dacs_enrollment_request::Flow {
        let kit = self.message_kit(derms_dacs_enrollment_request::LOOKUPS);
        let (lookups, clock, acks) = (kit.lookups.clone(), kit.clock.clone(), DermsAcks { derms: self.derms() });
        let calls = derms_dacs_enrollment_request::Calls { dacs: self.dacs(), acks, lookups, clock };
        derms_dacs_enrollment_request::Flow { kit, calls, side_by_side: LANES }
    }

    /// derms-dacs-device-reservation
    pub(super) fn reservation(&self) -> ToCallsFlow {
        let kit = self.unordered(derms_dacs_device_reservation::LOOKUPS);
        let neighbours = derms_dacs_device_reservation::Neighbours {
            dacs: self.dacs(),
            derms: DermsAcks { derms: self.derms() },
            key: ProgramEventKey::Stage,
            calls: (ROWS_PER_CALL, LANES),
        };
        let ports = (kit.ledger.clone(), kit.clock.clone());
        let to_calls = derms_dacs_device_reservation::to_calls(neighbours, ports, kit.lookups.clone());
        ToCallsFlow { kit, to_calls }
    }

    /// derms-dacs-device-outcome
    pub(super) fn outcome(&self) -> ToCallsFlow {
        let kit = self.unordered(derms_dacs_device_outcome::LOOKUPS);
        let neighbours = derms_dacs_device_outcome::Neighbours {
            dacs: self.dacs(),
            derms: DermsAcks { derms: self.derms() },
            key: ProgramEventKey::Stage,
            calls: (ROWS_PER_CALL, LANES),
        };
        let (ledger, clock) = (kit.ledger.clone(), kit.clock.clone());
        let gate = derms_dacs_device_outcome::FinalStage { ledger, clock, limit: RETRY_LIMIT };
        let to_calls = derms_dacs_device_outcome::to_calls(neighbours, gate, kit.lookups.clone());
        ToCallsFlow { kit, to_calls }
    }

    pub(super) fn message_kit(&self, lookups: &'static [&'static str]) -> MessageKit {
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

    /// watch
    pub(super) fn watch_kit(&self) -> WatchKit {
        WatchKit {
            ledger: self.ledger(),
            notifier: self.notifier(),
            publisher: self.people(),
            telemetry: self.telemetry(),
            clock: self.clock(),
            lookups: self.lookups(watch::LOOKUPS),
            rejects: RejectStore { bucket: REJECTS.into(), outlet: self.outlet(REJECTS), source: self.source() },
            limits: WatchLimits { hold: limits::HOLD, derms_ack: limits::DERMS_ACK, ouai_ack: limits::OUAI_ACK },
        }
    }

    /// error-handler
    pub(super) fn dead_letter_kit(&self) -> DeadLetterKit {
        let lookups = self.lookups(error_handler::LOOKUPS);
        let (wire, queues) = (self.wire.clone(), self.services.queues.clone());
        let queue_of = move |name: &str| -> Arc<dyn Queue> {
            let found = queues.iter().find(|(flow, _)| flow.name() == name);
            let (flow, queue) = found.expect("a letter is of a simulated flow");
            Arc::new(SimQueue { wire: wire.clone(), flow: *flow, queue: queue.clone() })
        };
        DeadLetterKit {
            ledger: self.ledger(),
            notifier: self.notifier(),
            telemetry: self.telemetry(),
            clock: self.clock(),
            queues: Box::new(queue_of),
            acks: self.acks(&lookups),
            checks: StatusAnswers { dacs: self.dacs(), lookups },
            derms: DermsAcks { derms: self.derms() },
            retry_limit: RETRY_LIMIT,
        }
    }

    pub(super) fn to_derms(&self, kit: &MessageKit) -> Derms {
        Derms { target: self.derms(), lookups: kit.lookups.clone() }
    }

    pub(super) fn status_answers(&self, kit: &MessageKit) -> StatusAnswers {
        StatusAnswers { dacs: self.dacs(), lookups: kit.lookups.clone() }
    }

    pub(super) fn acks(&self, lookups: &LookupBook) -> SyncRequestAcks {
        SyncRequestAcks {
            dacs: self.dacs(),
            release: self.neighbours.release,
            exception: ExceptionCode::new(90_000, 90_001).expect("both are small"),
            lookups: lookups.clone(),
        }
    }

    pub(super) fn dacs(&self) -> TargetClient {
        self.target("dacs", self.neighbours.dacs.clone())
    }

    pub(super) fn derms(&self) -> TargetClient {
        self.target("derms", self.neighbours.derms.clone())
    }

    pub(super) fn target(&self, name: &'static str, neighbour: Arc<dyn Neighbour>) -> TargetClient {
        let target = Arc::new(SimTarget { wire: self.wire.clone(), neighbour });
        let pacer = Pacer::new(self.ledger(), name, RATE, self.name.to_owned());
        TargetClient::new(name, target, pacer, (self.clock(), self.notifier()), CALL_TIMEOUT)
    }

    pub(super) fn lookups(&self, names: &'static [&'static str]) -> LookupBook {
        let config = (CONFIG.to_owned(), self.source());
        LookupBook::new(self.flow.name(), names, config, self.ledger(), (self.notifier(), self.clock()))
    }

    pub(super) fn ledger(&self) -> Ledger {
        let store: Arc<dyn Store> = Arc::new(SimStore {
            wire: self.wire.clone(),
            flow: self.flow,
            table: self.services.table.clone(),
            stale: self.services.stale.clone(),
        });
        Ledger::new(store)
    }

    pub(super) fn source(&self) -> Arc<dyn Source> {
        Arc::new(SimSource { wire: self.wire.clone(), objects: self.services.objects.clone() })
    }

    pub(super) fn outlet(&self, name: &'static str) -> Arc<dyn Outlet> {
        Arc::new(SimOutlet {
            wire: self.wire.clone(),
            objects: self.services.objects.clone(),
            bucket: self.services.objects.outlet(name),
            name,
            first_uploads: self.services.first_uploads.clone(),
        })
    }

    pub(super) fn queue(&self) -> Arc<dyn Queue> {
        let queue = self.services.queues.get(&self.flow).expect("every simulated flow has a queue").clone();
        Arc::new(SimQueue { wire: self.wire.clone(), flow: self.flow, queue })
    }

    /// Tells people: once per cause and window where somebody tells the rest, as the template sets it.
    pub(super) fn notifier(&self) -> Arc<dyn Notifier> {
        if !self.services.is_watched {
            return self.people();
        }
        let owner = format!("{}-{}", self.name, self.wire.shared.lock().fresh());
        let ledger = (self.ledger(), self.flow.name());
        Arc::new(OncePerWindow::new(self.people(), ledger, self.clock(), limits::WINDOW, owner))
    }

    fn people(&self) -> Arc<dyn Notifier> {
        Arc::new(SimNotifier { wire: self.wire.clone(), notices: self.services.notices.clone() })
    }

    pub(super) fn telemetry(&self) -> Arc<SimTelemetry> {
        Arc::new(SimTelemetry { wire: self.wire.clone(), reports: self.services.reports.clone() })
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(LocalClock(self.wire.clone()))
    }
}
