//! What each service point could shed, per interval: the analytics engine's daily forecast goes to the DERMS's inbox.
//!
//! ```text
//! ouai-outbox/load-reduction-forecast/… ─▶ queue ─▶ check every row ─▶ derms-inbox/load-reduction-forecast/…
//! ```
//!
//! Freshness matters (domain.md, journey 2): files are taken one at a time, in order of arrival, and a late one is marked
//! and reported. A day has 92, 96 or 100 quarter-hours.

use std::sync::Arc;

use domain::csv::Record;
use domain::forecast::ForecastSheet;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use flow::Transient;
use flow::file::{FileFlow, FileKit, FileToFile, Sheet, serve};
use flow::ports::Outlet;
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "ouai-derms-load-reduction-forecast";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["Columns-load-reduction-forecast"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, outbox, rejects and the rest of every file flow.
    pub kit: FileKit,
    /// The receiver's inbox.
    pub to_file: FileToFile,
}

impl Flow {
    /// Messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] for a trigger that this flow does not have.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        serve(&self.kit, &FileFlow::ToFile(&self.to_file), trigger, &invocation).await
    }
}

/// The pipeline into the inbox.
#[must_use]
pub fn to_file(inbox_bucket: String, inbox: Arc<dyn Outlet>) -> FileToFile {
    FileToFile { open, inbox, inbox_bucket, tell: None }
}

/// Understands the header.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let file = ForecastSheet::open(header, &lookups.spelling("load-reduction-forecast"))?;
    let columns = file.columns().clone();
    Ok(Sheet { columns, check: Box::new(move |row| file.check(row)) })
}
