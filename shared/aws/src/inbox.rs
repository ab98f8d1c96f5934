use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use flow::Transient;
use flow::ports::Receipt;
use flow::suite::Inbox;
use flow::trigger::Delivery;
use jiff::Timestamp;

use crate::Clients;

/// The other end of a queue, for the contract suite. In operation Lambda reads the queues.
#[derive(Debug, Clone)]
pub struct SqsInbox {
    client: Client,
    url: String,
}

impl SqsInbox {
    /// Reads the queue at `url`.
    pub fn new(clients: &Clients, url: impl Into<String>) -> Self {
        Self { client: clients.sqs.clone(), url: url.into() }
    }
}

#[async_trait]
impl Inbox for SqsInbox {
    async fn receive(&self, most: usize) -> Result<Vec<Delivery>, Transient> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.min(10)).unwrap_or(10))
            .wait_time_seconds(1)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|fault| Transient::because("receiving messages", fault))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(delivery).collect())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Transient> {
        self.client
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&receipt.0)
            .send()
            .await
            .map_err(|fault| Transient::because("deleting a message", fault))?;
        Ok(())
    }
}

fn delivery(message: Message) -> Delivery {
    let attributes: HashMap<MessageSystemAttributeName, String> = message.attributes.unwrap_or_default();
    let attribute = |name: MessageSystemAttributeName| attributes.get(&name).cloned();
    Delivery {
        body: message.body.unwrap_or_default(),
        receipt: message.receipt_handle.map(Receipt),
        receive_count: attribute(MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
        group: attribute(MessageSystemAttributeName::MessageGroupId),
        sequence: attribute(MessageSystemAttributeName::SequenceNumber),
        message_id: message.message_id.unwrap_or_default(),
        sent: attribute(MessageSystemAttributeName::SentTimestamp)
            .and_then(|millis| millis.parse().ok())
            .and_then(|millis| Timestamp::from_millisecond(millis).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
    }
}
