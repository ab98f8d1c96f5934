//! kWh Avoided and kW Drop files as DACS reads them from its inbox (contracts.md §6): strictly, since
//! what the platform delivers was checked before.

use std::borrow::Cow;

use crate::digest::Digest;
use crate::problem::Violation;
use crate::quantity::Quantity;
use crate::records::Records;
use crate::text::instant;

/// Columns of both kinds.
const COMMON: [&str; 6] = ["EventId", "ProgramId", "SPId", "ActualStartTime", "ActualEndTime", "IntervalSize(Seconds)"];
/// Columns of kWh Avoided alone; the first is also spelled `TotalkWh`.
const KWH: [&str; 3] = ["TotalKwh", "EventType", "TotalKwhSavedForPeriod"];
const KW: [&str; 1] = ["MaxKwDrop"];

/// Violations after which reading a file is given up.
const ENOUGH: usize = 20;

/// Which of the two kinds a file is, by its header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Energy saved per interval.
    KwhAvoided,
    /// Drop of power per interval.
    KwDrop,
}

impl Kind {
    /// As the books name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KwhAvoided => "kwh-avoided",
            Self::KwDrop => "kw-drop",
        }
    }
}

/// One valid row.
#[derive(Clone, Debug)]
pub struct Row {
    /// (EventId, ProgramId, SPId, instant of ActualStartTime): what makes two rows the same.
    pub key: [String; 4],
    /// Its fields as they stand, by column.
    pub fields: Vec<(String, String)>,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct File {
    /// Its kind; none when the header is of neither.
    pub kind: Option<Kind>,
    /// Count and digest of its valid rows, each as its fields in file order.
    pub digest: Digest,
    /// The valid rows.
    pub rows: Vec<Row>,
    /// What is wrong; empty in every file that the platform delivers.
    pub found: Vec<Violation>,
}

/// Reads a file to its end, or until it can't be read.
pub fn read(bytes: &[u8]) -> File {
    let mut file = File { kind: None, digest: Digest::default(), rows: Vec::new(), found: Vec::new() };
    if let Err(violation) = fill(&mut file, bytes) {
        file.found.push(violation);
    }
    file
}

fn fill(file: &mut File, bytes: &[u8]) -> Result<(), Violation> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| Violation::new("(file)", format!("is not UTF-8: {error}")))?;
    let mut records = Records::new(text);
    let mut fields = Vec::new();
    let wrong = |line: u64, reason: &str| Violation::new(format!("line {line}"), reason);
    if !records.read(&mut fields).map_err(|reason| wrong(1, reason))? {
        return Err(Violation::new("(file)", "has no header"));
    }
    let header = Header::read(&fields)?;
    file.kind = Some(header.kind);
    while records.read(&mut fields).map_err(|reason| wrong(records.line(), reason))? {
        match header.row(&fields) {
            Ok(row) => {
                file.digest.add(fields.iter().map(Cow::as_ref));
                file.rows.push(row);
            }
            Err((column, reason)) => {
                let field = format!("line {}, column {column}", records.line());
                file.found.push(Violation::new(field, reason));
            }
        }
        if file.found.len() >= ENOUGH {
            break;
        }
    }
    Ok(())
}

struct Header {
    kind: Kind,
    names: Vec<String>,
    common: [usize; 6],
    /// TotalKwh, EventType, TotalKwhSavedForPeriod; or MaxKwDrop three times.
    totals: [usize; 3],
    /// Places of KwhSaved1… or KwDrop1…
    series: Vec<usize>,
    /// Whether the intervals end the header, so that a row may go on beyond it.
    open: bool,
}

type Wrong = (String, String);

fn at(column: &str, reason: impl Into<String>) -> Wrong {
    (column.to_owned(), reason.into())
}

