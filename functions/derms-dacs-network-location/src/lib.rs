//! Which transformer, feeder and substation feed each service point by design: the DERMS's extracts go to DACS's inbox.
//!
//! ```text
//! derms-outbox/network-location/… ─▶ queue ─▶ check every row ─▶ dacs-inbox/network-location/…
//! ```
//!
//! Initial loads and changes go the same way; an initial load that omits a service point deletes nothing. Files are
//! taken one at a time, in order of arrival.

use std::sync::Arc;

use domain::csv::Record;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use domain::network_location::LocationSheet;
use flow::Transient;
use flow::file::{FileFlow, FileKit, FileToFile, Sheet, serve};
use flow::ports::Outlet;
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-network-location";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["Columns-network-location"];

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
    let file = LocationSheet::open(header, &lookups.spelling("network-location"))?;
    let columns = file.columns().clone();
    Ok(Sheet { columns, check: Box::new(move |row| file.check(row)) })
}
