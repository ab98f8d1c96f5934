//! Rows of a device score file.

use super::{BLOCK, decimal, mixed, pick, spoil};

pub(super) const HEADER: &str = domain::device_score::DERMS_HEADER;

const HEX: [u8; 16] = *b"0123456789ABCDEF";

/// One row: every twentieth device is not available and says why, every third says for which day it is.
pub(super) fn row(row: u64, fault: Option<u64>, out: &mut Vec<u8>) {
    let start = out.len();
    // What decides about lengths repeats with each block.
    let place = row % BLOCK;
    out.push(b'D');
    decimal(out, row, 11);
    out.push(b',');
    out.extend_from_slice(pick(["ACME-HES", "VOLT-EV", "HES-NORTH", "GRID-EDGE-2"], place));
    out.push(b',');
    address(row, out);
    out.push(b',');
    out.extend_from_slice(pick(["SUMMER-TSTAT", "EV-CHARGE", "WATER-HEAT"], place));
    out.push(b',');
    let available = !place.is_multiple_of(20);
    if available {
        let draw = mixed(row);
        if place % 5 == 3 {
            out.push(b'-');
        }
        decimal(out, draw, 2);
        out.push(b'.');
        decimal(out, draw >> 32, 2);
    }
    out.push(b',');
    let flag = out.len();
    out.push(if available { b'Y' } else { b'N' });
    let time = out.len() + 1;
    out.extend_from_slice(b",2026-07-01T05:");
    decimal(out, row / 60 % 60, 2);
    out.push(b':');
    decimal(out, row % 60, 2);
    out.extend_from_slice(b"-04:00,9");
    decimal(out, row, 8);
    out.extend_from_slice(b",SP");
    decimal(out, row, 10);
    out.push(b',');
    if place.is_multiple_of(3) {
        out.extend_from_slice(b"2026-07-02T00:00:00-04:00,2026-07-03T00:00:00-04:00");
    } else {
        out.push(b',');
    }
    out.extend_from_slice(if available { b",\n".as_slice() } else { b",in repair\n".as_slice() });
    match fault {
        // Neither Y nor N.
        Some(0) => spoil(out, flag, b'X'),
        // 41 July.
        Some(1) => spoil(out, time + 8, b'4'),
        // Not UTF-8.
        Some(2) => spoil(out, start + 3, 0xFF),
        // No time of day where one should be.
        Some(_) => spoil(out, time + 10, b' '),
        None => {}
    }
}

/// Six bytes that no two rows share: an odd factor loses nothing in 48 bits.
fn address(row: u64, out: &mut Vec<u8>) {
    let number = row.wrapping_mul(0x0000_9E37_79B9_7F4B);
    for byte in (0..6_u64).rev() {
        for shift in [byte * 8 + 4, byte * 8] {
            let digit = usize::try_from(number >> shift & 15).unwrap_or(0);
            out.push(HEX.get(digit).copied().unwrap_or(b'0'));
        }
        if byte > 0 {
            out.push(b':');
        }
    }
}
