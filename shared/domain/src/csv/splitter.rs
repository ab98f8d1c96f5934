//! One record after the other.

use super::{Bounds, Delimiter, MAX_FIELDS, MAX_RECORD, Record};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

/// What stands at the beginning of a buffer.
#[derive(Debug)]
pub enum Split<'a> {
    /// A whole record. The next call begins after its [`raw`](Record::raw) bytes.
    Record(Record<'a>),
    /// Empty lines, which are no records. The next call begins `len` bytes further.
    Blank {
        /// Bytes, line endings included.
        len: usize,
        /// Line feeds among them.
        lines: usize,
    },
    /// The record does not end in this buffer: call again from the same start with more bytes.
    Incomplete,
    /// The record is longer than [`MAX_RECORD`] or has more than [`MAX_FIELDS`]: stream past it with a [`Skipper`](super::Skipper), from its start.
    TooLong,
    /// Nothing is left.
    End,
}

/// Splits records off the beginning of buffers. Keeps nothing between calls but memory to reuse.
///
/// Nearly every record is split by looking for delimiters and line ends alone, and its fields are borrowed. Where a
/// quoted field holds a quote, `csv-core` decides what the fields are; a property test holds that the short way and
/// `csv-core` agree on any bytes.
pub struct Splitter {
    delimiter: Delimiter,
    bounds: Vec<Bounds>,
    arbiter: Arbiter,
}

/// How far the short way came.
enum Scan {
    Done { len: usize, quoted: bool },
    More,
    Odd,
    TooLong,
}

impl Splitter {
    /// A splitter for a file with this delimiter.
    pub fn new(delimiter: Delimiter) -> Self {
        Self { delimiter, bounds: Vec::new(), arbiter: Arbiter::new(delimiter) }
    }

    /// Splits off what stands at the beginning of `buf`, which must be the boundary of a record. `at_end` says that
    /// the file ends where `buf` ends.
    pub fn split<'a>(&'a mut self, buf: &'a [u8], at_end: bool) -> Split<'a> {
        if let Some(blank) = blank_lines(buf, at_end) {
            return blank;
        }
        let (window, at_end) = match buf.get(..=MAX_RECORD) {
            Some(window) => (window, at_end && window.len() == buf.len()),
            None => (buf, at_end),
        };
        let more = if buf.len() > MAX_RECORD { Split::TooLong } else { Split::Incomplete };
        match self.scan(window, at_end) {
            Scan::TooLong => Split::TooLong,
            Scan::Done { len, .. } if len > MAX_RECORD => Split::TooLong,
            Scan::Done { len, quoted } => {
                let raw = buf.get(..len).unwrap_or_default();
                let lines = if quoted { count_lines(raw) } else { usize::from(raw.last() == Some(&b'\n')) };
                let (data, bounds, delimiter) = (raw, self.bounds.as_slice(), self.delimiter);
                Split::Record(Record { raw, data, bounds, lines, delimiter, unclosed: false })
            }
            Scan::More => more,
            Scan::Odd => match self.arbiter.read(window, at_end) {
                Some(len) if len > MAX_RECORD || self.arbiter.bounds.len() > MAX_FIELDS => Split::TooLong,
                Some(len) => Split::Record(self.arbiter.record(buf.get(..len).unwrap_or_default(), self.delimiter)),
                None => more,
            },
        }
    }

