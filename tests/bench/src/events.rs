//! The events that Lambda gives the functions.

use serde_json::{Value, json};

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

/// The body of the `number`-th enrollment: one subscription each, two devices.
#[must_use]
pub fn enrollment(number: u64) -> String {
    let device = |place: u64| {
        json!({
            "deviceId": format!("D{number:09}{place}"), "deviceType": "THERMOSTAT", "specification": "ECO-T100",
            "headEndSystem": "HES-NORTH", "nicId": format!("nic-{number:09}-{place}"),
            "serialNumber": format!("SN-{number:09}-{place}"), "status": "ACTIVE",
            "startDateTime": "2026-06-01T00:00:00-05:00",
            "deviceGroups": [{ "category": "FEEDER", "name": "FDR-12", "startDateTime": "2026-06-01T00:00:00-05:00" }],
        })
    };
    json!({ "sendDetails": {
        "syncRequestId": format!("1{number:013}"), "action": "ENROLL",
        "contactInfo": { "contactId": "C-1001", "cisPersonId": "P-5001" },
        "subscriptionInfo": {
            "subscriptionId": format!("S-{number:09}"), "cisAccountId": "A-3001", "subscriptionType": "DEVICE_CONTROL",
            "status": "ACTIVE", "programId": "90000001", "programCode": "SUMMER-T",
            "programExternalIdentifier": "PRG-SUMMER-T", "startDateTime": "2026-06-01T00:00:00-05:00",
        },
        "locationInfo": {
            "division": "NORTH", "servicePointId": format!("SP-{number:09}"), "cisPremiseId": "PR-4001",
            "cisServicePointId": "CSP-6001", "deviceLocationId": "DL-8001",
            "controllableDevices": [device(1), device(2)],
        },
    }})
    .to_string()
}

/// The body of an acknowledgement of the `number`-th enrollment.
#[must_use]
pub fn acknowledgement(number: u64) -> String {
    json!({ "dacsMessageId": format!("1{number:013}"), "responseCode": "SUCCESS" }).to_string()
}

/// The body of a message that schedules a stage of the `number`-th event.
#[must_use]
pub fn event_status(number: u64) -> String {
    json!({
        "messageId": format!("M-{number:09}"), "drmsInstanceId": "DERMS-NORTH", "eventId": format!("EV-{number:09}"),
        "eventType": "ECONOMIC",
        "stages": [{
            "stageId": format!("ST-{number:09}"), "programCode": "SUMMER-T", "status": "SCHEDULED",
            "startDateTime": "2099-07-01T14:00:00-05:00", "endDateTime": "2099-07-01T16:00:00-05:00",
        }],
    })
    .to_string()
}
