//! The flows under simulation: one row each. A new flow is a variant here, its function in [`function`], and a workload
//! with its checks beside the others.

mod ack_files;
mod acks;
mod day;
mod enrollments;
mod file_acks;
mod file_checks;
mod files;
mod function;
mod outcomes;
mod plan;
mod published;
mod reservations;
mod scores;
mod sheets;
mod statuses;
mod wiring;

pub use day::Day;
pub use function::{Function, Neighbours};

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
    ];

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
        }
    }

    /// How it works.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::KwhAvoided | Self::Location | Self::Forecast | Self::Extract | Self::OuaiOutcome => Kind::Published,
            Self::DeviceScore => Kind::Parts,
            Self::AckFile | Self::Reservation | Self::Outcome => Kind::Calls,
            Self::EventStatus | Self::EnrollmentSync | Self::EnrollmentAck => Kind::Messages,
        }
    }

    /// Whether it takes messages; otherwise files.
    #[must_use]
    pub fn is_messages(self) -> bool {
        self.kind() == Kind::Messages
    }

    /// The visibility timeout of its queue, as the template sets it.
    #[must_use]
    pub fn visibility(self) -> Duration {
        Duration::from_secs(if self.is_messages() { 70 } else { 130 })
    }

    /// The timeout of its function, as the template sets it.
    #[must_use]
    pub fn timeout(self) -> Micros {
        seconds(if self.is_messages() { 60 } else { 120 })
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
            Self::EnrollmentSync => Box::new(enrollments::plan(setting, records)),
            Self::EnrollmentAck => Box::new(acks::plan(setting, records)),
            Self::AckFile => Box::new(ack_files::plan(setting, records)),
            Self::Reservation => Box::new(reservations::plan(setting, records)),
            Self::Outcome => Box::new(outcomes::plan(setting, records)),
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
