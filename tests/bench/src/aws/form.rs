//! `name=value&…`, of a query or a form.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// The fields, decoded; one without a value is empty.
pub(super) fn read(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// Percent-decoded, `+` being a space.
pub(super) fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
