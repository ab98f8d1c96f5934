//! One object made of many small ones, in constant memory.

use bytes::Bytes;

use super::rejects::RejectStore;
use crate::Transient;
use crate::ports::{Destination, Metadata, Part, UploadEnd, UploadId};

/// Parts of the joined object.
const JOINED_PART: usize = 8 << 20;

/// An object of the rejects bucket that is being written.
pub(crate) struct Joiner<'a> {
    store: &'a RejectStore,
    to: Destination,
    head: usize,
    buffer: Vec<u8>,
    upload: Option<UploadId>,
    parts: u32,
}

impl<'a> Joiner<'a> {
    /// Nothing but `head` yet.
    pub fn new(store: &'a RejectStore, key: String, head: Vec<u8>) -> Self {
        let to = Destination { key, metadata: Metadata::new() };
        Self { store, to, head: head.len(), buffer: head, upload: None, parts: 0 }
    }

    /// Writes on.
    ///
    /// # Errors
    /// [`Transient`] when the bucket does not take it; the same for the others here.
    pub async fn append(&mut self, bytes: &[u8]) -> Result<(), Transient> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= JOINED_PART { self.part().await } else { Ok(()) }
    }

    /// The object is whole. Its key, or `None` when there is nothing after its head: then it is not written.
    pub async fn end(mut self) -> Result<Option<String>, Transient> {
        let Some(upload) = self.upload.clone() else {
            if self.buffer.len() == self.head {
                return Ok(None);
            }
            self.store.outlet.put(&self.to, Bytes::from(self.buffer)).await?;
            return Ok(Some(self.to.key));
        };
        if !self.buffer.is_empty() {
            self.part().await?;
        }
        self.store.outlet.finish(&self.to.key, &upload, UploadEnd::Publish).await?;
        Ok(Some(self.to.key))
    }

    async fn part(&mut self) -> Result<(), Transient> {
        let upload = match &self.upload {
            Some(upload) => upload.clone(),
            None => self.store.outlet.begin(&self.to).await?,
        };
        self.parts = self.parts.saturating_add(1);
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        self.store.outlet.part(&self.to.key, &upload, self.parts, Part::Bytes(bytes)).await?;
        self.upload = Some(upload);
        Ok(())
    }
}
