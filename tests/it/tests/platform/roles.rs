//! Each function's own role: let in to what its flow needs, refused everything of another flow's. What a flow needs is
//! said by its name and the variables of its function, so that a new flow is held by these tests as it is.

use std::fmt::Debug;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::error::ProvideErrorMetadata;
use it::repo::{self, FlowName};
use serde_json::Value;

use crate::support::{Platform, config, unique};

/// The clients of a function, acting by its role.
struct Role {
    flow: String,
    variables: Value,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    ledger: aws_sdk_dynamodb::Client,
    secrets: aws_sdk_secretsmanager::Client,
}

impl Role {
    async fn of(platform: &Platform, flow: &str) -> Self {
        let keys = platform.assume_role_of(flow).await;
        Self {
            variables: platform.function(flow).await["Environment"]["Variables"].clone(),
            flow: flow.to_owned(),
            s3: aws_sdk_s3::Client::from_conf(config!(aws_sdk_s3, platform, keys).force_path_style(true).build()),
            sqs: aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, platform, keys).build()),
            ledger: aws_sdk_dynamodb::Client::from_conf(config!(aws_sdk_dynamodb, platform, keys).build()),
            secrets: aws_sdk_secretsmanager::Client::from_conf(config!(aws_sdk_secretsmanager, platform, keys).build()),
        }
    }

    /// A variable of its function.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables[name].as_str()
    }

    /// Whether files start it.
    fn takes_files(&self) -> bool {
        self.variable("REJECTS_BUCKET").is_some()
    }

    /// Reads an item of the ledger.
    async fn item(&self, platform: &Platform, partition: &str) -> bool {
        let key = |name: &str| AttributeValue::S(name.to_owned());
        let asked = self.ledger.get_item().table_name(platform.output("LedgerTableName"));
        allowed(asked.key("pk", key(partition)).key("sk", key("none")).send().await)
    }

    /// Writes an item of the ledger.
    async fn write(&self, platform: &Platform, partition: &str) -> bool {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.ledger.put_item().table_name(platform.output("LedgerTableName"));
        allowed(put.item("pk", text(partition)).item("sk", text("of a test")).send().await)
    }

    async fn get(&self, bucket: &str, key: &str) -> bool {
        allowed(self.s3.get_object().bucket(bucket).key(key).send().await)
    }

    async fn put(&self, bucket: &str, key: &str) -> bool {
        allowed(self.s3.put_object().bucket(bucket).key(key).body(Vec::new().into()).send().await)
    }

    /// Makes a message of the queue wait: only the right to do so is asked, there is no such message.
    async fn hands_back(&self, queue: &str) -> bool {
        let asked = self.sqs.change_message_visibility().queue_url(queue).receipt_handle("none").visibility_timeout(0);
        allowed(asked.send().await)
    }

    async fn sends(&self, queue: &str) -> bool {
        let sent = self.sqs.send_message().queue_url(queue).message_body(r#"{"key":"of a test"}"#);
        let fifo = queue.ends_with(".fifo");
        let sent = if fifo { sent.message_group_id("it").message_deduplication_id(unique()) } else { sent };
        allowed(sent.send().await)
    }

    async fn reads_secret(&self, name: &str) -> bool {
        allowed(self.secrets.get_secret_value().secret_id(name).send().await)
    }
}

/// Whether the right was there, whatever else became of the call.
fn allowed<T, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> bool {
    let Err(fault) = answer else { return true };
    let code = fault.code().unwrap_or_else(|| panic!("neither done nor refused: {fault:?}"));
    !code.contains("AccessDenied") && !code.contains("AuthorizationError")
}

async fn roles(platform: &Platform) -> Vec<Role> {
    let mut roles = Vec::new();
    for flow in repo::flows() {
        roles.push(Role::of(platform, &flow).await);
    }
    roles
}

