use super::*;
use crate::lookups::Lookups;

fn answer(status: u16, body: &str) -> Answer {
    let lookups = Lookups::shipped();
    read_answer(status, body.as_bytes(), &|number| lookups.dacs_messages().verdict(number))
}

/// Head-end, NIC id, verdict and reason of each refused device.
fn refused(body: &str) -> Vec<(String, String, Verdict, String)> {
    let Answer::Taken(refused) = answer(200, body) else { panic!("not taken") };
    let told = |it: DeviceRefusal| {
        let reason = reason(&it.refusal);
        (it.head_end_system, it.nic_id, it.verdict, reason)
    };
    refused.into_iter().map(told).collect()
}

fn refusal(nic: &str) -> DeviceRefusal {
    DeviceRefusal {
        head_end_system: "ACME".to_owned(),
        nic_id: nic.to_owned(),
        verdict: Verdict::Refused,
        refusal: Refusal { number: Some(20_021), message: Some("device not found".to_owned()) },
    }
}

#[test]
fn a_program_event_is_one_stage_unless_a_deployment_says_otherwise() {
    assert_eq!(ProgramEventKey::default().choose("E-1", "S-1"), "S-1");
    assert_eq!(ProgramEventKey::Event.choose("E-1", "S-1"), "E-1");
}

#[test]
fn devices_are_refused_one_by_one_and_the_others_are_taken() {
    let body = r#"{"errors": [
        {"headEndSystem": "ACME", "nicId": "nic-1", "messageNumber": 20021, "message": "device not found"},
        {"headEndSystem": "ACME", "nicId": "nic-2", "messageNumber": "20012"},
        {"headEndSystem": "ACME", "nicId": "nic-3", "messageNumber": 20004, "message": "reserved for this stage"},
        {"headEndSystem": "ACME", "nicId": "n\u00ef\"c", "message": "no number", "more": 1}]}"#;
    let (acme, text) = ("ACME".to_owned(), str::to_owned);
    let expected = vec![
        (acme.clone(), text("nic-1"), Verdict::Refused, text("message number 20021, device not found")),
        (acme.clone(), text("nic-2"), Verdict::NotYet, text("message number 20012")),
        (acme, text("nï\"c"), Verdict::Refused, text("no number")),
    ];
    assert_eq!(refused(body), expected);
    for nothing in ["", " \n", "{}", r#"{"errors": null}"#, r#"{"errors": []}"#] {
        assert_eq!(answer(200, nothing), Answer::Taken(Vec::new()), "{nothing:?}");
    }
}

#[test]
fn the_whole_call_is_judged_by_the_message_number_of_a_400() {
    let number = |number: u32| answer(400, &format!(r#"{{"messageNumber": {number}, "message": "why"}}"#));
    let why = |number: u32| Refusal { number: Some(number), message: Some("why".to_owned()) };
    assert_eq!(number(20_011), Answer::NotYet(why(20_011)));
    assert_eq!(number(20_012), Answer::NotYet(why(20_012)));
    assert_eq!(number(20_004), Answer::AlreadyDone);
    assert_eq!(number(20_023), Answer::Refused(why(20_023)));
    assert_eq!(answer(400, "<html>"), Answer::Refused(Refusal { number: None, message: None }));
}

#[test]
fn an_answer_that_cannot_be_read_is_no_answer() {
    for status in [401, 404, 429, 500, 503] {
        assert_eq!(answer(status, ""), Answer::Unclear);
    }
    for body in ["<html>", "[]", r#"{"errors": [{"nicId": "nic-1"}]}"#, r#"{"errors": "none"}"#] {
        assert_eq!(answer(200, body), Answer::Unclear, "{body}");
    }
}

#[test]
fn each_refused_device_is_found_in_the_call() {
    let call = [("ACME", "nic-1"), ("VOLT", "nic-2"), ("ACME", "nic-2")];
    let refused = [refusal("nic-2"), refusal("nic-1"), refusal("nic-2")];
    let places = places_of(&refused, call).unwrap();
    assert_eq!(places.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [2, 0]);
    assert_eq!(
        places[0].1.fault().to_string(),
        "the program system refuses the device: message number 20021, device not found"
    );
    assert_eq!(places_of(&[refusal("nic-9")], call), Err(UnknownDevice));
}

#[test]
fn head_end_and_nic_are_read_back_from_a_key() {
    assert_eq!(device_of(&row_key(&["E-1", "S-1", "ACME", "nic-1"])), Some(("ACME", "nic-1")));
    assert_eq!(device_of(&row_key(&["ACME", "nic-1"])), Some(("ACME", "nic-1")));
    assert_eq!(device_of(b"nic-1"), None);
}
