//! When something is due: five fields of cron, in a time zone.
//!
//! Where clocks change, it is as with Vixie's cron, which senders use: a time of day that does not exist is due once, right
//! after the gap; one that comes twice is due the first time. What is due every hour or every few minutes (`*` or `*/n`
//! in minute or hour) goes on by elapsed time: nothing in the gap, twice where the clock goes back.

use std::cmp::Ordering;
use std::str::FromStr;

use croner::errors::CronError;
use croner::{CivilDateTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, AmbiguousZonedDateTime, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use crate::layout::excerpt;

/// Instants at which something is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// One, or one for each time of day: only a cron of a single one is a fixed time to croner.
    crons: Vec<Cron>,
    zone: TimeZone,
}

impl Schedule {
    /// Reads `cron` (minute, hour, day of month, month, day of week) and the IANA name of the time zone that it is in.
    ///
    /// # Errors
    /// Which of the two is wrong, as a phrase.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, String> {
        let not_cron = || format!("cron {} is not five fields of cron", excerpt(cron));
        let crons = times_of_day(cron).ok_or_else(not_cron)?;
        let zone = TimeZone::get(zone).map_err(|_| format!("timeZone {} is not an IANA zone", excerpt(zone)))?;
        let schedule = Self { crons, zone };
        // 30 February can be written, and never comes.
        match schedule.after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(format!("cron {} names no day that there is", excerpt(cron))),
        }
    }

    /// The first instant after `instant` at which it is due.
    #[must_use]
    pub fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        let from = Local(instant.to_zoned_datetime(self.zone.clone()));
        let due = self.crons.iter().filter_map(|cron| cron.find_next_occurrence(&from, false).ok());
        due.map(|due| due.0.timestamp()).min()
    }

    /// The last instant before `instant` at which it was due.
    #[must_use]
    pub fn before(&self, instant: Timestamp) -> Option<Timestamp> {
        let from = Local(instant.to_zoned_datetime(self.zone.clone()));
        let due = self.crons.iter().filter_map(|cron| cron.find_previous_occurrence(&from, false).ok());
        due.map(|due| due.0.timestamp()).max()
    }

    /// `instant` as a clock on the wall shows it there, with its offset.
    #[must_use]
    pub fn local(&self, instant: Timestamp) -> String {
        let zoned = instant.to_zoned_datetime(self.zone.clone());
        zoned.strftime("%Y-%m-%d %H:%M %:z").to_string()
    }
}

/// Reads five fields; where minute and hour are numbers, each time of day by itself.
fn times_of_day(text: &str) -> Option<Vec<Cron>> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | ',' | '-' | ' ');
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
    let cron = Cron::from_str(text).ok().filter(|_| text.chars().all(known))?;
    if minute.contains('*') || hour.contains('*') {
        return Some(vec![cron]);
    }
    let (minutes, hours) = (cron.pattern.minutes.values(), cron.pattern.hours.values());
    let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (minute, hour)));
    times.map(|(minute, hour)| Cron::from_str(&format!("{minute} {hour} {day} {month} {weekday}")).ok()).collect()
}

/// A local time for croner, which brings its own for an older version of jiff only.
#[derive(Clone)]
struct Local(ZonedDateTime);

