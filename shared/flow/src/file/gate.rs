//! File → REST: whether rows may be sent now. A stage that is not scheduled yet, or not final yet, keeps its rows
//! waiting; waiting is no failure, and is counted to no limit but the gate's own.
//!
//! ```text
//! rows of a group ─▶ look ─┬─ Open ───▶ sent
//!   (a stage)              ├─ Wait ───▶ checkpoint before the row, the message is shown again later
//!                          └─ Closed ─▶ rejected, with the reason
//! ```
//!
//! A gate is looked at again after each checkpoint, so what closes it in mid-file is noticed within ten seconds.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ledger::run::Run;
use crate::trigger::Invocation;
use crate::{Failure, Transient};

/// What a gate says of a group of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They may be sent.
    Open,
    /// Not yet, for this reason.
    Wait(String),
    /// They never may: each is rejected with this reason.
    Closed(String),
}

/// When the rows of a file may be sent.
#[async_trait]
pub trait Gate: Send + Sync {
    /// From then on nothing of `run` is sent any more, and it is given up; without one, the retry limit holds.
    fn deadline(&self, run: &Run) -> Option<Timestamp>;

    /// Whether rows of `group` may be sent now.
    ///
    /// # Errors
    /// [`Failure`] when the gate cannot say.
    async fn look(&self, run: &Run, group: &[u8], invocation: &Invocation) -> Result<Verdict, Failure>;

    /// Nothing more of `run` will be sent. May be called again.
    ///
    /// # Errors
    /// [`Transient`] when that could not be noted.
    async fn leave(&self, run: &Run) -> Result<(), Transient>;
}

/// What the gate said since the last checkpoint.
#[derive(Default)]
pub(super) struct Looked(HashMap<Vec<u8>, Verdict>);

impl Looked {
    /// The verdict on `group`, from a look that is not older than the last checkpoint.
    pub async fn at(
        &mut self,
        gate: &dyn Gate,
        run: &Run,
        group: &[u8],
        invocation: &Invocation,
    ) -> Result<Verdict, Failure> {
        if let Some(verdict) = self.0.get(group) {
            return Ok(verdict.clone());
        }
        let verdict = gate.look(run, group, invocation).await?;
        self.0.insert(group.to_vec(), verdict.clone());
        Ok(verdict)
    }

    /// Forgets what was seen.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
