//! Files that are never held: any range of one is made when it is asked for, from a seed.
//!
//! How long a row is depends on its number within a block of [`BLOCK`] rows alone, so that blocks are equally long and
//! every offset can be found by division. Of every `bad_every` rows about one is bad, in one of four ways that keep its
//! length; which rows and which ways the seed decides.

mod ack;
mod expected;
mod measurement;
mod score;

use std::sync::Arc;

use bytes::Bytes;

pub use expected::{Expected, digest_of_lines, expect};

/// Rows of one block.
pub const BLOCK: u64 = 1000;
/// From the first row of a numbered file to the first row of the next one.
const NUMBERED: u64 = 1_000_000_000;

/// What a file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Device scores (contracts.md §6).
    Score,
    /// kWh Avoided of eight intervals each.
    KwhAvoided,
    /// Acknowledgements of enrollments.
    EnrollmentAck,
}

impl Kind {
    /// The header, with its line end.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::Score => score::HEADER,
            Self::KwhAvoided => measurement::HEADER,
            Self::EnrollmentAck => ack::HEADER,
        }
    }

    fn row(self, row: u64, fault: Option<u64>, out: &mut Vec<u8>) {
        match self {
            Self::Score => score::row(row, fault, out),
            Self::KwhAvoided => measurement::row(row, fault, out),
            Self::EnrollmentAck => ack::row(row, fault, out),
        }
    }
}

/// A file.
#[derive(Debug, Clone)]
pub struct Content {
    kind: Kind,
    /// The number of its first row.
    first: u64,
    rows: u64,
    seed: u64,
    bad_every: u64,
    block_size: u64,
    size: u64,
}

impl Content {
    /// A file of about `size` bytes, of whose rows about one in `bad_every` is bad; none when that is 0.
    #[must_use]
    pub fn of_size(kind: Kind, size: u64, seed: u64, bad_every: u64) -> Self {
        let block_size = length(&rows_of(kind, 0..BLOCK, |_| None));
        let rows = size.saturating_sub(length(kind.header().as_bytes())) * BLOCK / block_size;
        Self::of_rows(kind, rows.max(1), seed, bad_every)
    }

    /// A file of that many rows, all valid; it shares none with files of another `number`.
    #[must_use]
    pub fn numbered(kind: Kind, number: u64, rows: u64) -> Self {
        Self { first: number.saturating_mul(NUMBERED), ..Self::of_rows(kind, rows, number, 0) }
    }

    fn of_rows(kind: Kind, rows: u64, seed: u64, bad_every: u64) -> Self {
        let block_size = length(&rows_of(kind, 0..BLOCK, |_| None));
        let rest = rows_of(kind, 0..rows % BLOCK, |_| None);
        let size = length(kind.header().as_bytes()) + rows / BLOCK * block_size + length(&rest);
        Self { kind, first: 0, rows, seed, bad_every, block_size, size }
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Rows after the header.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What it is made of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A tag that differs when the bytes do.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{:?}-{}-{}-{}\"", self.kind, self.rows, self.seed, self.bad_every).to_lowercase()
    }

    /// Which of the four faults a row has.
    fn fault(&self, row: u64) -> Option<u64> {
        if self.bad_every == 0 {
            return None;
        }
        let draw = mixed(self.seed ^ row);
        draw.is_multiple_of(self.bad_every).then_some((draw >> 32) % 4)
    }

    /// Blocks of rows.
    fn blocks(&self) -> u64 {
        self.rows.div_ceil(BLOCK)
    }

    /// The rows of one block.
    fn block(&self, block: u64) -> Vec<u8> {
        let (first, end) = (block * BLOCK, self.rows.min(block * BLOCK + BLOCK));
        rows_of(self.kind, self.first + first..self.first + end, |row| self.fault(row - self.first))
    }

    /// The bytes from `from` up to `to`, in pieces of about 100 KB.
    pub fn range(self: Arc<Self>, from: u64, to: u64) -> impl Iterator<Item = Bytes> + Send + 'static {
        let to = to.min(self.size);
        let mut at = from;
        std::iter::from_fn(move || {
            if at >= to {
                return None;
            }
            let header = length(self.kind.header().as_bytes());
            let (start, bytes) = match at.checked_sub(header) {
                None => (0, self.kind.header().as_bytes().to_vec()),
                Some(beyond) => {
                    let block = beyond / self.block_size;
                    (header + block * self.block_size, self.block(block))
                }
            };
            let mut bytes = Bytes::from(bytes);
            let end = start + length(&bytes);
            if end <= at {
                return None;
            }
            if end > to {
                bytes.truncate(index(to - start));
            }
            let piece = bytes.split_off(index(at - start).min(bytes.len()));
            at = end;
            Some(piece)
        })
    }
}

fn rows_of(kind: Kind, rows: std::ops::Range<u64>, fault: impl Fn(u64) -> Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 << 10);
    for row in rows {
        kind.row(row, fault(row), &mut out);
    }
    out
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A number that looks like nothing else (the finaliser of splitmix64).
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Appends the last `digits` decimal digits of `number`.
fn decimal(out: &mut Vec<u8>, mut number: u64, digits: usize) {
    let start = out.len();
    out.resize(start + digits, b'0');
    for place in out.iter_mut().skip(start).rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Replaces one byte of what was appended last.
fn spoil(out: &mut [u8], at: usize, byte: u8) {
    if let Some(place) = out.get_mut(at) {
        *place = byte;
    }
}

/// Picks by the number of a row.
fn pick<const N: usize>(choices: [&'static str; N], row: u64) -> &'static [u8] {
    choices.get(index(row) % N).map_or(b"".as_slice(), |choice| choice.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(content: &Arc<Content>) -> Vec<u8> {
        Arc::clone(content).range(0, u64::MAX).flatten().collect()
    }

    #[test]
    fn any_range_is_what_the_whole_file_has_there() {
        for kind in [Kind::Score, Kind::KwhAvoided, Kind::EnrollmentAck] {
            let content = Arc::new(Content::of_size(kind, 300_000, 7, 50));
            let file = whole(&content);
            assert_eq!(length(&file), content.size());
            for (from, to) in [(0, 10), (5, 200), (119, 121), (150_000, 290_000), (299_000, u64::MAX)] {
                let part: Vec<u8> = Arc::clone(&content).range(from, to).flatten().collect();
                assert_eq!(part, file[index(from)..index(to.min(content.size()))], "{kind:?} {from}");
            }
        }
    }

    #[test]
    fn another_seed_makes_other_rows_bad_and_no_seed_changes_the_length() {
        let one = Arc::new(Content::of_size(Kind::Score, 300_000, 7, 50));
        let other = Arc::new(Content::of_size(Kind::Score, 300_000, 8, 50));
        assert_eq!(one.size(), other.size());
        assert_ne!(whole(&one), whole(&other));
        assert_ne!(one.etag(), other.etag());
    }
}
