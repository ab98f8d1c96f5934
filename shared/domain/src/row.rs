//! What the rows of all files have in common: their fields by column, and the checks of a single field.

use crate::csv::{Record, Text};
use crate::ids::IdFault;
use crate::layout::{Columns, HeaderFault, Layout, RowFault, Spelling};
use crate::time::Instant;

/// Where the N columns of a layout stand in one file.
#[derive(Debug, Clone)]
pub(crate) struct Fields<const N: usize> {
    columns: Columns,
    places: [Option<usize>; N],
}

impl<const N: usize> Fields<N> {
    /// Finds the columns of `layout`, which has N of them.
    pub(crate) fn open(layout: &Layout, header: &Record<'_>, spelling: &Spelling) -> Result<Self, HeaderFault> {
        let columns = layout.resolve(header, spelling)?;
        let places = std::array::from_fn(|column| columns.place(column));
        Ok(Self { columns, places })
    }

    pub(crate) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Where a column stands, if this file has it.
    pub(crate) fn place(&self, column: usize) -> Option<usize> {
        self.places.get(column).copied().flatten()
    }

    /// The columns' fields of a row that is as wide as its header, `""` for a column that this file doesn't have.
    pub(crate) fn read<'a>(&self, record: &Record<'a>) -> Result<[&'a str; N], RowFault> {
        let text = self.columns.text(record)?;
        self.columns.check_width(record.len())?;
        Ok(self.of(&text))
    }

    /// The columns' fields, of a row whose width is another's business.
    pub(crate) fn of<'a>(&self, text: &Text<'a>) -> [&'a str; N] {
        self.places.map(|place| place.map_or("", |place| text.get(place)))
    }

    /// One field of a row that may be wrong in every other way: what its sender, or an acknowledgement, knows the row
    /// by. Nothing when it cannot be trusted.
    ///
    /// **Interpretation:** a row of another width than its header has lost or gained a delimiter somewhere. Only its
    /// first field is still in place for sure.
    pub(crate) fn readable<'a>(&self, record: &Record<'a>, column: usize) -> Option<&'a str> {
        let place = self.place(column)?;
        if record.is_unclosed() || (record.len() != self.columns.width() && place > 0) {
            return None;
        }
        std::str::from_utf8(record.get(place)?).ok()
    }
}

/// An identifier that must be there.
pub(crate) fn id(column: &'static str, value: &str, check: fn(&str) -> Result<(), IdFault>) -> Result<(), RowFault> {
    check(value).map_err(|fault| RowFault::value(column, value, fault))
}

/// An identifier that may be empty.
pub(crate) fn optional_id<'a>(
    column: &'static str,
    value: &'a str,
    check: fn(&str) -> Result<(), IdFault>,
) -> Result<Option<&'a str>, RowFault> {
    if value.is_empty() { Ok(None) } else { id(column, value, check).map(|()| Some(value)) }
}

/// A text without rules of its own that must be there.
pub(crate) fn some(column: &'static str, value: &str) -> Result<(), RowFault> {
    if value.is_empty() { Err(RowFault::at(column, "is empty")) } else { Ok(()) }
}

/// A text without rules of its own that may be empty.
pub(crate) fn optional(value: &str) -> Option<&str> {
    Some(value).filter(|value| !value.is_empty())
}

/// A time that must be there.
pub(crate) fn time(column: &'static str, value: &str) -> Result<Instant, RowFault> {
    Instant::parse(value.as_bytes()).map_err(|fault| RowFault::value(column, value, fault))
}

/// A time that may be empty.
pub(crate) fn optional_time(column: &'static str, value: &str) -> Result<Option<Instant>, RowFault> {
    if value.is_empty() { Ok(None) } else { time(column, value).map(Some) }
}

/// "End after start", where both are there.
pub(crate) fn end_after_start(
    (start_column, start): (&'static str, Option<Instant>),
    (end_column, end): (&'static str, Option<Instant>),
) -> Result<(), RowFault> {
    match (start, end) {
        (Some(start), Some(end)) if end <= start => {
            Err(RowFault::at(end_column, format!("is not after {start_column}")))
        }
        _ => Ok(()),
    }
}
