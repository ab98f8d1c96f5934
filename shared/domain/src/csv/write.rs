//! Fields back into a file.

/// Appends one field, quoted only where RFC 4180 requires it: when it holds a comma, a quote or a line break.
pub fn write_field(out: &mut Vec<u8>, field: &[u8]) {
    if !field
        .iter()
        .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
    {
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
pub fn write_record<'f>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = &'f [u8]>) {
    let start = out.len();
    let mut first = true;
    for field in fields {
        if !first {
            out.push(b',');
        }
        first = false;
        write_field(out, field);
    }
    if out.len() == start {
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
}
