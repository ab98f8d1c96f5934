//! Records of a delimited file, split from whatever bytes are at hand.
//!
//! The caller owns the bytes and pushes them in; nothing here reads, allocates per record or copies a field, unless
//! the field holds an escaped quote. Fields follow RFC 4180: a field may be quoted, a quoted field may hold
//! delimiters, line breaks and doubled quotes; a quote inside an unquoted field is an ordinary character. Lines end
//! with LF or CRLF; a CR alone is an ordinary character.
//!
//! ```text
//! file   BOM │ header record │ record │ blank lines │ record … │ record over 1 MiB │ record │ end
//!        strip_bom            Splitter::split, one call per piece   Skipper::skip
//! ```
//!
//! Whatever cuts the file into buffers, the same records come out, and the bytes of all pieces put together are the
//! file again: offsets, line numbers and byte-exact reject files rest on that.

mod skipper;
mod splitter;
mod write;

pub use skipper::{Skipped, Skipper};
pub use splitter::{Split, Splitter};
pub use write::{write_field, write_record};

/// The longest record accepted, line ending included, in bytes (architecture.md §2.3: "a record over 1 MiB is
/// rejected by offset and length, streamed past").
pub const MAX_RECORD: usize = 1 << 20;

/// The most fields a record may have, which bounds the memory a record of nothing but commas can take. A row of
/// one-minute intervals reaches it after 45 days.
pub const MAX_FIELDS: usize = 1 << 16;

/// Why a record is streamed past unread.
pub const TOO_LONG: &str = "the record is longer than 1 MiB (1,048,576 bytes) or has more than 65,536 fields";

/// What separates the fields of a file (contracts.md §6: "comma or tab").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// `,`
    Comma,
    /// A horizontal tab.
    Tab,
}

impl Delimiter {
    /// The delimiter as it stands in the file.
    pub fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Tab => b'\t',
        }
    }

    /// Decides by the header: tab when it holds more tabs than commas outside quotes, comma otherwise.
    ///
    /// `head` is the beginning of the file after the BOM, at least up to the end of the first line that is not
    /// blank; whatever follows that line is not looked at.
    pub fn sniff(head: &[u8]) -> Self {
        let (mut commas, mut tabs, mut quoted) = (0_usize, 0_usize, false);
        for byte in head.iter().skip_while(|byte| matches!(byte, b'\r' | b'\n')) {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' if !quoted => break,
                b',' if !quoted => commas += 1,
                b'\t' if !quoted => tabs += 1,
                _ => {}
            }
        }
        if tabs > commas { Self::Tab } else { Self::Comma }
    }
}

/// The bytes after a UTF-8 byte order mark, or all of them when there is none.
pub fn strip_bom(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)
}

/// Names the encoding of a file that cannot be UTF-8 text, by its first bytes: a file saved as "Unicode" by a
/// spreadsheet would otherwise be refused for its column names, which look right to whoever opens it.
pub fn foreign_encoding(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, ..] | [_, 0, ..] => Some("UTF-16, little-endian"),
        [0xfe, 0xff, ..] | [0, _, ..] => Some("UTF-16, big-endian"),
        _ => None,
    }
}

/// Where a field lies in a record's data: from, to.
type Bounds = (usize, usize);

/// One record: its bytes in the file and the fields in them.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    raw: &'a [u8],
    data: &'a [u8],
    bounds: &'a [Bounds],
    lines: usize,
    delimiter: Delimiter,
    unclosed: bool,
}

impl<'a> Record<'a> {
    /// The record as it stands in the file, line ending included.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Line feeds in [`raw`](Self::raw): by how much the line number advances.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Number of fields, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a record always has a field; an empty line is not a record")]
    pub fn len(&self) -> usize {
        self.bounds.len()
    }

    /// A quoted field was opened and the file ended before it was closed, so this "record" has swallowed everything
    /// after the opening quote. Its fields mean nothing.
    pub fn is_unclosed(&self) -> bool {
        self.unclosed
    }

    /// The field's bytes, without quotes.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let (from, to) = *self.bounds.get(index)?;
        self.data.get(from..to)
    }

    /// All fields' bytes, without quotes.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let (data, bounds) = (self.data, self.bounds);
        bounds.iter().map(move |(from, to)| data.get(*from..*to).unwrap_or_default())
    }

    /// The fields as text, checked once for the whole record.
    ///
    /// # Errors
    ///
    /// The first field that is not UTF-8. Other records of the file are none the worse for it.
    pub fn text(&self) -> Result<Text<'a>, NotUtf8> {
        match std::str::from_utf8(self.data) {
            Ok(data) => Ok(Text { data, bounds: self.bounds }),
            Err(_) => {
                let field = self.iter().position(|field| std::str::from_utf8(field).is_err());
                Err(NotUtf8 { field: field.unwrap_or_default() })
            }
        }
    }

    /// Appends the record as comma-separated UTF-8 line ending in LF: what a second pass delivers
    /// (architecture.md §2.6). The fields are the same; only delimiter, quoting and line ending may change.
    pub fn write_csv(&self, out: &mut Vec<u8>) {
        let body = self.raw.strip_suffix(b"\n").unwrap_or(self.raw);
        let body = body.strip_suffix(b"\r").unwrap_or(body);
        if self.delimiter == Delimiter::Comma && memchr::memchr2(b'"', b'\r', body).is_none() {
            out.extend_from_slice(body);
            out.push(b'\n');
        } else {
            write_record(out, self.iter());
        }
    }
}

/// A field that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("field {} is not valid UTF-8", field + 1)]
pub struct NotUtf8 {
    /// Which field of the record, counted from 0.
    pub field: usize,
}

/// The fields of a record as text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    data: &'a str,
    bounds: &'a [Bounds],
}

impl<'a> Text<'a> {
    /// Number of fields, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a record always has a field; an empty line is not a record")]
    pub fn len(&self) -> usize {
        self.bounds.len()
    }

    /// The field, or `""` when the record is too short to have it.
    pub fn get(&self, index: usize) -> &'a str {
        self.bounds.get(index).and_then(|(from, to)| self.data.get(*from..*to)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
