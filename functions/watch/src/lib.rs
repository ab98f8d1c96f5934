//! What nobody starts is looked after every five minutes, for all flows: file runs that are held for too long, messages
//! and files whose answers do not come, files that were expected.
//!
//! ```text
//! schedule ─▶ is it my turn? ─┬─ discard holds past their limit ──┐
//!                             ├─ report missing answers           ├─▶ people, metrics
//!                             ├─ check expected files ────────────┤
//!                             ├─ tell kept notices ───────────────┤
//!                             └─ compare files with their answers ┘
//! ```
//!
//! A duty that fails does not keep the others from being done; it is done again the next time.

use flow::Transient;
use flow::ports::UnitReport;
use flow::trigger::Invocation;
use flow::watch::{
    WatchKit, check_expected_files, discard_expired_holds, report_missing_acks, report_missing_file_acks,
    tell_kept_notices,
};
use jiff::Timestamp;

#[cfg(test)]
mod tests;

/// The function's name.
pub const NAME: &str = "watch";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["ExpectedFiles"];

/// The function; its fields are what it may touch.
pub struct Watch {
    /// Ledger, lookups, people.
    pub kit: WatchKit,
}

impl Watch {
    /// Looks after everything once; does nothing while another invocation does.
    ///
    /// # Errors
    /// The first [`Transient`] of a duty; all duties have been tried.
    pub async fn handle(&self, invocation: Invocation) -> Result<(), Transient> {
        let started = self.kit.clock.now();
        if !self.kit.take_turn(&invocation).await? {
            return Ok(());
        }
        let done = [
            discard_expired_holds(&self.kit, &invocation).await,
            report_missing_acks(&self.kit, &invocation).await,
            check_expected_files(&self.kit, &invocation).await,
            tell_kept_notices(&self.kit, &invocation).await,
            // The last one: it may take as long as there is time.
            report_missing_file_acks(&self.kit, &invocation).await,
        ];
        let fault = done.into_iter().find_map(Result::err);
        self.report(&invocation, started, fault.as_ref());
        self.kit.leave(&invocation).await?;
        fault.map_or(Ok(()), Err)
    }
    /// A line of the log. Only what fails is a metric as well: one that is written every five minutes costs as much as
    /// three alarms, and says nothing that Lambda's own do not.
    fn report(&self, invocation: &Invocation, started: Timestamp, fault: Option<&Transient>) {
        let duration = self.kit.clock.now().duration_since(started);
        let Some(fault) = fault else {
            let (unit, correlation, millis) = (&invocation.owner, &invocation.correlation, duration.as_millis());
            tracing::info!(flow = NAME, unit, outcome = "watched", correlation, duration = %millis);
            return;
        };
        self.kit.telemetry.unit(&UnitReport {
            flow: NAME,
            unit: invocation.owner.clone(),
            outcome: "handed-back",
            correlation: invocation.correlation.clone(),
            received: 1,
            delivered: 0,
            rejected: 0,
            retried: 0,
            lag: duration,
            duration,
            reason: Some(fault.chain()),
        });
    }
}
