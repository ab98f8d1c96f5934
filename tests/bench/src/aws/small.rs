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

/// Messages by queue URL, and those that were handed back.
#[derive(Debug, Default)]
pub(super) struct Queues(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    number: u64,
    messages: BTreeMap<String, Vec<Queued>>,
    /// By receipt: after how many seconds a message is to be shown again.
    handed_back: BTreeMap<String, u64>,
}

impl Queues {
    pub(super) fn serve(&self, operation: &str, body: &[u8]) -> Response {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        match operation {
            "SendMessage" => answer(StatusCode::OK, self.send(&request).to_string()),
            "ChangeMessageVisibility" => {
                let receipt = text(&request, "ReceiptHandle");
                let delay = request.get("VisibilityTimeout").and_then(Value::as_u64).unwrap_or(0);
                locked(&self.0).handed_back.insert(receipt, delay);
                answer(StatusCode::OK, "{}")
            }
            _ => answer(StatusCode::BAD_REQUEST, r#"{"__type":"com.amazonaws.sqs#UnsupportedOperation"}"#),
        }
    }

    fn send(&self, request: &Value) -> Value {
        let mut queues = locked(&self.0);
        queues.number += 1;
        let sequence = format!("{:020}", queues.number);
        let (body, group) = (text(request, "MessageBody"), text(request, "MessageGroupId"));
        let message = Queued { body, group, sequence: sequence.clone() };
        queues.messages.entry(text(request, "QueueUrl")).or_default().push(message);
        json!({ "MessageId": sequence, "MD5OfMessageBody": "", "SequenceNumber": sequence })
    }

    pub(super) fn take(&self, queue: &str) -> Vec<Queued> {
        locked(&self.0).messages.remove(queue).unwrap_or_default()
    }

    pub(super) fn handed_back(&self, receipt: &str) -> Option<u64> {
        locked(&self.0).handed_back.remove(receipt)
    }

    pub(super) fn clear(&self) {
        locked(&self.0).messages.clear();
    }
}

fn text(request: &Value, name: &str) -> String {
    request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
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
