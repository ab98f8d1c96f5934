//! `watch` and `error-handler`: they have no input of their own. What is checked of them is what the ledger lists as open, and
//! what people were told.

mod check;

pub use check::{check_listed, next_due};

use bytes::Bytes;
use flow::memory::CONFIG;

use super::{FlowId, Workload};
use crate::engine::{Micros, seconds};
use crate::schedule::Setting;

/// A file that nobody drops in a schedule without its flow.
pub const EXPECTED: FlowId = FlowId::Location;
/// When it is due, after the beginning.
const DUE: Micros = seconds(3600);
/// Its grace, our own time, and what clocks may differ.
const DECIDED: Micros = DUE + seconds(35 * 60 + 60);

/// After how long `watch` acts, in this schedule.
pub mod limits {
    use jiff::SignedDuration;

    /// A held run is discarded: sooner than as shipped, so that a schedule sees it.
    pub const HOLD: SignedDuration = SignedDuration::from_hours(12);
    /// An answer of the DERMS is missing.
    pub const DERMS_ACK: SignedDuration = SignedDuration::from_hours(1);
    /// Answers to a file are missing.
    pub const OUAI_ACK: SignedDuration = SignedDuration::from_hours(24);
    /// How long the window of a cause is open.
    pub const WINDOW: SignedDuration = SignedDuration::from_mins(15);
}

/// A function without input.
pub struct Nothing;

impl Workload for Nothing {
    fn records(&self) -> usize {
        0
    }

    fn check(&self, _: &Setting, _: &mut Vec<String>) {}
}

/// What `watch` looks after.
pub struct Watching;

/// Plans what `watch` is to see beside what the flows leave open: a file that is expected.
pub fn plan(setting: &mut Setting) -> Watching {
    let row = format!("flow,cron,timeZone,grace,minimumRows\n{},0 1 * * *,UTC,PT30M,1\n", EXPECTED.name());
    setting.services.objects.put(CONFIG, "lookups/ExpectedFiles.csv", Bytes::from(row));
    Watching
}

impl Workload for Watching {
    fn records(&self) -> usize {
        0
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        check::check(setting, broken);
    }
}
