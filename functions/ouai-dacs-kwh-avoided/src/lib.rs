//! What each customer avoided, per event and service point: kWh Avoided and kW Drop files go to DACS's inbox.
//!
//! ```text
//! ouai-outbox/kwh-avoided/… ─▶ queue ─▶ check every row ─▶ dacs-inbox/kwh-avoided/…   whole, or not at all
//! ```
//!
//! The two kinds are told apart by their header. A clean file arrives byte for byte; otherwise its valid rows do, under
//! our column names (contracts.md §6). Files are taken one at a time, in order of arrival.

use domain::csv::Record;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use domain::measurement::Measurement;
use flow::file::{Sheet, ToFileFlow};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "ouai-dacs-kwh-avoided";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["Columns-kwh-avoided"];

/// The flow; its fields are what it may touch.
pub type Flow = ToFileFlow;

/// Understands the header of a kWh Avoided or kW Drop file.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let file = Measurement::open(header, &lookups.spelling("kwh-avoided"))?;
    Ok(Sheet::of(file, Measurement::columns, Measurement::check))
}
