//! Rows of a kWh Avoided file: events of two hours in eight quarter-hours.

use super::{decimal, mixed, pick, spoil};

pub(super) const HEADER: &str = "EventId,EventType,ProgramId,SPId,ActualStartTime,ActualEndTime,\
IntervalSize(Seconds),TotalKwh,TotalKwhSavedForPeriod,KwhSaved1,KwhSaved2,KwhSaved3,KwhSaved4,KwhSaved5,KwhSaved6,\
KwhSaved7,KwhSaved8\n";

/// One row. Its values are below ten, so that its total is below a hundred.
pub(super) fn row(row: u64, fault: Option<u64>, out: &mut Vec<u8>) {
    decimal(out, 4000 + row / 100_000, 6);
    out.push(b',');
    out.extend_from_slice(pick(["Economic", "Emergency"], row));
    out.extend_from_slice(b",1234512345,");
    let service_point = out.len();
    decimal(out, 1_000_000_000 + row, 10);
    let time = out.len() + 1;
    out.extend_from_slice(b",2026-07-13T14:30:00-05:00,2026-07-13T16:30:00-05:00,900,75.00,");
    let draw = mixed(row);
    let hundredths = |interval: u64| (draw >> (interval * 7) & 127) * 7;
    let total: u64 = (0..8).map(hundredths).sum();
    let saved = out.len();
    decimal(out, total / 100, 3);
    out.push(b'.');
    decimal(out, total, 2);
    for interval in 0..8 {
        let value = hundredths(interval);
        out.push(b',');
        decimal(out, value / 100, 1);
        out.push(b'.');
        decimal(out, value, 2);
    }
    out.push(b'\n');
    match fault {
        // The intervals sum to something else.
        Some(0) => spoil(out, saved, b'9'),
        // 33 July.
        Some(1) => spoil(out, time + 8, b'3'),
        // Not UTF-8.
        Some(2) => spoil(out, service_point + 3, 0xFF),
        // A decimal comma moves all fields after it.
        Some(_) => spoil(out, saved + 3, b','),
        None => {}
    }
}
