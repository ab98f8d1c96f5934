//! Time zones by their IANA names: what turns an instant into a day of the calendar.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use crate::json::{Grammar, Text};
use crate::time::{CivilDate, Instant};

/// A time zone, such as `America/Chicago`. Travels by its name, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// Not the name of a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an IANA time zone such as America/Chicago")]
pub struct UnknownZone;

impl Zone {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The day that `instant` falls on there.
    #[must_use]
    pub fn date_of(&self, instant: Instant) -> CivilDate {
        self.zone.to_datetime(instant.timestamp()).date().into()
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZone::get(name).map_err(|_| UnknownZone)?;
        Ok(Self { name: name.to_owned(), zone })
    }
}

impl Text for Zone {
    const GRAMMAR: Grammar = Grammar::Like {
        name: "Zone",
        pattern: "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$",
        about: "A time zone by its IANA name: America/Chicago",
    };
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_is_another_day_in_another_zone() {
        let late: Instant = "2026-07-01T03:30:00Z".parse().unwrap();
        let there = |zone: &str| zone.parse::<Zone>().unwrap().date_of(late).to_string();
        assert_eq!(there("America/Chicago"), "2026-06-30");
        assert_eq!(there("Europe/Zurich"), "2026-07-01");
        assert_eq!("Chicago".parse::<Zone>(), Err(UnknownZone));
    }

    #[test]
    fn the_day_follows_the_clocks_when_they_change() {
        let zone: Zone = "America/New_York".parse().unwrap();
        // Midnight is 04:00Z in summer time and 05:00Z after it.
        let date = |at: &str| zone.date_of(at.parse().unwrap()).to_string();
        assert_eq!(
            (date("2026-11-01T03:59:59Z").as_str(), date("2026-11-01T04:00:00Z").as_str()),
            ("2026-10-31", "2026-11-01")
        );
        assert_eq!(
            (date("2026-11-02T04:59:59Z").as_str(), date("2026-11-02T05:00:00Z").as_str()),
            ("2026-11-01", "2026-11-02")
        );
    }
}