#[tokio::test]
async fn a_function_reads_the_files_of_its_own_prefix_and_no_others() {
    let platform = Platform::here().await;
    for role in roles(&platform).await {
        for system in ["dacs", "derms", "ouai"] {
            let bucket = platform.bucket(system, "outbox");
            for flow in repo::flows() {
                let key = format!("{}/none.csv", FlowName::of(&flow).subject);
                let own = FlowName::of(&role.flow);
                let may = role.takes_files() && own.source == system && own.subject == FlowName::of(&flow).subject;
                assert_eq!(role.get(&bucket, &key).await, may, "{} reads {bucket} {key}", role.flow);
            }
        }
    }
}

#[tokio::test]
async fn a_function_writes_its_own_rejects_bodies_and_inbox_and_no_others() {
    let platform = Platform::here().await;
    let roles = roles(&platform).await;
    let bodies = roles.iter().find_map(|role| role.variable("BODIES_BUCKET")).unwrap();
    for role in &roles {
        let name = unique();
        for flow in repo::flows() {
            let key = format!("{flow}/of-a-test-{name}");
            let (own, files) = (flow == role.flow, role.takes_files());
            assert_eq!(
                role.put(platform.output("RejectsBucket"), &key).await,
                own && files,
                "{} rejects {key}",
                role.flow
            );
            assert_eq!(role.put(bodies, &key).await, own && !files, "{} bodies {key}", role.flow);
            let subject = FlowName::of(&flow).subject;
            for system in ["dacs", "derms", "ouai"] {
                let (inbox, key) = (platform.bucket(system, "inbox"), format!("{subject}/of-a-test-{name}"));
                let may = role.variable("INBOX_BUCKET") == Some(&inbox) && FlowName::of(&role.flow).subject == subject;
                assert_eq!(role.put(&inbox, &key).await, may, "{} writes {inbox} {key}", role.flow);
            }
        }
        assert!(!role.put(platform.output("ConfigBucket"), "lookups/Program.csv").await, "{}", role.flow);
        assert!(role.get(platform.output("ConfigBucket"), "lookups/Program.csv").await, "{}", role.flow);
    }
}

#[tokio::test]
async fn a_function_touches_its_own_queue_and_no_other() {
    let platform = Platform::here().await;
    for role in roles(&platform).await {
        for flow in repo::flows() {
            let queue = platform.queue(&flow).await;
            let own = flow == role.flow;
            assert_eq!(role.hands_back(&queue).await, own, "{} and the queue of {flow}", role.flow);
            if !own {
                assert!(!role.sends(&queue).await, "{} sends into the queue of {flow}", role.flow);
            }
        }
    }
}

#[tokio::test]
async fn a_function_reads_the_secrets_of_its_targets_and_no_others() {
    let platform = Platform::here().await;
    for role in roles(&platform).await {
        for (secret, variable) in [("derms", "DERMS_SECRET"), ("dacs", "DACS_SECRET")] {
            let may = role.variable(variable) == Some(secret);
            assert_eq!(role.reads_secret(secret).await, may, "{} and the secret {secret}", role.flow);
        }
    }
}

#[tokio::test]
async fn a_function_touches_its_own_partitions_of_the_ledger_and_no_others() {
    let platform = Platform::here().await;
    for role in roles(&platform).await {
        for flow in repo::flows() {
            let partition = format!("{flow}#run#of-a-test");
            let own = flow == role.flow;
            assert_eq!(role.item(&platform, &partition).await, own, "{} reads {partition}", role.flow);
            assert_eq!(role.write(&platform, &partition).await, own, "{} writes {partition}", role.flow);
        }
        for (partition, variable) in [("target#derms", "DERMS_URL"), ("target#dacs", "DACS_URL")] {
            let may = role.variable(variable).is_some();
            assert_eq!(role.item(&platform, partition).await, may, "{} and {partition}", role.flow);
        }
    }
}

#[tokio::test]
async fn nobody_gets_in_without_tls() {
    let platform = Platform::here().await;
    let role = Role::of(&platform, "dacs-derms-device-score").await;
    let plain = role.s3.get_object().bucket(platform.output("ConfigBucket")).key("lookups/Program.csv").customize();
    let plain = plain.mutate_request(|request| {
        request.headers_mut().insert("x-forwarded-proto", "http");
    });
    assert!(!allowed(plain.send().await));
}
