//! A file that the DERMS brings over HTTP instead of dropping it (contracts.md §2, "Buckets"): posted as a form, or
//! uploaded to a link that it asked for. Either way it is stored once, its envelope with it as metadata.
//!
//! ```text
//! POST /v1/derms/<subject>          form: envelope + file ─┐
//!                                                          ├─▶ derms-outbox: <subject>/<messageId>.csv + metadata
//! POST /v1/derms/<subject>/uploads  envelope, then a PUT ──┘
//! ```

use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::envelope::{FileEnvelope, JsonPart, Metadata};
use crate::ids::MessageId;
use crate::json::{Document, FieldFault, Object, Problem};
use crate::reservation::Envelope;

/// What an envelope may need of an object's metadata, in bytes: S3 takes 2 KB, of which the correlation id needs some.
const LONGEST_ENVELOPE: usize = 1800;

/// The files that the DERMS may bring so, by the subject of the flows that take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Devices reserved for one stage.
    DeviceReservation,
    /// What devices did.
    DeviceOutcome,
    /// What feeds each service point.
    NetworkLocation,
}

/// A text that names none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no file of this name can be brought over HTTP")]
pub struct NotASubject;

impl Subject {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DeviceReservation, Self::DeviceOutcome, Self::NetworkLocation];

    /// The name, as in routes, scopes and prefixes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeviceReservation => "device-reservation",
            Self::DeviceOutcome => "device-outcome",
            Self::NetworkLocation => "network-location",
        }
    }

    /// The flow that answers to the DERMS for such a file: its rejects are what the DERMS may fetch.
    #[must_use]
    pub fn flow(self) -> &'static str {
        match self {
            Self::DeviceReservation => "derms-dacs-device-reservation",
            Self::DeviceOutcome => "derms-dacs-device-outcome",
            Self::NetworkLocation => "derms-dacs-network-location",
        }
    }
}

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        Self::ALL.into_iter().find(|subject| subject.as_str() == text).ok_or(NotASubject)
    }
}

/// What is known of a file before its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedFile {
    /// What it is.
    pub subject: Subject,
    /// What it is called, if its sender calls it something.
    pub message_id: Option<MessageId>,
    /// Its envelope, as it is stored.
    pub metadata: Metadata,
}

impl PostedFile {
    /// Reads the envelope of a file that comes with it.
    ///
    /// # Errors
    ///
    /// Every fault of the envelope, as a [`Problem`].
    pub fn posted(subject: Subject, envelope: &[u8]) -> Result<Self, Problem> {
        read(subject, envelope, |_| {})
    }

    /// Reads an envelope that is parsed already.
    ///
    /// # Errors
    ///
    /// Every fault of the envelope, as a [`Problem`].
    pub fn from_document(subject: Subject, document: &Document<'_>) -> Result<Self, Problem> {
        read_document(subject, document, |_| {})
    }

    /// Reads the envelope of a file that is to be uploaded. It must have a `messageId`: nothing else says that two
    /// uploads are one.
    ///
    /// # Errors
    ///
    /// Every fault of the envelope, as a [`Problem`].
    pub fn to_upload(subject: Subject, envelope: &[u8]) -> Result<Self, Problem> {
        read(subject, envelope, |object| {
            if subject != Subject::DeviceReservation && !object.has("messageId") {
                object.fault("messageId", "is required of a file that is uploaded");
            }
        })
    }

    /// The message key: the `messageId`; without one, a hash of envelope and content, so that the same body is stored
    /// once all the same.
    #[must_use]
    pub fn message_key(&self, content: &[u8]) -> String {
        if let Some(id) = &self.message_id {
            return id.to_string();
        }
        let mut hash = Sha256::new();
        for (name, value) in &self.metadata {
            hash.update(name);
            hash.update([0]);
            hash.update(value);
            hash.update([0]);
        }
        hash.update(content);
        let digest: [u8; 32] = hash.finalize().into();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where the file of this message key is stored.
    #[must_use]
    pub fn object_key(&self, message_key: &str) -> String {
        format!("{}/{message_key}.csv", self.subject.as_str())
    }
}

fn read(subject: Subject, envelope: &[u8], more: impl FnOnce(&Object<'_, '_>)) -> Result<PostedFile, Problem> {
    read_document(subject, &Document::parse(envelope)?, more)
}

fn read_document(
    subject: Subject,
    document: &Document<'_>,
    more: impl FnOnce(&Object<'_, '_>),
) -> Result<PostedFile, Problem> {
    let file = document.read(|object| {
        let (message_id, metadata) = match subject {
            Subject::DeviceReservation => {
                let read = Envelope::read(&mut JsonPart(object));
                read.map(|envelope| (Some(envelope.message_id.clone()), envelope.to_metadata()))
            }
            Subject::DeviceOutcome | Subject::NetworkLocation => {
                let read = FileEnvelope::read(&mut JsonPart(object));
                read.map(|envelope| (envelope.message_id.clone(), envelope.to_metadata()))
            }
        }
        .unzip();
        let message_id = message_id.flatten();
        if message_id.as_ref().is_some_and(climbs) {
            object.fault("messageId", "has a segment . or .., which no path keeps");
        }
        more(object);
        Some(PostedFile { subject, message_id, metadata: metadata? })
    })?;
    if stored_size(&file.metadata) > LONGEST_ENVELOPE {
        let reason = format!("needs more than the {LONGEST_ENVELOPE} bytes that an object's metadata has for it");
        return Err(Problem::invalid(vec![FieldFault { pointer: String::new(), reason: reason.into() }]));
    }
    Ok(file)
}

/// Whether some client on the way would take a part of the id for a step up.
fn climbs(id: &MessageId) -> bool {
    id.as_str().split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Values beyond ASCII grow by half on their way through headers.
fn stored_size(metadata: &Metadata) -> usize {
    let sizes = metadata.iter().map(|(name, value)| {
        let grown = if value.is_ascii() { 0 } else { value.len() / 2 + 12 };
        name.len() + value.len() + grown
    });
    sizes.sum()
}

#[cfg(test)]
mod tests;
