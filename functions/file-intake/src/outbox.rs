//! The DERMS's outbox: each file is stored once, whichever way it comes.
//!
//! ```text
//! deposit ─┬─ new       ─▶ 202          link ─┬─ nothing there ─▶ 200 with a link; S3 itself takes the file, once
//!          └─ occupied ─┬─ same ─▶ 202        └─ occupied ─┬─ same envelope ─▶ 202
//!                       └─ else ─▶ 422                     └─ else ─▶ 422
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::json::Problem;
use domain::posted_file::PostedFile;
use flow::Transient;
use flow::ledger::run::CORRELATION;
use flow::ports::{Deposited, Depot, Destination, Link, Metadata, ObjectMeta, ObjectRef, Source};
use futures_util::TryStreamExt;

use crate::Refused;

/// How long an upload may be begun: long enough for a person with `curl`.
const UPLOAD_VALID: Duration = Duration::from_secs(15 * 60);

/// The bucket.
pub struct Outbox {
    /// Its name.
    pub bucket: String,
    /// Stores, and lets the DERMS store.
    pub depot: Arc<dyn Depot>,
    /// Reads what is stored, to compare.
    pub source: Arc<dyn Source>,
}

impl Outbox {
    /// Stores a file, unless it is there already; in one word, what became of it.
    pub(crate) async fn store(
        &self,
        file: &PostedFile,
        key: &str,
        content: Bytes,
        correlation: &str,
    ) -> Result<&'static str, Refused> {
        let to = destination(file, key, correlation);
        match self.depot.deposit(&to, content.clone()).await? {
            Deposited::New => Ok("accepted"),
            Deposited::Occupied if self.is_stored(&to, &content).await? => Ok("repeated"),
            Deposited::Occupied => Err(Problem::other_body().into()),
        }
    }

    /// A link to upload a file by; none if one of this key and envelope is there already.
    pub(crate) async fn prepare_upload(
        &self,
        file: &PostedFile,
        key: &str,
        correlation: &str,
    ) -> Result<Option<Link>, Refused> {
        let to = destination(file, key, correlation);
        match self.source.head(&self.newest(&to)).await? {
            None => Ok(Some(self.depot.upload_link(&to, UPLOAD_VALID).await?)),
            Some(stored) if has_envelope(&stored, &to) => Ok(None),
            Some(_) => Err(Problem::other_body().into()),
        }
    }

    /// Whether just this is stored already.
    async fn is_stored(&self, to: &Destination, content: &Bytes) -> Result<bool, Transient> {
        let newest = self.newest(to);
        let Some(stored) = self.source.head(&newest).await? else {
            return Err(Transient::new("the file that was there is there no more"));
        };
        if u64::try_from(content.len()) != Ok(stored.size) || !has_envelope(&stored, to) {
            return Ok(false);
        }
        let version = ObjectRef { version: stored.version, ..newest };
        let mut bytes = self.source.read(&version, 0).await?;
        let mut rest = content.clone();
        while let Some(chunk) =
            bytes.try_next().await.map_err(|fault| Transient::because("reading what is stored", fault))?
        {
            if !rest.starts_with(&chunk) {
                return Ok(false);
            }
            rest = rest.split_off(chunk.len());
        }
        Ok(rest.is_empty())
    }

    fn newest(&self, to: &Destination) -> ObjectRef {
        ObjectRef { bucket: self.bucket.clone(), key: to.key.clone(), version: None }
    }
}

fn destination(file: &PostedFile, key: &str, correlation: &str) -> Destination {
    let mut metadata: Metadata = file.metadata.clone();
    metadata.insert(CORRELATION.into(), correlation.into());
    Destination { key: file.object_key(key), metadata }
}

/// Who sends a file again does so in another request: its correlation id says nothing of the file.
fn has_envelope(stored: &ObjectMeta, to: &Destination) -> bool {
    let told = |metadata: &Metadata| metadata.iter().filter(|(name, _)| *name != CORRELATION).count();
    let same = |(name, value): (&String, &String)| name == CORRELATION || stored.metadata.get(name) == Some(value);
    told(&stored.metadata) == told(&to.metadata) && to.metadata.iter().all(same)
}