impl CronDateTime for Local {
    fn to_civil(&self) -> CivilDateTime {
        let local = self.0.datetime();
        let part = |part: i8| u32::try_from(part).unwrap_or_default();
        CivilDateTime::new(
            croner::CivilDate::from_parts_unchecked(local.year().into(), part(local.month()), part(local.day())),
            croner::CivilTime::from_parts_unchecked(part(local.hour()), part(local.minute()), part(local.second())),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        let day = u32::try_from(self.0.weekday().to_sunday_zero_offset()).unwrap_or_default();
        Weekday::from_days_from_sunday(day)
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let ambiguous = self.0.time_zone().to_ambiguous_zoned_datetime(to_jiff(civil).ok_or(CronError::InvalidDate)?);
        let earlier = |ambiguous: AmbiguousZonedDateTime| ambiguous.earlier().map(Self);
        let later = |ambiguous: AmbiguousZonedDateTime| ambiguous.later().map(Self);
        let resolved = match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => Ok(Resolution::Gap),
            AmbiguousOffset::Unambiguous { .. } => earlier(ambiguous).map(Resolution::Single),
            AmbiguousOffset::Fold { .. } => earlier(ambiguous.clone())
                .and_then(|earlier| later(ambiguous).map(|later| Resolution::Ambiguous(earlier, later))),
        };
        resolved.map_err(|_| CronError::InvalidTime)
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}

fn to_jiff(civil: CivilDateTime) -> Option<DateTime> {
    let part = |part: u32| i8::try_from(part).ok();
    DateTime::new(
        i16::try_from(civil.year()).ok()?,
        part(civil.month())?,
        part(civil.day())?,
        part(civil.hour())?,
        part(civil.minute())?,
        part(civil.second())?,
        0,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is due in `zone` from `from` until before `until`, as local times.
    fn due(cron: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
        let schedule = Schedule::parse(cron, zone).unwrap();
        let until: Timestamp = until.parse().unwrap();
        let mut instant: Timestamp = from.parse().unwrap();
        let mut due = Vec::new();
        while let Some(next) = schedule.after(instant).filter(|next| *next < until) {
            assert!(next > instant, "it goes forward");
            assert_eq!(schedule.before(next + SignedDuration::from_secs(1)), Some(next), "backwards as forwards");
            due.push(schedule.local(next));
            instant = next;
        }
        due
    }

    #[test]
    fn a_daily_file_is_due_at_the_same_local_time_in_summer_and_in_winter() {
        let days = due("0 5 * * *", "America/New_York", "2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z");
        assert_eq!(days, ["2026-03-07 05:00 -05:00", "2026-03-08 05:00 -04:00", "2026-03-09 05:00 -04:00"]);
        let days = due("0 5 * * *", "America/New_York", "2026-10-31T00:00:00Z", "2026-11-02T12:00:00Z");
        assert_eq!(days, ["2026-10-31 05:00 -04:00", "2026-11-01 05:00 -05:00", "2026-11-02 05:00 -05:00"]);
    }

    #[test]
    fn a_file_due_in_the_hour_that_is_skipped_is_due_once_right_after_it() {
        let days = due("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z");
        assert_eq!(days, ["2026-03-28 02:30 +01:00", "2026-03-29 03:00 +02:00", "2026-03-30 02:30 +02:00"]);
    }

    #[test]
    fn a_file_due_in_the_hour_that_comes_twice_is_due_once() {
        let days = due("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z");
        assert_eq!(days, ["2026-10-24 02:30 +02:00", "2026-10-25 02:30 +02:00", "2026-10-26 02:30 +01:00"]);
    }

    #[test]
    fn a_file_of_several_times_a_day_is_due_at_each_of_them_once_also_where_clocks_change() {
        let spring = due("30 2,14 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T22:00:00Z");
        assert_eq!(spring, ["2026-03-29 03:00 +02:00", "2026-03-29 14:30 +02:00"]);
        let autumn = due("30 2,14 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T22:00:00Z");
        assert_eq!(autumn, ["2026-10-25 02:30 +02:00", "2026-10-25 14:30 +01:00"]);
    }

    #[test]
    fn a_file_of_every_hour_is_due_23_times_in_spring_and_25_times_in_autumn() {
        let zone = "Europe/Berlin";
        let spring = due("0 * * * *", zone, "2026-03-28T22:59:00Z", "2026-03-29T22:00:00Z");
        assert_eq!((spring.len(), spring[2].as_str()), (23, "2026-03-29 03:00 +02:00"));
        let autumn = due("0 * * * *", zone, "2026-10-24T21:59:00Z", "2026-10-25T23:00:00Z");
        assert_eq!(autumn.len(), 25);
        assert_eq!(autumn[2..4], ["2026-10-25 02:00 +02:00", "2026-10-25 02:00 +01:00"]);
    }

    #[test]
    fn a_schedule_that_never_comes_is_refused() {
        let never = Schedule::parse("0 5 30 2 *", "UTC").unwrap_err();
        assert_eq!(never, "cron \"0 5 30 2 *\" names no day that there is");
        assert!(Schedule::parse("0 5 29 2 *", "UTC").is_ok());
        assert!(Schedule::parse("0 25 * * *", "UTC").is_err());
        assert!(Schedule::parse("0 0 5 * * *", "UTC").is_err(), "seconds");
        assert!(Schedule::parse("@daily", "UTC").is_err());
    }
}
