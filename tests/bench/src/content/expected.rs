//! What the books must say of a file, read from the file itself by other means than the flows read it.

use std::sync::Arc;

use sandbox::digest::Digest;

use super::{BLOCK, Content, Kind, length};

/// What has to come of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The valid rows: of scores the twelve fields, of the others the line.
    pub valid: Digest,
    /// The bad rows with the header before them, as the reject file has them.
    pub rejected: Vec<u8>,
    /// The lines on which the bad rows stand.
    pub lines: Vec<u64>,
}

/// Reads the whole file. Takes about two seconds per GB.
#[must_use]
pub fn expect(content: &Arc<Content>) -> Expected {
    let mut expected = Expected { rejected: content.kind.header().as_bytes().to_vec(), ..Expected::default() };
    for block in 0..content.blocks() {
        let bytes = content.block(block);
        for (place, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let row = block * BLOCK + u64::try_from(place).unwrap_or(u64::MAX);
            if content.fault(row).is_some() {
                expected.rejected.extend_from_slice(line);
                expected.lines.push(row + 2);
                continue;
            }
            let line = std::str::from_utf8(line).unwrap_or_default().trim_end_matches('\n');
            match content.kind {
                Kind::Score => expected.valid.add(line.split(',')),
                Kind::KwhAvoided | Kind::EnrollmentAck => expected.valid.add([line]),
            }
        }
    }
    expected
}

/// The digest of the lines of a part of a measurement file, and how long the part is.
#[must_use]
pub fn digest_of_lines(part: &[u8]) -> (Digest, u64) {
    let mut digest = Digest::default();
    for line in part.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        digest.add([String::from_utf8_lossy(line).as_ref()]);
    }
    (digest, length(part))
}
