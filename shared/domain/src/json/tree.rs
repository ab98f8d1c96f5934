//! The parsed message: a tree that borrows from the body, and the hash that says whether two bodies are the same.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::error::Category;
use sha2::{Digest, Sha256};

use super::object::Object;
use super::outline::Told;
use super::{BODY_LIMIT, DEPTH_LIMIT, Problem};

/// One value. Members of an object are sorted by name (repeated ones keep their order), which makes finding one a binary
/// search and the hash independent of the order in the body.
#[derive(Debug)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<Member<'a>>),
}

/// A member of an object: name and value.
pub(super) type Member<'a> = (Cow<'a, str>, Json<'a>);

/// A body that is JSON, within the limits of size and depth.
#[derive(Debug)]
pub struct Document<'a> {
    root: Json<'a>,
    /// Of a document that stands for any: what was asked for.
    told: Option<RefCell<Vec<Told>>>,
}

impl<'a> Document<'a> {
    /// Parses one JSON text.
    ///
    /// # Errors
    /// 413 over [`BODY_LIMIT`]; 400 when the body is empty, ends too early, is no JSON, goes on after the JSON, or nests
    /// deeper than [`DEPTH_LIMIT`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        if body.len() > BODY_LIMIT {
            return Err(Problem::too_large(BODY_LIMIT));
        }
        let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        if text.trim_ascii().is_empty() {
            return Err(Problem::unreadable("is empty"));
        }
        let too_deep = Cell::new(false);
        let mut parser = serde_json::Deserializer::from_slice(text);
        Level { depth: 0, too_deep: &too_deep }
            .deserialize(&mut parser)
            .and_then(|root| parser.end().map(|()| Self { root, told: None }))
            .map_err(|error| unreadable(&error, too_deep.get()))
    }

    /// Reads the message, which must be an object, with `read`; `None` from it means that it reported a fault.
    ///
    /// # Errors
    /// 400 with every fault that `read` reported.
    pub fn read<T>(&self, read: impl FnOnce(&Object<'_, '_>) -> Option<T>) -> Result<T, Problem> {
        if let Some(told) = &self.told {
            told.replace(super::object::outline_root(read));
            return Err(Problem::unreadable("is no message"));
        }
        super::object::read_root(&self.root, read)
    }

    /// Reads a message that must be a list of 1 to `most` objects, each with `read`; `None` from it means that it reported a
    /// fault. What is wrong with one item alone is read by [`Object::apart`].
    ///
    /// # Errors
    /// 400 with every fault that was reported.
    pub fn read_list<T>(&self, most: usize, read: impl Fn(&Object<'_, '_>) -> Option<T>) -> Result<Vec<T>, Problem> {
        if let Some(told) = &self.told {
            told.replace(super::object::outline_list(read));
            return Err(Problem::unreadable("is no message"));
        }
        super::object::read_list(&self.root, most, read)
    }

    /// Of a list: each item as a body of its own, and its hash. Nothing of anything else.
    #[must_use]
    pub fn items(&self) -> Vec<(String, BodyHash)> {
        let Json::List(items) = &self.root else { return Vec::new() };
        let own = |item: &Json<'_>| {
            let (mut body, mut hasher) = (String::new(), Sha256::new());
            print(item, &mut body);
            feed(item, &mut hasher);
            (body, BodyHash(hasher.finalize().into()))
        };
        items.iter().map(own).collect()
    }

    /// A document that stands for any.
    pub(super) fn nothing() -> Self {
        Self { root: Json::Null, told: Some(RefCell::default()) }
    }

    /// What was asked of it.
    pub(super) fn told(self) -> Vec<Told> {
        self.told.map(RefCell::into_inner).unwrap_or_default()
    }

    /// What makes two bodies the same.
    #[must_use]
    pub fn hash(&self) -> BodyHash {
        let mut hasher = Sha256::new();
        feed(&self.root, &mut hasher);
        BodyHash(hasher.finalize().into())
    }
}

/// Prints a value anew: the same value, members in the order of their names.
fn print(value: &Json<'_>, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&number.to_string()),
        Json::Text(text) => print_text(text, out),
        Json::List(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push(if i == 0 { '[' } else { ',' });
                print(item, out);
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Json::Object(members) => {
            for (i, (name, value)) in members.iter().enumerate() {
                out.push(if i == 0 { '{' } else { ',' });
                print_text(name, out);
                out.push(':');
                print(value, out);
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
    }
}

fn print_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Why the parser stopped. Its own words are fixed texts with line and column, they hold nothing of the body.
fn unreadable(error: &serde_json::Error, too_deep: bool) -> Problem {
    if too_deep {
        return Problem::unreadable(format!("is nested deeper than {DEPTH_LIMIT} levels"));
    }
    match error.classify() {
        Category::Eof => {
            Problem::unreadable(format!("is truncated: it ends at line {} column {}", error.line(), error.column()))
        }
        _ => Problem::unreadable(format!("is not JSON: {error}")),
    }
}

/// SHA-256 over the *value* of a body, printed as 64 hexadecimal digits.
///
/// Not over its bytes: a sender that builds the message anew for a resend may order members and place white space
/// differently and must not be told that it sent another body. Everything else counts, members we don't know included,
/// because a sender that changed one meant to change something. Text counts as text (`"\u0041"` is `"A"`), numbers as
/// they are written apart from exponents (`1` is not `1.0`), `null` is not the absent member.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyHash([u8; 32]);

impl fmt::Display for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Feeds a value in a form in which no two values are alike: a tag, the length where one is needed, the content.
fn feed(value: &Json<'_>, hasher: &mut Sha256) {
    match value {
        Json::Null => hasher.update(b"n"),
        Json::Bool(true) => hasher.update(b"t"),
        Json::Bool(false) => hasher.update(b"f"),
        Json::Number(number) => {
            hasher.update(b"#");
            hasher.update(number.to_string());
            hasher.update(b";");
        }
        Json::Text(text) => feed_text(text, hasher),
        Json::List(items) => {
            hasher.update(b"[");
            items.iter().for_each(|item| feed(item, hasher));
            hasher.update(b"]");
        }
        Json::Object(members) => {
            hasher.update(b"{");
            for (name, value) in members {
                feed_text(name, hasher);
                feed(value, hasher);
            }
            hasher.update(b"}");
        }
    }
}

fn feed_text(text: &str, hasher: &mut Sha256) {
    hasher.update(b"\"");
    hasher.update(text.len().to_string());
    hasher.update(b":");
    hasher.update(text);
}

/// Builds the value that begins at some depth; the flag tells "too deep" from the parser's own errors.
struct Level<'f> {
    depth: usize,
    too_deep: &'f Cell<bool>,
}

impl Level<'_> {
    fn next<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth == DEPTH_LIMIT {
            self.too_deep.set(true);
            return Err(E::custom("too deep"));
        }
        Ok(Level { depth: self.depth + 1, too_deep: self.too_deep })
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json<'de>, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let inner = self.next::<A::Error>()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Level { ..inner })? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json<'de>, A::Error> {
        let inner = self.next::<A::Error>()?;
        let mut members = Vec::new();
        while let Some(name) = object.next_key_seed(Name)? {
            members.push((name, object.next_value_seed(Level { ..inner })?));
        }
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Json::Object(members))
    }
}

/// A member's name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
