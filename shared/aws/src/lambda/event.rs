use std::borrow::Cow;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flow::dead_letters::DeadLetter;
use flow::ports::Receipt;
use flow::trigger::{Delivery, HttpRequest, Trigger, is_correlation};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// An event that is none of those the template wires to a function. It never is until somebody changes the template, so
/// it says what is wrong and quotes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(super) &'static str);

/// As much of an event as tells what it is.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(rename = "requestContext")]
    request: Option<IgnoredAny>,
    #[serde(rename = "Records", borrow, default)]
    records: Vec<Record<'a>>,
    #[serde(rename = "Event", borrow)]
    test: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(rename = "eventSource", borrow)]
    source: Option<Cow<'a, str>>,
}

/// Reads an event by its shape: a request of an HTTP API (payload 2.0), a batch of SQS, or a bare S3 notification (also
/// the test that S3 sends when notifications are set up), which becomes one delivery without a receipt.
pub(super) fn read(event: &str, request_id: &str, now: Timestamp) -> Result<Trigger, Malformed> {
    let shape: Shape<'_> =
        serde_json::from_str(event).map_err(|_| Malformed("the event is not a JSON object of a known kind"))?;
    let all_from = |wanted: &str| {
        !shape.records.is_empty() && shape.records.iter().all(|record| record.source.as_deref() == Some(wanted))
    };
    if shape.request.is_some() {
        http(event, request_id)
    } else if all_from("aws:sqs") {
        queue(event)
    } else if all_from("aws:s3") || shape.test.as_deref() == Some("s3:TestEvent") {
        Ok(Trigger::Queue(vec![bare(event, request_id, now)]))
    } else {
        Err(Malformed("the event is neither a request, nor a batch of SQS, nor a notification of S3"))
    }
}

/// Whether no queue stands behind the trigger.
pub(super) fn is_bare(trigger: &Trigger) -> bool {
    matches!(trigger, Trigger::Queue(deliveries) if deliveries.iter().all(|delivery| delivery.receipt.is_none()))
}

fn bare(event: &str, request_id: &str, now: Timestamp) -> Delivery {
    Delivery {
        body: event.to_owned(),
        receipt: None,
        receive_count: 1,
        group: None,
        sequence: None,
        message_id: request_id.to_owned(),
        sent: now,
    }
}

fn queue(event: &str) -> Result<Trigger, Malformed> {
    let batch: SqsEvent = serde_json::from_str(event).map_err(|_| Malformed("the batch is not one of SQS"))?;
    let deliveries: Result<Vec<_>, _> = batch.records.into_iter().map(delivery).collect();
    Ok(Trigger::Queue(deliveries?))
}

/// A batch of a dead-letter queue, each message with the name of the queue that gave it up: SQS notes it in an attribute,
/// which AWS's own redrive goes by.
pub(super) fn dead_letters(event: &str) -> Result<Vec<DeadLetter>, Malformed> {
    let batch: SqsEvent = serde_json::from_str(event).map_err(|_| Malformed("the batch is not one of SQS"))?;
    let letter = |message: SqsMessage| {
        let arn = message.attributes.get("DeadLetterQueueSourceArn").map(String::as_str).unwrap_or_default();
        let queue = arn.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(DeadLetter { queue, delivery: delivery(message)? })
    };
    batch.records.into_iter().map(letter).collect()
}

fn delivery(mut message: SqsMessage) -> Result<Delivery, Malformed> {
    let count = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    let sent = message
        .attributes
        .get("SentTimestamp")
        .and_then(|millis| millis.parse().ok())
        .and_then(|millis| Timestamp::from_millisecond(millis).ok());
    Ok(Delivery {
        body: message.body.unwrap_or_default(),
        receipt: Some(Receipt(message.receipt_handle.ok_or(Malformed("a message has no receipt"))?)),
        receive_count: count.ok_or(Malformed("a message has no receive count"))?,
        group: message.attributes.remove("MessageGroupId"),
        sequence: message.attributes.remove("SequenceNumber"),
        message_id: message.message_id.ok_or(Malformed("a message has no id"))?,
        sent: sent.ok_or(Malformed("a message has no time"))?,
    })
}

fn http(event: &str, request_id: &str) -> Result<Trigger, Malformed> {
    let request: ApiGatewayV2httpRequest =
        serde_json::from_str(event).map_err(|_| Malformed("the request is not one of an HTTP API, payload 2.0"))?;
    let context = request.request_context;
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let request_id = context.request_id.unwrap_or_else(|| request_id.to_owned());
    let correlation = header("x-correlation-id").filter(|id| is_correlation(id)).unwrap_or(&request_id);
    Ok(Trigger::Http(HttpRequest {
        body: body(request.body.unwrap_or_default(), request.is_base64_encoded)?,
        content_type: header("content-type").map(str::to_owned),
        correlation: correlation.to_owned(),
        path: path(request.raw_path.unwrap_or_default(), context.stage.as_deref()),
        query: request.query_string_parameters.iter().fold(Default::default(), joined),
        claims: context
            .authorizer
            .and_then(|by| by.jwt)
            .map(|jwt| jwt.claims.into_iter().collect())
            .unwrap_or_default(),
        request_id,
    }))
}

type Query = std::collections::BTreeMap<String, String>;

fn joined(mut query: Query, (name, value): (&str, &str)) -> Query {
    query
        .entry(name.to_owned())
        .and_modify(|values| {
            values.push(',');
            values.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
    query
}

fn body(text: String, base64: bool) -> Result<Bytes, Malformed> {
    if base64 {
        let bytes = STANDARD.decode(text).map_err(|_| Malformed("the body is not base64"))?;
        Ok(bytes.into())
    } else {
        Ok(text.into())
    }
}

/// The path without the name of a stage, which stands before it unless the stage is `$default`.
fn path(raw: String, stage: Option<&str>) -> String {
    let rest = stage.and_then(|stage| raw.strip_prefix('/')?.strip_prefix(stage)).filter(|rest| rest.starts_with('/'));
    rest.map(str::to_owned).unwrap_or(raw)
}
