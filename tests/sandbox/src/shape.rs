//! What a JSON message must look like, written down as tables next to each call, and the walk that
//! names every place where one does not.

use serde_json::{Map, Value};

use crate::problem::Violation;
use crate::text::{day, instant, length};

/// One field of an object.
#[derive(Debug)]
pub struct Field {
    name: &'static str,
    required: bool,
    kind: Kind,
}

/// What a field holds. `null` is never taken: a field without content is left out.
#[derive(Debug)]
pub enum Kind {
    /// Text of at most so many characters, not blank.
    Text(usize),
    /// One of these words.
    Code(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number in this closed range.
    Whole(i64, i64),
    /// An ISO 8601 time with offset.
    Time,
    /// An ISO 8601 time in UTC, spelled with `Z`.
    Utc,
    /// A day of the calendar, `YYYY-MM-DD`.
    Day,
    /// An ISO 8601 duration without months and years.
    Length,
    /// An IANA time zone.
    Zone,
    /// A list of such values.
    Each(&'static Kind),
    /// An object of this shape.
    Object(&'static [Field]),
    /// A list of objects of this shape.
    List(&'static [Field]),
}

/// A field that must be there.
pub const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, required: true, kind }
}

/// A field that may be left out.
pub const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, required: false, kind }
}

/// Everything in `message` that is not of this shape; fields that the shape does not name included.
pub fn violations(message: &Value, shape: &[Field]) -> Vec<Violation> {
    let mut found = Vec::new();
    object(message, shape, "", &mut found);
    found
}

fn object(value: &Value, shape: &[Field], path: &str, found: &mut Vec<Violation>) {
    let Value::Object(fields) = value else {
        found.push(Violation::new(named(path), "must be an object"));
        return;
    };
    for field in shape {
        match fields.get(field.name) {
            Some(value) => content(value, &field.kind, &join(path, field.name), found),
            None if field.required => {
                found.push(Violation::new(join(path, field.name), "is missing"));
            }
            None => {}
        }
    }
    unknown(fields, shape, path, found);
}

fn unknown(fields: &Map<String, Value>, shape: &[Field], path: &str, found: &mut Vec<Violation>) {
    for name in fields.keys() {
        if !shape.iter().any(|field| field.name == name) {
            found.push(Violation::new(join(path, name), "is not in the contract"));
        }
    }
}

fn content(value: &Value, kind: &Kind, path: &str, found: &mut Vec<Violation>) {
    match kind {
        Kind::Object(shape) => object(value, shape, path, found),
        Kind::Each(kind) => match value {
            Value::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    content(item, kind, &format!("{path}[{position}]"), found);
                }
            }
            _ => found.push(Violation::new(path, "must be a list")),
        },
        Kind::List(shape) => match value {
            Value::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    object(item, shape, &format!("{path}[{position}]"), found);
                }
            }
            _ => found.push(Violation::new(path, "must be a list")),
        },
        scalar => {
            if let Err(reason) = check(value, scalar) {
                found.push(Violation::new(path, reason));
            }
        }
    }
}

fn check(value: &Value, kind: &Kind) -> Result<(), String> {
    match kind {
        Kind::Flag if value.is_boolean() => Ok(()),
        Kind::Flag => Err("must be true or false".to_owned()),
        Kind::Whole(least, most) => match value.as_i64() {
            Some(number) if (*least..=*most).contains(&number) => Ok(()),
            Some(_) => Err(format!("must be from {least} to {most}")),
            None => Err("must be a whole number".to_owned()),
        },
        _ => text(value.as_str().ok_or("must be text")?, kind),
    }
}

fn text(text: &str, kind: &Kind) -> Result<(), String> {
    match kind {
        Kind::Code(words) if words.contains(&text) => Ok(()),
        Kind::Code(words) => Err(format!("must be one of {}", words.join(", "))),
        Kind::Time => Ok(instant(text).map(|_| ())?),
        Kind::Utc if text.ends_with('Z') => Ok(instant(text).map(|_| ())?),
        Kind::Utc => Err("must be UTC, spelled with Z".to_owned()),
        Kind::Day => Ok(day(text).map(|_| ())?),
        Kind::Length => Ok(length(text)?),
        Kind::Zone if jiff::tz::TimeZone::get(text).is_ok() => Ok(()),
        Kind::Zone => Err("must be an IANA time zone".to_owned()),
        Kind::Text(_) if text.trim().is_empty() => Err("must not be blank".to_owned()),
        Kind::Text(most) if text.chars().count() > *most => {
            Err(format!("is {} characters long, at most {most} are taken", text.chars().count()))
        }
        _ => Ok(()),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}

fn named(path: &str) -> &str {
    if path.is_empty() { "(message)" } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const INNER: &[Field] = &[must("id", Kind::Text(3)), may("number", Kind::Whole(-9, 9))];
    const OUTER: &[Field] = &[
        must("flag", Kind::Flag),
        must("items", Kind::List(INNER)),
        may("at", Kind::Utc),
        may("code", Kind::Code(&["A", "B"])),
    ];

    #[test]
    fn every_offending_field_is_named_by_its_path() {
        let message = json!({
            "flag": "true",
            "items": [{"id": "abc"}, {"id": "abcd", "number": 10}, {"number": 1.5, "extra": 1}, 7],
            "at": "2026-07-01T18:00:00+00:00",
            "code": null,
        });
        let found = violations(&message, OUTER);
        let fields: Vec<&str> = found.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "flag",
                "items[1].id",
                "items[1].number",
                "items[2].id",
                "items[2].number",
                "items[2].extra",
                "items[3]",
                "at",
                "code"
            ]
        );
    }

    #[test]
    fn days_lengths_and_zones_are_read_strictly() {
        const SHAPE: &[Field] = &[
            must("days", Kind::Each(&Kind::Day)),
            must("lengths", Kind::Each(&Kind::Length)),
            must("zone", Kind::Zone),
        ];
        let right = json!({"days": ["2028-02-29"], "lengths": ["PT4H", "P1DT90M", "P2W"], "zone": "America/Chicago"});
        assert_eq!(violations(&right, SHAPE), []);
        let wrong = json!({"days": ["2026-02-30", "2026-1-1"], "lengths": ["P1M", "PT", "4h", "P"], "zone": "Chicago"});
        let fields: Vec<_> = violations(&wrong, SHAPE).into_iter().map(|it| it.field).collect();
        let all = ["days[0]", "days[1]", "lengths[0]", "lengths[1]", "lengths[2]", "lengths[3]", "zone"];
        assert_eq!(fields, all);
    }

    #[test]
    fn a_message_of_the_shape_has_no_violation() {
        let message = json!({"flag": false, "items": [], "at": "2026-07-01T18:00:00Z"});
        assert_eq!(violations(&message, OUTER), []);
    }
}
