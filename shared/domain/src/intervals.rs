//! Rows with one value per interval of the time they cover.
//!
//! contracts.md §6: "n = elapsed time ÷ interval size, so rows of different length are **ragged** against one
//! header: valid; trailing empty fields are fine." A row's own duration decides, not the header's length.

use crate::csv::Text;
use crate::layout::{Columns, RowFault};
use crate::row;
use crate::time::Instant;
use std::borrow::Cow;

/// The columns that say which time a row covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start: &'static str,
    pub(crate) end: &'static str,
    /// The interval size, in seconds.
    pub(crate) size: &'static str,
}

/// The time a row covers: half-open, `count` intervals of the same size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Covered {
    pub(crate) start: Instant,
    pub(crate) end: Instant,
    pub(crate) count: usize,
}

impl Span {
    /// Reads the values of the three columns. How many intervals lie between start and end is elapsed time ÷ interval
    /// size, which offsets make right on the days when daylight saving time changes.
    pub(crate) fn read(&self, start: &str, end: &str, size: &str) -> Result<Covered, RowFault> {
        let (start, end) = (row::time(self.start, start)?, row::time(self.end, end)?);
        let plain = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: i64 = match size.parse() {
            Ok(seconds) if plain && seconds > 0 => seconds,
            _ if size.is_empty() => return Err(RowFault::at(self.size, "is empty")),
            _ => return Err(RowFault::value(self.size, size, "is not a whole number of seconds above 0")),
        };
        row::end_after_start((self.start, Some(start)), (self.end, Some(end)))?;
        let elapsed = start.until(end);
        let whole = elapsed.subsec_nanos() == 0 && elapsed.as_secs() % seconds == 0;
        if !whole {
            let reason = format!("{seconds} s do not divide the {} s from start to end", elapsed.as_millis() / 1000);
            return Err(RowFault::at(self.size, reason));
        }
        let count = usize::try_from(elapsed.as_secs() / seconds);
        let count = count.map_err(|_| RowFault::at(self.size, "makes too many intervals"))?;
        Ok(Covered { start, end, count })
    }
}

/// Where the interval fields of a row stand.
pub(crate) struct Intervals<'c> {
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
    pub(crate) fn of(columns: &'c Columns, fields: usize) -> Result<Self, RowFault> {
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
    pub(crate) fn place(&self, index: usize) -> usize {
        match self.first {
            Some(first) => first + index,
            None => self.columns.series().get(index).copied().unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn name(&self, place: usize) -> Cow<'static, str> {
        self.columns.name(place)
    }

    /// A field for each of the `expected` intervals of `span`, and nothing in the fields beyond.
    pub(crate) fn check_count(&self, text: &Text<'_>, expected: usize, span: &Span) -> Result<(), RowFault> {
        let Span { start, end, .. } = span;
        if self.count < expected {
            let reason =
                format!("too few intervals: the row has {}, there are {expected} from {start} to {end}", self.count);
            return Err(RowFault::row(reason));
        }
        for index in expected..self.count {
            let place = self.place(index);
            let value = text.get(place);
            if !value.is_empty() {
                let fault = format!("stands beyond the {expected} intervals from {start} to {end}");
                return Err(RowFault::value(self.name(place), value, fault));
            }
        }
        Ok(())
    }
}
