//! Instants and civil dates, read strictly.
//!
//! contracts.md §6: "ISO 8601 times with offset". A time without an offset is ambiguous twice a year and wrong in
//! between, so it is refused, never guessed. Elapsed time is always the difference of two instants, which makes
//! daylight saving time harmless: the offsets say what happened.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

use crate::json::{Grammar, Text};

/// Why a text is not a time (or a date). Its `Display` reads after the name of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeFault {
    /// There is no text at all.
    #[error("is empty")]
    Empty,
    /// Not written as the contract wants it.
    #[error("is not an ISO 8601 time such as 2026-07-01T14:00:00-05:00")]
    Shape,
    /// Not written as the contract wants a date.
    #[error("is not an ISO 8601 date such as 2026-07-01")]
    DateShape,
    /// A date where an instant is needed.
    #[error("has no time of day")]
    NoTimeOfDay,
    /// A local time: ambiguous.
    #[error("has no offset from UTC (such as -05:00, or Z)")]
    NoOffset,
    /// Written like an offset, but not as `Z`, `+hh:mm` or `-hh:mm` up to 18 hours.
    #[error("has an offset that is not Z, +hh:mm or -hh:mm within 18 hours")]
    Offset,
    /// 30 February and the like.
    #[error("names a day that does not exist: year {year}, month {month}, day {day}")]
    NoSuchDay {
        /// As written.
        year: i16,
        /// As written.
        month: i8,
        /// As written.
        day: i8,
    },
    /// 24:00:00, 10:60:00 or a leap second.
    #[error("has a time of day outside 00:00:00 to 23:59:59")]
    NoSuchTimeOfDay,
    /// Beyond the years the calendar covers.
    #[error("is outside the years 0000 to 9999")]
    Range,
}

/// A point in time, to the nanosecond, whatever offset it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Timestamp);

impl Instant {
    /// Reads `YYYY-MM-DDThh:mm:ss[.fraction]` followed by `Z`, `+hh:mm` or `-hh:mm`.
    ///
    /// # Errors
    ///
    /// The specific rule that the text breaks.
    pub fn parse(text: &[u8]) -> Result<Self, TimeFault> {
        if text.is_empty() {
            return Err(TimeFault::Empty);
        }
        let (date, rest) = split_date(text).ok_or(TimeFault::Shape)?;
        let date = date?;
        let rest = match rest {
            [] => return Err(TimeFault::NoTimeOfDay),
            [b'T' | b't', rest @ ..] => rest,
            _ => return Err(TimeFault::Shape),
        };
        let (time, rest) = split_time(rest).ok_or(TimeFault::Shape)?;
        let time = time?;
        let offset = offset(rest)?;
        offset.to_timestamp(DateTime::from_parts(date, time)).map(Self).map_err(|_| TimeFault::Range)
    }

    /// The instant that many milliseconds after the start of 1970, UTC.
    ///
    /// # Errors
    ///
    /// [`TimeFault::Range`] outside the years covered.
    pub fn from_unix_millis(millis: i64) -> Result<Self, TimeFault> {
        Timestamp::from_millisecond(millis).map(Self).map_err(|_| TimeFault::Range)
    }

    /// Milliseconds since the start of 1970, UTC.
    pub fn unix_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Whole seconds since the start of 1970, UTC, rounded towards zero: what the ledger calls a `ttl`.
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }

    /// Elapsed time from `self` until `later`; negative when `later` is earlier.
    pub fn until(self, later: Self) -> SignedDuration {
        self.0.duration_until(later.0)
    }

    /// The instant `span` after this one, held within the years covered.
    #[must_use]
    pub fn plus(self, span: SignedDuration) -> Self {
        Self(self.0.saturating_add(span).unwrap_or(if span.is_negative() { Timestamp::MIN } else { Timestamp::MAX }))
    }

    /// Real UTC with exactly three fractional digits, as `whenISO` and `responseTimeISO` want it (contracts.md §3):
    /// `2026-07-01T18:00:00.000Z`. What is finer than a millisecond is cut off.
    pub fn iso_millis(self) -> String {
        const PRINTER: jiff::fmt::temporal::DateTimePrinter =
            jiff::fmt::temporal::DateTimePrinter::new().precision(Some(3));
        PRINTER.timestamp_to_string(&self.0)
    }

    /// The calendar library's own type, for what only it can do (time zones, schedules).
    pub fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Instant {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp)
    }
}

