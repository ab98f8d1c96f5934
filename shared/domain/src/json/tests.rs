use super::*;
use crate::ids::DeviceId;
use crate::time::Instant;
use proptest::prelude::*;

/// Reads a small message of every kind of member.
fn read(body: &str) -> Result<(String, Vec<DeviceId>), Problem> {
    Document::parse(body.as_bytes())?.read(|message| {
        let name = message.required_text("name", 5);
        let _note = message.text("note", 3);
        let _when = message.optional::<Instant>("when");
        let _place = message.object("place", |place| place.required_text("street", 9));
        let devices = message.objects("devices", |device| device.required::<DeviceId>("deviceId"));
        Some((name?.to_owned(), devices?))
    })
}

/// The faults of a refused body as `pointer reason`.
fn faults(body: &str) -> Vec<String> {
    let problem = read(body).unwrap_err();
    assert_eq!(problem.status, 400);
    problem.errors.iter().map(|fault| format!("{} {}", fault.pointer, fault.reason)).collect()
}

#[test]
fn a_valid_message_is_read_whatever_the_order_and_the_unknown_members() {
    let (name, devices) = read(r#"{"devices":[{"x":1,"deviceId":"D1"}],"other":{"name":7},"name":"A\u0042"}"#).unwrap();
    assert_eq!(name, "AB");
    assert_eq!(devices, ["D1".parse().unwrap()]);
}

#[test]
fn every_fault_is_named_with_its_pointer_and_none_hides_another() {
    let body = r#"{
        "name": "secret-name", "note": 7, "when": "2026-02-30T00:00:00Z", "place": {"street": " "},
        "devices": [{"deviceId": "1234567890123"}, 5, {"deviceId": "D2"}, {}, {"deviceId": null}]
    }"#;
    assert_eq!(
        faults(body),
        [
            "/name is longer than 5 characters",
            "/note is a number where text is expected",
            "/when names a day that does not exist: year 2026, month 2, day 30",
            "/place/street is empty",
            "/devices/0/deviceId has 13 characters, at most 12 are allowed",
            "/devices/1 is a number where an object is expected",
            "/devices/3/deviceId is required",
            "/devices/4/deviceId is required",
        ]
    );
}

