//! The CSV part of a device score call, read as contracts.md §6 has the device score file: a header
//! with our column names in any order, then one score per row.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::problem::Violation;
use crate::records::Records;
use crate::text::{instant, is_decimal};

/// The columns, in the order the books keep them.
pub const COLUMNS: [&str; 12] = [
    "deviceId",
    "headEndSystem",
    "nicId",
    "programCode",
    "score",
    "available",
    "scoreDateTime",
    "subscriptionId",
    "servicePointId",
    "availableFrom",
    "availableTo",
    "unavailableReason",
];

/// The first so many may not be absent; the others are optional.
const REQUIRED: usize = 7;

/// Violations after which reading a part is given up.
const ENOUGH: usize = 20;

/// One score as it was sent, columns in the order of [`COLUMNS`], absent ones empty.
#[derive(Clone, Debug)]
pub struct ScoreRow {
    /// The fields.
    pub fields: [String; 12],
    /// `scoreDateTime` as an instant.
    pub at: Timestamp,
}

/// What one part holds.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Count and digest of its rows.
    pub digest: Digest,
    /// The rows; empty when only digests are kept.
    pub rows: Vec<ScoreRow>,
}

/// Reads a part to its end.
///
/// # Errors
/// Everything that is wrong with it, up to [`ENOUGH`] places.
pub fn read(bytes: &[u8], keep: bool) -> Result<Content, Vec<Violation>> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| vec![Violation::new("text/csv", format!("is not UTF-8: {error}"))])?;
    let mut records = Records::new(text);
    let mut fields = Vec::new();
    let header = match records.read(&mut fields) {
        Ok(true) => Header::read(&fields)?,
        Ok(false) => return Err(vec![Violation::new("text/csv", "has no header")]),
        Err(reason) => return Err(vec![Violation::new("line 1", reason)]),
    };
    let mut part = Part { keep, content: Content::default(), seen: HashSet::new(), found: Vec::new() };
    while part.found.len() < ENOUGH {
        match records.read(&mut fields) {
            Ok(true) => part.row(&header, &fields, records.line()),
            Ok(false) => break,
            Err(reason) => {
                part.wrong(records.line(), "", reason);
                break;
            }
        }
    }
    if part.found.is_empty() { Ok(part.content) } else { Err(part.found) }
}

/// Where each column stands in the records.
struct Header {
    positions: [Option<usize>; 12],
    width: usize,
}

impl Header {
    fn read(names: &[Cow<'_, str>]) -> Result<Self, Vec<Violation>> {
        let mut found = Vec::new();
        let mut wrong = |name: &str, reason: &str| {
            found.push(Violation::new(format!("line 1, column {name}"), reason));
        };
        let places = |column: &str| names.iter().filter(|name| *name == column).count();
        for name in names {
            if !COLUMNS.contains(&name.as_ref()) {
                wrong(name, "is not in the contract");
            }
        }
        for (place, column) in COLUMNS.iter().enumerate() {
            match places(column) {
                0 if place < REQUIRED => wrong(column, "is missing"),
                0 | 1 => {}
                _ => wrong(column, "is there twice"),
            }
        }
        if !found.is_empty() {
            return Err(found);
        }
        Ok(Self { positions: COLUMNS.map(|column| names.iter().position(|name| name == column)), width: names.len() })
    }

    fn arrange<'r>(&self, record: &'r [Cow<'_, str>]) -> [&'r str; 12] {
        self.positions.map(|position| position.and_then(|it| record.get(it)).map_or("", Cow::as_ref))
    }
}

struct Part {
    keep: bool,
    content: Content,
    seen: HashSet<u128>,
    found: Vec<Violation>,
}

impl Part {
    fn wrong(&mut self, line: u64, column: &str, reason: &str) {
        let field = match column {
            "" => format!("line {line}"),
            _ => format!("line {line}, column {column}"),
        };
        self.found.push(Violation::new(field, reason));
    }

