use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A program with these rules, nothing else but what is required.
fn message(rules: &[Value]) -> Value {
    json!({
        "syncRequestId": "10000000000001", "programId": "90000001", "status": "ACTIVE", "timeZone": "America/Chicago",
        "startDate": "2026-05-01", "changeDateTime": "2026-05-01T09:00:00-05:00", "rules": rules,
    })
}

fn rule(id: &str, effective: &str) -> Value {
    json!({"ruleId": id, "ruleType": "PARTICIPATION", "effectiveDate": effective})
}

fn parse(message: &Value) -> Result<ProgramRules, Problem> {
    ProgramRules::parse(message.to_string().as_bytes())
}

/// The program 90000001 is `SUMMER-T`; weeks are `W` at the DERMS, Monday is `MO`.
fn lookups() -> Lookups {
    let mut lookups = Lookups::shipped();
    for (name, table) in [
        ("Program", "programId,programCode,programExternalIdentifier\n90000001,SUMMER T/1,PRG-1\n"),
        ("CycleFrequency", "key,value\nWEEKLY,W\n"),
        ("AllowEventDays", "key,value\nMONDAY,MO\nTUESDAY,TU\n"),
    ] {
        lookups.replace(crate::lookups::parse(name, table.as_bytes()).unwrap());
    }
    lookups
}

/// Path and body of the call.
fn sent(message: &Value) -> Result<(String, Value), String> {
    let lookups = lookups();
    let message = parse(message).unwrap();
    let request = message.request(&lookups).map_err(|miss| miss.to_string())?;
    assert_eq!(request.method, Method::Put);
    Ok((request.path.clone(), serde_json::to_value(request.body).unwrap()))
}

fn faults(message: &Value) -> Vec<String> {
    let problem = parse(message).unwrap_err();
    problem.errors.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.reason)).collect()
}

#[test]
fn a_program_reaches_the_derms_under_its_code_with_every_rule_in_the_derms_codes() {
    let mut now = rule("R-1", "2026-05-01");
    for (name, value) in [
        ("action", json!("UPDATE")),
        ("expirationDate", json!("2026-09-30")),
        ("cycleFrequency", json!("WEEKLY")),
        ("weekStart", json!("MONDAY")),
        ("participationLimit", json!(3)),
        ("participationDuration", json!("PT12H")),
        ("durationBetweenParticipation", json!("P1D")),
        ("allowedEventDays", json!(["TUESDAY", "MONDAY"])),
        ("minimumEventDuration", json!("PT1H")),
        ("maximumEventDuration", json!("PT4H")),
        ("customerOverrideLimit", json!(0)),
        ("eventCategories", json!(["X1EC"])),
    ] {
        now[name] = value;
    }
    let mut program = message(&[now, rule("R-2", "2027-01-01")]);
    program["programName"] = json!("Summer Thermostat");
    program["division"] = json!("NORTH");
    program["endDate"] = json!("2027-12-31");
    let expected = json!({
        "dacsMessageId": "10000000000001", "programId": "90000001", "programCode": "SUMMER T/1",
        "programExternalIdentifier": "PRG-1", "programName": "Summer Thermostat", "division": "NORTH",
        "timeZone": "America/Chicago", "status": "ACTIVE", "startDate": "2026-05-01", "endDate": "2027-12-31",
        "changeDateTimeISO": "2026-05-01T14:00:00.000Z",
        "rules": [
            {
                "ruleId": "R-1", "ruleType": "PARTICIPATION", "action": "UPDATE", "effectiveDate": "2026-05-01",
                "expirationDate": "2026-09-30", "cycleFrequency": "W", "weekStart": "MO", "participationLimit": 3,
                "participationDuration": "PT12H", "durationBetweenParticipation": "P1D",
                "allowedEventDays": ["TU", "MO"], "minimumEventDuration": "PT1H", "maximumEventDuration": "PT4H",
                "customerOverrideLimit": 0, "eventCategories": ["X1EC"],
            },
            {
                "ruleId": "R-2", "ruleType": "PARTICIPATION", "effectiveDate": "2027-01-01", "allowedEventDays": [],
                "eventCategories": [],
            },
        ],
    });
    assert_eq!(sent(&program), Ok(("/programs/SUMMER%20T%2F1".to_owned(), expected)));
}

