use super::*;

fn json(body: &str) -> Result<FileEnvelope, String> {
    FileEnvelope::from_json(&Document::parse(body.as_bytes()).unwrap()).map_err(|problem| problem.to_string())
}

fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn stored(pairs: &[(&str, &str)]) -> Result<FileEnvelope, String> {
    FileEnvelope::from_metadata(&metadata(pairs)).map_err(|fault| fault.to_string())
}

#[test]
fn an_envelope_is_the_same_whether_it_was_posted_or_stored() {
    let posted = json(r#"{"drmsInstanceId": "DRMS-1", "messageId": "M-1", "recordCount": 3, "more": true}"#).unwrap();
    let pairs = [("drms-instance-id", "DRMS-1"), ("message-id", "M-1"), ("record-count", "3")];
    assert_eq!(posted.to_metadata(), metadata(&pairs));
    assert_eq!(FileEnvelope::from_metadata(&posted.to_metadata()), Ok(posted));
    let foreign = json(r#"{"drmsInstanceId": "Leitstelle Süd", "messageId": "計量点-1"}"#).unwrap();
    assert_eq!(FileEnvelope::from_metadata(&foreign.to_metadata()), Ok(foreign));
}

#[test]
fn an_outcome_or_location_file_needs_no_envelope() {
    assert_eq!(json("{}"), Ok(FileEnvelope::default()));
    assert_eq!(stored(&[("row-count", "x"), ("message-id", "")]), Ok(FileEnvelope::default()));
    assert!(FileEnvelope::default().to_metadata().is_empty());
}

#[test]
fn what_is_there_must_be_right() {
    assert_eq!(
        stored(&[("message-id", "M-1 "), ("record-count", "+3")]),
        Err("wrong envelope: message-id \"M-1 \" begins or ends with white space; \
             record-count \"+3\" is not a whole number of rows"
            .to_owned())
    );
    assert_eq!(
        json(r#"{"messageId": 7, "recordCount": -1}"#),
        Err("400 The message is not valid: /messageId is a number where text is expected; \
             /recordCount is not a whole number of rows"
            .to_owned())
    );
}
