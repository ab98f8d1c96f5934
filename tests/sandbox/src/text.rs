//! How the neighbours read times and numbers.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// The instant of an ISO 8601 time in the extended format **with offset**:
/// `YYYY-MM-DDThh:mm[:ss[.fraction]]` and `Z`, `±hh`, `±hhmm` or `±hh:mm`.
///
/// # Errors
/// A sentence when the spelling is another, or no such time exists (30 February, 25:00).
pub fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let (civil, offset) = split_offset(text)?;
    let (date, time) = civil.split_once('T').ok_or("not an ISO 8601 time: no T between date and time")?;
    let (year, month, day) = match date.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?),
        _ => return Err("not an ISO 8601 date (YYYY-MM-DD)"),
    };
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, nanoseconds(fraction)?),
        None => (time, 0),
    };
    let (hour, minute, second) = match clock.split(':').collect::<Vec<_>>().as_slice() {
        [hour, minute, second] => (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?),
        [hour, minute] if fraction == 0 => (digits(hour, 2)?, digits(minute, 2)?, 0),
        _ => return Err("not an ISO 8601 time (hh:mm:ss)"),
    };
    let small = |number: i32| i8::try_from(number).map_err(|_| "no such time");
    let year = i16::try_from(year).map_err(|_| "no such time")?;
    let civil = DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, fraction)
        .map_err(|_| "no such date or time")?;
    offset.to_timestamp(civil).map_err(|_| "no such date or time")
}

/// The day of an ISO 8601 date, `YYYY-MM-DD`.
///
/// # Errors
/// A sentence when the spelling is another, or there is no such day.
pub fn day(text: &str) -> Result<Date, &'static str> {
    let (year, month, day) = match text.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?),
        _ => return Err("not an ISO 8601 date (YYYY-MM-DD)"),
    };
    let small = |number: i32| i8::try_from(number).map_err(|_| "no such day");
    let year = i16::try_from(year).map_err(|_| "no such day")?;
    Date::new(year, small(month)?, small(day)?).map_err(|_| "no such day")
}

/// Whether this is an ISO 8601 duration of weeks, days, hours, minutes and seconds, in this order.
///
/// # Errors
/// A sentence when it is not.
pub fn length(text: &str) -> Result<(), &'static str> {
    let wrong = "not an ISO 8601 duration of fixed length (such as PT4H)";
    let rest = text.strip_prefix('P').ok_or(wrong)?;
    let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
    let parts = |mut text: &str, units: &str| {
        let mut units = units.chars();
        while !text.is_empty() {
            let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
            let unit = number.chars().next().filter(|_| number.len() < text.len())?;
            units.find(|known| *known == unit)?;
            text = number.get(1..)?;
        }
        Some(())
    };
    let empty = rest.is_empty() || time == Some("");
    if empty || parts(days, "WD").is_none() || parts(time.unwrap_or_default(), "HMS").is_none() {
        return Err(wrong);
    }
    Ok(())
}

fn split_offset(text: &str) -> Result<(&str, Offset), &'static str> {
    if let Some(civil) = text.strip_suffix('Z') {
        return Ok((civil, Offset::UTC));
    }
    let missing = "a time needs an offset (Z or ±hh:mm)";
    let start = text.find('T').ok_or("not an ISO 8601 time")?;
    let sign = text
        .bytes()
        .enumerate()
        .skip(start)
        .find(|(_, byte)| matches!(byte, b'+' | b'-'))
        .map(|(position, _)| position)
        .ok_or(missing)?;
    let (civil, offset) = text.split_at_checked(sign).ok_or(missing)?;
    let negative = offset.starts_with('-');
    let bare: String = offset.chars().skip(1).collect();
    let (hours, minutes) = match (bare.split_once(':'), bare.len()) {
        (Some((hours, minutes)), _) => (digits(hours, 2)?, digits(minutes, 2)?),
        (None, 2) => (digits(&bare, 2)?, 0),
        (None, 4) => {
            let number = digits(&bare, 4)?;
            (number / 100, number % 100)
        }
        _ => return Err("not an offset (Z or ±hh:mm)"),
    };
    if hours > 18 || minutes > 59 {
        return Err("no such offset");
    }
    let seconds = (hours * 60 + minutes) * 60;
    let signed = if negative { -seconds } else { seconds };
    Offset::from_seconds(signed).map(|offset| (civil, offset)).map_err(|_| "no such offset")
}

fn digits(text: &str, length: usize) -> Result<i32, &'static str> {
    let wrong = "not an ISO 8601 time: wrong number of digits";
    if text.len() != length || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong);
    }
    text.parse().map_err(|_| wrong)
}

fn nanoseconds(fraction: &str) -> Result<i32, &'static str> {
    let wrong = "not a fraction of a second";
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong);
    }
    let nine: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().map_err(|_| wrong)
}

/// Whether `text` is a decimal: sign, digits, at most one point, no exponent, no NaN
/// ("numbers are decimals, never binary floats", contracts.md §6).
pub fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty()) && all_digits(whole) && all_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_only_with_its_offset() {
        let cases = [
            ("2026-07-01T18:00:00.000Z", Some("2026-07-01T18:00:00Z")),
            ("2026-07-01T18:00:00-05:00", Some("2026-07-01T23:00:00Z")),
            ("2026-07-01T18:00+0530", Some("2026-07-01T12:30:00Z")),
            ("2026-07-01T18:00:00.25+02", Some("2026-07-01T16:00:00.25Z")),
            ("2026-07-01T18:00:00", None),
            ("2026-07-01 18:00:00Z", None),
            ("2026-02-30T18:00:00Z", None),
            ("2026-07-01T25:00:00Z", None),
            ("2026-07-01T18:00:00+19:00", None),
            ("2026-7-01T18:00:00Z", None),
            ("01/07/2026", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = instant(text).ok().map(|it| it.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_decimal_has_no_exponent_and_is_a_number() {
        for good in ["0", "-3.25", "+7", ".5", "5.", "0012.5000"] {
            assert!(is_decimal(good), "{good}");
        }
        for bad in ["", "-", ".", "1e3", "NaN", "inf", "1,5", "1.2.3", " 1", "0x1"] {
            assert!(!is_decimal(bad), "{bad}");
        }
    }
}