#[test]
fn a_program_without_rules_says_so() {
    let mut program = message(&[]);
    program.as_object_mut().unwrap().remove("rules");
    assert_eq!(sent(&program).unwrap().1["rules"], json!([]));
}

#[test]
fn a_code_that_a_lookup_lacks_is_an_error_that_names_it() {
    let with = |name: &str, value: Value| {
        let mut rule = rule("R-1", "2026-05-01");
        rule[name] = value;
        sent(&message(&[rule])).unwrap_err()
    };
    assert_eq!(
        with("allowedEventDays", json!(["MONDAY", "FUNDAY"])),
        "lookup AllowEventDays has no entry for \"FUNDAY\""
    );
    assert_eq!(with("weekStart", json!("FRIDAY")), "lookup AllowEventDays has no entry for \"FRIDAY\"");
    assert_eq!(with("cycleFrequency", json!("DAILY")), "lookup CycleFrequency has no entry for \"DAILY\"");
    let mut program = message(&[]);
    program["programId"] = json!("7");
    assert_eq!(sent(&program).unwrap_err(), "lookup Program has no entry for \"7\"");
}

#[test]
fn the_lookups_that_ship_know_every_day_of_the_week_holidays_and_both_cycles() {
    let lookups = Lookups::shipped();
    use crate::lookups::MapName::{AllowEventDays, CycleFrequency};
    for day in ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY", "HOLIDAY"] {
        assert_eq!(lookups.translate(AllowEventDays, day), Ok(day));
    }
    for cycle in ["WEEKLY", "MONTHLY"] {
        assert_eq!(lookups.translate(CycleFrequency, cycle), Ok(cycle));
    }
}

#[test]
fn the_sync_request_identifies_a_message_and_the_program_orders_it() {
    let message = parse(&message(&[])).unwrap();
    assert_eq!((message.message_key(), message.ordering_key()), ("10000000000001".to_owned(), "90000001".to_owned()));
}

#[test]
fn a_rule_may_be_listed_for_several_spans_of_days_but_not_twice_from_one_day() {
    assert!(parse(&message(&[rule("R-1", "2026-05-01"), rule("R-1", "2027-05-01")])).is_ok());
    let twice = message(&[rule("R-1", "2026-05-01"), rule("R-2", "2026-05-01"), rule("R-1", "2026-05-01")]);
    assert_eq!(faults(&twice), ["/rules/2/ruleId is the rule of entry 0 again, from the same day"]);
}

#[test]
fn spans_that_end_before_they_begin_are_named_where_they_stand() {
    let mut backwards = rule("R-1", "2026-05-01");
    backwards["expirationDate"] = json!("2026-04-30");
    backwards["minimumEventDuration"] = json!("PT4H");
    backwards["maximumEventDuration"] = json!("PT239M");
    let mut program = message(&[backwards]);
    program["endDate"] = json!("2026-04-30");
    let expected = [
        "/endDate is before startDate",
        "/rules/0/expirationDate is before effectiveDate",
        "/rules/0/maximumEventDuration is shorter than minimumEventDuration",
    ];
    assert_eq!(faults(&program), expected);
}

proptest! {
    /// Whatever rules there are, of the past, of today or of the future: the DERMS gets each, in order, with its days.
    #[test]
    fn no_rule_is_left_out_whatever_its_dates(
        starts in prop::collection::btree_set("20(1[0-9]|2[0-9]|9[0-9])-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])", 0..20),
    ) {
        let rules: Vec<_> = starts.iter().enumerate().map(|(i, start)| rule(&format!("R-{i}"), start)).collect();
        let (_, body) = sent(&message(&rules)).unwrap();
        let seen: Vec<_> = body["rules"].as_array().unwrap().iter().map(|rule| (&rule["ruleId"], &rule["effectiveDate"])).collect();
        let wanted: Vec<_> = rules.iter().map(|rule| (&rule["ruleId"], &rule["effectiveDate"])).collect();
        prop_assert_eq!(seen, wanted);
    }
}
