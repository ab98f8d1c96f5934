use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::lock;
use crate::Transient;
use crate::ports::{
    ByteStream, Clock, Destination, Finished, Metadata, ObjectMeta, ObjectRef, Outlet, Part, Source, UploadEnd,
    UploadId,
};

/// The smallest part of S3, but for the last one.
const SMALLEST_PART: usize = 5 * 1024 * 1024;
/// The highest part number of S3.
const MOST_PARTS: u32 = 10_000;
/// How the bytes of an object come, unless told otherwise.
const CHUNK: NonZeroUsize = NonZeroUsize::MIN.saturating_add(64 * 1024 - 1);

/// One version; a delete marker has no content.
#[derive(Debug, Clone)]
struct Version {
    id: String,
    written: Timestamp,
    content: Option<Content>,
}

#[derive(Debug, Clone)]
struct Content {
    bytes: Bytes,
    etag: String,
    metadata: Metadata,
}

#[derive(Debug)]
struct Upload {
    bucket: String,
    to: Destination,
    parts: BTreeMap<u32, Bytes>,
}

#[derive(Debug, Default)]
struct State {
    /// Versions by bucket and key, oldest first.
    objects: BTreeMap<(String, String), Vec<Version>>,
    uploads: BTreeMap<String, Upload>,
    counter: u64,
}

impl State {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn add(&mut self, bucket: &str, key: &str, written: Timestamp, content: Option<Content>) -> String {
        let id = format!("v{}", self.next());
        let version = Version { id: id.clone(), written, content };
        self.objects.entry((bucket.to_owned(), key.to_owned())).or_default().push(version);
        id
    }

    /// The version that `object` means, unless it is a delete marker.
    fn find(&self, object: &ObjectRef) -> Option<(&Version, &Content)> {
        let versions = self.objects.get(&(object.bucket.clone(), object.key.clone()))?;
        let version = match &object.version {
            None => versions.last()?,
            Some(id) => versions.iter().find(|version| &version.id == id)?,
        };
        version.content.as_ref().map(|content| (version, content))
    }
}

/// Versioned buckets. Any bucket name exists.
///
/// As on S3, parts but the last must have 5 MiB and part numbers end at 10,000. The first can be lowered for tests of
/// many small parts ([`Objects::with_smallest_part`]).
#[derive(Clone)]
pub struct Objects {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    chunk: NonZeroUsize,
    smallest_part: usize,
}

impl Objects {
    /// Empty buckets, in which objects are written at the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::default(), clock, chunk: CHUNK, smallest_part: SMALLEST_PART }
    }

    /// The same buckets, read in chunks of `bytes` (64 KiB otherwise).
    #[must_use]
    pub fn with_chunk(mut self, bytes: NonZeroUsize) -> Self {
        self.chunk = bytes;
        self
    }

    /// The same buckets, taking parts of `bytes` and more (5 MiB otherwise). Outlets made before keep the old limit.
    #[must_use]
    pub fn with_smallest_part(mut self, bytes: usize) -> Self {
        self.smallest_part = bytes;
        self
    }

    /// One bucket to write into.
    #[must_use]
    pub fn outlet(&self, bucket: &str) -> Bucket {
        Bucket { objects: self.clone(), name: bucket.to_owned() }
    }

    /// Writes an object without metadata, as a system that drops a file does, and says which version it became.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> ObjectRef {
        let to = Destination { key: key.to_owned(), metadata: Metadata::new() };
        self.write(bucket, &to, bytes.into())
    }

    /// Puts a delete marker over an object; its versions stay.
    pub fn delete(&self, bucket: &str, key: &str) {
        let now = self.clock.now();
        lock(&self.state).add(bucket, key, now, None);
    }

    /// The keys of a bucket that have an object now, in order.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        lock(&self.state)
            .objects
            .iter()
            .filter(|((name, _), _)| name == bucket)
            .filter(|(_, versions)| versions.last().is_some_and(|newest| newest.content.is_some()))
            .map(|((_, key), _)| key.clone())
            .collect()
    }

    /// The content of the newest version.
    #[must_use]
    pub fn bytes(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let object = ObjectRef { bucket: bucket.to_owned(), key: key.to_owned(), version: None };
        lock(&self.state).find(&object).map(|(_, content)| content.bytes.clone())
    }

    /// All versions of a key, oldest first, without delete markers.
    #[must_use]
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<ObjectRef> {
        let of = (bucket.to_owned(), key.to_owned());
        lock(&self.state)
            .objects
            .get(&of)
            .into_iter()
            .flatten()
            .filter(|version| version.content.is_some())
            .map(|version| ObjectRef {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version: Some(version.id.clone()),
            })
            .collect()
    }

    /// The number of uploads into a bucket that were begun and not finished.
    #[must_use]
    pub fn unfinished(&self, bucket: &str) -> usize {
        lock(&self.state).uploads.values().filter(|upload| upload.bucket == bucket).count()
    }

    fn write(&self, bucket: &str, to: &Destination, bytes: Bytes) -> ObjectRef {
        let content = Content { etag: format!("\"{}\"", digest([&bytes])), bytes, metadata: to.metadata.clone() };
        let now = self.clock.now();
        let id = lock(&self.state).add(bucket, &to.key, now, Some(content));
        ObjectRef { bucket: bucket.to_owned(), key: to.key.clone(), version: Some(id) }
    }
}

