//! The real flows, wired to simulated ports.

use std::sync::Arc;

use domain::sync_request::DacsRelease;
use flow::Transient;
use flow::dead_letters::DeadLetter;
use flow::file::{ToCallsFlow, ToFileFlow};
use flow::sync_ack::{self, AckCalls};
use flow::to_derms::{OneWayCalls, SyncCalls};
use flow::trigger::{Invocation, Reply, Trigger};

use super::FlowId;
use super::sheets::{DACS_INBOX, DERMS_INBOX, OUAI_INBOX};
use super::wiring::{LANES, Wiring};
use crate::cloud::Services;
use crate::neighbours::{Dacs, Derms};
use crate::ports::Wire;

/// Small, so that the few rows of a schedule make several parts.
const PART_SIZE: usize = 700;

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
    /// derms-dacs-event-status
    EventStatus(derms_dacs_event_status::Flow),
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
    /// dacs-derms-program-rules
    Rules(dacs_derms_program_rules::Flow),
    /// derms-dacs-program-rules-ack
    RulesAck(derms_dacs_program_rules_ack::Flow),
    /// dacs-derms-aggregators
    Aggregators(dacs_derms_aggregators::Flow),
    /// derms-dacs-aggregators-ack
    AggregatorsAck(derms_dacs_aggregators_ack::Flow),
    /// dacs-derms-device-status-check
    StatusCheck(dacs_derms_device_status_check::Flow),
    /// derms-dacs-device-status-ack
    StatusAck(derms_dacs_device_status_ack::Flow),
    /// dacs-derms-event-opt-out
    OptOut(dacs_derms_event_opt_out::Flow),
    /// dacs-derms-customer-unavailability
    Unavailability(dacs_derms_customer_unavailability::Flow),
    /// derms-dacs-enrollment-request
    Request(derms_dacs_enrollment_request::Flow),
    /// watch
    Watch(watch::Watch),
    /// error-handler
    ErrorHandler(error_handler::ErrorHandler),
}

impl Function {
    /// Wires `flow` as its `main` does, over `wire`.
    #[must_use]
    pub fn new(flow: FlowId, wire: &Wire, services: &Services, neighbours: &Neighbours, name: &str) -> Self {
        let wiring = Wiring { flow, wire, services, neighbours, name };
        match flow {
            FlowId::EventStatus => Self::EventStatus(wiring.event_status()),
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
            FlowId::AckFile => {
                let kit = wiring.unordered(ouai_dacs_enrollment_ack::LOOKUPS);
                let to_calls = ouai_dacs_enrollment_ack::to_calls(wiring.acks(&kit.lookups), LANES);
                Self::Calls(ToCallsFlow { kit, to_calls })
            }
            FlowId::Watch => Self::Watch(watch::Watch { kit: wiring.watch_kit() }),
            FlowId::ErrorHandler => Self::ErrorHandler(error_handler::ErrorHandler { kit: wiring.dead_letter_kit() }),
            FlowId::Reservation => Self::Calls(wiring.reservation()),
            FlowId::Outcome => Self::Calls(wiring.outcome()),
            _ => Self::of_messages(flow, &wiring),
        }
    }

