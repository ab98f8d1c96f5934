//! Completed enrollments and unenrollments go to the analytics engine, without devices: DACS's extracts go to OUAI's inbox.
//!
//! ```text
//! dacs-outbox/enrollment-sync/… ─▶ queue ─▶ check every row ─▶ ouai-inbox/enrollment-sync/…
//!   ▲                                          │ rejected rows
//!   └── sync request → Error with the reason ◀─┘
//! ```
//!
//! The columns are an allow-list: a file with any other column is rejected, so that device data never leaves. A row that
//! is rejected will never reach OUAI, so its sync request turns to Error (contracts.md §8). Those that are delivered are
//! listed: OUAI acknowledges them in files of its own, and `watch` misses what does not come (decision 19). Files are
//! taken one at a time, in order of arrival.

use std::sync::Arc;

use domain::csv::Record;
use domain::enrollment_extract::ExtractSheet;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use domain::sync_request::{self, ExceptionCode};
use flow::file::{AnswerRow, Sheet, TellSource, ToFileFlow};
use flow::sync_ack::{self, SyncRequestAcks};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-ouai-enrollment-sync";
/// The lookups that it reads: [`flow::sync_ack::LOOKUPS`] and how the sender spells its columns.
pub const LOOKUPS: &[&str] = &["Columns-enrollment-sync", "DacsMessages", "Routing", "Targets"];

/// The flow; its fields are what it may touch: OUAI's inbox, and DACS's sync requests.
pub type Flow = ToFileFlow;

/// Tells `acks` of each row that will never reach OUAI.
#[must_use]
pub fn tell(acks: SyncRequestAcks) -> TellSource {
    let code = acks.exception;
    let answer = move |header: &Record<'_>, lookups: &Lookups| answer(header, lookups, code);
    TellSource { open: Box::new(answer), target: Arc::new(acks) }
}

/// Understands the header of an extract.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing, doubled or not on the list.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let file = ExtractSheet::open(header, &lookups.spelling("enrollment-sync"))?;
    let ids = file.clone();
    let sheet = Sheet::of(file, ExtractSheet::columns, ExtractSheet::check);
    Ok(Sheet { id: Some(Box::new(move |record| ids.id(record))), ..sheet })
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