#[test]
fn a_member_of_the_wrong_type_says_which_type_is_expected() {
    assert_eq!(
        faults(r#"{"name":["A"],"place":"Main","devices":{"deviceId":"D1"}}"#),
        [
            "/name is a list where text is expected",
            "/place is text where an object is expected",
            "/devices is an object where a list is expected",
        ]
    );
    assert_eq!(faults(r#"["name"]"#), [" is a list where an object is expected"]);
}

#[test]
fn null_and_blank_are_absence() {
    assert!(read(r#"{"name":"A","note":null,"when":"","place":null,"devices":null}"#).is_ok());
    assert_eq!(faults(r#"{"name":null}"#), ["/name is required"]);
    assert_eq!(faults(r#"{"name":"  "}"#), ["/name is empty"]);
}

#[test]
fn a_known_member_that_occurs_twice_is_refused_and_an_unknown_one_is_not() {
    assert_eq!(faults(r#"{"name":"A","name":"A"}"#), ["/name occurs more than once"]);
    assert!(read(r#"{"name":"A","x":1,"x":2}"#).is_ok());
}

#[test]
fn lengths_count_characters_not_bytes() {
    assert!(read(r#"{"name":"ääääé"}"#).is_ok());
    assert_eq!(faults(r#"{"name":"ääääéé"}"#), ["/name is longer than 5 characters"]);
}

#[test]
fn what_is_not_json_is_refused_with_its_position() {
    assert_eq!(faults(""), [" is empty"]);
    assert_eq!(faults(" \r\n"), [" is empty"]);
    assert_eq!(faults(r#"{"name":"Al"#), [" is truncated: it ends at line 1 column 11"]);
    assert_eq!(faults("{\n 'name':1}"), [" is not JSON: key must be a string at line 2 column 2"]);
    assert_eq!(faults(r#"{"name":"A"} {}"#), [" is not JSON: trailing characters at line 1 column 14"]);
    assert_eq!(faults(r#"{"name":NaN}"#), [" is not JSON: expected value at line 1 column 9"]);
    assert!(read("\u{feff}{\"name\":\"A\"}").is_ok());
    let invalid_utf8 = Document::parse(b"{\"name\":\"\xff\"}").unwrap_err();
    assert_eq!(invalid_utf8.errors.len(), 1);
}

#[test]
fn nesting_is_refused_beyond_the_limit_and_taken_up_to_it() {
    let nested = |levels: usize| format!(r#"{{"name":"A","x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nested(DEPTH_LIMIT - 1)).is_ok());
    assert_eq!(faults(&nested(DEPTH_LIMIT)), [" is nested deeper than 32 levels"]);
    assert_eq!(faults(&"[".repeat(100_000)), [" is nested deeper than 32 levels"]);
}

#[test]
fn a_body_over_the_limit_is_too_large_whatever_it_holds() {
    let at_limit = format!("{{\"name\":\"A\",\"x\":\"{}\"}}", "x".repeat(BODY_LIMIT - 19));
    assert_eq!(at_limit.len(), BODY_LIMIT);
    assert!(read(&at_limit).is_ok());
    assert_eq!(read(&format!("{at_limit} ")).unwrap_err().status, 413);
}

#[test]
fn a_flood_of_faults_is_counted_but_not_listed_without_end() {
    let body = format!(r#"{{"name":"A","devices":[0{}]}}"#, ",0".repeat(20_000 - 1));
    let problem = read(&body).unwrap_err();
    assert_eq!(problem.errors.len(), FAULT_LIMIT);
    assert!(problem.detail.starts_with("20000 faults, of which the first 10000 are listed"));
}

#[test]
fn a_problem_document_has_the_members_of_rfc_9457_and_the_offending_fields() {
    let document = serde_json::to_value(read("{}").unwrap_err()).unwrap();
    let expected = serde_json::json!({
        "type": "urn:problem:invalid-message",
        "title": "The message is not valid",
        "status": 400,
        "detail": "One fault; nothing of the message was taken.",
        "errors": [{"pointer": "/name", "reason": "is required"}],
    });
    assert_eq!(document, expected);
    assert_eq!(read("{}").unwrap_err().to_string(), "400 The message is not valid: /name is required");
    assert_eq!(Problem::other_body().status, 422);
}

fn hash(body: &str) -> String {
    Document::parse(body.as_bytes()).unwrap().hash().to_string()
}

#[test]
fn a_resend_with_other_white_space_escapes_and_order_is_the_same_body() {
    assert_eq!(hash(r#"{"a":1,"b":["A",true]}"#), hash("{ \"b\": [\"\\u0041\", true],\r\n \"a\": 1 }"));
    assert_eq!(hash("[]").len(), 64);
}

#[test]
fn a_body_with_any_other_content_is_another_body() {
    let bodies = [
        r#"{"a":1}"#,
        r#"{"a":"1"}"#,
        r#"{"a":2}"#,
        r#"{"a":1,"x":null}"#,
        r#"{"a":1,"x":1}"#,
        r#"{"a":[1]}"#,
        r#"{"a":["x","y"]}"#,
        r#"{"a":["y","x"]}"#,
        r#"{"a":["xy"]}"#,
        r#"{"a":[["x"],"y"]}"#,
        r#"{"a":[["x","y"]]}"#,
        r#"{"a":true}"#,
        r#"{"a":false}"#,
        r#"{"a":[]}"#,
        r#"{"a":{}}"#,
        r#"{"a":12}"#,
        r#"{"a":[1,2]}"#,
    ];
    let different: std::collections::HashSet<String> = bodies.iter().map(|body| hash(body)).collect();
    assert_eq!(different.len(), bodies.len());
}

fn read_status(document: &Document<'_>) -> u16 {
    document.read(|message| message.required_text("name", 5).map(str::to_owned)).unwrap_err().status
}

#[test]
fn a_list_at_the_root_is_read_item_by_item_and_every_fault_has_its_place() {
    let read = |body: &str| {
        let document = Document::parse(body.as_bytes()).unwrap();
        let names = document.read_list(2, |item| item.required_text("name", 3).map(str::to_owned));
        names.map_err(|problem| problem.to_string().replace("400 The message is not valid: ", ""))
    };
    assert_eq!(read(r#"[{"name":"a"},{"name":"b"}]"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(
        read(r#"[{"name":"abcd"},7]"#),
        Err("/0/name is longer than 3 characters; /1 is a number where an object is expected".to_owned())
    );
    assert_eq!(read("[]"), Err("the message is an empty list".to_owned()));
    assert_eq!(read("[{},{},{}]"), Err("the message has 3 items, at most 2 are allowed".to_owned()));
    assert_eq!(read("{}"), Err("the message is an object where a list is expected".to_owned()));
}

#[test]
fn what_is_wrong_with_an_item_that_is_read_apart_is_its_own_fault_and_not_the_lists() {
    let document = Document::parse(br#"[{"id":"1","name":"a"},{"id":"2","name":"abcd"}]"#).unwrap();
    let items = document.read_list(2, |item| {
        let name = item.apart(|it| it.required_text("name", 3).map(str::to_owned));
        Some((item.required_text("id", 3)?.to_owned(), name.map_err(|problem| problem.errors[0].pointer.clone())))
    });
    let wanted = [("1".to_owned(), Ok("a".to_owned())), ("2".to_owned(), Err("/name".to_owned()))];
    assert_eq!(items, Ok(wanted.to_vec()));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec(("[a-c]{1,2}", inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_body_is_itself_however_it_is_printed(value in any_json()) {
        let (short, long) = (serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        prop_assert_eq!(hash(&short), hash(&long));
    }

    #[test]
    fn an_item_of_a_list_is_a_body_of_its_own(value in any_json()) {
        let list = serde_json::json!([value, value]).to_string();
        let items = Document::parse(list.as_bytes()).unwrap().items();
        prop_assert_eq!(items.len(), 2);
        for (body, own) in items {
            prop_assert_eq!(own.to_string(), hash(&value.to_string()));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), value.clone());
        }
    }

    #[test]
    fn two_values_have_one_hash_only_if_they_are_equal(a in any_json(), b in any_json()) {
        prop_assert_eq!(hash(&a.to_string()) == hash(&b.to_string()), a == b);
    }

    #[test]
    fn no_bytes_can_make_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}:,\"a-z0-9\\\\ ]{0,200}") {
        for body in [body.as_slice(), text.as_bytes()] {
            if let Ok(document) = Document::parse(body) {
                prop_assert_eq!(document.hash(), document.hash());
                let read = document.read(|message| message.required_text("name", 5).map(str::to_owned));
                prop_assert!(read.is_ok_and(|name| !name.is_empty()) || read_status(&document) == 400);
            }
        }
    }
}
