//! The flows under simulation: one row each. A new flow is a variant here, its function in [`function`], and a workload
//! with its checks beside the others.

mod acks;
mod enrollments;
mod files;
mod function;
mod kwh;
mod plan;
mod scores;

pub use function::{Function, Neighbours};

use std::time::Duration;

use crate::engine::{Micros, seconds};
use crate::schedule::Setting;

/// A flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowId {
    /// dacs-derms-device-score
    DeviceScore,
    /// ouai-dacs-kwh-avoided
    KwhAvoided,
    /// dacs-derms-enrollment-sync
    EnrollmentSync,
    /// derms-dacs-enrollment-ack
    EnrollmentAck,
}

impl FlowId {
    /// All flows.
    pub const ALL: &[Self] = &[Self::DeviceScore, Self::KwhAvoided, Self::EnrollmentSync, Self::EnrollmentAck];

    /// Its one name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DeviceScore => dacs_derms_device_score::NAME,
            Self::KwhAvoided => ouai_dacs_kwh_avoided::NAME,
            Self::EnrollmentSync => dacs_derms_enrollment_sync::NAME,
            Self::EnrollmentAck => derms_dacs_enrollment_ack::NAME,
        }
    }

    /// Its name in the trace and in tables.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::DeviceScore => "device-score",
            Self::KwhAvoided => "kwh-avoided",
            Self::EnrollmentSync => "enroll-sync",
            Self::EnrollmentAck => "enroll-ack",
        }
    }

    /// Whether it takes messages; otherwise files.
    #[must_use]
    pub fn is_messages(self) -> bool {
        matches!(self, Self::EnrollmentSync | Self::EnrollmentAck)
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
            Self::DeviceScore => Box::new(scores::plan(setting, records)),
            Self::KwhAvoided => Box::new(kwh::plan(setting, records)),
            Self::EnrollmentSync => Box::new(enrollments::plan(setting, records)),
            Self::EnrollmentAck => Box::new(acks::plan(setting, records)),
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
