//! Fields back into a file.

/// Appends one field, quoted only where RFC 4180 requires it: when it holds a comma, a quote or a line break.
pub fn write_field(out: &mut Vec<u8>, field: &[u8]) {
    if !field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for piece in field.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(piece);
        if piece.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

/// Appends one record with commas and a line feed. A record of one empty field is written `""`, because an empty
/// line is no record.
pub fn write_record<'f, I>(out: &mut Vec<u8>, fields: I)
where
    I: IntoIterator<Item = &'f [u8]>,
    I::IntoIter: Clone,
{
    let fields = fields.into_iter();
    let start = out.len();
    if !write_plain(out, fields.clone()) {
        out.truncate(start);
        write_quoted(out, fields);
    }
    out.push(b'\n');
}

/// Appends the fields as if none needed quotes, and tells whether that was right: one look at the whole record is
/// several times faster than one at each field, and nearly always enough.
fn write_plain<'f>(out: &mut Vec<u8>, fields: impl Iterator<Item = &'f [u8]>) -> bool {
    let start = out.len();
    let mut count = 0_usize;
    for field in fields {
        out.extend_from_slice(field);
        out.push(b',');
        count += 1;
    }
    let written = out.get(start..).unwrap_or_default();
    let plain = memchr::memchr3(b'"', b'\r', b'\n', written).is_none()
        && memchr::memchr_iter(b',', written).count() == count
        && written.len() > 1;
    out.truncate(out.len().saturating_sub(1).max(start));
    plain
}

fn write_quoted<'f>(out: &mut Vec<u8>, fields: impl Iterator<Item = &'f [u8]>) {
    let start = out.len();
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_field(out, field);
    }
    if out.len() == start {
        out.extend_from_slice(b"\"\"");
    }
}
