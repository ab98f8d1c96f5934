//! What columns a file has, and where they stand in one sender's file.
//!
//! contracts.md §6: "Columns are found by header name, in any order; **bold** ones may be absent or empty; unknown
//! extra columns pass through file → file and are ignored otherwise". Names are compared letter for letter; how a
//! sender spells ours is the lookup `Columns-<file>` (contracts.md §7).

mod fault;
mod resolve;

pub use fault::{HeaderFault, HeaderProblem, RowFault, excerpt};

use crate::csv::{NotUtf8, Record, Text};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A column of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Our name for it.
    pub name: &'static str,
    /// The header must have it.
    pub required: bool,
    /// Other names it is known by, whoever the sender is.
    pub aliases: &'static [&'static str],
}

impl Column {
    /// A column that must be in the header.
    pub const fn required(name: &'static str) -> Self {
        Self { name, required: true, aliases: &[] }
    }

    /// A column that may be absent.
    pub const fn optional(name: &'static str) -> Self {
        Self { name, required: false, aliases: &[] }
    }

    /// The same column, known by other names too.
    pub const fn or(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
}

/// What happens to columns that a layout doesn't know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// They travel along file → file, and are ignored otherwise.
    PassThrough,
    /// They reject the file: the layout is an allow-list.
    Reject,
}

/// The columns of one kind of file.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The kind of file, as the lookup `Columns-<file>` names it.
    pub file: &'static str,
    /// Its columns, in the order in which we write them.
    pub columns: &'static [Column],
    /// The stem of a numbered series after them: `KwhSaved` for `KwhSaved1`, `KwhSaved2` … without a gap.
    pub series: Option<&'static str>,
    /// What happens to other columns.
    pub unknown: Unknown,
}

/// How a sender spells our column names: our name → the sender's. A series is spelled by its stem.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spelling(BTreeMap<String, String>);

impl Spelling {
    /// Pairs of our name and the sender's.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The sender's spelling of our `name`, where it has one of its own.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Our names that have a spelling.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Where the columns of a layout stand in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    places: Vec<Option<usize>>,
    series: Vec<usize>,
    stem: &'static str,
    names: Vec<String>,
    canonical: bool,
}

impl Columns {
    /// Where the `column`-th column of the layout stands in a record, counted from 0 as both are; nothing when this
    /// file doesn't have it.
    pub fn place(&self, column: usize) -> Option<usize> {
        self.places.get(column).copied().flatten()
    }

    /// Where the columns of the series stand, in the order of their numbers.
    pub fn series(&self) -> &[usize] {
        &self.series
    }

    /// The series is the end of the header, in order: then a row may have more or fewer of its fields than the
    /// header names (contracts.md §6: "rows of different length are **ragged** against one header: valid").
    pub fn series_ends_the_row(&self) -> bool {
        let first = self.names.len() - self.series.len();
        !self.series.is_empty() && self.series.iter().copied().eq(first..self.names.len())
    }

    /// Fields in the header.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// The header in the file's order, with our names; columns we don't know keep theirs.
    pub fn our_names(&self) -> &[String] {
        &self.names
    }

    /// Our name of the field at this place; a field beyond the header continues the series.
    pub fn name(&self, place: usize) -> Cow<'static, str> {
        match self.names.get(place) {
            Some(name) => name.clone().into(),
            None if self.stem.is_empty() => format!("field {}", place + 1).into(),
            None => {
                let number = place + 1 + self.series.len() - self.names.len();
                format!("{}{number}", self.stem).into()
            }
        }
    }

    /// The header already is exactly ours: no alias, no spelling of the sender.
    pub fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Appends the header with our names, as comma-separated UTF-8 ending in LF.
    pub fn write_header(&self, out: &mut Vec<u8>) {
        crate::csv::write_record(out, self.names.iter().map(String::as_bytes));
    }

    /// The fields of a row as text.
    ///
    /// # Errors
    ///
    /// A field that is not UTF-8, or a quote that is never closed.
    pub fn text<'a>(&self, record: &Record<'a>) -> Result<Text<'a>, RowFault> {
        if record.is_unclosed() {
            return Err(RowFault::row("a quoted field is opened and never closed"));
        }
        record.text().map_err(|NotUtf8 { field }| RowFault::at(self.name(field), "is not valid UTF-8"))
    }

    /// Checks that a row has as many fields as the header, where no series ends it.
    ///
    /// # Errors
    ///
    /// Too few or too many, with both counts.
    pub fn check_width(&self, fields: usize) -> Result<(), RowFault> {
        let width = self.width();
        if fields == width {
            return Ok(());
        }
        let which = if fields < width { "too few" } else { "too many" };
        Err(RowFault::row(format!("{which} fields: the row has {fields}, the header has {width}")))
    }
}

#[cfg(test)]
mod tests;
