//! Completed enrollments and unenrollments go to the analytics engine, without devices: DACS's extracts go to OUAI's inbox.
//!
//! ```text
//! dacs-outbox/enrollment-sync/… ─▶ queue ─▶ check every row ─▶ ouai-inbox/enrollment-sync/…
//!   ▲                                          │ rejected rows
//!   └── sync request → Error with the reason ◀─┘
//! ```
//!
//! The columns are an allow-list: a file with any other column is rejected, so that device data never leaves. A row that
//! is rejected will never reach OUAI, so its sync request turns to Error (contracts.md §8). Files are taken one at a time,
//! in order of arrival.

use std::sync::Arc;

use domain::csv::Record;
use domain::enrollment_extract::ExtractSheet;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use domain::sync_request::{self, ExceptionCode};
use flow::Transient;
use flow::file::{AnswerRow, FileFlow, FileKit, FileToFile, Sheet, TellSource, serve};
use flow::ports::Outlet;
use flow::sync_ack::{self, SyncRequestAcks};
use flow::trigger::{Invocation, Reply, Trigger};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-ouai-enrollment-sync";
/// The lookups that it reads: [`flow::sync_ack::LOOKUPS`] and how the sender spells its columns.
pub const LOOKUPS: &[&str] = &["Columns-enrollment-sync", "DacsMessages"];

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, outbox, rejects and the rest of every file flow.
    pub kit: FileKit,
    /// OUAI's inbox, and DACS's sync requests.
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

/// The pipeline into OUAI's inbox, whose rejected rows are told to `acks`.
#[must_use]
pub fn to_file(inbox_bucket: String, inbox: Arc<dyn Outlet>, acks: SyncRequestAcks) -> FileToFile {
    let code = acks.exception;
    let answer = move |header: &Record<'_>, lookups: &Lookups| answer(header, lookups, code);
    let tell = TellSource { open: Box::new(answer), target: Arc::new(acks) };
    FileToFile { open, inbox, inbox_bucket, tell: Some(tell) }
}

/// Understands the header of an extract.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing, doubled or not on the list.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let file = ExtractSheet::open(header, &lookups.spelling("enrollment-sync"))?;
    let columns = file.columns().clone();
    Ok(Sheet { columns, check: Box::new(move |row| file.check(row)) })
}

/// The answer for a rejected row: its sync request turns to Error, if its id can be read.
fn answer(header: &Record<'_>, lookups: &Lookups, code: ExceptionCode) -> Result<AnswerRow, HeaderFault> {
    let file = ExtractSheet::open(header, &lookups.spelling("enrollment-sync"))?;
    Ok(Box::new(move |record, fault| {
        let id = file.sync_request(record)?;
        let reason = fault.to_string();
        Some(sync_ack::row(id.as_str(), &sync_request::patch(&id, Some((code, &reason)))))
    }))
}
