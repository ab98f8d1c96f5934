//! The ports over AWS keep the contract that the in-memory ones keep: one suite for both.

use std::sync::Arc;

use async_trait::async_trait;
use aws::{DynamoTable, S3Depot, S3Outlet, S3Source, SnsNotifier, SqsInbox, SqsQueue, SystemClock};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use bytes::Bytes;
use flow::Transient;
use flow::ports::{Audience, Link, Notice, Notifier};
use flow::suite;

use crate::neighbours::eventually_told;
use crate::support::{Platform, unique};

#[tokio::test]
async fn dynamodb_keeps_the_contract_of_a_store() {
    let platform = Platform::here().await;
    let store = DynamoTable::new(&platform.clients, platform.output("LedgerTableName"));
    suite::store::all(&suite::store::Ledger { store: &store, space: format!("suite#{}", unique()) }).await.unwrap();
}

/// A versioned bucket of its own.
async fn bucket(platform: &Platform) -> String {
    let bucket = format!("suite-{}", unique());
    platform.s3.create_bucket().bucket(&bucket).send().await.unwrap();
    let versioned = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    platform.s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(versioned).send().await.unwrap();
    bucket
}

#[tokio::test]
async fn s3_keeps_the_contract_of_source_and_outlet() {
    let platform = Platform::here().await;
    let bucket = bucket(&platform).await;
    let (source, outlet) = (S3Source::new(&platform.clients), S3Outlet::new(&platform.clients, &bucket));
    let shelf = suite::objects::Shelf { source: &source, outlet: &outlet, bucket: &bucket, space: "suite".into() };
    suite::objects::all(&shelf).await.unwrap();
}

/// A neighbour without credentials, who has nothing but a link.
struct Neighbour(reqwest::Client);

impl Neighbour {
    async fn follow(&self, method: reqwest::Method, link: &Link, bytes: Bytes) -> Result<(u16, Bytes), Transient> {
        let mut request = self.0.request(method, &link.url).body(bytes);
        for (name, value) in &link.headers {
            request = request.header(name, value);
        }
        let fault = |fault| Transient::because("following a link", fault);
        let answer = request.send().await.map_err(fault)?;
        Ok((answer.status().as_u16(), answer.bytes().await.map_err(fault)?))
    }
}

#[async_trait]
impl suite::Stranger for Neighbour {
    async fn upload(&self, link: &Link, bytes: Bytes) -> Result<u16, Transient> {
        Ok(self.follow(reqwest::Method::PUT, link, bytes).await?.0)
    }

    async fn download(&self, link: &Link) -> Result<(u16, Bytes), Transient> {
        self.follow(reqwest::Method::GET, link, Bytes::new()).await
    }
}

#[tokio::test]
async fn s3_keeps_the_contract_of_a_depot_and_of_its_links() {
    let platform = Platform::here().await;
    let bucket = bucket(&platform).await;
    let depot = S3Depot::new(&platform.clients, &bucket, Arc::new(SystemClock));
    let (source, space) = (S3Source::new(&platform.clients), "suite".to_owned());
    let stranger = Neighbour(reqwest::Client::builder().no_proxy().build().unwrap());
    let yard = suite::depot::Yard { depot: &depot, source: &source, stranger: &stranger, bucket: &bucket, space };
    suite::depot::all(&yard).await.unwrap();
}

#[tokio::test]
async fn sqs_keeps_the_contract_of_a_queue() {
    let platform = Platform::here().await;
    let made = platform.sqs.create_queue().queue_name(format!("suite-{}.fifo", unique()));
    let made =
        made.attributes(QueueAttributeName::FifoQueue, "true").attributes(QueueAttributeName::VisibilityTimeout, "30");
    let url = made.send().await.unwrap().queue_url.unwrap();
    let (queue, inbox) = (SqsQueue::new(&platform.clients, &url), SqsInbox::new(&platform.clients, &url));
    suite::queue::all(&suite::queue::Line { queue: &queue, inbox: &inbox, space: unique() }).await.unwrap();
}

#[tokio::test]
async fn the_machines_clock_keeps_the_contract_of_a_clock() {
    suite::clock::a_sleep_is_not_shorter_than_asked(&SystemClock).await.unwrap();
}

#[tokio::test]
async fn a_notice_reaches_the_topic_of_its_audience() {
    let platform = Platform::here().await;
    let (technical, business) = (platform.output("TechnicalTopicArn"), platform.output("BusinessTopicArn"));
    let notifier: Arc<dyn Notifier> = Arc::new(SnsNotifier::new(&platform.clients, technical, business));
    let mark = unique();
    for audience in [Audience::Technical, Audience::Business] {
        let notice = Notice { audience, subject: format!("{audience:?} – {mark}"), text: format!("text {mark}") };
        notifier.notify(&notice).await.unwrap();
    }
    let told = eventually_told(&platform, &mark, 2).await;
    let topics: Vec<_> = told.iter().map(|notice| notice.topic.rsplit('-').next().unwrap()).collect();
    assert!(topics.contains(&"technical") && topics.contains(&"business"), "{told:?}");
    assert!(told.iter().all(|notice| notice.text == format!("text {mark}") && notice.subject.is_ascii()), "{told:?}");
}
