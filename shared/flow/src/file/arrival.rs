//! S3 notifications: what a file flow is started with.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

use crate::Rejected;
use crate::ports::ObjectRef;

/// A new version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The version.
    pub object: ObjectRef,
    /// S3's order of the versions of one key: a hexadecimal text.
    pub sequencer: String,
}

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Option<Vec<RecordJson>>,
    #[serde(rename = "Event")]
    event: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordJson {
    event_version: String,
    event_name: String,
    s3: S3Json,
}

#[derive(Deserialize)]
struct S3Json {
    bucket: BucketJson,
    object: ObjectJson,
}

#[derive(Deserialize)]
struct BucketJson {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectJson {
    key: String,
    version_id: Option<String>,
    #[serde(default)]
    sequencer: String,
}

/// Reads a notification of any 2.x version (architecture.md §2.1). S3's test event, and events that create nothing,
/// give an empty list.
///
/// # Errors
/// [`Rejected`] when it is no S3 notification, or of another major version.
pub fn parse(body: &str) -> Result<Vec<Arrival>, Rejected> {
    let unreadable = |why: String| Rejected::new("S3 notification", why);
    let notification: Notification = serde_json::from_str(body).map_err(|e| unreadable(e.to_string()))?;
    let Some(records) = notification.records else {
        return match notification.event.as_deref() {
            Some("s3:TestEvent") => Ok(Vec::new()),
            _ => Err(unreadable("it has no Records".into())),
        };
    };
    records
        .into_iter()
        .filter(|record| record.event_name.trim_start_matches("s3:").starts_with("ObjectCreated:"))
        .map(|record| {
            if !record.event_version.starts_with("2.") {
                return Err(unreadable(format!("event version {} is not 2.x", record.event_version)));
            }
            let key = decode_key(&record.s3.object.key)?;
            let version = record.s3.object.version_id.filter(|version| !version.is_empty());
            let object = ObjectRef { bucket: record.s3.bucket.name, key, version };
            Ok(Arrival { object, sequencer: record.s3.object.sequencer })
        })
        .collect()
}

/// The notification by which a run is taken up again: what S3 would send for `object`.
#[must_use]
pub fn renewed(object: &ObjectRef) -> String {
    let key = utf8_percent_encode(&object.key, NON_ALPHANUMERIC).to_string();
    let record = serde_json::json!({
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": object.bucket }, "object": { "key": key, "versionId": object.version } },
    });
    serde_json::json!({ "Records": [record] }).to_string()
}

/// Keys come form-encoded: `+` is a space, then percent-decoding.
fn decode_key(encoded: &str) -> Result<String, Rejected> {
    let spaced = encoded.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Into::into).map_err(|_| Rejected::new("S3 notification", "the object key is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(version: &str, key: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventVersion":"{version}","eventName":"ObjectCreated:Put","s3":{{
                "bucket":{{"name":"out"}},"object":{{"key":"{key}","size":3,"versionId":"v1","sequencer":"0A"}}}}}}]}}"#
        )
    }

    fn key_of(encoded: &str) -> String {
        parse(&notification("2.1", encoded)).unwrap().remove(0).object.key
    }

    #[test]
    fn keys_are_form_decoded_whatever_they_contain() {
        for (encoded, key) in [
            ("a+b.csv", "a b.csv"),
            ("a%2Bb.csv", "a+b.csv"),
            ("100%25.csv", "100%.csv"),
            ("x%26y.csv", "x&y.csv"),
            ("k%C3%BChl.csv", "kühl.csv"),
            ("device-score/SDCSE_1.csv", "device-score/SDCSE_1.csv"),
        ] {
            assert_eq!(key_of(encoded), key);
        }
    }

    #[test]
    fn any_two_point_x_version_is_accepted_and_others_are_not() {
        assert!(parse(&notification("2.0", "k")).is_ok());
        assert!(parse(&notification("2.9", "k")).is_ok());
        assert!(parse(&notification("3.0", "k")).unwrap_err().reason.contains("3.0"));
    }

    #[test]
    fn the_test_event_of_a_new_notification_starts_nothing() {
        let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"out"}"#;
        assert_eq!(parse(test).unwrap(), vec![]);
    }

    #[test]
    fn a_renewed_notification_names_the_same_version() {
        let object = ObjectRef { bucket: "out".into(), key: "a b+c/ü%.csv".into(), version: Some("v1".into()) };
        assert_eq!(parse(&renewed(&object)).unwrap().remove(0).object, object);
    }

    #[test]
    fn what_is_no_notification_is_rejected() {
        assert!(parse("").is_err());
        assert!(parse("{}").is_err());
        assert!(parse(r#"{"Records":[{}]}"#).is_err());
    }

    #[test]
    fn a_removed_object_starts_nothing() {
        let removed = notification("2.1", "k").replace("ObjectCreated:Put", "ObjectRemoved:Delete");
        assert_eq!(parse(&removed).unwrap(), vec![]);
    }
}
