//! The services with one or two operations: SQS, Secrets Manager, SNS.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::{form, json as answer, locked, xml};

/// A message as a queue took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The text.
    pub body: String,
    /// The FIFO group.
    pub group: String,
    /// The FIFO sequence number.
    pub sequence: String,
}

/// Messages by queue URL.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<(u64, BTreeMap<String, Vec<Queued>>)>);

impl Queues {
    pub(super) fn serve(&self, operation: &str, body: &[u8]) -> Response {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        match operation {
            "SendMessage" => answer(StatusCode::OK, self.send(&request).to_string()),
            "ChangeMessageVisibility" => answer(StatusCode::OK, "{}"),
            _ => answer(StatusCode::BAD_REQUEST, r#"{"__type":"com.amazonaws.sqs#UnsupportedOperation"}"#),
        }
    }

    fn send(&self, request: &Value) -> Value {
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut queues = locked(&self.0);
        queues.0 += 1;
        let sequence = format!("{:020}", queues.0);
        let message = Queued { body: text("MessageBody"), group: text("MessageGroupId"), sequence: sequence.clone() };
        queues.1.entry(text("QueueUrl")).or_default().push(message);
        json!({ "MessageId": sequence, "MD5OfMessageBody": "", "SequenceNumber": sequence })
    }

    pub(super) fn take(&self, queue: &str) -> Vec<Queued> {
        locked(&self.0).1.remove(queue).unwrap_or_default()
    }

    pub(super) fn clear(&self) {
        locked(&self.0).1.clear();
    }
}

/// Secrets by name.
#[derive(Default)]
pub(super) struct Secrets(Mutex<BTreeMap<String, String>>);

impl Secrets {
    pub(super) fn set(&self, name: &str, text: &str) {
        locked(&self.0).insert(name.to_owned(), text.to_owned());
    }

    pub(super) fn serve(&self, operation: &str, body: &[u8]) -> Response {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = request.get("SecretId").and_then(Value::as_str).unwrap_or_default();
        match (operation, locked(&self.0).get(name)) {
            ("GetSecretValue", Some(text)) => {
                let found = json!({ "ARN": name, "Name": name, "SecretString": text, "VersionId": "1" });
                answer(StatusCode::OK, found.to_string())
            }
            _ => answer(StatusCode::BAD_REQUEST, r#"{"__type":"ResourceNotFoundException"}"#),
        }
    }
}

/// SNS speaks forms and XML.
pub(super) fn sns(body: &[u8]) -> (String, Response) {
    let fields = form::read(&String::from_utf8_lossy(body));
    let action = fields.get("Action").cloned().unwrap_or_default();
    let response = match action.as_str() {
        "Publish" => xml(
            StatusCode::OK,
            r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PublishResponse>"#,
        ),
        _ => xml(StatusCode::BAD_REQUEST, "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>"),
    };
    (format!("SNS.{action}"), response)
}
