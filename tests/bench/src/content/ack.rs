//! Rows of an enrollment ack file: one sync request each.

use super::{BLOCK, decimal, spoil};

pub(super) const HEADER: &str = "syncRequestId,status,messageCategory,messageNumber,comments\n";

/// One row: every twentieth enrollment was refused.
pub(super) fn row(row: u64, fault: Option<u64>, out: &mut Vec<u8>) {
    out.push(b'1');
    decimal(out, row, 13);
    out.push(b',');
    let status = out.len();
    let refused = (row % BLOCK).is_multiple_of(20);
    out.extend_from_slice(if refused { b"ERROR,90000,17,no interval meter\n".as_slice() } else { b"SUCCESS,,,\n" });
    match fault {
        Some(0) => spoil(out, status, b'X'),
        Some(1) => spoil(out, status + 1, b'-'),
        // Not UTF-8.
        Some(2) => spoil(out, status, 0xFF),
        Some(_) => spoil(out, status + 2, b'_'),
        None => {}
    }
}
