//! Which transformer, feeder and substation feed each service point by design: the DERMS's extracts go to DACS's inbox.
//!
//! ```text
//! derms-outbox/network-location/… ─▶ queue ─▶ check every row ─▶ dacs-inbox/network-location/…
//! ```
//!
//! Initial loads and changes go the same way; an initial load that omits a service point deletes nothing. Files are
//! taken one at a time, in order of arrival.

use domain::csv::Record;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use domain::network_location::LocationSheet;
use flow::file::{Sheet, ToFileFlow};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-network-location";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["Columns-network-location"];

/// The flow; its fields are what it may touch.
pub type Flow = ToFileFlow;

/// Understands the header.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let file = LocationSheet::open(header, &lookups.spelling("network-location"))?;
    Ok(Sheet::of(file, LocationSheet::columns, LocationSheet::check))
}
