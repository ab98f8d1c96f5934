//! A file as records with their places, in constant memory.
//!
//! [`FileReader::fill`] reads, [`FileReader::next`] splits: so a record is borrowed from the buffer and never copied,
//! and nothing is awaited while it is.

use domain::csv::{Delimiter, MAX_RECORD, Record, Skipper, Split, Splitter, TOO_LONG};
use domain::layout::RowFault;

use super::decode::{Decoded, Object, ReadFault};
use crate::ledger::run::{Encoding, Position};

/// How much is read before records are split again.
const CHUNK: usize = 128 << 10;

/// What stands next in the file.
pub enum Line<'a> {
    /// A record, and where it begins.
    Record(Record<'a>, Position),
    /// A record over 1 MiB was passed by.
    TooLong {
        /// Where it began.
        at: Position,
        /// How long it was.
        length: u64,
        /// Whether it is a quoted field that was never closed, which has swallowed the rest of the file.
        unclosed: bool,
    },
    /// Nothing that counts: blank lines, or the middle of a record that is passed by.
    Nothing,
    /// More must be read first: [`FileReader::fill`].
    More,
    /// The end of the file.
    End,
}

/// Reads a file from a place on.
pub struct FileReader {
    decoded: Decoded,
    delimiter: Delimiter,
    splitter: Splitter,
    skipping: Option<Skipping>,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    at_end: bool,
    position: Position,
}

struct Skipping {
    skipper: Skipper,
    from: Position,
}

impl FileReader {
    /// Opens a file at `position`, which is the start of a record.
    ///
    /// # Errors
    /// [`ReadFault`] when it cannot be unpacked or read.
    pub async fn open(
        object: &Object,
        encoding: Encoding,
        delimiter: Delimiter,
        position: Position,
    ) -> Result<Self, ReadFault> {
        Ok(Self {
            decoded: Decoded::open(object, encoding, position.offset).await?,
            delimiter,
            splitter: Splitter::new(delimiter),
            skipping: None,
            buffer: vec![0; 2 * CHUNK],
            start: 0,
            filled: 0,
            at_end: false,
            position,
        })
    }

    /// Where the next record begins.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The bytes that are read and not yet taken.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.filled).unwrap_or_default()
    }

    /// Reads on.
    ///
    /// # Errors
    /// [`ReadFault`], see [`Decoded::read`]. What was read before stays in [`FileReader::rest`].
    pub async fn fill(&mut self) -> Result<(), ReadFault> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        let wanted = self.filled + CHUNK;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.filled < wanted && !self.at_end {
            let free = self.buffer.get_mut(self.filled..wanted).unwrap_or_default();
            let read = self.decoded.read(free).await?;
            self.filled += read;
            self.at_end = read == 0;
        }
        Ok(())
    }

    /// What stands next.
    pub fn next(&mut self) -> Line<'_> {
        if self.skipping.is_some() {
            return self.pass_by();
        }
        let at = self.position;
        let rest = self.buffer.get(self.start..self.filled).unwrap_or_default();
        match self.splitter.split(rest, self.at_end) {
            Split::Record(record) => {
                self.start += record.raw().len();
                self.position = moved(at, record.raw().len(), record.lines());
                Line::Record(record, at)
            }
            Split::Blank { len, lines } => {
                self.start += len;
                self.position = moved(at, len, lines);
                Line::Nothing
            }
            Split::TooLong => {
                self.skipping = Some(Skipping { skipper: Skipper::new(self.delimiter), from: at });
                Line::Nothing
            }
            Split::Incomplete => Line::More,
            Split::End if self.at_end => Line::End,
            Split::End => Line::More,
        }
    }

    /// Gives back the record that was taken last, and began at `at`: it will be next again.
    pub fn put_back(&mut self, at: Position) {
        let taken = self.position.offset.saturating_sub(at.offset);
        self.start = self.start.saturating_sub(usize::try_from(taken).unwrap_or(usize::MAX));
        self.position = at;
    }

    fn pass_by(&mut self) -> Line<'_> {
        let Some(skipping) = self.skipping.as_mut() else { return Line::Nothing };
        let rest = self.buffer.get(self.start..self.filled).unwrap_or_default();
        if rest.is_empty() && !self.at_end {
            return Line::More;
        }
        let skipped = skipping.skipper.skip(rest, self.at_end);
        self.start += skipped.consumed;
        self.position = moved(self.position, skipped.consumed, skipped.lines);
        if !skipped.done {
            return Line::Nothing;
        }
        let at = skipping.from;
        self.skipping = None;
        Line::TooLong { at, length: self.position.offset - at.offset, unclosed: skipped.unclosed }
    }
}

/// The fault of a record that was passed by.
#[must_use]
pub fn too_long(at: Position, length: u64) -> RowFault {
    let limit = u64::try_from(MAX_RECORD).unwrap_or(u64::MAX);
    let what = if length > limit { format!("it is {length} bytes long") } else { "it has too many fields".to_owned() };
    RowFault::row(format!("{TOO_LONG}; {what}, from byte {} of the file on", at.offset))
}

/// A quoted field that was opened at `at` and never closed has swallowed the lines after it: whatever they held, nobody
/// can tell. A record that only lacks its last quote on the last line is a bad row like any other.
#[must_use]
pub fn swallowed(at: Position) -> String {
    format!("a quoted field that is opened at line {} is never closed: the rest of the file cannot be read", at.line)
}

/// Whether `record` has swallowed lines after it.
#[must_use]
pub fn has_swallowed(record: &Record<'_>) -> bool {
    record.is_unclosed() && record.lines() > 1
}

/// The place `bytes` and `lines` further.
#[must_use]
pub fn moved(from: Position, bytes: usize, lines: usize) -> Position {
    let (bytes, lines) = (u64::try_from(bytes).unwrap_or(u64::MAX), u64::try_from(lines).unwrap_or(u64::MAX));
    Position { offset: from.offset.saturating_add(bytes), line: from.line.saturating_add(lines) }
}
