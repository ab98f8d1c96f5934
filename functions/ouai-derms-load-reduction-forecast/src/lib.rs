//! What each service point could shed, per interval: the analytics engine's daily forecast goes to the DERMS's inbox.
//!
//! ```text
//! ouai-outbox/load-reduction-forecast/… ─▶ queue ─▶ check every row ─▶ derms-inbox/load-reduction-forecast/…
//! ```
//!
//! Freshness matters (domain.md, journey 2): files are taken one at a time, in order of arrival, and a late one is marked
//! and reported. A day has 92, 96 or 100 quarter-hours.

use domain::csv::Record;
use domain::forecast::ForecastSheet;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use flow::file::{Sheet, ToFileFlow};

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "ouai-derms-load-reduction-forecast";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["Columns-load-reduction-forecast"];

/// The flow; its fields are what it may touch.
pub type Flow = ToFileFlow;

/// Understands the header.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Sheet, HeaderFault> {
    let file = ForecastSheet::open(header, &lookups.spelling("load-reduction-forecast"))?;
    Ok(Sheet::of(file, ForecastSheet::columns, ForecastSheet::check))
}
