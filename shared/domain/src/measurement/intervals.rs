//! The interval fields of one row.
//!
//! contracts.md §6: "n = elapsed time ÷ interval size, so rows of different length are **ragged** against one
//! header: valid; trailing empty fields are fine." A row's own duration decides, not the header's length.

use crate::csv::Text;
use crate::layout::{Columns, RowFault};
use std::borrow::Cow;

/// Where the interval fields of a row stand.
pub(super) struct Intervals<'c> {
    columns: &'c Columns,
    /// Place of the first interval where they end the row, in order; else the header's places hold.
    first: Option<usize>,
    count: usize,
}

impl<'c> Intervals<'c> {
    /// The intervals of a row of this many fields.
    ///
    /// **Interpretation:** where the intervals are the last columns of the header, a row may go on beyond it, as it
    /// may stop short of it; where they are not, a row has as many fields as its header.
    pub(super) fn of(columns: &'c Columns, fields: usize) -> Result<Self, RowFault> {
        if !columns.series_ends_the_row() {
            columns.check_width(fields)?;
            return Ok(Self { columns, first: None, count: columns.series().len() });
        }
        let first = columns.width() - columns.series().len();
        match fields.checked_sub(first) {
            Some(count) => Ok(Self { columns, first: Some(first), count }),
            None => {
                let reason = format!("too few fields: the row has {fields}, there are {first} before the intervals");
                Err(RowFault::row(reason))
            }
        }
    }

    /// Where the interval of this index (from 0) stands.
    pub(super) fn place(&self, index: usize) -> usize {
        match self.first {
            Some(first) => first + index,
            None => self.columns.series().get(index).copied().unwrap_or(usize::MAX),
        }
    }

    pub(super) fn name(&self, place: usize) -> Cow<'static, str> {
        self.columns.name(place)
    }

    /// A field for each of the `expected` intervals, and nothing in the fields beyond.
    pub(super) fn check_count(&self, text: &Text<'_>, expected: usize) -> Result<(), RowFault> {
        if self.count < expected {
            let reason = format!(
                "too few intervals: the row has {}, there are {expected} from ActualStartTime to ActualEndTime",
                self.count
            );
            return Err(RowFault::row(reason));
        }
        for index in expected..self.count {
            let place = self.place(index);
            let value = text.get(place);
            if !value.is_empty() {
                let fault = format!("stands beyond the {expected} intervals from ActualStartTime to ActualEndTime");
                return Err(RowFault::value(self.name(place), value, fault));
            }
        }
        Ok(())
    }
}
