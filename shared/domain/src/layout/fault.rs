//! Reasons that can be sent to the utility whose file it is.

use std::borrow::Cow;
use std::fmt;

/// Why one row is rejected. The file's other rows are none the worse for it.
///
/// Never more of the row than the offending value, and of that at most 40 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The column, by our name; nothing when the row as a whole is at fault.
    pub column: Option<Cow<'static, str>>,
    /// What is wrong, as a sentence without its end.
    pub reason: Cow<'static, str>,
}

impl RowFault {
    /// A fault of the row as a whole.
    pub fn row(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { column: None, reason: reason.into() }
    }

    /// A fault of one column.
    pub fn at(column: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { column: Some(column.into()), reason: reason.into() }
    }

    /// A fault of the value that stands in one column: `"NaN" is not a decimal number`.
    pub fn value(column: impl Into<Cow<'static, str>>, value: &str, fault: impl fmt::Display) -> Self {
        if value.is_empty() {
            return Self::at(column, fault.to_string());
        }
        Self::at(column, format!("{} {fault}", excerpt(value)))
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{column}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// A value as a reason quotes it: in quotes, control characters escaped, cut after 40 characters.
pub fn excerpt(value: &str) -> String {
    const LONGEST: usize = 40;
    let mut quoted = String::from("\"");
    for (count, c) in value.chars().enumerate() {
        if count == LONGEST {
            quoted.push('…');
            break;
        }
        if c.is_control() {
            quoted.extend(c.escape_default());
        } else {
            quoted.push(c);
        }
    }
    quoted.push('"');
    quoted
}

/// Why a header, or the envelope that came with it, rejects its file: everything that is wrong with it, not only the
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFault(pub Vec<HeaderProblem>);

/// One thing that is wrong with a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderProblem {
    /// A required column is not there.
    Missing {
        /// Our name.
        column: String,
        /// How this sender spells it, where that differs.
        spelled: Option<String>,
        /// A column that is there and differs from it only in upper and lower case or surrounding space.
        found: Option<String>,
    },
    /// A column is there more than once.
    Duplicate {
        /// Our name, or the sender's for a column we don't know.
        column: String,
        /// Which fields of the header, counted from 1.
        fields: Vec<usize>,
    },
    /// A column that the layout, an allow-list, doesn't know.
    Unknown {
        /// As it stands in the header, cut after 40 characters.
        column: String,
    },
    /// A number is missing in the series.
    Gap {
        /// The first that is missing.
        column: String,
        /// The highest that is there.
        last: String,
    },
    /// A field of the header is empty.
    Unnamed {
        /// Which, counted from 1.
        field: usize,
    },
    /// A field of the header is not UTF-8.
    NotUtf8 {
        /// Which, counted from 1.
        field: usize,
    },
    /// A quoted name is opened and the file ends before it is closed.
    Unclosed,
    /// What came with the file beside its rows is missing something, or wrong.
    Envelope {
        /// The name of its member in the object's metadata.
        field: String,
        /// What is wrong, to be read after the name.
        reason: String,
    },
    /// The header fits two kinds of file.
    Ambiguous {
        /// What each kind is recognised by.
        kinds: String,
    },
}

impl HeaderProblem {
    /// The column it is about, where it is about one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Missing { column, .. }
            | Self::Duplicate { column, .. }
            | Self::Unknown { column }
            | Self::Gap { column, .. } => Some(column),
            Self::Unnamed { .. }
            | Self::NotUtf8 { .. }
            | Self::Unclosed
            | Self::Envelope { .. }
            | Self::Ambiguous { .. } => None,
        }
    }
}

impl fmt::Display for HeaderProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { column, spelled, found } => {
                write!(f, "column {column} is missing")?;
                if let Some(spelled) = spelled {
                    write!(f, " (this sender spells it {})", excerpt(spelled))?;
                }
                match found {
                    Some(found) => write!(f, " (there is {}; names are compared letter for letter)", excerpt(found)),
                    None => Ok(()),
                }
            }
            Self::Duplicate { column, fields } => {
                let fields: Vec<String> = fields.iter().map(usize::to_string).collect();
                write!(f, "column {column} is there {} times (fields {})", fields.len(), fields.join(", "))
            }
            Self::Unknown { column } => write!(f, "column {column} is not allowed in this file"),
            Self::Gap { column, last } => {
                write!(f, "column {column} is missing, though {last} is there")
            }
            Self::Unnamed { field } => write!(f, "field {field} of the header has no name"),
            Self::NotUtf8 { field } => write!(f, "field {field} of the header is not valid UTF-8"),
            Self::Unclosed => f.write_str("a quoted name is opened and never closed"),
            Self::Envelope { field, reason } => write!(f, "{field} {reason}"),
            Self::Ambiguous { kinds } => {
                write!(f, "the columns belong to two kinds of file: {kinds}")
            }
        }
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A notification has room for so many; a file with more isn't one of ours.
        const SHOWN: usize = 50;
        let envelope = matches!(self.0.first(), Some(HeaderProblem::Envelope { .. }));
        f.write_str(if envelope { "wrong envelope: " } else { "wrong header: " })?;
        for (index, problem) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for HeaderFault {}