    /// The short way: fields found by their delimiters, quotes only as a field's first and last character.
    fn scan(&mut self, buf: &[u8], at_end: bool) -> Scan {
        let delimiter = self.delimiter.byte();
        self.bounds.clear();
        let (mut start, mut quoted) = (0, false);
        while let Some(rest) = buf.get(start..).filter(|_| self.bounds.len() < MAX_FIELDS) {
            if let [b'"', inside @ ..] = rest {
                quoted = true;
                let Some(close) = memchr::memchr(b'"', inside) else {
                    return if at_end { Scan::Odd } else { Scan::More };
                };
                let after = start + close + 2;
                let field = (start + 1, start + 1 + close);
                match buf.get(after..).unwrap_or_default() {
                    [byte, ..] if *byte == delimiter => start = after + 1,
                    [b'\n', ..] => return self.done(field, after + 1, quoted),
                    [b'\r', b'\n', ..] => return self.done(field, after + 2, quoted),
                    [] | [b'\r'] if at_end => return self.done(field, buf.len(), quoted),
                    [] | [b'\r'] => return Scan::More,
                    _ => return Scan::Odd,
                }
                self.bounds.push(field);
                continue;
            }
            match find(delimiter, rest) {
                Some(found) if rest.get(found) == Some(&delimiter) => {
                    self.bounds.push((start, start + found));
                    start += found + 1;
                }
                Some(found) => {
                    let cr = rest.get(..found).is_some_and(|field| field.ends_with(b"\r"));
                    return self.done((start, start + found - usize::from(cr)), start + found + 1, quoted);
                }
                None if at_end => {
                    let cr = rest.ends_with(b"\r");
                    return self.done((start, buf.len() - usize::from(cr)), buf.len(), quoted);
                }
                None => return Scan::More,
            }
        }
        Scan::TooLong
    }

    fn done(&mut self, last: Bounds, len: usize, quoted: bool) -> Scan {
        self.bounds.push(last);
        Scan::Done { len, quoted }
    }
}

/// Where the next delimiter or line feed is. Fields are short: the first words are looked at here, eight bytes at once,
/// because a call of `memchr2` costs as much as a field of a score file does.
#[inline]
fn find(delimiter: u8, buf: &[u8]) -> Option<usize> {
    const WORDS: usize = 3;
    let (delimiters, line_feeds) = (every(delimiter), every(b'\n'));
    let (mut rest, mut before) = (buf, 0);
    for _ in 0..WORDS {
        let Some((word, after)) = rest.split_first_chunk::<8>() else { break };
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ delimiters) | zeros(word ^ line_feeds);
        if found != 0 {
            return usize::try_from(found.trailing_zeros() / 8).ok().map(|within| before + within);
        }
        (rest, before) = (after, before + 8);
    }
    memchr::memchr2(delimiter, b'\n', rest).map(|found| before + found)
}

/// The byte in all eight places of a word.
fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte that is zero. Above the lowest one there may be others that are not, which doesn't
/// matter to who looks for the first.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(every(1)) & !word & every(0x80)
}

/// The empty lines at the beginning of a buffer, or what an empty buffer means; `None` when a record begins here.
fn blank_lines(buf: &[u8], at_end: bool) -> Option<Split<'static>> {
    let (mut len, mut lines) = (0, 0);
    loop {
        match buf.get(len..).unwrap_or_default() {
            [b'\n', ..] => len += 1,
            [b'\r', b'\n', ..] => len += 2,
            [] if len == 0 => {
                return Some(if at_end { Split::End } else { Split::Incomplete });
            }
            [b'\r'] if at_end => {
                return Some(Split::Blank { len: len + 1, lines });
            }
            [b'\r'] if len == 0 => return Some(Split::Incomplete),
            _ => return (len > 0).then_some(Split::Blank { len, lines }),
        }
        lines += 1;
    }
}

pub(super) fn count_lines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// `csv-core` as this crate uses it: LF ends a record, and the CR before it is taken off the last field afterwards,
/// because `csv-core` leaves the LF of a CRLF for its next call and the bytes of a record would not be exact.
pub(super) fn reader(delimiter: Delimiter) -> Reader {
    ReaderBuilder::new().delimiter(delimiter.byte()).terminator(Terminator::Any(b'\n')).build()
}

/// Brings a reader to the beginning of a record in the middle of a file: an empty line keeps it from taking the
/// bytes of a BOM there for one.
pub(super) fn rewind(reader: &mut Reader) {
    reader.reset();
    let (_, _, _, _) = reader.read_record(b"\n", &mut [0], &mut [0]);
}