impl std::str::FromStr for Instant {
    type Err = TimeFault;

    fn from_str(text: &str) -> Result<Self, TimeFault> {
        Self::parse(text.as_bytes())
    }
}

impl Text for Instant {
    const GRAMMAR: Grammar = Grammar::Like {
        name: "Instant",
        pattern: "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\
                  (\\.[0-9]{1,9})?([Zz]|[+-](0[0-9]|1[0-8]):[0-5][0-9])$",
        about: "A time with its offset from UTC, ISO 8601: 2026-07-01T14:00:00-05:00",
    };
}

/// In UTC with `Z`, with as many fractional digits as there are.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl serde::Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Instant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|fault| serde::de::Error::custom(format_args!("the time {fault}")))
    }
}

/// A day of the calendar, without a time zone: `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate(Date);

impl CivilDate {
    /// The calendar library's own type.
    pub fn date(self) -> Date {
        self.0
    }
}

impl From<Date> for CivilDate {
    fn from(date: Date) -> Self {
        Self(date)
    }
}

impl std::str::FromStr for CivilDate {
    type Err = TimeFault;

    fn from_str(text: &str) -> Result<Self, TimeFault> {
        if text.is_empty() {
            return Err(TimeFault::Empty);
        }
        match split_date(text.as_bytes()) {
            Some((date, [])) => date.map(Self),
            _ => Err(TimeFault::DateShape),
        }
    }
}

impl Text for CivilDate {
    const GRAMMAR: Grammar = Grammar::Like {
        name: "CivilDate",
        pattern: "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        about: "A day of the calendar, ISO 8601: 2026-07-01",
    };
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl serde::Serialize for CivilDate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for CivilDate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|fault| serde::de::Error::custom(format_args!("the date {fault}")))
    }
}

/// `YYYY-MM-DD` at the start of `text`, and what follows; `None` when it is not even written like a date.
fn split_date(text: &[u8]) -> Option<(Result<Date, TimeFault>, &[u8])> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = text else {
        return None;
    };
    let year = i16::from(two(*y1, *y2)?) * 100 + i16::from(two(*y3, *y4)?);
    let (month, day) = (two(*m1, *m2)?, two(*d1, *d2)?);
    Some((Date::new(year, month, day).map_err(|_| TimeFault::NoSuchDay { year, month, day }), rest))
}

/// `hh:mm:ss` with an optional fraction of up to nine digits at the start of `text`, and what follows.
fn split_time(text: &[u8]) -> Option<(Result<Time, TimeFault>, &[u8])> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else {
        return None;
    };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    let (nanosecond, rest) = match rest {
        [b'.', rest @ ..] => fraction(rest)?,
        _ => (0, rest),
    };
    Some((Time::new(hour, minute, second, nanosecond).map_err(|_| TimeFault::NoSuchTimeOfDay), rest))
}

/// One to nine digits as nanoseconds, and what follows them.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let (digits, rest) = text.split_at_checked(digits)?;
    let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanos = padded.fold(0_i32, |sum, digit| sum * 10 + i32::from(digit.wrapping_sub(b'0')));
    Some((nanos, rest))
}

/// `Z`, `+hh:mm` or `-hh:mm`. Up to 18 hours, the span that the date types of the systems around can hold.
fn offset(text: &[u8]) -> Result<Offset, TimeFault> {
    match text {
        [b'Z' | b'z'] => Ok(Offset::UTC),
        [] => Err(TimeFault::NoOffset),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) =
                two(*h1, *h2).zip(two(*m1, *m2)).filter(|(_, minutes)| *minutes < 60).ok_or(TimeFault::Offset)?;
            let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
            if seconds > 18 * 3600 {
                return Err(TimeFault::Offset);
            }
            let signed = if *sign == b'-' { -seconds } else { seconds };
            Offset::from_seconds(signed).map_err(|_| TimeFault::Offset)
        }
        [b'+' | b'-', ..] => Err(TimeFault::Offset),
        _ => Err(TimeFault::Shape),
    }
}

