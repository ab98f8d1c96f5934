use super::*;
use serde_json::{Value, json};

/// An aggregator with all that the contract knows.
fn message() -> Value {
    json!({
        "syncRequestId": "10000000000001", "action": "ADD", "aggregatorId": "AGG-7", "name": "Bright Homes",
        "headEndSystem": "HES-NORTH", "status": "ACTIVE", "effectiveDate": "2026-05-01", "expirationDate": "2028-04-30",
        "changeDateTime": "2026-04-20T09:00:00-05:00",
        "contact": {"name": "Operations", "email": "ops@bright.example", "phone": "+1 555 0100"},
        "assetTypes": ["THERMOSTAT"], "programCodes": ["SUMMER-T"],
        "gateway": {
            "connectionName": "bright-1", "protocol": "OPENADR3", "endpointUrl": "https://vtn.bright.example:8443/oadr",
            "credentialRef": "derms/aggregators/bright", "caRef": "derms/ca/bright", "timeZone": "America/Denver",
        },
    })
}

fn parse(message: &Value) -> Result<Aggregator, Problem> {
    Aggregator::parse(message.to_string().as_bytes())
}

fn faults(message: &Value) -> Vec<String> {
    let problem = parse(message).unwrap_err();
    problem.errors.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.reason)).collect()
}

#[test]
fn an_aggregator_reaches_the_derms_with_the_derms_code_of_its_head_end() {
    let mut lookups = Lookups::default();
    lookups.replace(crate::lookups::parse("HeadEndSystem", b"key,value\nHES-NORTH,NORTH\n").unwrap());
    let message = parse(&message()).unwrap();
    let request = message.request(&lookups).unwrap();
    assert_eq!((request.method, request.path.as_str()), (Method::Put, "/aggregators/AGG-7"));
    let expected = json!({
        "dacsMessageId": "10000000000001", "action": "ADD", "aggregatorId": "AGG-7", "name": "Bright Homes",
        "headEndSystem": "NORTH", "status": "ACTIVE", "effectiveDate": "2026-05-01", "expirationDate": "2028-04-30",
        "changeDateTimeISO": "2026-04-20T14:00:00.000Z",
        "contact": {"name": "Operations", "email": "ops@bright.example", "phone": "+1 555 0100"},
        "assetTypes": ["THERMOSTAT"], "programCodes": ["SUMMER-T"],
        "gateway": {
            "connectionName": "bright-1", "protocol": "OPENADR3", "endpointUrl": "https://vtn.bright.example:8443/oadr",
            "credentialRef": "derms/aggregators/bright", "caRef": "derms/ca/bright", "timeZone": "America/Denver",
        },
    });
    assert_eq!(serde_json::to_value(request.body).unwrap(), expected);
    assert_eq!(message.request(&Lookups::default()).unwrap_err().lookup, "HeadEndSystem");
}

#[test]
fn the_sync_request_identifies_a_message_and_the_aggregator_orders_it() {
    let message = parse(&message()).unwrap();
    assert_eq!((message.message_key(), message.ordering_key()), ("10000000000001".to_owned(), "AGG-7".to_owned()));
}

#[test]
fn a_member_that_looks_like_a_secret_is_refused_wherever_it_stands() {
    let why = "looks like a secret; give a reference, such as credentialRef";
    for (place, name, pointer) in [
        ("/gateway", "password", "/gateway/password"),
        ("/gateway", "client_Secret", "/gateway/client_Secret"),
        ("/gateway", "credential", "/gateway/credential"),
        ("/contact", "apiKey", "/contact/apiKey"),
        ("", "Bearer/Token", "/Bearer~1Token"),
    ] {
        let mut message = message();
        message.pointer_mut(place).unwrap()[name] = json!("hunter2");
        assert_eq!(faults(&message), [format!("{pointer} {why}")]);
    }
    let mut nested = message();
    nested["gateways"] = json!([{"auth": {"private-key": {"pem": "…"}}}]);
    assert_eq!(faults(&nested), [format!("/gateways/0/auth/private-key {why}")]);
    let mut empty = message();
    empty["gateway"]["password"] = json!(null);
    assert!(parse(&empty).is_ok(), "there is nothing in it");
}

#[test]
fn a_reference_that_is_a_key_and_an_address_with_a_user_are_refused() {
    let with = |name: &str, value: &str| {
        let mut message = message();
        message["gateway"][name] = json!(value);
        faults(&message)
    };
    let key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----";
    assert_eq!(
        with("credentialRef", key),
        ["/gateway/credentialRef is a key or a certificate, not a reference to one"]
    );
    assert_eq!(with("caRef", "my ca"), ["/gateway/caRef is not a name of at most 254 characters without white space"]);
    let user = "https://bright:hunter2@vtn.example/";
    assert_eq!(with("endpointUrl", user), ["/gateway/endpointUrl names a user; give a reference as credentialRef"]);
    let why = "/gateway/endpointUrl is not a URL such as https://gateway.example:8443/oadr";
    for nothing in ["vtn.example", "://vtn.example", "https://", "https:///oadr"] {
        assert_eq!(with("endpointUrl", nothing), [why], "{nothing}");
    }
}

#[test]
fn an_aggregator_without_a_gateway_or_contact_is_taken() {
    let mut message = message();
    for name in ["gateway", "contact", "assetTypes", "programCodes", "expirationDate"] {
        message.as_object_mut().unwrap().remove(name);
    }
    let lookups = Lookups::shipped();
    let message = parse(&message).unwrap();
    let body = serde_json::to_value(message.request(&lookups).unwrap().body).unwrap();
    assert_eq!((body.get("gateway"), &body["programCodes"]), (None, &json!([])));
}

#[test]
fn every_code_of_a_program_that_is_wrong_is_named() {
    let mut message = message();
    message["programCodes"] = json!(["SUMMER-T", "", 7, " EV", "x".repeat(121)]);
    let expected = [
        "/programCodes/1 is empty",
        "/programCodes/2 is a number where text is expected",
        "/programCodes/3 begins or ends with white space",
        "/programCodes/4 has 121 characters, at most 120 are allowed",
    ];
    assert_eq!(faults(&message), expected);
}
