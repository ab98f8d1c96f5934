use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use flow::Transient;
use flow::ports::{Outgoing, Queue, Receipt};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::Clients;

/// The longest group and deduplication id that SQS takes.
const LONGEST_NAME: usize = 128;

/// A flow's own queue.
///
/// IAM: `sqs:SendMessage` and `sqs:ChangeMessageVisibility` on the queue (receiving and deleting is Lambda's, by the same
/// role).
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    address: Address,
}

#[derive(Debug, Clone)]
enum Address {
    Url(String),
    /// Names that it may have, and its URL once it was asked for.
    Named(Vec<String>, Arc<OnceCell<String>>),
}

impl SqsQueue {
    /// The queue at `url`.
    pub fn new(clients: &Clients, url: impl Into<String>) -> Self {
        Self { client: clients.sqs.clone(), address: Address::Url(url.into()) }
    }

    /// The queue of `flow` in `stack`, FIFO or not, for somebody who knows the stack and not its URLs. It is looked for
    /// when it is first used.
    #[must_use]
    pub fn of_flow(clients: &Clients, stack: &str, flow: &str) -> Self {
        let names = vec![format!("{stack}-{flow}.fifo"), format!("{stack}-{flow}")];
        Self { client: clients.sqs.clone(), address: Address::Named(names, Arc::default()) }
    }

    async fn url(&self) -> Result<&str, Transient> {
        match &self.address {
            Address::Url(url) => Ok(url),
            Address::Named(names, found) => Ok(found.get_or_try_init(|| self.look_for(names)).await?),
        }
    }

    async fn look_for(&self, names: &[String]) -> Result<String, Transient> {
        for name in names {
            match self.client.get_queue_url().queue_name(name).send().await {
                Ok(found) => return Ok(found.queue_url.unwrap_or_default()),
                Err(fault) if fault.as_service_error().is_some_and(|fault| fault.is_queue_does_not_exist()) => {}
                Err(fault) => return Err(Transient::because(format!("looking for queue {name}"), fault)),
            }
        }
        Err(Transient::new(format!("there is no queue {}", names.join(" or "))))
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, message: &Outgoing) -> Result<(), Transient> {
        let url = self.url().await?;
        let mut call = self.client.send_message().queue_url(url).message_body(&message.body);
        // A standard queue, as file flows have, knows neither.
        if url.ends_with(".fifo") {
            call = call.message_group_id(name(&message.group)).message_deduplication_id(name(&message.deduplication));
        }
        call.send().await.map_err(|fault| Transient::because("queueing a message", fault))?;
        Ok(())
    }

    async fn hand_back(&self, receipt: &Receipt, delay: Duration) -> Result<(), Transient> {
        let doing = "handing a message back to its queue";
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        self.client
            .change_message_visibility()
            .queue_url(self.url().await?)
            .receipt_handle(&receipt.0)
            .visibility_timeout(i32::try_from(seconds).map_err(|fault| Transient::because(doing, fault))?)
            .send()
            .await
            .map_err(|fault| Transient::because(doing, fault))?;
        Ok(())
    }
}

/// A group or deduplication id as SQS takes it: ASCII letters, digits and punctuation, at most 128. Anything else (the
/// ids come from other systems) is replaced by its SHA-256, which keeps equal what is equal and apart what is not.
fn name(id: &str) -> Cow<'_, str> {
    if (1..=LONGEST_NAME).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(hex::encode(Sha256::digest(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_sqs_takes_is_left_alone() {
        assert_eq!(
            name("subscription/123!#$%&'()*+,-./:;<=>?@[]^_`{|}~"),
            "subscription/123!#$%&'()*+,-./:;<=>?@[]^_`{|}~"
        );
    }

    #[test]
    fn an_id_that_sqs_refuses_becomes_another_that_it_takes() {
        let long = "x".repeat(129);
        let refused = ["", "with space", "größe", long.as_str()];
        for id in refused {
            let taken = name(id);
            assert_eq!(taken.len(), 64);
            assert_eq!(name(&taken), taken);
        }
        assert_ne!(name("a b"), name("a  b"));
    }
}
