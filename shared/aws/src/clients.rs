use std::fmt;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::{Vars, Web};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one attempt at a small call may take (DynamoDB, SQS, SNS, Secrets Manager).
const SMALL_ATTEMPT: Duration = Duration::from_secs(10);
/// How long one attempt at a call of S3 may take: a part of 8 MiB on its way, or one that S3 copies by itself. The body
/// of an answer is not counted; one that stops coming is ended by the SDK's stalled-stream protection after 20 s.
const S3_ATTEMPT: Duration = Duration::from_secs(60);
/// Attempts at one call, before the flow's own retry takes over.
const ATTEMPTS: u32 = 4;

/// The clients of all services, over one connection pool and one set of root certificates. A client that is not used
/// costs next to nothing: it neither connects nor reads certificates before its first call.
#[derive(Clone)]
pub struct Clients {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    /// For calls to neighbours.
    pub web: Web,
}

impl Clients {
    /// Builds them from the environment (region, credentials, `AWS_ENDPOINT_URL`), as every AWS tool reads it.
    pub async fn load(vars: &Vars) -> Self {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts(SMALL_ATTEMPT))
            .load()
            .await;
        let local = vars.optional("AWS_ENDPOINT_URL").is_some();
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3_config(&config, local)),
            sqs: aws_sdk_sqs::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
            web: Web::default(),
        }
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).build()
}

/// Checksums only where S3 demands them: the signature already covers the SHA-256 of what is sent, and the tag of a
/// copied part says what was read; a second sum over gigabytes would only cost time. Path-style addresses locally,
/// where no name server knows the buckets.
fn s3_config(config: &SdkConfig, local: bool) -> aws_sdk_s3::Config {
    aws_sdk_s3::config::Builder::from(config)
        .force_path_style(local)
        .timeout_config(timeouts(S3_ATTEMPT))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build()
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients")
    }
}
