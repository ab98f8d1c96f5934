//! Objects, some of which are not there: made when they are read, or known by their digest alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use sandbox::digest::Digest;

use crate::clock;
use crate::content::{Content, digest_of_lines};

/// The content of an object, or of a part of one.
#[derive(Debug, Clone)]
pub enum Stored {
    /// These bytes.
    Held(Bytes),
    /// Made when it is read.
    Made(Arc<Content>),
    /// Only what its lines were, and how long it was.
    Digested(Digest, u64),
    /// Bytes `from` … `from + len` of the object with this tag, copied by the store.
    Copied {
        /// The tag of what was copied.
        etag: String,
        /// First byte.
        from: u64,
        /// Number of bytes.
        len: u64,
    },
    /// One after the other.
    Joined(Vec<Stored>),
}

impl Stored {
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Held(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Made(content) => content.size(),
            Self::Digested(_, len) | Self::Copied { len, .. } => *len,
            Self::Joined(parts) => parts.iter().map(Self::size).sum(),
        }
    }

    /// All bytes, when they are held.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Held(bytes) => Some(bytes.to_vec()),
            Self::Joined(parts) => {
                let parts: Option<Vec<Vec<u8>>> = parts.iter().map(Self::bytes).collect();
                parts.map(|parts| parts.concat())
            }
            Self::Made(_) | Self::Digested(..) | Self::Copied { .. } => None,
        }
    }
}

/// One version of an object.
#[derive(Debug, Clone)]
pub struct Object {
    /// What it holds.
    pub stored: Stored,
    /// Its tag.
    pub etag: String,
    /// When it was written.
    pub written: Timestamp,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Object {
    fn new(stored: Stored, metadata: BTreeMap<String, String>, number: u64) -> Self {
        let etag = match &stored {
            Stored::Made(content) => content.etag(),
            _ => format!("\"object-{number}\""),
        };
        Self { stored, etag, written: clock::timestamp(), metadata }
    }
}

/// An upload that is not finished.
#[derive(Debug, Default)]
pub(super) struct Upload {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) parts: BTreeMap<u32, Stored>,
}

type Place = (String, String);

/// All objects, by bucket and key; the version of an object is its place in the list.
#[derive(Debug, Default)]
pub struct Objects {
    versions: BTreeMap<Place, Vec<Object>>,
    given: Vec<Place>,
    pub(super) uploads: BTreeMap<String, Upload>,
    digested: Vec<String>,
    number: u64,
    /// The furthest byte of any made object that was handed out.
    pub(super) furthest: Arc<AtomicU64>,
    /// Where each reading of such an object began.
    pub(super) starts: Mutex<Vec<u64>>,
}

impl Objects {
    /// Gives the functions an object to read; its version.
    pub fn give(&mut self, bucket: &str, key: &str, stored: Stored) -> String {
        self.give_with(bucket, key, stored, BTreeMap::new())
    }

    /// The same, with user metadata.
    pub fn give_with(&mut self, bucket: &str, key: &str, stored: Stored, metadata: BTreeMap<String, String>) -> String {
        let place = (bucket.to_owned(), key.to_owned());
        if !self.given.contains(&place) {
            self.given.push(place);
        }
        self.put(bucket, key, stored, metadata)
    }

    /// What is written into this bucket is read once and not kept.
    pub fn digest_only(&mut self, bucket: &str) {
        self.digested.push(bucket.to_owned());
    }

    /// An object, by version or the newest.
    #[must_use]
    pub fn get(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<(String, &Object)> {
        let versions = self.versions.get(&(bucket.to_owned(), key.to_owned()))?;
        let number = match version {
            Some(version) => version.strip_prefix('v')?.parse::<usize>().ok()?,
            None => versions.len(),
        };
        let object = versions.get(number.checked_sub(1)?)?;
        Some((format!("v{number}"), object))
    }

    /// The keys of a bucket that end so.
    #[must_use]
    pub fn keys(&self, bucket: &str, ending: &str) -> Vec<String> {
        let places = self.versions.keys().filter(|(of, key)| of == bucket && key.ends_with(ending));
        places.map(|(_, key)| key.clone()).collect()
    }

    /// A new version of an object; its name.
    pub(super) fn put(
        &mut self,
        bucket: &str,
        key: &str,
        stored: Stored,
        metadata: BTreeMap<String, String>,
    ) -> String {
        self.number += 1;
        let object = Object::new(stored, metadata, self.number);
        let versions = self.versions.entry((bucket.to_owned(), key.to_owned())).or_default();
        versions.push(object);
        format!("v{}", versions.len())
    }

    /// Begins an upload; its id.
    pub(super) fn begin(&mut self, metadata: BTreeMap<String, String>) -> String {
        self.number += 1;
        let id = format!("upload-{}", self.number);
        self.uploads.insert(id.clone(), Upload { metadata, ..Upload::default() });
        id
    }

    /// Bytes as this bucket keeps them.
    pub(super) fn kept(&self, bucket: &str, bytes: Bytes) -> Stored {
        if self.digested.iter().any(|digested| digested == bucket) {
            let (digest, len) = digest_of_lines(&bytes);
            return Stored::Digested(digest, len);
        }
        Stored::Held(bytes)
    }

    pub(super) fn forget_written(&mut self) {
        let given = std::mem::take(&mut self.given);
        self.versions.retain(|place, _| given.contains(place));
        self.given = given;
        self.uploads.clear();
        self.furthest.store(0, Ordering::Relaxed);
    }
}