/// Two decimal digits as a number from 0 to 99.
#[inline]
fn two(tens: u8, ones: u8) -> Option<i8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    // Both at once: this is where reading a time spends its own time.
    if (tens <= 9) & (ones <= 9) { Some((tens * 10 + ones).cast_signed()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn instant(text: &str) -> Result<Instant, TimeFault> {
        text.parse()
    }

    #[test]
    fn a_time_is_the_same_instant_whatever_offset_it_is_written_with() {
        let utc = instant("2022-12-13T19:30:00Z").unwrap();
        assert_eq!(instant("2022-12-13T14:30:00-05:00").unwrap(), utc);
        assert_eq!(instant("2022-12-14T01:00:00.000+05:30").unwrap(), utc);
        assert_eq!(utc.to_string(), "2022-12-13T19:30:00Z");
        assert_eq!(utc.iso_millis(), "2022-12-13T19:30:00.000Z");
    }

    #[test]
    fn each_wrong_time_is_refused_for_its_own_reason() {
        use TimeFault::*;
        let cases = [
            ("", Empty),
            ("tomorrow", Shape),
            ("13/12/2022 14:30", Shape),
            ("2022-12-13 14:30:00-05:00", Shape),
            ("2022-12-13T14:30-05:00", Shape),
            ("2022-12-13T14:30:00.-05:00", Shape),
            ("2022-12-13T14:30:00.1234567890Z", Shape),
            ("2022-12-13T14:30:00Z ", Shape),
            ("2022-12-13", NoTimeOfDay),
            ("2022-12-13T14:30:00", NoOffset),
            ("2022-12-13T14:30:00.5", NoOffset),
            ("2022-12-13T14:30:00-0500", Offset),
            ("2022-12-13T14:30:00-05:60", Offset),
            ("2022-12-13T14:30:00+18:01", Offset),
            ("2022-02-30T14:30:00-05:00", NoSuchDay { year: 2022, month: 2, day: 30 }),
            ("2023-02-29T14:30:00-05:00", NoSuchDay { year: 2023, month: 2, day: 29 }),
            ("2022-13-01T14:30:00-05:00", NoSuchDay { year: 2022, month: 13, day: 1 }),
            ("2022-12-13T24:00:00-05:00", NoSuchTimeOfDay),
            ("2022-12-13T23:59:60-05:00", NoSuchTimeOfDay),
        ];
        for (text, fault) in cases {
            assert_eq!(instant(text), Err(fault), "{text}");
        }
        assert!(instant("2024-02-29T00:00:00+18:00").is_ok());
    }

    #[test]
    fn an_hour_is_an_hour_across_the_end_of_daylight_saving_time() {
        let before = instant("2026-11-01T01:30:00-04:00").unwrap();
        let after = instant("2026-11-01T01:30:00-05:00").unwrap();
        assert_eq!(before.until(after), SignedDuration::from_hours(1));
        assert_eq!(before.plus(SignedDuration::from_hours(1)), after);
    }

    #[test]
    fn a_date_is_a_day_of_the_calendar_and_nothing_more() {
        assert_eq!("2026-07-01".parse::<CivilDate>().unwrap().to_string(), "2026-07-01");
        assert_eq!("2026-02-30".parse::<CivilDate>(), Err(TimeFault::NoSuchDay { year: 2026, month: 2, day: 30 }));
        assert_eq!("2026-07-01T00:00:00Z".parse::<CivilDate>(), Err(TimeFault::DateShape));
        assert_eq!("1.7.2026".parse::<CivilDate>(), Err(TimeFault::DateShape));
    }

    proptest! {
        #[test]
        fn an_instant_prints_what_it_was_read_from(millis in -62_000_000_000_000_i64..250_000_000_000_000, offset in -1080_i32..=1080) {
            let instant = Instant::from_unix_millis(millis).unwrap();
            prop_assert_eq!(instant.to_string().parse::<Instant>(), Ok(instant));
            prop_assert_eq!(instant.iso_millis().parse::<Instant>(), Ok(instant));
            let local = instant.timestamp().display_with_offset(Offset::from_seconds(offset * 60).unwrap()).to_string();
            prop_assert_eq!(local.parse::<Instant>(), Ok(instant));
        }

        #[test]
        fn whatever_is_accepted_the_calendar_library_reads_alike(text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-6][0-9])") {
            if let Ok(instant) = text.parse::<Instant>() {
                prop_assert_eq!(text.parse::<Timestamp>().unwrap(), instant.timestamp());
            }
        }
    }
}
