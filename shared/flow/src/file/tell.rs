//! File → file: the source is told of each row that will never be delivered, where the contract asks for it (contracts.md
//! §8, flow 7: "it will never reach OUAI: its sync request → Error with the reason").
//!
//! The rows are read once more after the file was published, and decided as before; one call per rejected row, one after
//! another: there are few of them, or the run would be held. Telling twice is harmless.

use std::sync::Arc;

use domain::csv::Record;
use domain::layout::{HeaderFault, RowFault};
use domain::lookups::Lookups;

use super::attempt::Attempt;
use super::calls::{CallRow, CallTarget};
use super::halt::Worked;
use super::head;
use super::publish::FileToFile;
use super::reader::Line;
use crate::ledger::run::{Phase, RunState};

/// The answer for a rejected row, if its source can be told.
pub type AnswerRow = Box<dyn Fn(&Record<'_>, &RowFault) -> Option<CallRow> + Send + Sync>;

/// Understands a header: how its rows are answered.
pub type OpenAnswers = Box<dyn Fn(&Record<'_>, &Lookups) -> Result<AnswerRow, HeaderFault> + Send + Sync>;

/// How the source of a file hears of its rejected rows.
pub struct TellSource {
    /// Understands the header.
    pub open: OpenAnswers,
    /// The source.
    pub target: Arc<dyn CallTarget>,
}

/// Phase [`Phase::Tell`].
pub(super) async fn tell(attempt: &mut Attempt<'_>, flow: &FileToFile, state: RunState) -> Worked {
    let Some(source) = &flow.tell else { return Ok(attempt.enter(Phase::Settle(state), attempt.run.position).await?) };
    let head = head::read(attempt).await?;
    let lookups = attempt.lookups().await?;
    let sheet = head::understand(attempt, &head, |header| (flow.open)(header, &lookups))?;
    let answer = head::understand(attempt, &head, |header| (source.open)(header, &lookups))?;
    let mut reader = head::rows(attempt, &head, attempt.run.position).await?;
    loop {
        let row = match reader.next() {
            Line::Record(record, _) => (sheet.check)(&record).err().and_then(|fault| answer(&record, &fault)),
            Line::TooLong { .. } | Line::Nothing => None,
            Line::End => break,
            Line::More => {
                attempt.pause(reader.position()).await?;
                reader.fill().await.map_err(|fault| head::halt(&attempt.run, fault))?;
                None
            }
        };
        if let Some(row) = row {
            let refused = source.target.call(&attempt.run, &[row], attempt.invocation()).await?;
            if let Some((_, fault)) = refused.first() {
                attempt.run.reason = Some(format!("not every source could be told: {}", fault.reason));
            }
            attempt.pause(reader.position()).await?;
        }
    }
    Ok(attempt.enter(Phase::Settle(state), reader.position()).await?)
}