impl Header {
    fn read(names: &[Cow<'_, str>]) -> Result<Self, Violation> {
        let wrong = |column: &str, reason: &str| Violation::new(format!("line 1, column {column}"), reason);
        let place = |column: &str| {
            let spelled = |name: &str| name == column || (column == "TotalKwh" && name == "TotalkWh");
            let mut places = names.iter().enumerate().filter(|(_, name)| spelled(name));
            match (places.next(), places.next()) {
                (Some((place, _)), None) => Ok(place),
                (None, _) => Err(wrong(column, "is missing")),
                (Some(_), Some(_)) => Err(wrong(column, "is there twice")),
            }
        };
        let has = |prefix: &str| names.iter().any(|name| name == prefix);
        let (kind, prefix) = match (has("KwhSaved1"), has("KwDrop1")) {
            (true, false) => (Kind::KwhAvoided, "KwhSaved"),
            (false, true) => (Kind::KwDrop, "KwDrop"),
            _ => return Err(wrong("KwhSaved1", "either it or KwDrop1 must be there")),
        };
        let mut common = [0; 6];
        for (slot, column) in common.iter_mut().zip(COMMON) {
            *slot = place(column)?;
        }
        let mut totals = [0; 3];
        let columns = if kind == Kind::KwhAvoided { &KWH[..] } else { &KW[..] };
        for (slot, column) in totals.iter_mut().zip(columns.iter().cycle()) {
            *slot = place(column)?;
        }
        let last = (1_usize..).take_while(|number| has(&format!("{prefix}{number}"))).last().unwrap_or(0);
        let series = (1..=last).map(|number| place(&format!("{prefix}{number}"))).collect::<Result<Vec<_>, _>>()?;
        let tail = names.len().saturating_sub(last);
        Ok(Self {
            kind,
            names: names.iter().map(|name| name.to_string()).collect(),
            common,
            totals,
            open: series.iter().copied().eq(tail..names.len()),
            series,
        })
    }

    fn row(&self, record: &[Cow<'_, str>]) -> Result<Row, Wrong> {
        let field = |place: usize| record.get(place).map_or("", Cow::as_ref);
        let [event, program, point, start, end, interval] = self.common.map(field);
        for (column, value) in COMMON.iter().zip([event, program, point]) {
            if value.trim().is_empty() {
                return Err(at(column, "is empty"));
            }
        }
        let time = |column: &str, text: &str| instant(text).map_err(|reason| at(column, reason));
        let (start, end) = (time("ActualStartTime", start)?, time("ActualEndTime", end)?);
        let elapsed = end.duration_since(start).as_nanos();
        if elapsed <= 0 {
            return Err(at("ActualEndTime", "is not after ActualStartTime"));
        }
        let size = "IntervalSize(Seconds)";
        let seconds = interval.parse::<u32>().ok().filter(|it| *it > 0);
        let nanos =
            i128::from(seconds.ok_or_else(|| at(size, "is not a whole number above 0"))?).saturating_mul(1_000_000_000);
        if elapsed % nanos != 0 {
            return Err(at(size, "does not divide the time from start to end"));
        }
        let n = usize::try_from(elapsed / nanos).map_err(|_| at(size, "is too small"))?;
        let values = self.values(record, n)?;
        match self.kind {
            Kind::KwhAvoided => check_sum(self.totals.map(field), &values)?,
            Kind::KwDrop => check_largest(field(self.totals[0]), &values)?,
        }
        Ok(Row { key: [event, program, point, &start.to_string()].map(str::to_owned), fields: self.named(record) })
    }

    /// The `n` interval fields of a row; whatever stands beyond them must be empty.
    fn values<'r>(&self, record: &'r [Cow<'_, str>], n: usize) -> Result<Vec<&'r str>, Wrong> {
        let width = self.names.len();
        if !self.open && record.len() != width {
            return Err(at("(row)", format!("has {} fields, not {width}", record.len())));
        }
        let first = width.saturating_sub(self.series.len());
        let fields: Vec<&str> = if self.open {
            record.iter().skip(first).map(Cow::as_ref).collect()
        } else {
            let places = self.series.iter();
            places.filter_map(|place| record.get(*place)).map(Cow::as_ref).collect()
        };
        let (values, beyond) = fields
            .split_at_checked(n)
            .ok_or_else(|| at("(row)", format!("has {} intervals, not {n}", fields.len())))?;
        if beyond.iter().any(|value| !value.is_empty()) {
            return Err(at("(row)", format!("has a value beyond its {n} intervals")));
        }
        Ok(values.to_vec())
    }

    fn named(&self, record: &[Cow<'_, str>]) -> Vec<(String, String)> {
        let beyond = (self.series.len().saturating_add(1)..).map(|number| match self.kind {
            Kind::KwhAvoided => format!("KwhSaved{number}"),
            Kind::KwDrop => format!("KwDrop{number}"),
        });
        let names = self.names.iter().cloned().chain(beyond);
        names.zip(record.iter().map(|value| value.to_string())).filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// "`TotalKwhSavedForPeriod` = Σ `KwhSaved` within (n+1) × half a unit of the last printed digit": each
/// of the n values and the total was rounded by up to half a unit of its own last digit.
fn check_sum([total, event_type, saved]: [&str; 3], values: &[&str]) -> Result<(), Wrong> {
    if event_type.trim().is_empty() {
        return Err(at("EventType", "is empty"));
    }
    Quantity::read(total).map_err(|reason| at("TotalKwh", reason))?;
    let column = "TotalKwhSavedForPeriod";
    let saved = Quantity::read(saved).map_err(|reason| at(column, reason))?;
    let (mut sum, mut twice_tolerance) = (Quantity::ZERO, saved.last_digit());
    for (number, value) in (1..).zip(values) {
        let value = Quantity::read(value).map_err(|reason| at(&format!("KwhSaved{number}"), reason))?;
        sum = sum.plus(value);
        twice_tolerance = twice_tolerance.plus(value.last_digit());
    }
    let difference = saved.minus(sum).size();
    if difference.plus(difference).exceeds(twice_tolerance) {
        return Err(at(column, "is not the sum of KwhSaved"));
    }
    Ok(())
}

/// "`MaxKwDrop` = max, and "no data" when all intervals are empty": then empty, or these words.
fn check_largest(max: &str, values: &[&str]) -> Result<(), Wrong> {
    let column = "MaxKwDrop";
    let mut largest: Option<Quantity> = None;
    for (number, value) in (1..).zip(values) {
        if value.is_empty() {
            continue;
        }
        let value = Quantity::read(value).map_err(|reason| at(&format!("KwDrop{number}"), reason))?;
        if largest.is_none_or(|it| value.exceeds(it)) {
            largest = Some(value);
        }
    }
    let Some(largest) = largest else {
        let no_data = max.is_empty() || max.eq_ignore_ascii_case("no data");
        return if no_data { Ok(()) } else { Err(at(column, "is given, yet there is no data")) };
    };
    let max = Quantity::read(max).map_err(|reason| at(column, reason))?;
    if max.exceeds(largest) || largest.exceeds(max) {
        return Err(at(column, "is not the largest KwDrop"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KWH_HEADER: &str = "EventId,EventType,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),TotalKwh,TotalKwhSavedForPeriod,KwhSaved1,KwhSaved2,KwhSaved3,KwhSaved4";
    const KW_HEADER: &str = "EventId,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),MaxKwDrop,KwDrop1,KwDrop2,KwDrop3,KwDrop4,KwDrop5,KwDrop6,KwDrop7,KwDrop8";

    fn found(header: &str, row: &str) -> Option<String> {
        let file = read(format!("{header}\n{row}\n").as_bytes());
        assert_eq!(file.digest.rows == 1, file.found.is_empty(), "{row}");
        file.found.first().map(|it| format!("{}: {}", it.field, it.reason))
    }

    #[test]
    fn the_samples_of_the_contract_are_valid() {
        let row = "5011,1234512345,1122334455,2022-12-13T14:30:00-05:00,2022-12-13T16:30:00-05:00,900,20.00,5.00,3.00,20.00,2.00,,8.00,,";
        assert_eq!(found(KW_HEADER, row), None);
        let row = "4011,Economic,1234512345,1122334455,2022-12-13T14:30:00-05:00,2022-12-13T16:30:00-05:00,1800,75.00,33.00,5.00,8.00,10.00,10.00";
        assert_eq!(found(KWH_HEADER, row), None);
        assert_eq!(found(&KWH_HEADER.replace("TotalKwh,", "TotalkWh,"), row), None);
    }

    #[test]
    fn rows_of_another_length_than_the_header_are_valid_when_they_fit_their_duration() {
        let row = |end: &str, values: &str| {
            format!("1,Economic,2,3,2026-07-01T14:00:00Z,2026-07-01T{end}:00Z,900,9.0,3.0,{values}")
        };
        assert_eq!(found(KWH_HEADER, &row("14:30", "1.0,2.0")), None);
        assert_eq!(found(KWH_HEADER, &row("14:30", "1.0,2.0,,")), None);
        assert_eq!(found(KWH_HEADER, &row("15:15", "1.0,2.0,0,0,0")), None);
        assert!(found(KWH_HEADER, &row("14:45", "1.0,2.0")).is_some());
        assert!(found(KWH_HEADER, &row("14:30", "1.0,1.0,1.0")).is_some());
    }

    #[test]
    fn a_row_that_contradicts_itself_is_found() {
        let kwh = |end: &str, size: &str, saved: &str, values: &str| {
            let start = "2026-07-01T14:00:00Z";
            found(KWH_HEADER, &format!("1,Economic,2,3,{start},{end},{size},9,{saved},{values}"))
        };
        let end = "2026-07-01T14:30:00Z";
        // Three numbers printed to hundredths: 0.015 may be lost in rounding.
        assert_eq!(kwh(end, "900", "3.01", "1.00,2.00"), None);
        assert!(kwh(end, "900", "3.02", "1.00,2.00").is_some());
        assert!(kwh(end, "900", "3", "1.00,").is_some());
        assert!(kwh(end, "900", "NaN", "1,2").is_some());
        assert!(kwh(end, "700", "3", "1,2").is_some());
        assert!(kwh("2026-07-01T14:00:00Z", "900", "3", "1,2").is_some());
        assert!(kwh("2026-07-01T14:30:00", "900", "3", "1,2").is_some());
        let kw = |max: &str, values: &str| {
            let times = "2026-07-01T14:00:00Z,2026-07-01T14:30:00Z,900";
            found(KW_HEADER, &format!("1,2,3,{times},{max},{values}"))
        };
        assert_eq!(kw("-1", "-1.0,-2"), None);
        assert_eq!(kw("", ","), None);
        assert!(kw("2", "1,").is_some());
        assert!(kw("0", ",").is_some());
    }
}
