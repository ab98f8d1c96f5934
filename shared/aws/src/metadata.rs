//! User metadata on its way through headers, which carry ASCII only. S3 takes and gives values beyond it as encoded
//! words (RFC 2047): it decodes those it is sent, and encodes what it sends. So do we; a value that is printable ASCII
//! and looks like no encoded word travels as it is.
//!
//! ```text
//! "Zählpunkt 7" ◀──▶ x-amz-meta-…: =?UTF-8?B?WsOkaGxwdW5rdCA3?=
//! ```

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flow::ports::Metadata;
use percent_encoding::percent_decode_str;

/// Bytes of text in one encoded word: it may have 75 characters, of which 12 are its frame.
const LONGEST_WORD: usize = 45;

/// As the SDK wants it.
pub(crate) fn encoded(metadata: &Metadata) -> HashMap<String, String> {
    metadata.iter().map(|(name, value)| (name.clone(), encode(value))).collect()
}

/// As S3, or whoever put the object, wrote it.
pub(crate) fn decoded(metadata: HashMap<String, String>) -> Metadata {
    metadata.into_iter().map(|(name, value)| (name, decode(&value))).collect()
}

fn encode(value: &str) -> String {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~')) && value.trim() == value;
    if plain && !value.contains("=?") {
        return value.to_owned();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for c in value.chars() {
        if word.len() + c.len_utf8() > LONGEST_WORD {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<_> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join(" ")
}

/// Encoded words in UTF-8 are decoded, white space between two of them is not text (RFC 2047 §6.2); anything else stays
/// as it is.
fn decode(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut after_word = false;
    for (n, piece) in value.split(' ').enumerate() {
        let word = word(piece);
        if n > 0 && !(after_word && word.is_some()) {
            bytes.push(b' ');
        }
        after_word = word.is_some();
        bytes.extend(word.unwrap_or_else(|| piece.as_bytes().to_owned()));
    }
    // Words may be cut within a letter, so the text is known when they are joined.
    String::from_utf8(bytes).unwrap_or_else(|_| value.to_owned())
}

/// The bytes of an encoded word: `=?UTF-8?B?…?=` or `=?UTF-8?Q?…?=`.
fn word(piece: &str) -> Option<Vec<u8>> {
    let inner = piece.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, kind, text) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") || text.contains('?') {
        return None;
    }
    match kind {
        "B" | "b" => STANDARD.decode(text).ok(),
        "Q" | "q" => {
            let percent = text.replace('%', "%25").replace('=', "%").replace('_', " ");
            Some(percent_decode_str(&percent).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_travels_as_it_is() {
        for value in ["DERMS-1", "2026-07-01T14:00:00-04:00", "a b", "50 % = x_y?", ""] {
            assert_eq!(encode(value), value);
            assert_eq!(decode(value), value);
        }
    }

    #[test]
    fn what_headers_cannot_carry_travels_as_words_of_at_most_75_characters() {
        assert_eq!(encode("Zählpunkt 7"), "=?UTF-8?B?WsOkaGxwdW5rdCA3?=");
        let long = "größe ".repeat(40);
        for value in ["Zählpunkt 7", "計量点", " a", "a ", "=?UTF-8?B?QQ==?=", "a =?", "\u{7f}", &long] {
            let sent = encode(value);
            assert!(sent.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{sent}");
            assert!(sent.split(' ').all(|word| word.len() <= 75), "{sent}");
            assert_eq!(decode(&sent), value);
        }
    }

    #[test]
    fn words_are_read_in_either_encoding_and_joined() {
        assert_eq!(decode("=?UTF-8?Q?Z=C3=A4hlpunkt_7_=3D_50%?="), "Zählpunkt 7 = 50%");
        assert_eq!(decode("=?utf-8?b?WsOk?= =?utf-8?q?hl?="), "Zähl");
        assert_eq!(decode("=?utf-8?q?Z=C3?= =?utf-8?q?=A4hl?="), "Zähl");
        assert_eq!(decode("SP =?UTF-8?B?w6Q=?= 7"), "SP ä 7");
    }

    #[test]
    fn what_is_no_word_of_ours_stays() {
        for value in ["=?ISO-8859-1?Q?Z=E4hl?=", "=?UTF-8?X?a?=", "=?UTF-8?B?*?=", "=?UTF-8?Q?=FF?=", "a  b"] {
            assert_eq!(decode(value), value);
        }
    }
}
