//! The strict reading that all lookups share.

use super::LookupFault;
use crate::csv::{Delimiter, Record, Split, Splitter, TOO_LONG, strip_bom};
use crate::layout::{Column, Layout, Spelling, Unknown, excerpt};
use std::collections::BTreeSet;

pub(super) fn fault(lookup: &str, line: Option<usize>, reason: impl Into<String>) -> LookupFault {
    LookupFault { lookup: lookup.to_owned(), line, reason: reason.into() }
}

/// A layout of exactly these columns.
pub(super) const fn table(columns: &'static [Column]) -> Layout {
    Layout { file: "lookup", columns, series: None, unknown: Unknown::Reject }
}

/// Reads the rows of a lookup: all columns of `table` and no others, in any order; every value there unless its
/// column is optional; nothing padded with white space. `take` gets the values of each row in the table's order, and
/// its reason refuses the whole lookup.
pub(super) fn each_row<const N: usize>(
    lookup: &str,
    table: &Layout,
    csv: &[u8],
    mut take: impl FnMut([&str; N]) -> Result<(), String>,
) -> Result<(), LookupFault> {
    let mut rest = strip_bom(csv);
    let mut splitter = Splitter::new(Delimiter::sniff(rest));
    let mut columns = None;
    let mut line = 1;
    loop {
        match splitter.split(rest, true) {
            Split::Record(record) => {
                match &columns {
                    None => {
                        let resolved = table.resolve(&record, &Spelling::default());
                        columns = Some(resolved.map_err(|wrong| fault(lookup, Some(line), wrong.to_string()))?);
                    }
                    Some(columns) => {
                        let text = columns.text(&record);
                        let values = text.and_then(|text| {
                            columns.check_width(record.len())?;
                            let place = |column| columns.place(column).map_or("", |place| text.get(place));
                            Ok(std::array::from_fn(place))
                        });
                        let values = values.map_err(|wrong| fault(lookup, Some(line), wrong.to_string()))?;
                        check(table, &values)
                            .and_then(|()| take(values))
                            .map_err(|reason| fault(lookup, Some(line), reason))?;
                    }
                }
                (rest, line) = after(rest, &record, line);
            }
            Split::Blank { len, lines } => {
                rest = rest.get(len..).unwrap_or_default();
                line += lines;
            }
            Split::TooLong => return Err(fault(lookup, Some(line), TOO_LONG)),
            Split::End | Split::Incomplete if columns.is_some() => return Ok(()),
            Split::End | Split::Incomplete => return Err(fault(lookup, None, "the file is empty")),
        }
    }
}

fn after<'a>(rest: &'a [u8], record: &Record<'_>, line: usize) -> (&'a [u8], usize) {
    (rest.get(record.raw().len()..).unwrap_or_default(), line + record.lines())
}

fn check<const N: usize>(table: &Layout, values: &[&str; N]) -> Result<(), String> {
    for (column, value) in table.columns.iter().zip(values) {
        if value.is_empty() && column.required {
            return Err(format!("{} is empty", column.name));
        }
        if value.trim() != *value {
            return Err(format!("{} {} begins or ends with white space", column.name, excerpt(value)));
        }
    }
    Ok(())
}

/// Values that may be there once.
#[derive(Default)]
pub(super) struct Once(BTreeSet<String>);

impl Once {
    /// Takes note of a value, refusing it the second time. An empty one never counts.
    pub(super) fn take(&mut self, column: &str, value: &str) -> Result<(), String> {
        if value.is_empty() || self.0.insert(value.to_owned()) {
            return Ok(());
        }
        Err(format!("{column} {} is there twice", excerpt(value)))
    }
}
