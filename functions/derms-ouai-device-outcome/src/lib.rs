//! What each device did in each stage: the DERMS's outcome file goes to the analytics engine's inbox as it is.
//!
//! ```text
//! derms-outbox/device-outcome/… ─▶ topic ─┬▶ queue ─▶ check every row ─▶ ouai-inbox/device-outcome/…
//!                                         └▶ derms-dacs-device-outcome
//! ```
//!
//! It knows nothing of the other flow, and never waits for it. A clean file arrives byte for byte; otherwise its valid
//! rows do, under our column names (contracts.md §6). Files are taken one at a time, in order of arrival.

use domain::csv::Record;
use domain::layout::HeaderFault;
use domain::lookups::{Lookups, MapName};
use domain::outcome::{OutcomeCodes, OutcomeSheet};
use flow::file::{Sheet, ToFileFlow};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-ouai-device-outcome";
/// The lookups that it reads: a row whose outcome nobody knows is rejected here as it is towards DACS.
pub const LOOKUPS: &[&str] = &["Columns-device-outcome", "OutcomeCode"];

/// The flow; its fields are what it may touch.
pub type Flow = ToFileFlow;

/// Understands the header of an outcome file.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let sheet = OutcomeSheet::open(header, &lookups.spelling("device-outcome"))?;
    let codes = OutcomeCodes::new(lookups.map(MapName::OutcomeCode));
    Ok(Sheet::of(sheet, OutcomeSheet::columns, move |sheet, row| sheet.read(row, &codes).map(|_| ())))
}
