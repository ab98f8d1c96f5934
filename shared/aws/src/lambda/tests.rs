use std::collections::BTreeMap;
use std::time::Duration;

use flow::ports::Receipt;
use flow::trigger::{Delivery, HttpReply, HttpRequest, Reply, Trigger};
use jiff::Timestamp;
use serde_json::json;

use super::*;

const RECEIVED: &str = "2026-07-01T12:00:00Z";

fn read(event: &str) -> Result<Trigger, Malformed> {
    event::read(event, "request-1", RECEIVED.parse().unwrap())
}

fn request(event: &str) -> HttpRequest {
    match read(event) {
        Ok(Trigger::Http(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn deliveries(event: &str) -> Vec<Delivery> {
    match read(event) {
        Ok(Trigger::Queue(deliveries)) => deliveries,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_of_an_http_api_is_read_with_its_claims() {
    let request = request(include_str!("tests/http.json"));
    let claims = [("client_id", "dacs-client"), ("scope", "dacs/enrollment-sync"), ("token_use", "access")];
    let expected = HttpRequest {
        body: r#"{"syncRequestId":"900000000001"}"#.into(),
        content_type: Some("application/json".to_owned()),
        request_id: "JKJaXmPLvHcESHA=".to_owned(),
        correlation: "dacs-4711".to_owned(),
        path: "/v1/dacs/enrollment-sync".to_owned(),
        query: BTreeMap::from([("force".to_owned(), "true".to_owned())]),
        claims: claims.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    };
    assert_eq!(request, expected);
}

#[test]
fn a_base64_body_is_decoded_and_a_stage_is_no_part_of_the_path() {
    let event = json!({
        "version": "2.0",
        "rawPath": "/prod/v1/derms/enrollment-ack",
        "headers": {},
        "requestContext": {"stage": "prod", "http": {"method": "POST"}},
        "body": "eyJhIjoxfQ==",
        "isBase64Encoded": true,
    });
    let request = request(&event.to_string());
    assert_eq!(request.body, r#"{"a":1}"#);
    assert_eq!(request.path, "/v1/derms/enrollment-ack");
    assert_eq!((request.request_id.as_str(), request.correlation.as_str()), ("request-1", "request-1"));
}

#[test]
fn a_correlation_id_that_cannot_be_logged_is_replaced_by_the_request_id() {
    for id in ["", "with space", "größe", &"x".repeat(129)] {
        let event = json!({
            "headers": {"X-Correlation-Id": id},
            "requestContext": {"requestId": "g-1", "http": {"method": "POST"}},
        });
        assert_eq!(request(&event.to_string()).correlation, "g-1", "{id}");
    }
}

#[test]
fn a_batch_of_a_fifo_queue_is_read_message_by_message() {
    let first = deliveries(include_str!("tests/fifo.json")).remove(0);
    let expected = Delivery {
        body: r#"{"key":"900000000001"}"#.to_owned(),
        receipt: Some(Receipt("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a==".to_owned())),
        receive_count: 3,
        group: Some("subscription/700000000001".to_owned()),
        sequence: Some("18849496460467696128".to_owned()),
        message_id: "059f36b4-87a3-44ab-83d2-661975830a7d".to_owned(),
        sent: Timestamp::from_millisecond(1_782_907_199_500).unwrap(),
    };
    assert_eq!(first, expected);
}

#[test]
fn a_file_notification_comes_as_the_text_of_a_message() {
    let deliveries = deliveries(include_str!("tests/s3-in-sqs.json"));
    assert_eq!(deliveries.len(), 1);
    assert!(deliveries[0].body.contains("device-score/scores+2026-07-01.csv"));
    assert_eq!((deliveries[0].group.clone(), deliveries[0].sequence.clone()), (None, None));
}

#[test]
fn a_bare_notification_is_a_delivery_that_cannot_be_handed_back() {
    for event in [include_str!("tests/s3.json"), include_str!("tests/s3-test.json")] {
        let expected = Delivery {
            body: event.to_owned(),
            receipt: None,
            receive_count: 1,
            group: None,
            sequence: None,
            message_id: "request-1".to_owned(),
            sent: RECEIVED.parse().unwrap(),
        };
        assert_eq!(deliveries(event), [expected]);
    }
}

#[test]
fn any_other_event_is_named_malformed() {
    let events = [
        "[]",
        "{}",
        "null",
        r#"{"Records":[]}"#,
        r#"{"Records":[{"eventSource":"aws:kinesis"}]}"#,
        r#"{"Records":[{"eventSource":"aws:sqs","body":"{}"},{"eventSource":"aws:s3"}]}"#,
        r#"{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}"#,
    ];
    for event in events {
        assert!(read(event).is_err(), "{event}");
    }
}

fn context() -> Context {
    let mut context = Context::default();
    context.request_id = "request-1".to_owned();
    context.deadline = 1_782_907_260_000;
    context
}

#[test]
fn the_invocation_ends_when_lambda_says_or_after_the_time_that_cargo_lambda_gives() {
    let now: Timestamp = RECEIVED.parse().unwrap();
    for (given, ends) in [(1_782_907_260_000, "2026-07-01T12:01:00Z"), (600_000, "2026-07-01T12:10:00Z")] {
        assert_eq!(deadline(given, now).unwrap().to_string(), ends);
    }
    assert_eq!(deadline(u64::MAX, now), None);
}

async fn answered(event: &str, reply: Result<Reply, Transient>) -> Result<serde_json::Value, Diagnostic> {
    let event: Box<RawValue> = serde_json::from_str(event).unwrap();
    let reply = std::sync::Mutex::new(Some(reply));
    let handle = |_, invocation: Invocation| {
        assert_eq!(invocation.owner, "request-1");
        assert_eq!(invocation.deadline.to_string(), "2026-07-01T12:01:00Z");
        let reply = reply.lock().unwrap().take().unwrap();
        async move {
            SystemClock.sleep(Duration::ZERO).await;
            reply
        }
    };
    let wire = answer(&handle, &event, &context()).await.map_err(Diagnostic::from)?;
    Ok(serde_json::to_value(wire).unwrap())
}

#[tokio::test]
async fn a_reply_to_a_request_carries_its_correlation_id() {
    let reply = HttpReply::new(202, "application/json", r#"{"state":"accepted"}"#);
    let wire = answered(include_str!("tests/http.json"), Ok(Reply::Http(reply))).await.unwrap();
    assert_eq!(wire["statusCode"], 202);
    assert_eq!(wire["body"], r#"{"state":"accepted"}"#);
    assert_eq!(wire["headers"], json!({"content-type": "application/json", "x-correlation-id": "dacs-4711"}));
}

#[tokio::test]
async fn a_batch_names_the_messages_that_are_not_done() {
    let reply = Reply::Batch { failed: vec!["m-2".to_owned()] };
    let wire = answered(include_str!("tests/fifo.json"), Ok(reply)).await.unwrap();
    assert_eq!(wire, json!({"batchItemFailures": [{"itemIdentifier": "m-2"}]}));
}

#[tokio::test]
async fn a_failure_has_a_name_and_its_whole_chain() {
    let fault = Transient::because("reading the ledger", "connection reset");
    let failed = answered(include_str!("tests/fifo.json"), Err(fault)).await.unwrap_err();
    assert_eq!(failed.error_type, "Transient");
    assert_eq!(failed.error_message, "reading the ledger: connection reset");
    let malformed = answered("{}", Ok(Reply::Batch { failed: Vec::new() })).await.unwrap_err();
    assert_eq!(malformed.error_type, "MalformedEvent");
}

#[tokio::test]
async fn a_bare_notification_that_is_not_done_fails_the_invocation() {
    let reply = |failed: &[&str]| Ok(Reply::Batch { failed: failed.iter().map(ToString::to_string).collect() });
    assert!(answered(include_str!("tests/s3.json"), reply(&["request-1"])).await.is_err());
    assert!(answered(include_str!("tests/s3.json"), reply(&[])).await.is_ok());
}

#[test]
fn a_dead_letter_says_which_queue_gave_it_up() {
    let record = |attributes: serde_json::Value| {
        json!({"Records": [{
            "messageId": "m-1", "receiptHandle": "r-1", "body": "{}", "attributes": attributes,
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:prod-dlq.fifo",
        }]})
        .to_string()
    };
    let mut attributes = json!({
        "ApproximateReceiveCount": "1", "SentTimestamp": "1782907200000", "MessageGroupId": "S-1",
        "DeadLetterQueueSourceArn": "arn:aws:sqs:eu-central-1:000000000000:prod-dacs-derms-enrollment-sync.fifo",
    });
    let letters = event::dead_letters(&record(attributes.clone())).unwrap();
    assert_eq!((letters.len(), letters[0].queue.as_str()), (1, "prod-dacs-derms-enrollment-sync.fifo"));
    attributes.as_object_mut().unwrap().remove("DeadLetterQueueSourceArn");
    assert_eq!(event::dead_letters(&record(attributes)).unwrap()[0].queue, "", "somebody wrote it there by hand");
}
