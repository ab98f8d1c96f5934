use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::Destination;
use crate::Transient;

/// What became of an object that may be there once only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deposited {
    /// It is there now; nothing was under its key.
    New,
    /// Something is under its key, perhaps by our own attempt whose answer was lost; nothing was written.
    Occupied,
}

/// A request that was signed for somebody else: whoever has it may make it until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where to.
    pub url: String,
    /// What must go with it, to the letter: lower-case names.
    pub headers: BTreeMap<String, String>,
    /// Until when it may be begun.
    pub expires: Timestamp,
}

/// One bucket through which others bring and fetch objects.
#[async_trait]
pub trait Depot: Send + Sync {
    /// Writes an object in one call unless its key has one already.
    ///
    /// # Errors
    /// [`Transient`] when the outcome is unknown or the store refused.
    async fn deposit(&self, to: &Destination, bytes: Bytes) -> Result<Deposited, Transient>;

    /// A link by which others may do what [`Depot::deposit`] does: one PUT of these headers, at most 5 GB on S3. Where
    /// the key has an object already it is refused with 412.
    ///
    /// # Errors
    /// [`Transient`] when it cannot be signed.
    async fn upload_link(&self, to: &Destination, valid: Duration) -> Result<Link, Transient>;

    /// A link by which others may read an object, there or not.
    ///
    /// # Errors
    /// [`Transient`] when it cannot be signed.
    async fn download_link(&self, key: &str, valid: Duration) -> Result<Link, Transient>;
}
