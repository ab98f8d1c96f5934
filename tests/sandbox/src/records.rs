//! A strict reader of `text/csv` as RFC 4180 has it: commas, LF or CRLF, quotes only around whole
//! fields and doubled inside, no blank lines. It splits; what fields mean is the caller's.

use std::borrow::Cow;

/// The records of a text, one after the other.
#[derive(Debug)]
pub struct Records<'a> {
    rest: &'a str,
    line: u64,
    next_line: u64,
}

/// How a field ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Comma,
    Record,
}

impl<'a> Records<'a> {
    /// Reads from the beginning of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { rest: text, line: 0, next_line: 1 }
    }

    /// The line on which the last record began, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Puts the next record's fields into `fields`; `false` at the end of the text.
    ///
    /// # Errors
    /// A sentence when the text is not RFC 4180 here; nothing after it can be read.
    pub fn read(&mut self, fields: &mut Vec<Cow<'a, str>>) -> Result<bool, &'static str> {
        fields.clear();
        if self.rest.is_empty() {
            return Ok(false);
        }
        self.line = self.next_line;
        loop {
            let (field, end) = if self.rest.starts_with('"') { self.quoted()? } else { self.bare()? };
            fields.push(field);
            if end == End::Record {
                return Ok(true);
            }
        }
    }

    fn bare(&mut self) -> Result<(Cow<'a, str>, End), &'static str> {
        let special = |byte: &u8| matches!(byte, b',' | b'\n' | b'\r' | b'"');
        let length = self.rest.as_bytes().iter().position(special).unwrap_or(self.rest.len());
        let (field, after) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = after;
        let end = self.end("a quote inside a field that does not begin with one")?;
        Ok((Cow::Borrowed(field), end))
    }

    fn quoted(&mut self) -> Result<(Cow<'a, str>, End), &'static str> {
        let unclosed = "a quoted field is not closed";
        let mut text = Cow::Borrowed("");
        let mut rest = self.rest.strip_prefix('"').unwrap_or(self.rest);
        loop {
            let (piece, after) = rest.split_once('"').ok_or(unclosed)?;
            let lines = piece.bytes().filter(|byte| *byte == b'\n').count();
            self.next_line = self.next_line.saturating_add(crate::clock::count(lines));
            text += piece;
            match after.strip_prefix('"') {
                Some(more) => {
                    text += "\"";
                    rest = more;
                }
                None => {
                    self.rest = after;
                    return Ok((text, self.end("text after the closing quote of a field")?));
                }
            }
        }
    }

    /// Takes the comma or line end that must stand here.
    fn end(&mut self, otherwise: &'static str) -> Result<End, &'static str> {
        if let Some(after) = self.rest.strip_prefix(',') {
            self.rest = after;
            return Ok(End::Comma);
        }
        let ended = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n'));
        match ended {
            Some(after) => {
                self.rest = after;
                self.next_line = self.next_line.saturating_add(1);
                Ok(End::Record)
            }
            None if self.rest.is_empty() => Ok(End::Record),
            None if self.rest.starts_with('\r') => Err("a carriage return without line feed"),
            None => Err(otherwise),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(u64, Vec<String>)>, &'static str> {
        let mut records = Records::new(text);
        let mut fields = Vec::new();
        let mut read = Vec::new();
        while records.read(&mut fields)? {
            let owned = fields.iter().map(|it| it.to_string()).collect();
            read.push((records.line(), owned));
        }
        Ok(read)
    }

    fn record(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (line, fields.iter().map(|it| (*it).to_owned()).collect())
    }

    #[test]
    fn quotes_commas_and_newlines_belong_to_their_field() {
        let read = all("a,b\r\n\"x, \"\"y\"\"\n z\",\n,last");
        let expected = vec![record(1, &["a", "b"]), record(2, &["x, \"y\"\n z", ""]), record(4, &["", "last"])];
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn text_that_is_not_rfc_4180_is_refused() {
        for bad in ["a\"b", "\"a\"b", "\"a", "a\rb"] {
            assert!(all(bad).is_err(), "{bad:?}");
        }
    }
}
