//! The flows under simulation: one row each. A new flow is a variant here, its function in [`function`], and a workload
//! with its checks beside the others.

mod ack_files;
mod acks;
mod choice;
mod day;
mod file_acks;
mod file_checks;
mod files;
mod function;
mod outbound;
mod outcomes;
mod plan;
mod published;
mod requests;
mod reservations;
mod scores;
mod sheets;
mod statuses;
mod watching;
mod wiring;

pub use choice::choose_flows;
pub use day::Day;
pub use function::{Function, Neighbours};
pub use watching::{check_listed, next_due};

use std::time::Duration;

use crate::engine::{Micros, seconds};
use crate::schedule::Setting;

/// A flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowId {
    /// derms-dacs-event-status, first: stages are planned with it
    EventStatus,
    /// dacs-derms-device-score
    DeviceScore,
    /// ouai-dacs-kwh-avoided
    KwhAvoided,
    /// dacs-derms-enrollment-sync
    EnrollmentSync,
    /// derms-dacs-enrollment-ack
    EnrollmentAck,
    /// ouai-dacs-enrollment-ack
    AckFile,
    /// derms-dacs-device-reservation
    Reservation,
    /// derms-dacs-device-outcome
    Outcome,
    /// derms-dacs-network-location
    Location,
    /// ouai-derms-load-reduction-forecast
    Forecast,
    /// dacs-ouai-enrollment-sync
    Extract,
    /// derms-ouai-device-outcome
    OuaiOutcome,
    /// dacs-derms-program-rules
    Rules,
    /// derms-dacs-program-rules-ack
    RulesAck,
    /// dacs-derms-aggregators
    Aggregators,
    /// derms-dacs-aggregators-ack
    AggregatorsAck,
    /// dacs-derms-device-status-check
    StatusCheck,
    /// derms-dacs-device-status-ack
    StatusAck,
    /// dacs-derms-event-opt-out
    OptOut,
    /// dacs-derms-customer-unavailability
    Unavailability,
    /// derms-dacs-enrollment-request
    Request,
    /// watch, which looks after all flows
    Watch,
    /// error-handler, which takes what their queues give up
    ErrorHandler,
}

/// How a flow works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file is published in an inbox.
    Published,
    /// A file goes out in a few numbered parts.
    Parts,
    /// A file goes out in many calls.
    Calls,
    /// Messages.
    Messages,
    /// It serves all flows, and has no input of its own.
    Service,
}

impl FlowId {
    /// All flows.
    pub const ALL: &[Self] = &[
        Self::EventStatus,
        Self::DeviceScore,
        Self::KwhAvoided,
        Self::EnrollmentSync,
        Self::EnrollmentAck,
        Self::AckFile,
        Self::Reservation,
        Self::Outcome,
        Self::Location,
        Self::Forecast,
        Self::Extract,
        Self::OuaiOutcome,
        Self::Rules,
        Self::RulesAck,
        Self::Aggregators,
        Self::AggregatorsAck,
        Self::StatusCheck,
        Self::StatusAck,
        Self::OptOut,
        Self::Unavailability,
        Self::Request,
    ];

    /// Functions that serve all flows. They are in schedules of their own, which take longer than others.
    pub const SERVICES: &[Self] = &[Self::Watch, Self::ErrorHandler];

    /// Flows and services.
    pub fn everybody() -> impl Iterator<Item = Self> {
        Self::ALL.iter().chain(Self::SERVICES).copied()
    }

