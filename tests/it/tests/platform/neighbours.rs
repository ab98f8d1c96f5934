//! What people were told: a queue subscribed to both topics, and all that ever came through it.

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::{Platform, config, eventually};

/// A notice as it came out of its topic.
#[derive(Debug, Clone)]
pub struct Told {
    /// The topic's ARN.
    pub topic: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// The queue, and everything that came so far: whichever test reads it, reads it for all.
static TOLD: Mutex<(Option<String>, Vec<Told>)> = Mutex::const_new((None, Vec::new()));

/// Subscribes, before anything is told.
pub async fn subscribe(platform: &Platform) {
    let url = subscribed(platform).await;
    TOLD.lock().await.0 = Some(url);
}

/// The notices so far that have `part` in subject or text.
pub async fn told(platform: &Platform, part: &str) -> Vec<Told> {
    let mut guard = TOLD.lock().await;
    let (queue, notices) = &mut *guard;
    let url = queue.clone().expect("subscribed by the first test");
    loop {
        let received = platform.sqs.receive_message().queue_url(&url).max_number_of_messages(10).send().await.unwrap();
        let Some(messages) = received.messages else { break };
        for message in &messages {
            let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            notices.push(Told { topic: text("TopicArn"), subject: text("Subject"), text: text("Message") });
            let receipt = message.receipt_handle().unwrap();
            platform.sqs.delete_message().queue_url(&url).receipt_handle(receipt).send().await.unwrap();
        }
    }
    notices.iter().filter(|told| told.subject.contains(part) || told.text.contains(part)).cloned().collect()
}

/// Waits until there are `count` notices that have `part` in them.
pub async fn eventually_told(platform: &Platform, part: &str, count: usize) -> Vec<Told> {
    eventually(&format!("{count} notices with {part:?}"), 30, async || {
        let told = told(platform, part).await;
        (told.len() >= count).then_some(told)
    })
    .await
}

async fn subscribed(platform: &Platform) -> String {
    let arn = format!("arn:aws:sqs:us-east-1:{}:it-notices", platform.fact("account"));
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
    }]});
    let made = platform.sqs.create_queue().queue_name("it-notices");
    let made = made.attributes(QueueAttributeName::Policy, policy.to_string()).send().await.unwrap();
    let sns = aws_sdk_sns::Client::from_conf(config!(aws_sdk_sns, platform, platform.root()).build());
    for topic in ["TechnicalTopicArn", "BusinessTopicArn"] {
        let subscription = sns.subscribe().topic_arn(platform.output(topic)).protocol("sqs").endpoint(&arn);
        subscription.send().await.unwrap();
    }
    made.queue_url.unwrap()
}
