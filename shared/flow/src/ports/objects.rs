use std::collections::BTreeMap;
use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Transient;

/// User metadata of an object: lower-case names without the `x-amz-meta-` prefix.
pub type Metadata = BTreeMap<String, String>;

/// The bytes of an object in order. An error in the middle means that the connection broke, not that the object ended.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// One version of one object. Versions never change, so two reads of one reference agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The bucket's name.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// The version id; `None` means the newest version.
    pub version: Option<String>,
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Size in bytes.
    pub size: u64,
    /// The entity tag, with its quotes.
    pub etag: String,
    /// The version that was looked at.
    pub version: Option<String>,
    /// When it was written, in whole seconds on S3.
    pub last_modified: Timestamp,
    /// User metadata.
    pub metadata: Metadata,
}

/// Reads objects.
#[async_trait]
pub trait Source: Send + Sync {
    /// Looks at an object; `None` when there is no such version (or it is a delete marker).
    ///
    /// # Errors
    /// [`Transient`] when the store cannot say.
    async fn head(&self, object: &ObjectRef) -> Result<Option<ObjectMeta>, Transient>;

    /// Opens an object at byte `from`. At or past the end the stream is empty.
    ///
    /// # Errors
    /// [`Transient`] when it cannot be opened, also when it is not there: call [`Source::head`] to know.
    async fn read(&self, object: &ObjectRef, from: u64) -> Result<ByteStream, Transient>;
}

/// Where an object is written: a key of the bucket that the outlet is bound to, and its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The key.
    pub key: String,
    /// User metadata that the object will carry.
    pub metadata: Metadata,
}

/// A multipart upload in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadId(pub String);

/// The content of one part.
#[derive(Debug, Clone)]
pub enum Part {
    /// These bytes.
    Bytes(Bytes),
    /// `len` bytes from `from` of a source version, copied by the store itself, only if its tag is still `etag`.
    Copy {
        /// What is copied.
        source: ObjectRef,
        /// The tag that was validated.
        etag: String,
        /// First byte.
        from: u64,
        /// Number of bytes, at least 1.
        len: u64,
    },
}

/// How an upload is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadEnd {
    /// The object is made of the parts written so far, in order of their numbers.
    Publish,
    /// Nothing is made of it, now or later: whoever still has its id finds that there is no such upload.
    Abandon,
}

/// What became of an upload that was asked to finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The object is there, whole; or it never will be, as was asked.
    Done,
    /// There is no such upload: it was finished or aborted before.
    NoSuchUpload,
}

/// Writes objects into one bucket. Nothing is visible under a key before it is whole.
#[async_trait]
pub trait Outlet: Send + Sync {
    /// Writes a small object in one call, over whatever was there.
    ///
    /// # Errors
    /// [`Transient`] when the outcome is unknown or the store refused.
    async fn put(&self, to: &Destination, bytes: Bytes) -> Result<(), Transient>;

    /// Begins a multipart upload.
    ///
    /// # Errors
    /// [`Transient`], as above.
    async fn begin(&self, to: &Destination) -> Result<UploadId, Transient>;

    /// Writes part `number` (from 1; at least 5 MiB, but for the last) over whatever that part was.
    ///
    /// # Errors
    /// [`Transient`], as above; also when the upload is unknown.
    async fn part(&self, key: &str, upload: &UploadId, number: u32, part: Part) -> Result<(), Transient>;

    /// Ends an upload: makes its object, or makes sure that there will be none.
    ///
    /// # Errors
    /// [`Transient`], as above.
    async fn finish(&self, key: &str, upload: &UploadId, end: UploadEnd) -> Result<Finished, Transient>;
}
