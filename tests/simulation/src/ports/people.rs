use async_trait::async_trait;
use flow::Transient;
use flow::memory::{Notices, Reports};
use flow::ports::{Notice, Notifier, Telemetry, UnitReport};

use super::Wire;
use crate::bugs::Bug;
use crate::engine::Port;

/// Tells people.
#[derive(Clone)]
pub struct SimNotifier {
    /// The line.
    pub wire: Wire,
    /// What they were told.
    pub notices: Notices,
}

#[async_trait]
impl Notifier for SimNotifier {
    async fn notify(&self, notice: &Notice) -> Result<(), Transient> {
        let op = self.wire.op(Port::People, "notify", || notice.subject.clone());
        let deaf = self.wire.shared.has_bug(Bug::TellNobody);
        let act = async { if deaf { Ok(()) } else { self.notices.notify(notice).await } };
        self.wire.through(op, act).await
    }
}

/// Keeps the log; writing a line to standard output neither waits nor fails.
#[derive(Clone)]
pub struct SimTelemetry {
    /// The line.
    pub wire: Wire,
    /// What was logged.
    pub reports: Reports,
}

impl Telemetry for SimTelemetry {
    fn unit(&self, report: &UnitReport) {
        self.reports.unit(report);
        let mut core = self.wire.shared.lock();
        if core.is_traced() {
            let reason = report.reason.as_deref().unwrap_or_default();
            core.note_here(&format!("== {} {} {reason}", short(&report.unit), report.outcome));
        }
    }

    fn tally(&self, flow: &'static str, metric: &'static str, count: u64) {
        self.reports.tally(flow, metric, count);
    }
}

/// The beginning of an id, enough to tell two apart.
pub(super) fn short(id: &str) -> &str {
    id.get(..id.floor_char_boundary(26)).unwrap_or(id)
}
