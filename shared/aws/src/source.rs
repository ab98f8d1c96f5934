use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives;
use flow::Transient;
use flow::ports::{ByteStream, ObjectMeta, ObjectRef, Source};
use futures_util::{StreamExt, future, stream};
use jiff::Timestamp;
use std::io;

use crate::{Clients, metadata};

/// Reads versions of objects.
///
/// IAM: `s3:GetObject`, `s3:GetObjectVersion` on the flow's prefix, and `s3:ListBucket` on the bucket under the condition
/// of that prefix: without it S3 answers 403 instead of 404 for what is not there.
#[derive(Debug, Clone)]
pub struct S3Source {
    client: Client,
}

impl S3Source {
    /// Reads from any bucket that the role allows.
    #[must_use]
    pub fn new(clients: &Clients) -> Self {
        Self { client: clients.s3.clone() }
    }
}

#[async_trait]
impl Source for S3Source {
    async fn head(&self, object: &ObjectRef) -> Result<Option<ObjectMeta>, Transient> {
        let answer = self
            .client
            .head_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(object.version.clone())
            .send()
            .await;
        match answer {
            Ok(head) => meta(head).map(Some),
            // 405: the version is a delete marker.
            Err(fault) if matches!(status(&fault), Some(404 | 405)) => Ok(None),
            Err(fault) => Err(Transient::because("looking at an object", fault)),
        }
    }

    async fn read(&self, object: &ObjectRef, from: u64) -> Result<ByteStream, Transient> {
        let range = (from > 0).then(|| format!("bytes={from}-"));
        let answer = self
            .client
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(object.version.clone())
            .set_range(range)
            .send()
            .await;
        match answer {
            // A server may leave a range out of account and send all (RFC 9110 §14.2): the local emulator does so for
            // a read that names a version, S3 never does.
            Ok(got) if got.content_range.is_none() => Ok(after(chunks(got.body), from)),
            Ok(got) => Ok(chunks(got.body)),
            // 416: nothing is there from that byte on.
            Err(fault) if status(&fault) == Some(416) => Ok(stream::empty().boxed()),
            Err(fault) => Err(Transient::because("opening an object", fault)),
        }
    }
}

/// The body as it comes in. An error in the middle is the last thing that comes.
fn chunks(body: primitives::ByteStream) -> ByteStream {
    stream::unfold(Some(body), |body| async move {
        let mut body = body?;
        match body.next().await? {
            Ok(chunk) => Some((Ok(chunk), Some(body))),
            Err(fault) => Some((Err(io::Error::other(fault)), None)),
        }
    })
    .boxed()
}

/// The stream without its first `skipped` bytes.
fn after(chunks: ByteStream, skipped: u64) -> ByteStream {
    let rest = chunks.scan(skipped, |left, chunk| {
        let chunk = chunk.map(|mut bytes| {
            let cut = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            *left = left.saturating_sub(u64::try_from(cut).unwrap_or(u64::MAX));
            bytes.split_off(cut)
        });
        future::ready(Some(chunk))
    });
    rest.filter(|chunk| future::ready(!matches!(chunk, Ok(bytes) if bytes.is_empty()))).boxed()
}

fn meta(head: HeadObjectOutput) -> Result<ObjectMeta, Transient> {
    let lacks = |what: &str| Transient::new(format!("looking at an object without {what}"));
    let written = head.last_modified.ok_or_else(|| lacks("a time"))?;
    let nanos = i32::try_from(written.subsec_nanos()).map_err(|_| lacks("a time"))?;
    Ok(ObjectMeta {
        size: head.content_length.and_then(|size| u64::try_from(size).ok()).ok_or_else(|| lacks("a size"))?,
        etag: head.e_tag.ok_or_else(|| lacks("a tag"))?,
        version: head.version_id,
        last_modified: Timestamp::new(written.secs(), nanos).map_err(|_| lacks("a time"))?,
        metadata: metadata::decoded(head.metadata.unwrap_or_default()),
    })
}

fn status<E>(fault: &SdkError<E>) -> Option<u16> {
    fault.raw_response().map(|response| response.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::TryStreamExt;

    async fn skipping(skipped: u64) -> Vec<Bytes> {
        let whole = stream::iter(["abc", "def", "g"]).map(|chunk| Ok(Bytes::from(chunk))).boxed();
        after(whole, skipped).try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn a_range_that_was_left_out_of_account_is_cut_here() {
        assert_eq!(skipping(0).await, ["abc", "def", "g"]);
        assert_eq!(skipping(2).await, ["c", "def", "g"]);
        assert_eq!(skipping(3).await, ["def", "g"]);
        assert_eq!(skipping(6).await, ["g"]);
        assert!(skipping(7).await.is_empty());
        assert!(skipping(100).await.is_empty());
    }
}
