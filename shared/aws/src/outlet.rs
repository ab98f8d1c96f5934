use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use flow::Transient;
use flow::ports::{Destination, Finished, ObjectRef, Outlet, Part, UploadEnd, UploadId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Clients, metadata};

/// What is written as `%XX` in `x-amz-copy-source`: all but the unreserved characters and the slashes of the key.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Writes into one bucket.
///
/// IAM: `s3:PutObject`, `s3:AbortMultipartUpload` and `s3:ListMultipartUploadParts` on the flow's prefix; copied parts also need what
/// [`S3Source`](crate::S3Source) needs.
#[derive(Debug, Clone)]
pub struct S3Outlet {
    client: Client,
    bucket: String,
}

impl S3Outlet {
    /// Writes into `bucket`.
    pub fn new(clients: &Clients, bucket: impl Into<String>) -> Self {
        Self { client: clients.s3.clone(), bucket: bucket.into() }
    }

    async fn bytes(&self, key: &str, upload: &UploadId, number: i32, bytes: Bytes) -> Result<(), Transient> {
        self.client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(&upload.0)
            .part_number(number)
            .body(bytes.into())
            .send()
            .await
            .map_err(|fault| Transient::because("writing a part", fault))?;
        Ok(())
    }

    async fn copy(&self, key: &str, upload: &UploadId, number: i32, copied: Copied) -> Result<(), Transient> {
        self.client
            .upload_part_copy()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(&upload.0)
            .part_number(number)
            .copy_source(copied.source)
            .copy_source_if_match(copied.etag)
            .copy_source_range(copied.range)
            .send()
            .await
            .map_err(|fault| Transient::because("copying a part", fault))?;
        Ok(())
    }

    async fn abandon(&self, key: &str, upload: &UploadId) -> Result<Finished, Transient> {
        let answer =
            self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(&upload.0).send().await;
        match answer {
            Ok(_) => Ok(Finished::Done),
            Err(fault) if no_such_upload(&fault) => Ok(Finished::NoSuchUpload),
            Err(fault) => Err(Transient::because("abandoning an upload", fault)),
        }
    }

    /// The parts that were written, in order; `None` when there is no such upload.
    async fn parts(&self, key: &str, upload: &UploadId) -> Result<Option<Vec<CompletedPart>>, Transient> {
        let mut pages =
            self.client.list_parts().bucket(&self.bucket).key(key).upload_id(&upload.0).into_paginator().send();
        let mut parts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(fault) if no_such_upload(&fault) => return Ok(None),
                Err(fault) => {
                    return Err(Transient::because("listing the parts of an upload", fault));
                }
            };
            parts.extend(page.parts().iter().map(|part| {
                CompletedPart::builder()
                    .set_part_number(part.part_number())
                    .set_e_tag(part.e_tag().map(str::to_owned))
                    .build()
            }));
        }
        Ok(Some(parts))
    }
}

/// The headers of a part that S3 copies.
struct Copied {
    source: String,
    etag: String,
    range: String,
}

#[async_trait]
impl Outlet for S3Outlet {
    async fn put(&self, to: &Destination, bytes: Bytes) -> Result<(), Transient> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(&to.key)
            .set_metadata(Some(metadata::encoded(&to.metadata)))
            .body(bytes.into())
            .send()
            .await
            .map_err(|fault| Transient::because("writing an object", fault))?;
        Ok(())
    }

    async fn begin(&self, to: &Destination) -> Result<UploadId, Transient> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(&to.key)
            .set_metadata(Some(metadata::encoded(&to.metadata)))
            .send()
            .await
            .map_err(|fault| Transient::because("beginning an upload", fault))?;
        begun.upload_id.map(UploadId).ok_or_else(|| Transient::new("beginning an upload, which got no id"))
    }

    async fn part(&self, key: &str, upload: &UploadId, number: u32, part: Part) -> Result<(), Transient> {
        let number = i32::try_from(number).map_err(|fault| Transient::because("numbering a part", fault))?;
        match part {
            Part::Bytes(bytes) => self.bytes(key, upload, number, bytes).await,
            Part::Copy { source, etag, from, len } => {
                let copied = Copied { source: copy_source(&source), etag, range: range(from, len)? };
                self.copy(key, upload, number, copied).await
            }
        }
    }

    async fn finish(&self, key: &str, upload: &UploadId, end: UploadEnd) -> Result<Finished, Transient> {
        if end == UploadEnd::Abandon {
            return self.abandon(key, upload).await;
        }
        let Some(parts) = self.parts(key, upload).await? else {
            return Ok(Finished::NoSuchUpload);
        };
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(&upload.0)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Finished::Done),
            Err(fault) if no_such_upload(&fault) => Ok(Finished::NoSuchUpload),
            Err(fault) => Err(Transient::because("finishing an upload", fault)),
        }
    }
}

/// S3's name for an upload that was finished, aborted or never begun; the SDK has no type for it.
fn no_such_upload(fault: &impl ProvideErrorMetadata) -> bool {
    fault.code() == Some("NoSuchUpload")
}

/// `bucket/key?versionId=…`, as the header wants it.
fn copy_source(source: &ObjectRef) -> String {
    let place = format!("{}/{}", source.bucket, utf8_percent_encode(&source.key, ENCODED));
    match &source.version {
        None => place,
        Some(version) => format!("{place}?versionId={}", utf8_percent_encode(version, ENCODED)),
    }
}

/// A header range names its last byte.
fn range(from: u64, len: u64) -> Result<String, Transient> {
    from.checked_add(len)
        .filter(|_| len > 0)
        .map(|end| format!("bytes={from}-{}", end - 1))
        .ok_or_else(|| Transient::new("copying a part without a byte"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(key: &str, version: Option<&str>) -> ObjectRef {
        ObjectRef { bucket: "outbox".to_owned(), key: key.to_owned(), version: version.map(str::to_owned) }
    }

    #[test]
    fn the_key_of_a_copy_is_encoded_but_for_its_slashes() {
        let keys = [
            ("kwh-avoided/2026.csv", "outbox/kwh-avoided/2026.csv"),
            ("a b+c%20d&e.csv", "outbox/a%20b%2Bc%2520d%26e.csv"),
            ("what?x=1#y.csv", "outbox/what%3Fx%3D1%23y.csv"),
            ("größe/日.csv", "outbox/gr%C3%B6%C3%9Fe/%E6%97%A5.csv"),
            ("~a_b-c.d", "outbox/~a_b-c.d"),
        ];
        for (key, expected) in keys {
            assert_eq!(copy_source(&source(key, None)), expected);
        }
    }

    #[test]
    fn a_copy_names_the_version_that_was_validated() {
        assert_eq!(copy_source(&source("a.csv", Some("3/L4kqt+A"))), "outbox/a.csv?versionId=3/L4kqt%2BA");
    }

    #[test]
    fn a_range_names_its_last_byte() {
        assert_eq!(range(0, 1).unwrap(), "bytes=0-0");
        assert_eq!(range(5, 10).unwrap(), "bytes=5-14");
        assert!(range(5, 0).is_err());
        assert!(range(u64::MAX, 1).is_err());
    }
}