    fn of_messages(flow: FlowId, wiring: &Wiring<'_>) -> Self {
        match flow {
            FlowId::EnrollmentSync => {
                let kit = wiring.message_kit(dacs_derms_enrollment_sync::LOOKUPS);
                let calls = SyncCalls::new(wiring.to_derms(&kit), wiring.acks(&kit.lookups));
                Self::EnrollmentSync(dacs_derms_enrollment_sync::Flow { kit, calls })
            }
            FlowId::EnrollmentAck => {
                let kit = wiring.message_kit(sync_ack::LOOKUPS);
                let acks = wiring.acks(&kit.lookups);
                let calls = AckCalls { acks, read: derms_dacs_enrollment_ack::READ };
                Self::EnrollmentAck(derms_dacs_enrollment_ack::Flow { kit, calls })
            }
            FlowId::Rules => {
                let kit = wiring.message_kit(dacs_derms_program_rules::LOOKUPS);
                let calls = SyncCalls::new(wiring.to_derms(&kit), wiring.acks(&kit.lookups));
                Self::Rules(dacs_derms_program_rules::Flow { kit, calls })
            }
            FlowId::RulesAck => {
                let kit = wiring.message_kit(derms_dacs_program_rules_ack::LOOKUPS);
                let calls = AckCalls { acks: wiring.acks(&kit.lookups), read: derms_dacs_program_rules_ack::READ };
                Self::RulesAck(derms_dacs_program_rules_ack::Flow { kit, calls })
            }
            FlowId::Aggregators => {
                let kit = wiring.message_kit(dacs_derms_aggregators::LOOKUPS);
                let calls = SyncCalls::new(wiring.to_derms(&kit), wiring.acks(&kit.lookups));
                Self::Aggregators(dacs_derms_aggregators::Flow { kit, calls })
            }
            FlowId::AggregatorsAck => {
                let kit = wiring.message_kit(derms_dacs_aggregators_ack::LOOKUPS);
                let calls = AckCalls { acks: wiring.acks(&kit.lookups), read: derms_dacs_aggregators_ack::READ };
                Self::AggregatorsAck(derms_dacs_aggregators_ack::Flow { kit, calls })
            }
            FlowId::StatusCheck => {
                let kit = wiring.message_kit(dacs_derms_device_status_check::LOOKUPS);
                let (derms, answers) = (wiring.to_derms(&kit), wiring.status_answers(&kit));
                let calls = dacs_derms_device_status_check::Calls { derms, answers };
                Self::StatusCheck(dacs_derms_device_status_check::Flow { kit, calls })
            }
            FlowId::StatusAck => {
                let kit = wiring.message_kit(derms_dacs_device_status_ack::LOOKUPS);
                let calls = derms_dacs_device_status_ack::Calls { answers: wiring.status_answers(&kit) };
                Self::StatusAck(derms_dacs_device_status_ack::Flow { kit, calls })
            }
            FlowId::OptOut => {
                let kit = wiring.message_kit(dacs_derms_event_opt_out::LOOKUPS);
                let derms = OneWayCalls::new(wiring.to_derms(&kit));
                let calls = dacs_derms_event_opt_out::Calls { derms, stages: kit.ledger.clone() };
                Self::OptOut(dacs_derms_event_opt_out::Flow { kit, calls })
            }
            FlowId::Request => Self::Request(wiring.request()),
            FlowId::Unavailability => {
                let kit = wiring.message_kit(dacs_derms_customer_unavailability::LOOKUPS);
                let calls = OneWayCalls::new(wiring.to_derms(&kit));
                Self::Unavailability(dacs_derms_customer_unavailability::Flow { kit, calls })
            }
            other => unreachable!("{} takes no messages", other.name()),
        }
    }

    /// One invocation.
    ///
    /// # Errors
    /// As the flow's own.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        match self {
            Self::EventStatus(flow) => flow.handle(trigger, invocation).await,
            Self::DeviceScore(flow) => flow.handle(trigger, invocation).await,
            Self::Published(flow) => flow.handle(trigger, invocation).await,
            Self::EnrollmentSync(flow) => flow.handle(trigger, invocation).await,
            Self::EnrollmentAck(flow) => flow.handle(trigger, invocation).await,
            Self::Calls(flow) => flow.handle(trigger, invocation).await,
            Self::Rules(flow) => flow.handle(trigger, invocation).await,
            Self::RulesAck(flow) => flow.handle(trigger, invocation).await,
            Self::Aggregators(flow) => flow.handle(trigger, invocation).await,
            Self::AggregatorsAck(flow) => flow.handle(trigger, invocation).await,
            Self::StatusCheck(flow) => flow.handle(trigger, invocation).await,
            Self::StatusAck(flow) => flow.handle(trigger, invocation).await,
            Self::OptOut(flow) => flow.handle(trigger, invocation).await,
            Self::Request(flow) => flow.handle(trigger, invocation).await,
            Self::Unavailability(flow) => flow.handle(trigger, invocation).await,
            Self::Watch(_) | Self::ErrorHandler(_) => Err(Transient::new("a service has no such trigger")),
        }
    }

    /// One invocation of `watch`.
    ///
    /// # Errors
    /// As its own.
    pub async fn watch(&self, invocation: Invocation) -> Result<(), Transient> {
        match self {
            Self::Watch(watch) => watch.handle(invocation).await,
            _ => Err(Transient::new("a flow is not started by the clock")),
        }
    }

    /// One invocation of `error-handler`.
    ///
    /// # Errors
    /// As its own.
    pub async fn deal_with(&self, letters: Vec<DeadLetter>, invocation: Invocation) -> Result<Reply, Transient> {
        match self {
            Self::ErrorHandler(handler) => handler.handle(letters, invocation).await,
            _ => Err(Transient::new("a flow takes no dead letters")),
        }
    }
}
