//! The published contract is what the doors read and the template routes.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::SyncRequestId;
use domain::json::{FieldFault, Grammar, Problem, Shape, Told};
use domain::msg_ack::{Envelope, MsgAck, ResponseCode};
use flow::trigger::HttpReply;
use it::repo;
use it::template::Template;
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(&repo::text("docs/openapi.json")).unwrap()
}

#[test]
fn what_is_published_is_made_of_the_readers_as_they_are() {
    for file in contract::files() {
        let there = std::fs::read_to_string(file.place()).unwrap_or_default();
        assert!(there == file.text, "{} is not what the readers say: run `make contract`", file.path);
    }
}

#[test]
fn every_schema_is_made_of_a_reader() {
    let made: BTreeSet<_> = contract::files().into_iter().map(|file| file.path).collect();
    for flow in repo::entries("events") {
        let schema = format!("events/{flow}/schema.json");
        let there = repo::root().join(&schema).exists();
        assert!(
            !there || made.contains(&schema),
            "{flow}: {schema} is written by hand; tools/contract/src/messages.rs needs an entry that makes it"
        );
    }
}

/// Each operation, as a route key, with its scopes.
fn operations(document: &Value) -> BTreeMap<String, Value> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    operations.map(|(route, operation)| (route, operation["security"][0]["token"].clone())).collect()
}

#[test]
fn the_document_has_every_route_of_the_template_with_its_scope_and_no_other() {
    let template = Template::read();
    let routes = template.of_kind("AWS::ApiGatewayV2::Route");
    let routed: BTreeMap<_, _> = routes
        .map(|route| (route.text("RouteKey").unwrap().to_owned(), route.property("AuthorizationScopes").clone()))
        .collect();
    let told = operations(&document());
    for (route, scopes) in &routed {
        let told = told.get(route).unwrap_or_else(|| {
            panic!("docs/openapi.json lacks {route}: a message flow is an entry in tools/contract/src/messages.rs")
        });
        assert_eq!(told, scopes, "{route}");
    }
    for route in told.keys() {
        assert!(routed.contains_key(route), "docs/openapi.json has {route}, which the template does not route");
    }
    let scopes = &document()["components"]["securitySchemes"]["token"]["flows"]["clientCredentials"]["scopes"];
    let scopes: BTreeSet<_> = scopes.as_object().unwrap().keys().cloned().collect();
    let asked = routed.values().map(|scopes| scopes[0].as_str().unwrap().to_owned());
    assert_eq!(scopes, asked.collect());
}

/// How a text is read: what is wrong with it.
type Fault = fn(&str) -> Option<String>;

fn grammars(told: &[Told]) -> impl Iterator<Item = (&str, Grammar, Fault)> {
    told.iter().filter_map(|told| match told.shape {
        Shape::Grammar { grammar, fault } => Some((told.pointer.as_str(), grammar, fault)),
        _ => None,
    })
}

#[test]
fn what_a_schema_says_of_a_text_is_how_it_is_read() {
    for (flow, told) in contract::outlines() {
        assert!(!told.is_empty(), "{flow}: its reader asks for nothing");
        for (pointer, grammar, fault) in grammars(&told) {
            let at = format!("{flow} {pointer}");
            match grammar {
                Grammar::Codes(codes) => {
                    let refused = codes.iter().filter_map(|code| fault(code)).collect::<Vec<_>>();
                    assert!(refused.is_empty(), "{at}: {refused:?}");
                    let listed = fault("no such code").unwrap();
                    assert_eq!(listed, format!("is not one of {}", codes.join(", ")), "{at}");
                }
                Grammar::Id { max, .. } => {
                    assert_eq!(fault(&"x".repeat(max)), None, "{at}");
                    assert!(fault(&"x".repeat(max + 1)).is_some_and(|fault| fault.contains("at most")), "{at}");
                    assert!(fault(" x").is_some() && fault("x\ty").is_some(), "{at}");
                }
                Grammar::Like { name, about, .. } => {
                    // What it is ends in an example, where there is one.
                    let example = about.rsplit_once(": ").map(|(_, example)| example);
                    assert_eq!(example.and_then(fault), None, "{at}: {name}");
                    assert!(fault("\u{0}").is_some(), "{at}: {name} takes anything");
                }
            }
        }
    }
}

#[test]
fn ids_and_codes_are_told_of_every_message() {
    let (_, told) = contract::outlines().into_iter().find(|(flow, _)| *flow == "derms-dacs-enrollment-ack").unwrap();
    let at = |pointer: &str| told.iter().find(|told| told.pointer == pointer).unwrap();
    let Shape::Grammar { grammar: Grammar::Id { name, max, .. }, .. } = at("/dacsMessageId").shape else { panic!() };
    assert_eq!((name, max), ("SyncRequestId", SyncRequestId::MAX));
    assert!(at("/devices/0/registration").required && !at("/message").required);
}

/// Whether a schema of the document has all members of an answer, and the answer all that it requires.
fn describes(schema: &str, answer: &Value) {
    let document = document();
    let schema = &document["components"]["schemas"][schema];
    let answer = answer.as_object().unwrap();
    for name in answer.keys() {
        assert!(schema["properties"].get(name).is_some(), "{name} is not told: {schema}");
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(answer.contains_key(name.as_str().unwrap()), "{name} is not there");
    }
}

#[test]
fn answers_are_told_as_they_are_given() {
    let of = |reply: HttpReply| serde_json::from_str::<Value>(&reply.body).unwrap();
    describes("Accepted", &of(HttpReply::accepted("M-1", "c-1")));
    describes("Problem", &of(HttpReply::unavailable("c-1")));
    let fault = FieldFault { pointer: "/a".into(), reason: "is required".into() };
    describes("FieldFault", &json!(fault));
    for problem in [Problem::invalid(vec![fault]), Problem::too_large(1), Problem::other_body()] {
        describes("Problem", &of(HttpReply::problem(&problem)));
    }
    let envelope =
        Envelope { message_id: "c-1", dacs_message_id: None, ack_type: ResponseCode::Success, delivered: 0, failed: 0 };
    let ack = json!(MsgAck::new(envelope, "2026-07-01T18:00:00Z".parse().unwrap(), Vec::new()));
    describes("MsgAck", &ack);
    describes("MsgAckContent", &ack["MsgAck"]);
    describes("MsgAckResponses", &ack["MsgAck"]["responses"]);
    describes("MsgAckResponse", &ack["MsgAck"]["responses"]["response"][0]);
}
