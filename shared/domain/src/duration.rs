//! Lengths of time as the program system writes them: ISO 8601 durations.

use std::fmt;
use std::str::FromStr;

use jiff::fmt::temporal::SpanParser;
use jiff::{SignedDuration, SpanRelativeTo};
use serde::{Serialize, Serializer};

use crate::json::{Grammar, Text};

/// A length of time, such as `PT4H` or `P1DT12H`; never negative. Travels as it was written.
///
/// **Interpretation:** a week has seven days and a day 24 hours. Months and years are refused: nobody can say how long they
/// are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Length {
    text: String,
    elapsed: SignedDuration,
}

/// Why a text is no length of time. Reads after the name of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LengthFault {
    /// Not written as ISO 8601 wants it.
    #[error("is not an ISO 8601 duration such as PT4H")]
    Shape,
    /// `P1M` or `P1Y`.
    #[error("has months or years, which have no fixed length")]
    NoFixedLength,
}

impl Length {
    /// How long it is.
    #[must_use]
    pub fn elapsed(&self) -> SignedDuration {
        self.elapsed
    }
}

impl FromStr for Length {
    type Err = LengthFault;

    fn from_str(text: &str) -> Result<Self, LengthFault> {
        if !text.starts_with('P') {
            return Err(LengthFault::Shape);
        }
        let span = SpanParser::new().parse_span(text).map_err(|_| LengthFault::Shape)?;
        if span.get_years() != 0 || span.get_months() != 0 {
            return Err(LengthFault::NoFixedLength);
        }
        let elapsed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| LengthFault::Shape)?;
        Ok(Self { text: text.to_owned(), elapsed })
    }
}

impl Text for Length {
    const GRAMMAR: Grammar = Grammar::Like {
        name: "Length",
        pattern: "^P(?=[0-9Tt])([0-9]+[Ww])?([0-9]+[Dd])?([Tt](?=[0-9])([0-9]+([.,][0-9]{1,9})?[Hh])?\
                  ([0-9]+([.,][0-9]{1,9})?[Mm])?([0-9]+([.,][0-9]{1,9})?[Ss])?)?$",
        about: "A length of time without months and years, ISO 8601: PT4H",
    };
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_and_kept_as_it_was_written() {
        for (text, seconds) in
            [("PT4H", 14_400), ("PT90M", 5_400), ("P1DT12H", 129_600), ("P2W", 1_209_600), ("PT0S", 0)]
        {
            let length: Length = text.parse().unwrap();
            assert_eq!((length.elapsed().as_secs(), length.to_string().as_str()), (seconds, text));
        }
    }

    #[test]
    fn what_has_no_fixed_length_or_another_shape_is_refused() {
        for text in ["P1M", "P1Y", "P1Y2M3D"] {
            assert_eq!(text.parse::<Length>(), Err(LengthFault::NoFixedLength), "{text}");
        }
        for text in ["", "P", "PT", "4h", "4 hours", "-PT4H", "PT4H ", "14400", "pt4h"] {
            assert_eq!(text.parse::<Length>(), Err(LengthFault::Shape), "{text}");
        }
    }
}
