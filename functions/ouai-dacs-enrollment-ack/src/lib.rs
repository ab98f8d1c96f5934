//! The analytics engine says which enrollments it took: DACS's sync requests become Synchronized or Error, one call per
//! record.
//!
//! ```text
//! ouai-outbox/enrollment-ack/… ─▶ queue ─▶ check rows ─ PATCH syncRequest/{id}, side by side ─▶ DACS
//! ```
//!
//! A sync request that was acknowledged before is done (contracts.md §8). A negative acknowledgement carries its
//! exception; one without a number gets the configured default. What DACS has taken is listed, so that `watch` sees what
//! is missing (decision 19).

use std::sync::Arc;

use domain::csv::Record;
use domain::enrollment_ack_file::AckSheet;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use domain::sync_request::ExceptionCode;
use flow::file::{FileToCalls, ReadRow, ToCallsFlow};
use flow::ledger::run::Run;
use flow::sync_ack::{self, SyncRequestAcks};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "ouai-dacs-enrollment-ack";
/// The lookups that it reads: [`flow::sync_ack::LOOKUPS`] and how the sender spells its columns.
pub const LOOKUPS: &[&str] = &["Columns-enrollment-ack", "DacsMessages", "Routing", "Targets"];

/// The flow; its fields are what it may touch.
pub type Flow = ToCallsFlow;

/// The pipeline of acknowledgements into `acks`, that many calls side by side.
#[must_use]
pub fn to_calls(acks: SyncRequestAcks, side_by_side: usize) -> FileToCalls {
    let default = acks.exception;
    let open = move |header: &Record<'_>, lookups: &Lookups, _: &Run| open(header, lookups, default);
    let (open, target) = (Box::new(open), Arc::new(acks));
    FileToCalls { open, rows_per_call: 1, side_by_side, target, gate: None, ack: None, is_answer: true }
}

/// Understands the header of an acknowledgement file.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open(header: &Record<'_>, lookups: &Lookups, default: ExceptionCode) -> Result<ReadRow, HeaderFault> {
    let sheet = AckSheet::open(header, &lookups.spelling("enrollment-ack"))?;
    Ok(Box::new(move |record| {
        let row = sheet.read(record)?;
        Ok(sync_ack::row(row.key(), &row.acknowledge(default)))
    }))
}
