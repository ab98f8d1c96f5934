use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest wait that is believed: a flow gives up after a day (architecture.md §2.11).
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or the date of an instant. `None` when it is neither; a date that has
/// passed is no wait at all.
pub(super) fn read(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let instant = DateTimeParser::new().parse_timestamp(value).ok()?;
    let wait = Duration::try_from(instant.duration_since(now)).unwrap_or(Duration::ZERO);
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_noon(value: &str) -> Option<u64> {
        read(value, "2026-07-01T12:00:00Z".parse().unwrap()).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_waits() {
        assert_eq!(at_noon("120"), Some(120));
        assert_eq!(at_noon(" 0 "), Some(0));
        assert_eq!(at_noon("Wed, 01 Jul 2026 12:01:30 GMT"), Some(90));
    }

    #[test]
    fn a_date_that_has_passed_is_no_wait() {
        assert_eq!(at_noon("Wed, 01 Jul 2026 11:59:59 GMT"), Some(0));
    }

    #[test]
    fn a_wait_is_never_longer_than_a_day() {
        assert_eq!(at_noon("99999999999999999999999"), Some(86_400));
        assert_eq!(at_noon("Wed, 01 Jul 2037 12:00:00 GMT"), Some(86_400));
    }

    #[test]
    fn anything_else_says_nothing() {
        for value in ["", "soon", "-5", "1.5", "2026-07-01T12:01:30Z"] {
            assert_eq!(at_noon(value), None, "{value}");
        }
    }
}
