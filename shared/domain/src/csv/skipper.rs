//! Past a record that is too long to hold.

use super::Delimiter;
use super::splitter::{count_lines, reader, rewind};
use csv_core::{ReadRecordResult, Reader};

/// How far a [`Skipper`] came in one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Bytes of the chunk that belong to the record.
    pub consumed: usize,
    /// Line feeds among them.
    pub lines: usize,
    /// The record ended; the next byte begins another one.
    pub done: bool,
    /// The file ended inside a quoted field that was never closed: the record has swallowed the rest of the file.
    pub unclosed: bool,
}

/// Streams past one record in constant memory, following its quotes, so that a line break inside a quoted field is
/// not taken for the beginning of the next record.
pub struct Skipper {
    reader: Reader,
    data: Box<[u8]>,
    ends: Box<[usize]>,
}

impl Skipper {
    /// A skipper that stands at the beginning of a record.
    pub fn new(delimiter: Delimiter) -> Self {
        let mut reader = reader(delimiter);
        rewind(&mut reader);
        Self { reader, data: vec![0; 4096].into(), ends: vec![0; 512].into() }
    }

    /// Takes the next bytes of the record: the first chunk begins where the record begins. `at_end` says that the
    /// file ends with this chunk.
    pub fn skip(&mut self, chunk: &[u8], at_end: bool) -> Skipped {
        let mut consumed = 0;
        let mut done = false;
        while let Some(rest) = chunk.get(consumed..).filter(|rest| !done && !rest.is_empty()) {
            let (result, read, _, _) = self.reader.read_record(rest, &mut self.data, &mut self.ends);
            consumed += read;
            done = matches!(result, ReadRecordResult::Record);
        }
        let unclosed = !done && at_end && !self.ends_with_line_feed();
        let lines = count_lines(chunk.get(..consumed).unwrap_or_default());
        Skipped { consumed, lines, done: done || at_end, unclosed }
    }

    /// Whether a line feed would end the record here; inside a quoted field it would not.
    fn ends_with_line_feed(&mut self) -> bool {
        let (result, _, _, _) = self.reader.read_record(b"\n", &mut self.data, &mut self.ends);
        matches!(result, ReadRecordResult::Record)
    }
}
