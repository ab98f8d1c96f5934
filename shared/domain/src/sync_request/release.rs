//! Releases of the program system, in the order in which they came out.

use std::fmt;
use std::str::FromStr;

/// A release: `22C`, `23B` … up to 24, `25.4`, `25.10`, `26.4` … since. Ordered: 23C < 25.4 < 25.10 < 26.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DacsRelease {
    year: u16,
    part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Letter(char),
    Month(u16),
}

/// Not the name of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a release such as 22C, 25.4 or 25.10")]
pub struct UnknownRelease;

impl DacsRelease {
    /// The first that takes the registration of single devices (`postAcknowledgement`).
    pub const DEVICE_STATUS: Self = Self { year: 25, part: Part::Month(10) };
    /// The first whose lifecycle call names the stage `eventExternalIdentifier`.
    pub const LIFECYCLE_BY_EVENT_IDENTIFIER: Self = Self { year: 25, part: Part::Month(10) };
}

impl FromStr for DacsRelease {
    type Err = UnknownRelease;

    fn from_str(text: &str) -> Result<Self, UnknownRelease> {
        let (year, part) = text.split_at_checked(2).ok_or(UnknownRelease)?;
        let part = match part.strip_prefix('.') {
            Some(month) => number(month).filter(|month| (1..=12).contains(month)).map(Part::Month),
            None => match part.as_bytes() {
                [letter @ b'A'..=b'Z'] => Some(Part::Letter(char::from(*letter))),
                _ => None,
            },
        };
        let year = number(year);
        year.zip(part).map(|(year, part)| Self { year, part }).ok_or(UnknownRelease)
    }
}

/// Digits only: `u16` itself would take a sign.
fn number(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for DacsRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Letter(letter) => write!(f, "{}{letter}", self.year),
            Part::Month(month) => write!(f, "{}.{month}", self.year),
        }
    }
}
