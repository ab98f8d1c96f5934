//! Objects that are written once, and links. A link of this memory is `memory://<bucket>/<key>?expires=<instant>`, the
//! key percent-encoded; nothing is signed, but expiry, headers and the condition hold as on S3.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Bucket, Objects};
use crate::Transient;
use crate::ports::{Deposited, Depot, Destination, Link, Metadata, ObjectRef};
use crate::suite::Stranger;

/// How S3 calls user metadata in a request.
const USER: &str = "x-amz-meta-";

#[async_trait]
impl Depot for Bucket {
    async fn deposit(&self, to: &Destination, bytes: Bytes) -> Result<Deposited, Transient> {
        if self.objects.bytes(&self.name, &to.key).is_some() {
            return Ok(Deposited::Occupied);
        }
        self.objects.write(&self.name, to, bytes);
        Ok(Deposited::New)
    }

    async fn upload_link(&self, to: &Destination, valid: Duration) -> Result<Link, Transient> {
        let mut link = self.link(&to.key, valid)?;
        link.headers = to.metadata.iter().map(|(name, value)| (format!("{USER}{name}"), value.clone())).collect();
        link.headers.insert("if-none-match".into(), "*".into());
        Ok(link)
    }

    async fn download_link(&self, key: &str, valid: Duration) -> Result<Link, Transient> {
        self.link(key, valid)
    }
}

impl Bucket {
    fn link(&self, key: &str, valid: Duration) -> Result<Link, Transient> {
        let expires = self.objects.clock.now().checked_add(valid);
        let expires = expires.map_err(|fault| Transient::because("making a link", fault))?;
        let url = format!("memory://{}/{}?expires={expires}", self.name, utf8_percent_encode(key, NON_ALPHANUMERIC));
        Ok(Link { url, headers: Metadata::new(), expires })
    }
}

impl Objects {
    /// The object of a link that has not expired.
    fn linked(&self, link: &Link) -> Option<ObjectRef> {
        let (place, expires) = link.url.strip_prefix("memory://")?.split_once("?expires=")?;
        let (bucket, key) = place.split_once('/')?;
        let key = percent_decode_str(key).decode_utf8().ok()?.into_owned();
        let valid = expires.parse::<Timestamp>().ok()? > self.clock.now();
        valid.then(|| ObjectRef { bucket: bucket.to_owned(), key, version: None })
    }
}

#[async_trait]
impl Stranger for Objects {
    async fn upload(&self, link: &Link, bytes: Bytes) -> Result<u16, Transient> {
        let Some(object) = self.linked(link) else { return Ok(403) };
        let metadata = link.headers.iter().filter_map(|(name, value)| Some((name.strip_prefix(USER)?, value)));
        let metadata = metadata.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let to = Destination { key: object.key, metadata };
        Ok(match self.outlet(&object.bucket).deposit(&to, bytes).await? {
            Deposited::New => 200,
            Deposited::Occupied => 412,
        })
    }

    async fn download(&self, link: &Link) -> Result<(u16, Bytes), Transient> {
        let Some(object) = self.linked(link) else { return Ok((403, Bytes::new())) };
        let bytes = self.bytes(&object.bucket, &object.key);
        Ok(bytes.map_or((404, Bytes::new()), |bytes| (200, bytes)))
    }
}