    fn row(&mut self, header: &Header, record: &[Cow<'_, str>], line: u64) {
        if record.len() != header.width {
            let reason = format!("has {} fields, the header {}", record.len(), header.width);
            return self.wrong(line, "", &reason);
        }
        let fields = header.arrange(record);
        let before = self.found.len();
        let at = self.check(&fields, line);
        let [_, head_end, nic, program, ..] = fields;
        if !self.seen.insert(fingerprint([head_end, nic, program])) {
            // "Within one call to the target, identical = once, different = the later one is
            // rejected" (contracts.md §6): either way a call holds a key once.
            self.wrong(line, "nicId", "this device and program are in the call twice");
        }
        if self.found.len() > before {
            return;
        }
        self.content.digest.add(fields);
        if let (true, Some(at)) = (self.keep, at) {
            let fields = fields.map(str::to_owned);
            self.content.rows.push(ScoreRow { fields, at });
        }
    }

    /// Checks each field and returns the instant of the score.
    fn check(&mut self, fields: &[&str; 12], line: u64) -> Option<Timestamp> {
        let [device, head_end, nic, program, score, available, at, ..] = *fields;
        let [.., from, to, _] = *fields;
        for (column, value, most) in [
            ("deviceId", device, 12),
            ("headEndSystem", head_end, 50),
            ("nicId", nic, 100),
            ("programCode", program, 120),
        ] {
            if value.trim().is_empty() {
                self.wrong(line, column, "is empty");
            } else if value.len() > most && value.chars().count() > most {
                self.wrong(line, column, &format!("is longer than {most} characters"));
            }
        }
        match available {
            "Y" | "N" => {}
            _ => self.wrong(line, "available", "must be Y or N"),
        }
        match score {
            "" if available == "N" => {}
            "" => self.wrong(line, "score", "is empty and the device is available"),
            number if is_decimal(number) => {}
            _ => self.wrong(line, "score", "is not a decimal number"),
        }
        let from = self.time(line, "availableFrom", from);
        let to = self.time(line, "availableTo", to);
        if let (Some(from), Some(to)) = (from, to)
            && to <= from
        {
            self.wrong(line, "availableTo", "is not after availableFrom");
        }
        if at.is_empty() {
            self.wrong(line, "scoreDateTime", "is empty");
        }
        self.time(line, "scoreDateTime", at)
    }

    fn time(&mut self, line: u64, column: &str, text: &str) -> Option<Timestamp> {
        if text.is_empty() {
            return None;
        }
        match instant(text) {
            Ok(at) => Some(at),
            Err(reason) => {
                self.wrong(line, column, reason);
                None
            }
        }
    }
}

/// 128 bits that stand for a row key while a part is read: two hashes over differently ordered
/// fields. A 4 MiB part has some ten thousand keys, a chance collision is out of reach.
fn fingerprint(key: [&str; 3]) -> u128 {
    let [first, second, third] = key;
    let one = crate::digest::row_hash([first, second, third]);
    let two = crate::digest::row_hash([third, second, first]);
    (u128::from(one) << 64) | u128::from(two)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "deviceId,headEndSystem,nicId,programCode,score,available,scoreDateTime";

    fn fields(text: &str) -> Vec<String> {
        let found = read(text.as_bytes(), true).err().unwrap_or_default();
        found.into_iter().map(|it| it.field).collect()
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let text = "score,available,scoreDateTime,nicId,programCode,headEndSystem,deviceId,availableFrom\n\
                    -1.5,Y,2026-07-01T06:00:00-05:00,N-1,SUMMER,HEAD-A,D-1,\n";
        let content = read(text.as_bytes(), true).unwrap();
        assert_eq!(content.digest.rows, 1);
        let expected = ["D-1", "HEAD-A", "N-1", "SUMMER", "-1.5", "Y", "2026-07-01T06:00:00-05:00", "", "", "", "", ""];
        assert_eq!(content.rows[0].fields, expected);
    }

    #[test]
    fn every_bad_field_is_named_by_line_and_column() {
        let rows = [
            ("D-1,H,N-1,P,,N,2026-07-01T06:00:00Z", None),
            ("D-1,H,N-1,P,,Y,2026-07-01T06:00:00Z", Some("line 2, column score")),
            ("D-1,H,N-1,P,NaN,Y,2026-07-01T06:00:00Z", Some("line 2, column score")),
            ("D-1,H,N-1,P,1,y,2026-07-01T06:00:00Z", Some("line 2, column available")),
            ("D-1,H,N-1,P,1,Y,2026-07-01T06:00:00", Some("line 2, column scoreDateTime")),
            ("D-1,H,N-1,P,1,Y,2026-02-30T06:00:00Z", Some("line 2, column scoreDateTime")),
            ("D-1,H,N-1,P,1,Y,", Some("line 2, column scoreDateTime")),
            ("D-1234567890x,H,N-1,P,1,Y,2026-07-01T06:00:00Z", Some("line 2, column deviceId")),
            ("D-1,,N-1,P,1,Y,2026-07-01T06:00:00Z", Some("line 2, column headEndSystem")),
            ("D-1,H,N-1,P,1,Y", Some("line 2")),
            ("", Some("line 2")),
        ];
        for (row, expected) in rows {
            let found = fields(&format!("{HEADER}\n{row}\n"));
            assert_eq!(found.first().map(String::as_str), expected, "{row}");
        }
    }

    #[test]
    fn a_header_that_is_not_the_contracts_is_refused() {
        let cases = [
            (HEADER.replace("score,", ""), "line 1, column score"),
            (format!("{HEADER},score"), "line 1, column score"),
            (format!("{HEADER},colour"), "line 1, column colour"),
            (HEADER.replace(',', "\t"), "line 1, column deviceId"),
            (format!("\u{feff}{HEADER}"), "line 1, column deviceId"),
            (String::new(), "text/csv"),
        ];
        for (header, expected) in cases {
            assert!(fields(&header).iter().any(|it| it == expected), "{header:?}: {:?}", fields(&header));
        }
    }

    #[test]
    fn a_call_holds_each_device_and_program_once() {
        let row = "D-1,H,N-1,P,1,Y,2026-07-01T06:00:00Z";
        let found = fields(&format!("{HEADER}\n{row}\n{row}\n"));
        assert_eq!(found, ["line 3, column nicId"]);
    }

    #[test]
    fn digests_are_the_same_with_and_without_rows() {
        let text = format!("{HEADER}\nD-1,H,N-1,P,1,Y,2026-07-01T06:00:00Z\n");
        let kept = read(text.as_bytes(), true).unwrap();
        let counted = read(text.as_bytes(), false).unwrap();
        assert_eq!(kept.digest, counted.digest);
        assert_eq!((kept.rows.len(), counted.rows.len()), (1, 0));
    }
}