/// Decides about records whose quotes are not simply at both ends of a field.
struct Arbiter {
    reader: Reader,
    data: Vec<u8>,
    ends: Vec<usize>,
    bounds: Vec<Bounds>,
    unclosed: bool,
}

/// How much of a record was read, unquoted and divided.
#[derive(Default)]
struct Progress {
    read: usize,
    written: usize,
    fields: usize,
}

impl Arbiter {
    fn new(delimiter: Delimiter) -> Self {
        let reader = reader(delimiter);
        Self { reader, data: vec![0; 4096], ends: vec![0; 64], bounds: Vec::new(), unclosed: false }
    }

    /// Reads one record and gives its length in bytes, or nothing when it does not end in `buf`.
    fn read(&mut self, buf: &[u8], at_end: bool) -> Option<usize> {
        rewind(&mut self.reader);
        self.unclosed = false;
        let mut at = Progress::default();
        let ended = self.feed(buf, &mut at);
        let raw = buf.get(..at.read)?;
        if !ended {
            if !at_end {
                return None;
            }
            // A line feed ends the last record, unless an open quoted field takes it in.
            self.unclosed = !self.feed(b"\n", &mut at);
            if self.unclosed {
                self.feed(b"", &mut at);
            }
        }
        self.settle(raw, &at);
        Some(raw.len())
    }

    /// Gives the reader `input` and as much room as it asks for, and tells whether the record ended. Empty input
    /// means the end of the file.
    fn feed(&mut self, input: &[u8], at: &mut Progress) -> bool {
        let mut rest = input;
        loop {
            let data = self.data.get_mut(at.written..).unwrap_or_default();
            let ends = self.ends.get_mut(at.fields..).unwrap_or_default();
            let (result, read, written, fields) = self.reader.read_record(rest, data, ends);
            *at = Progress { read: at.read + read, written: at.written + written, fields: at.fields + fields };
            rest = rest.get(read..).unwrap_or_default();
            match result {
                ReadRecordResult::OutputFull => self.data.resize(self.data.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => return true,
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return false,
            }
        }
    }

    /// Turns ends into bounds, and takes from the last field what is not its own: the CR of the line ending, or the
    /// line feed that was added to an open quoted field.
    fn settle(&mut self, raw: &[u8], at: &Progress) {
        self.bounds.clear();
        let mut from = 0;
        for &to in self.ends.iter().take(at.fields) {
            self.bounds.push((from, to));
            from = to;
        }
        let line = raw.strip_suffix(b"\n").unwrap_or(raw);
        if (self.unclosed || line.ends_with(b"\r"))
            && let Some((from, to)) = self.bounds.last_mut()
        {
            *to = (*from).max(to.saturating_sub(1));
        }
    }

    fn record<'a>(&'a self, raw: &'a [u8], delimiter: Delimiter) -> Record<'a> {
        let (bounds, unclosed) = (self.bounds.as_slice(), self.unclosed);
        let written = bounds.last().map_or(0, |(_, to)| *to);
        let data = self.data.get(..written).unwrap_or_default();
        Record { raw, data, bounds, lines: count_lines(raw), delimiter, unclosed }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::find;

    proptest! {
        #[test]
        fn a_delimiter_or_line_feed_is_found_where_it_stands(
            bytes in prop::collection::vec(prop_oneof![Just(b','), Just(b'\n'), Just(b'\x0b'), Just(b'-'), any::<u8>(), Just(b'x')], 0..60),
            plain in 0_usize..40,
        ) {
            let mut buf = vec![b'x'; plain];
            buf.extend_from_slice(&bytes);
            prop_assert_eq!(find(b',', &buf), buf.iter().position(|byte| matches!(byte, b',' | b'\n')));
        }
    }
}