    /// Its one name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EventStatus => derms_dacs_event_status::NAME,
            Self::DeviceScore => dacs_derms_device_score::NAME,
            Self::KwhAvoided => ouai_dacs_kwh_avoided::NAME,
            Self::EnrollmentSync => dacs_derms_enrollment_sync::NAME,
            Self::EnrollmentAck => derms_dacs_enrollment_ack::NAME,
            Self::AckFile => ouai_dacs_enrollment_ack::NAME,
            Self::Reservation => derms_dacs_device_reservation::NAME,
            Self::Outcome => derms_dacs_device_outcome::NAME,
            Self::Location => derms_dacs_network_location::NAME,
            Self::Forecast => ouai_derms_load_reduction_forecast::NAME,
            Self::Extract => dacs_ouai_enrollment_sync::NAME,
            Self::OuaiOutcome => derms_ouai_device_outcome::NAME,
            Self::Rules => dacs_derms_program_rules::NAME,
            Self::RulesAck => derms_dacs_program_rules_ack::NAME,
            Self::Aggregators => dacs_derms_aggregators::NAME,
            Self::AggregatorsAck => derms_dacs_aggregators_ack::NAME,
            Self::StatusCheck => dacs_derms_device_status_check::NAME,
            Self::StatusAck => derms_dacs_device_status_ack::NAME,
            Self::OptOut => dacs_derms_event_opt_out::NAME,
            Self::Unavailability => dacs_derms_customer_unavailability::NAME,
            Self::Request => derms_dacs_enrollment_request::NAME,
            Self::Watch => watch::NAME,
            Self::ErrorHandler => error_handler::NAME,
        }
    }

    /// Its name in the trace and in tables.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::EventStatus => "event-status",
            Self::DeviceScore => "device-score",
            Self::KwhAvoided => "kwh-avoided",
            Self::EnrollmentSync => "enroll-sync",
            Self::EnrollmentAck => "enroll-ack",
            Self::AckFile => "ack-file",
            Self::Reservation => "reservation",
            Self::Outcome => "outcome",
            Self::Location => "location",
            Self::Forecast => "forecast",
            Self::Extract => "extract",
            Self::OuaiOutcome => "ouai-outcome",
            Self::Rules => "rules",
            Self::RulesAck => "rules-ack",
            Self::Aggregators => "aggregators",
            Self::AggregatorsAck => "aggr-ack",
            Self::StatusCheck => "status-check",
            Self::StatusAck => "status-ack",
            Self::OptOut => "opt-out",
            Self::Unavailability => "unavailable",
            Self::Request => "enroll-request",
            Self::Watch => "watch",
            Self::ErrorHandler => "error-handler",
        }
    }

    /// How it works.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::KwhAvoided | Self::Location | Self::Forecast | Self::Extract | Self::OuaiOutcome => Kind::Published,
            Self::DeviceScore => Kind::Parts,
            Self::AckFile | Self::Reservation | Self::Outcome => Kind::Calls,
            Self::Watch | Self::ErrorHandler => Kind::Service,
            _ => Kind::Messages,
        }
    }

    /// Whether it takes messages.
    #[must_use]
    pub fn is_messages(self) -> bool {
        self.kind() == Kind::Messages
    }

    /// Whether it takes files.
    #[must_use]
    pub fn is_files(self) -> bool {
        matches!(self.kind(), Kind::Published | Kind::Parts | Kind::Calls)
    }

    /// Whether it brings messages of DACS to the DERMS.
    #[must_use]
    pub fn is_outbound(self) -> bool {
        matches!(
            self,
            Self::EnrollmentSync
                | Self::Rules
                | Self::Aggregators
                | Self::StatusCheck
                | Self::OptOut
                | Self::Unavailability
        )
    }

    /// Whether its dead letters are simulated. Answers in order are not: one that is overtaken as a letter is not given again.
    #[must_use]
    pub fn may_be_letters(self) -> bool {
        self.is_outbound() || self.is_files() || matches!(self, Self::EventStatus | Self::Request)
    }

    /// The visibility timeout of its queue, as the template sets it.
    #[must_use]
    pub fn visibility(self) -> Duration {
        Duration::from_secs(if self.is_files() { 130 } else { 70 })
    }

    /// The timeout of its function, as the template sets it.
    #[must_use]
    pub fn timeout(self) -> Micros {
        seconds(if self.is_files() || self == Self::Watch { 120 } else { 60 })
    }

    /// Plans its senders' work: at least `records` rows or messages.
    pub fn plan(self, setting: &mut Setting, records: usize) -> Box<dyn Workload> {
        match self {
            Self::EventStatus => Box::new(statuses::plan(setting, records)),
            Self::DeviceScore => Box::new(scores::plan(setting, records)),
            Self::KwhAvoided => Box::new(published::plan(setting, records, &sheets::KWH)),
            Self::Location => Box::new(published::plan(setting, records, &sheets::LOCATION)),
            Self::Forecast => Box::new(published::plan(setting, records, &sheets::FORECAST)),
            Self::Extract => Box::new(published::plan(setting, records, &sheets::EXTRACT)),
            Self::OuaiOutcome => Box::new(published::plan(setting, records, &sheets::OUTCOME)),
            Self::EnrollmentSync => Box::new(outbound::plan(setting, records, &outbound::ENROLLMENTS)),
            Self::EnrollmentAck | Self::RulesAck | Self::AggregatorsAck | Self::StatusAck => {
                Box::new(acks::plan(setting, records, self))
            }
            Self::Rules => Box::new(outbound::plan(setting, records, &outbound::RULES)),
            Self::Aggregators => Box::new(outbound::plan(setting, records, &outbound::AGGREGATORS)),
            Self::StatusCheck => Box::new(outbound::plan(setting, records, &outbound::STATUS_CHECKS)),
            Self::OptOut => Box::new(outbound::plan(setting, records, &outbound::OPT_OUTS)),
            Self::Request => Box::new(requests::plan(setting, records)),
            Self::Unavailability => Box::new(outbound::plan(setting, records, &outbound::UNAVAILABILITIES)),
            Self::AckFile => Box::new(ack_files::plan(setting, records)),
            Self::Reservation => Box::new(reservations::plan(setting, records)),
            Self::Outcome => Box::new(outcomes::plan(setting, records)),
            Self::Watch => Box::new(watching::plan(setting)),
            Self::ErrorHandler => Box::new(watching::Nothing),
        }
    }
}

/// What was sent into a flow, and what must have become of it.
pub trait Workload {
    /// Rows or messages, valid or not.
    fn records(&self) -> usize;

    /// After everything has come to rest: every rule that does not hold.
    fn check(&self, setting: &Setting, broken: &mut Vec<String>);
}
