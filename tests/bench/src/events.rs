//! The events that Lambda gives the functions.

mod bodies;

use serde_json::{Value, json};

pub use bodies::{
    acknowledgement, aggregator, aggregator_ack, enrollment, enrollment_request, event_status, opt_out, program_rules,
    program_rules_ack, status_answer, status_check, unavailability,
};

use crate::aws::Queued;
use crate::clock;

/// A batch of one: S3's notification of a new object, in a standard queue.
#[must_use]
pub fn file((bucket, key, version): (&str, &str, &str), size: u64, receive_count: u32) -> String {
    let notification = json!({ "Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "eventTime": clock::timestamp().to_string(), "awsRegion": "us-east-1",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": { "name": bucket, "arn": format!("arn:aws:s3:::{bucket}") },
            "object": { "key": key, "size": size, "versionId": version, "sequencer": "0055AED6DCD90281E5" },
        },
    }]});
    let sequence = format!("{key}-{receive_count}");
    let message = Queued { body: notification.to_string(), group: String::new(), sequence };
    batch(&[message], receive_count)
}

/// The receipt of a file's notification, delivered for the so-manieth time.
#[must_use]
pub fn receipt(key: &str, receive_count: u32) -> String {
    format!("receipt-0-{key}-{receive_count}")
}

/// A batch of messages; a standard queue has no groups.
#[must_use]
pub fn batch(messages: &[Queued], receive_count: u32) -> String {
    let sent = clock::timestamp().as_millisecond().to_string();
    let record = |(number, message): (usize, &Queued)| {
        let mut attributes = json!({
            "ApproximateReceiveCount": receive_count.to_string(), "SentTimestamp": sent, "SenderId": "bench",
            "ApproximateFirstReceiveTimestamp": sent,
        });
        if let (false, Some(fields)) = (message.group.is_empty(), attributes.as_object_mut()) {
            fields.insert("MessageGroupId".to_owned(), message.group.clone().into());
            fields.insert("SequenceNumber".to_owned(), message.sequence.clone().into());
        }
        json!({
            "messageId": format!("message-{number}-{}", message.sequence),
            "receiptHandle": format!("receipt-{number}-{}", message.sequence),
            "body": message.body, "attributes": attributes, "messageAttributes": {}, "md5OfBody": "",
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:bench",
            "awsRegion": "us-east-1",
        })
    };
    let records: Vec<Value> = messages.iter().enumerate().map(record).collect();
    json!({ "Records": records }).to_string()
}

/// A request at a route of the HTTP API, payload 2.0, let in by the JWT authorizer.
#[must_use]
pub fn request(path: &str, body: &str, id: &str) -> String {
    let route = format!("POST {path}");
    json!({
        "version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": "",
        "headers": { "content-type": "application/json", "content-length": body.len().to_string() },
        "requestContext": {
            "accountId": "000000000000", "apiId": "bench", "domainName": "bench.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "bench", "requestId": id, "routeKey": route, "stage": "$default",
            "time": "01/Jul/2026:18:00:00 +0000", "timeEpoch": 1_782_928_800_000_i64,
            "http": {
                "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench",
            },
            "authorizer": { "jwt": { "claims": { "client_id": "bench", "scope": "bench" }, "scopes": null } },
        },
        "body": body, "isBase64Encoded": false,
    })
    .to_string()
}
