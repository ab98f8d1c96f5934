use super::*;

const RESERVATION: &str = r#"{
    "drmsInstanceId": "DRMS-1", "messageId": "M-1", "eventId": "E-1", "stageId": "S-1",
    "eventStartDateTime": "2026-07-01T14:00:00-04:00", "eventEndDateTime": "2026-07-01T16:00:00-04:00"
}"#;

fn faults(refused: Result<PostedFile, Problem>) -> Vec<String> {
    let problem = refused.unwrap_err();
    assert_eq!(problem.status, 400);
    problem.errors.iter().map(|fault| format!("{} {}", fault.pointer, fault.reason)).collect()
}

#[test]
fn a_file_is_called_by_its_message_id_under_its_subject() {
    let file = PostedFile::posted(Subject::DeviceReservation, RESERVATION.as_bytes()).unwrap();
    let key = file.message_key(b"content");
    assert_eq!((key.as_str(), file.object_key(&key).as_str()), ("M-1", "device-reservation/M-1.csv"));
    assert_eq!(file.metadata["stage-id"], "S-1");
    assert_eq!(Envelope::from_metadata(&file.metadata).unwrap().message_id.as_str(), "M-1");
}

#[test]
fn a_file_without_a_message_id_is_called_by_what_it_says() {
    let of = |envelope: &str, content: &[u8]| {
        PostedFile::posted(Subject::NetworkLocation, envelope.as_bytes()).unwrap().message_key(content)
    };
    let key = of("{}", b"content");
    assert_eq!(key.len(), 64);
    assert_eq!(of(r#"{"more": 1}"#, b"content"), key, "what the contract does not know is not stored");
    assert_ne!(of("{}", b"another"), key);
    assert_ne!(of(r#"{"recordCount": 1}"#, b"content"), key);
}

#[test]
fn a_file_that_is_uploaded_needs_a_message_id() {
    for subject in Subject::ALL {
        let refused = faults(PostedFile::to_upload(subject, br#"{"recordCount": 1.5}"#));
        let missing = refused.iter().filter(|fault| fault.starts_with("/messageId is required")).count();
        assert_eq!(missing, 1, "{refused:?}");
        assert!(refused.iter().any(|fault| fault.starts_with("/recordCount ")), "{refused:?}");
    }
    let file = PostedFile::to_upload(Subject::DeviceOutcome, br#"{"messageId": "M-1"}"#).unwrap();
    assert_eq!(file.object_key(&file.message_key(b"")), "device-outcome/M-1.csv");
}

#[test]
fn a_message_id_that_climbs_out_of_its_folder_is_refused() {
    let post = |id: &str| {
        let envelope = serde_json::json!({ "messageId": id }).to_string();
        PostedFile::posted(Subject::NetworkLocation, envelope.as_bytes())
    };
    for id in ["..", ".", "a/../b", "../device-outcome/M-1", "a/."] {
        assert_eq!(faults(post(id)), ["/messageId has a segment . or .., which no path keeps"], "{id}");
    }
    for id in ["a..b", "2026/07/01", "...", "Zählpunkt 7 + 100 %"] {
        assert!(post(id).is_ok(), "{id}");
    }
}

#[test]
fn an_envelope_that_metadata_cannot_hold_is_refused() {
    let long = |letter: &str| {
        let mut envelope: serde_json::Value = serde_json::from_str(RESERVATION).unwrap();
        for name in ["drmsInstanceId", "messageId", "eventId", "stageId", "programCode"] {
            envelope[name] = letter.repeat(120).into();
        }
        PostedFile::posted(Subject::DeviceReservation, envelope.to_string().as_bytes())
    };
    assert!(long("m").is_ok());
    assert_eq!(faults(long("\u{1f50c}")), [" needs more than the 1800 bytes that an object's metadata has for it"]);
}

#[test]
fn only_the_three_files_of_the_derms_can_be_brought_so() {
    assert_eq!("device-outcome".parse(), Ok(Subject::DeviceOutcome));
    for other in ["device-score", "rejects", "", "Device-Outcome"] {
        assert_eq!(other.parse::<Subject>(), Err(NotASubject), "{other}");
    }
    assert!(Subject::ALL.iter().all(|subject| subject.flow().ends_with(subject.as_str())));
}
