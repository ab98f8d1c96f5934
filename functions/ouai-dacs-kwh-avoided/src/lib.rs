//! What each customer avoided, per event and service point: kWh Avoided and kW Drop files go to DACS's inbox.
//!
//! ```text
//! ouai-outbox/kwh-avoided/… ─▶ queue ─▶ check every row ─▶ dacs-inbox/kwh-avoided/…   whole, or not at all
//! ```
//!
//! The two kinds are told apart by their header. A clean file arrives byte for byte; otherwise its valid rows do, under
//! our column names (contracts.md §6). Files are taken one at a time, in order of arrival.

use std::sync::Arc;

use domain::csv::Record;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use domain::measurement::Measurement;
use flow::Transient;
use flow::file::{FileFlow, FileKit, FileToFile, Sheet, serve};
use flow::ports::Outlet;
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "ouai-dacs-kwh-avoided";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["Columns-kwh-avoided"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, outbox, rejects and the rest of every file flow.
    pub kit: FileKit,
    /// DACS's inbox.
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

/// The pipeline into DACS's inbox.
#[must_use]
pub fn to_file(inbox_bucket: String, inbox: Arc<dyn Outlet>) -> FileToFile {
    FileToFile { open, inbox, inbox_bucket, tell: None }
}

/// Understands the header of a kWh Avoided or kW Drop file.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let file = Measurement::open(header, &lookups.spelling("kwh-avoided"))?;
    let columns = file.columns().clone();
    Ok(Sheet { columns, check: Box::new(move |row| file.check(row)) })
}