/// Half a SHA-256, in hexadecimal: as long as S3's MD5.
fn digest<'a>(pieces: impl IntoIterator<Item = &'a Bytes>) -> String {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    let mut text = hex::encode(hash.finalize());
    text.truncate(32);
    text
}

#[async_trait]
impl Source for Objects {
    async fn head(&self, object: &ObjectRef) -> Result<Option<ObjectMeta>, Transient> {
        Ok(lock(&self.state).find(object).map(|(version, content)| ObjectMeta {
            size: size(&content.bytes),
            etag: content.etag.clone(),
            version: Some(version.id.clone()),
            last_modified: version.written,
            metadata: content.metadata.clone(),
        }))
    }

    async fn read(&self, object: &ObjectRef, from: u64) -> Result<ByteStream, Transient> {
        let all = lock(&self.state)
            .find(object)
            .map(|(_, content)| content.bytes.clone())
            .ok_or_else(|| Transient::new(format!("reading {}, which is not there", object.key)))?;
        let start = usize::try_from(from).unwrap_or(usize::MAX).min(all.len());
        let chunk = self.chunk.get();
        let chunks = stream::unfold(all.slice(start..), move |mut rest| async move {
            if rest.is_empty() {
                return None;
            }
            let head = rest.split_to(chunk.min(rest.len()));
            Some((io::Result::Ok(head), rest))
        });
        Ok(chunks.boxed())
    }
}

/// One bucket of [`Objects`], to write into.
#[derive(Debug, Clone)]
pub struct Bucket {
    objects: Objects,
    name: String,
}

#[async_trait]
impl Outlet for Bucket {
    async fn put(&self, to: &Destination, bytes: Bytes) -> Result<(), Transient> {
        self.objects.write(&self.name, to, bytes);
        Ok(())
    }

    async fn begin(&self, to: &Destination) -> Result<UploadId, Transient> {
        let mut state = lock(&self.objects.state);
        let id = format!("u{}", state.next());
        let upload = Upload { bucket: self.name.clone(), to: to.clone(), parts: BTreeMap::new() };
        state.uploads.insert(id.clone(), upload);
        Ok(UploadId(id))
    }

    async fn part(&self, key: &str, upload: &UploadId, number: u32, part: Part) -> Result<(), Transient> {
        if !(1..=MOST_PARTS).contains(&number) {
            return Err(Transient::new(format!("writing part {number}, which no upload has")));
        }
        let mut state = lock(&self.objects.state);
        let bytes = match part {
            Part::Bytes(bytes) => bytes,
            Part::Copy { source, etag, from, len } => copied(&state, &source, &etag, from, len)?,
        };
        let upload = state
            .uploads
            .get_mut(&upload.0)
            .filter(|begun| begun.bucket == self.name && begun.to.key == key)
            .ok_or_else(|| Transient::new(format!("writing a part of {key}, which has no such upload")))?;
        upload.parts.insert(number, bytes);
        Ok(())
    }

    async fn finish(&self, key: &str, upload: &UploadId, end: UploadEnd) -> Result<Finished, Transient> {
        let now = self.objects.clock.now();
        let mut state = lock(&self.objects.state);
        let Some(begun) = state.uploads.get(&upload.0).filter(|begun| begun.bucket == self.name && begun.to.key == key)
        else {
            return Ok(Finished::NoSuchUpload);
        };
        if end == UploadEnd::Abandon {
            state.uploads.remove(&upload.0);
            return Ok(Finished::Done);
        }
        let Some((last, _)) = begun.parts.last_key_value() else {
            return Err(Transient::new(format!("finishing {key}, which has no part")));
        };
        let smallest = self.objects.smallest_part;
        if begun.parts.iter().any(|(number, part)| number != last && part.len() < smallest) {
            return Err(Transient::new(format!("finishing {key}, of which a part but the last is too small")));
        }
        let content = Content {
            bytes: joined(&begun.parts),
            etag: format!("\"{}-{}\"", digest(begun.parts.values()), begun.parts.len()),
            metadata: begun.to.metadata.clone(),
        };
        state.uploads.remove(&upload.0);
        state.add(&self.name, key, now, Some(content));
        Ok(Finished::Done)
    }
}

/// The bytes of a source version, if it is still the one that was validated.
fn copied(state: &State, source: &ObjectRef, etag: &str, from: u64, len: u64) -> Result<Bytes, Transient> {
    let doing = || format!("copying {len} bytes of {} from {from}", source.key);
    let (_, content) = state.find(source).ok_or_else(|| Transient::because(doing(), "it is not there"))?;
    if content.etag != etag {
        return Err(Transient::because(doing(), "it is not the version that was validated"));
    }
    let range = usize::try_from(from)
        .ok()
        .zip(usize::try_from(len).ok())
        .filter(|(_, len)| *len > 0)
        .and_then(|(from, len)| Some(from..from.checked_add(len)?))
        .filter(|range| range.end <= content.bytes.len())
        .ok_or_else(|| Transient::because(doing(), "it is not as long"))?;
    Ok(content.bytes.slice(range))
}

fn joined(parts: &BTreeMap<u32, Bytes>) -> Bytes {
    let mut whole = BytesMut::with_capacity(parts.values().map(Bytes::len).sum());
    for part in parts.values() {
        whole.extend_from_slice(part);
    }
    whole.freeze()
}

fn size(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("state", &self.state).finish_non_exhaustive()
    }
}

mod depot;
#[cfg(test)]
mod tests;
