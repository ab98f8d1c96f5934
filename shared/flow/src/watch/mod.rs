//! What nobody starts: looked after every few minutes, by one function for all flows.
//!
//! ```text
//! schedule ─▶ turn ─┬─ holds      held runs past the hold limit are discarded
//!                   ├─ acks       messages whose answer did not come in time are reported, once
//!                   ├─ file acks  so are files of which some rows were not answered
//!                   ├─ expected   files that are late, missing or too short are reported, once
//!                   └─ notices    what was kept of a cause is told together, when its window is over
//! ```
//!
//! Each duty reads little: the open matters of each flow from the oldest on, and the runs around a time at which a file
//! is due. Each may be cut off anywhere and is done again the next time.

mod acks;
mod compare;
mod expected;
mod file_acks;
mod holds;
mod notices;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use acks::report_missing_acks;
pub use expected::check_expected_files;
pub use file_acks::report_missing_file_acks;
pub use holds::discard_expired_holds;
pub use notices::tell_kept_notices;

use crate::Transient;
use crate::file::RejectStore;
use crate::ledger::open::{Matter, Open};
use crate::ledger::{Committed, Ledger, Seen, decode};
use crate::lookups::LookupBook;
use crate::ports::{Clock, Key, Notifier, Telemetry, Write};
use crate::trigger::Invocation;

/// A duty ends this long before the function would be ended.
const MARGIN: SignedDuration = SignedDuration::from_secs(20);
/// How many open matters are read at once.
const PAGE: u32 = 100;

/// What the duties work with.
#[derive(Clone)]
pub struct WatchKit {
    /// The ledger.
    pub ledger: Ledger,
    /// Tells people, once per cause and window.
    pub notifier: Arc<dyn Notifier>,
    /// Tells people at once: what was kept.
    pub publisher: Arc<dyn Notifier>,
    /// Metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The lookup ExpectedFiles.
    pub lookups: LookupBook,
    /// Lists of ids that files have delivered, and of those that are not answered.
    pub rejects: RejectStore,
    /// Limits.
    pub limits: WatchLimits,
}

/// After how long something is reported or done.
#[derive(Debug, Clone, Copy)]
pub struct WatchLimits {
    /// A held run is discarded.
    pub hold: SignedDuration,
    /// An answer of the DERMS is missing (contracts.md §8).
    pub derms_ack: SignedDuration,
    /// Answers to a file for the analytics engine are missing (contracts.md §8).
    pub ouai_ack: SignedDuration,
}

/// Who looks after everything at present: another one that was started meanwhile leaves it to them.
#[derive(Debug, Serialize, Deserialize)]
struct Turn {
    owner: String,
    until: Timestamp,
}

impl WatchKit {
    /// Whether it is this invocation's to look after everything now. It is nobody else's until its deadline, or until
    /// [`WatchKit::leave`].
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn take_turn(&self, invocation: &Invocation) -> Result<bool, Transient> {
        let seen = self.ledger.get::<Turn>(&turn_key()).await?;
        let now = self.clock.now();
        if seen.as_ref().is_some_and(|seen| seen.value.owner != invocation.owner && seen.value.until > now) {
            return Ok(false);
        }
        let turn = Turn { owner: invocation.owner.clone(), until: invocation.deadline };
        let write = Write::put(turn_key(), &turn, seen.map(|seen| seen.rev), None)?;
        Ok(self.ledger.commit(&[write]).await? == Committed::Yes)
    }

    /// Leaves the turn to whoever comes next.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn leave(&self, invocation: &Invocation) -> Result<(), Transient> {
        let seen = self.ledger.get::<Turn>(&turn_key()).await?;
        if let Some(seen) = seen.filter(|seen| seen.value.owner == invocation.owner) {
            let turn = Turn { until: self.clock.now(), ..seen.value };
            self.ledger.commit(&[Write::put(turn_key(), &turn, Some(seen.rev), None)?]).await?;
        }
        Ok(())
    }

    fn is_out_of_time(&self, invocation: &Invocation) -> bool {
        self.clock.now() >= invocation.deadline.saturating_sub(MARGIN).unwrap_or(invocation.deadline)
    }

    /// The open matters of `flow` of one kind, from `after` on, that are at least `age` old, at most a page of them; and
    /// where the next page begins, if there is one.
    async fn open(
        &self,
        flow: &str,
        matter: Matter,
        after: Option<String>,
        age: SignedDuration,
    ) -> Result<(Vec<Seen<Open>>, Option<String>), Transient> {
        let (prefix, now) = (matter.prefix(), self.clock.now());
        let after = after.unwrap_or_else(|| prefix.clone());
        let page = self.ledger.list(&Open::partition(flow), Some(&after), PAGE).await?;
        let mut open = Vec::new();
        for item in page.iter().filter(|item| item.key.sort.starts_with(&prefix)) {
            open.push(decode::<Open>(item)?);
        }
        open.retain(|open| now.duration_since(open.value.since) >= age);
        let is_whole = u32::try_from(open.len()).is_ok_and(|found| found == PAGE);
        let next = page.last().map(|last| last.key.sort.clone()).filter(|_| is_whole);
        Ok((open, next))
    }
}

fn turn_key() -> Key {
    Key { partition: "watch#turn".into(), sort: "turn".into() }
}
