use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use bytes::Bytes;
use flow::Transient;
use flow::ports::{Clock, Deposited, Depot, Destination, Link};

use crate::{Clients, metadata};

/// S3's way to say "only if nothing is there".
const NOTHING_THERE: &str = "*";

/// One bucket through which others bring and fetch objects, by conditional writes and pre-signed requests.
///
/// IAM: `s3:PutObject` on what is deposited or uploaded, only with `s3:if-none-match`; `s3:GetObject` on what is
/// downloaded. A pre-signed request has the rights of the role that signed it, and ends with its session.
#[derive(Clone)]
pub struct S3Depot {
    client: Client,
    bucket: String,
    clock: Arc<dyn Clock>,
}

impl S3Depot {
    /// The bucket called `bucket`.
    pub fn new(clients: &Clients, bucket: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { client: clients.s3.clone(), bucket: bucket.into(), clock }
    }

    fn link(&self, request: &PresignedRequest, valid: Duration) -> Result<Link, Transient> {
        let expires = self.clock.now().checked_add(valid);
        Ok(Link {
            url: request.uri().to_owned(),
            headers: request.headers().map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            expires: expires.map_err(|fault| Transient::because("saying when a link expires", fault))?,
        })
    }
}

fn signing(valid: Duration) -> Result<PresigningConfig, Transient> {
    PresigningConfig::expires_in(valid).map_err(|fault| Transient::because("preparing a link", fault))
}

#[async_trait]
impl Depot for S3Depot {
    async fn deposit(&self, to: &Destination, bytes: Bytes) -> Result<Deposited, Transient> {
        let answer = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(&to.key)
            .set_metadata(Some(metadata::encoded(&to.metadata)))
            .if_none_match(NOTHING_THERE)
            .body(bytes.into())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Deposited::New),
            Err(fault) if fault.raw_response().is_some_and(|answer| answer.status().as_u16() == 412) => {
                Ok(Deposited::Occupied)
            }
            Err(fault) => Err(Transient::because("depositing an object", fault)),
        }
    }

    async fn upload_link(&self, to: &Destination, valid: Duration) -> Result<Link, Transient> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(&to.key)
            .set_metadata(Some(metadata::encoded(&to.metadata)))
            .if_none_match(NOTHING_THERE);
        let signed = put.presigned(signing(valid)?).await;
        self.link(&signed.map_err(|fault| Transient::because("signing an upload", fault))?, valid)
    }

    async fn download_link(&self, key: &str, valid: Duration) -> Result<Link, Transient> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let signed = get.presigned(signing(valid)?).await;
        self.link(&signed.map_err(|fault| Transient::because("signing a download", fault))?, valid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
    use flow::memory::ManualClock;

    fn depot() -> S3Depot {
        let config = Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", Some("session".into()), None, "test"))
            .build();
        S3Depot { client: Client::from_conf(config), bucket: "outbox".into(), clock: Arc::new(ManualClock::default()) }
    }

    fn signed(link: &Link) -> Vec<String> {
        let (_, rest) = link.url.split_once("X-Amz-SignedHeaders=").unwrap();
        let names = rest.split('&').next().unwrap().split("%3B");
        names.filter(|name| *name != "host").map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn an_upload_is_signed_with_its_envelope_and_the_condition_that_nothing_is_there() {
        let metadata = [("message-id".to_owned(), "Zählpunkt 7".to_owned())].into();
        let to = Destination { key: "network-location/a b.csv".into(), metadata };
        let link = depot().upload_link(&to, Duration::from_secs(900)).await.unwrap();
        let headers = [("if-none-match", "*"), ("x-amz-meta-message-id", "=?UTF-8?B?WsOkaGxwdW5rdCA3?=")];
        assert_eq!(link.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(signed(&link), headers.map(|(name, _)| name));
        assert!(link.url.contains("/network-location/a%20b.csv?"), "{}", link.url);
        assert!(link.url.contains("X-Amz-Expires=900"), "{}", link.url);
    }

    #[tokio::test]
    async fn a_download_needs_no_headers() {
        let link = depot().download_link("flow/rows.csv", Duration::from_secs(300)).await.unwrap();
        assert!(link.headers.is_empty() && signed(&link).is_empty(), "{link:?}");
    }
}
