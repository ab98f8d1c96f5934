//! The real flows, wired to simulated ports.

use std::sync::Arc;

use domain::sync_request::DacsRelease;
use flow::Transient;
use flow::file::{ToCallsFlow, ToFileFlow};
use flow::sync_ack::{self, AckCalls};
use flow::to_derms::SyncCalls;
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
            FlowId::Reservation => Self::Calls(wiring.reservation()),
            FlowId::Outcome => Self::Calls(wiring.outcome()),
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
        }
    }
}
