//! What comes with a file of the DERMS beside its rows: the JSON part of a multipart post, or the object's metadata,
//! "of the same names in kebab case" (contracts.md §6). Both are read by the same rules.
//!
//! ```text
//! JSON part  {"messageId": "M-1", "recordCount": 3}      x-amz-meta-message-id: M-1
//!      │ from_json                   to_metadata ─▶      x-amz-meta-record-count: 3
//!      └──────────▶ envelope ◀───── from_metadata ───────────┘
//! ```

use std::collections::BTreeMap;

use crate::ids::{DrmsInstanceId, MessageId};
use crate::json::{Document, Object, Problem, Text};
use crate::layout::{HeaderFault, HeaderProblem, excerpt};

/// An object's user metadata, by lower-case name.
pub type Metadata = BTreeMap<String, String>;

/// The envelope of an outcome or network location file: all of it optional; what is missing is Routing's default, or the
/// run id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileEnvelope {
    /// The DERMS that sends it, and gets the acknowledgement.
    pub drms_instance_id: Option<DrmsInstanceId>,
    /// What the acknowledgement calls the file.
    pub message_id: Option<MessageId>,
    /// How many rows it should have.
    pub record_count: Option<u64>,
}

impl FileEnvelope {
    /// Reads the envelope from an object's metadata.
    ///
    /// # Errors
    ///
    /// Everything that is there and wrong.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, HeaderFault> {
        from_metadata(metadata, |stored| Self::read(stored))
    }

    /// Reads the envelope from the JSON part of a post.
    ///
    /// # Errors
    ///
    /// Every fault, as a [`Problem`].
    pub fn from_json(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(|object| Self::read(&mut JsonPart(object)))
    }

    /// The metadata under which the object is stored.
    #[must_use]
    pub fn to_metadata(&self) -> Metadata {
        let count = self.record_count.map(|count| count.to_string());
        to_metadata([
            ("drmsInstanceId", self.drms_instance_id.as_ref().map(DrmsInstanceId::as_str)),
            ("messageId", self.message_id.as_ref().map(MessageId::as_str)),
            ("recordCount", count.as_deref()),
        ])
    }

    pub(crate) fn read(source: &mut impl Source) -> Option<Self> {
        let drms_instance_id = source.optional("drmsInstanceId");
        let message_id = source.optional("messageId");
        let record_count = source.count("recordCount");
        Some(Self { drms_instance_id, message_id, record_count })
    }
}

/// Where members of an envelope come from. As with [`Object`], `None` stands both for an absent optional member and for a
/// fault, which is noted: members are read first, all of them, and the value is built then.
pub(crate) trait Source {
    /// A member that must be there.
    fn required<T: Text>(&mut self, name: &'static str) -> Option<T>;
    /// A member that may be absent.
    fn optional<T: Text>(&mut self, name: &'static str) -> Option<T>;
    /// A number of rows that may be absent.
    fn count(&mut self, name: &'static str) -> Option<u64>;
    /// Notes a fault between members.
    fn fault(&mut self, name: &'static str, reason: &'static str);
}

const NOT_A_COUNT: &str = "is not a whole number of rows";

/// The JSON part of a post.
pub(crate) struct JsonPart<'o, 't, 'p>(pub(crate) &'o Object<'t, 'p>);

impl Source for JsonPart<'_, '_, '_> {
    fn required<T: Text>(&mut self, name: &'static str) -> Option<T> {
        self.0.required(name)
    }

    fn optional<T: Text>(&mut self, name: &'static str) -> Option<T> {
        self.0.optional(name)
    }

    fn count(&mut self, name: &'static str) -> Option<u64> {
        self.0.counted(name, NOT_A_COUNT)
    }

    fn fault(&mut self, name: &'static str, reason: &'static str) {
        self.0.fault(name, reason);
    }
}

/// An object's metadata.
pub(crate) struct Stored<'m> {
    metadata: &'m Metadata,
    problems: Vec<HeaderProblem>,
}

impl Stored<'_> {
    fn value(&self, name: &'static str) -> Option<&str> {
        self.metadata.get(&kebab(name)).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn note(&mut self, name: &'static str, reason: impl Into<String>) {
        self.problems.push(HeaderProblem::Envelope { field: kebab(name), reason: reason.into() });
    }
}

impl Source for Stored<'_> {
    fn required<T: Text>(&mut self, name: &'static str) -> Option<T> {
        if self.value(name).is_none() {
            self.note(name, "is missing");
        }
        self.optional(name)
    }

    fn optional<T: Text>(&mut self, name: &'static str) -> Option<T> {
        let value = self.value(name)?;
        match value.parse() {
            Ok(value) => Some(value),
            Err(fault) => {
                let reason = format!("{} {fault}", excerpt(value));
                self.note(name, reason);
                None
            }
        }
    }

    fn count(&mut self, name: &'static str) -> Option<u64> {
        let value = self.value(name)?;
        let plain = value.bytes().all(|byte| byte.is_ascii_digit());
        let count = value.parse().ok().filter(|_| plain);
        if count.is_none() {
            let reason = format!("{} {NOT_A_COUNT}", excerpt(value));
            self.note(name, reason);
        }
        count
    }

    fn fault(&mut self, name: &'static str, reason: &'static str) {
        self.note(name, reason);
    }
}

pub(crate) fn from_metadata<T>(
    metadata: &Metadata,
    read: impl FnOnce(&mut Stored<'_>) -> Option<T>,
) -> Result<T, HeaderFault> {
    let mut stored = Stored { metadata, problems: Vec::new() };
    let envelope = read(&mut stored);
    match envelope {
        Some(envelope) if stored.problems.is_empty() => Ok(envelope),
        _ => Err(HeaderFault(stored.problems)),
    }
}

pub(crate) fn to_metadata<'v>(members: impl IntoIterator<Item = (&'static str, Option<&'v str>)>) -> Metadata {
    members.into_iter().filter_map(|(name, value)| Some((kebab(name), value?.to_owned()))).collect()
}

/// `eventStartDateTime` as `event-start-date-time`.
fn kebab(name: &str) -> String {
    let mut kebab = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests;
