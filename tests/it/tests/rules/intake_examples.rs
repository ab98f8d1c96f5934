//! Every request of `events/file-intake` goes through the door for files as it is deployed, over the in-memory ports:
//! refused with exactly the faults that `expected.csv` lists, or stored, and then taken by its flow.

use std::collections::BTreeSet;
use std::sync::Arc;

use derms_dacs_network_location as network;
use domain::envelope::FileEnvelope;
use domain::json::Problem;
use domain::reservation::Envelope;
use file_intake::{Intake, NAME, Outbox};
use flow::memory::{REJECTS, World};
use flow::ports::{ObjectMeta, Source};
use flow::trigger::{HttpReply, HttpRequest, Reply, Trigger};
use it::examples::{self, Example};
use it::repo;
use serde_json::Value;

const OUTBOX: &str = "derms-outbox";
const INBOX: &str = "dacs-inbox";

/// What a `.http` file says: a request line, headers, an empty line, the body.
fn request(bytes: &[u8]) -> HttpRequest {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let header = headers.strip_prefix("Content-Type: ").unwrap();
    HttpRequest {
        body: bytes[end + 4..].to_vec().into(),
        content_type: Some(header.to_owned()),
        request_id: "request".into(),
        correlation: "c-1".into(),
        path: line.strip_prefix("POST ").unwrap().to_owned(),
        query: Default::default(),
        claims: Default::default(),
    }
}

async fn ask(world: &World, request: HttpRequest) -> HttpReply {
    let source = Arc::new(world.objects.clone());
    let intake = Intake {
        outbox: Outbox { bucket: OUTBOX.into(), depot: Arc::new(world.objects.outlet(OUTBOX)), source },
        rejects: Arc::new(world.objects.outlet(REJECTS)),
        ledger: world.ledger(),
        telemetry: Arc::new(world.reports.clone()),
        clock: Arc::new(world.clock.clone()),
    };
    match intake.handle(Trigger::Http(request), world.invocation("one")).await.unwrap() {
        Reply::Http(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn world() -> World {
    World::new("2026-07-01T10:00:00Z".parse().unwrap())
}

fn of_kind(kind: &str) -> impl Iterator<Item = Example> {
    examples::of(NAME).into_iter().filter(move |example| example.name.starts_with(kind))
}

#[tokio::test]
async fn every_invalid_request_is_refused_with_each_fault_and_leaves_nothing_behind() {
    let mut expected = examples::expected(NAME);
    for Example { name, bytes } in of_kind("invalid-") {
        let world = world();
        let reply = ask(&world, request(&bytes)).await;
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(reply.content_type, Problem::MEDIA_TYPE, "{name}");
        let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
        let faults = problem["errors"].as_array().into_iter().flatten();
        let mut seen: BTreeSet<_> =
            faults.map(|fault| vec![reply.status.to_string(), text(fault, "pointer"), text(fault, "reason")]).collect();
        if seen.is_empty() {
            seen.insert(vec![reply.status.to_string(), String::new(), text(&problem, "title")]);
        }
        let listed: BTreeSet<_> = expected.remove(&name).unwrap_or_default().into_iter().collect();
        assert_eq!(seen, listed, "{name}");
        assert!(world.objects.keys(OUTBOX).is_empty(), "{name}: something was stored");
    }
    assert!(expected.is_empty(), "listed but not there: {:?}", expected.keys());
}

/// The object that a request left in the outbox: its key and what is known of it.
async fn stored(world: &World) -> (String, ObjectMeta) {
    let key = world.objects.keys(OUTBOX).pop().unwrap();
    let object = world.objects.versions(OUTBOX, &key).pop().unwrap();
    (key, world.objects.head(&object).await.unwrap().unwrap())
}

#[tokio::test]
async fn every_valid_form_is_stored_as_its_flow_reads_it_and_every_valid_upload_gets_a_link() {
    for Example { name, bytes } in of_kind("valid-") {
        let (world, request) = (world(), request(&bytes));
        let (path, uploads) = (request.path.clone(), request.path.ends_with("/uploads"));
        let reply = ask(&world, request.clone()).await;
        assert_eq!(reply.status, if uploads { 200 } else { 202 }, "{name}: {}", reply.body);
        assert_eq!(ask(&world, request).await.status, reply.status, "{name}: the same again");
        if uploads {
            assert!(world.objects.keys(OUTBOX).is_empty(), "{name}");
            continue;
        }
        let (key, meta) = stored(&world).await;
        assert!(format!("/v1/derms/{key}").starts_with(&format!("{path}/")), "{name}: {key}");
        let answered: Value = serde_json::from_str(&reply.body).unwrap();
        let id = if path.ends_with("/device-reservation") {
            Some(Envelope::from_metadata(&meta.metadata).unwrap().message_id)
        } else {
            FileEnvelope::from_metadata(&meta.metadata).unwrap().message_id
        };
        let id = id.map_or_else(|| answered["messageKey"].as_str().unwrap().to_owned(), |id| id.to_string());
        assert_eq!(
            (answered["messageKey"].as_str(), key.ends_with(&format!("/{id}.csv"))),
            (Some(&*id), true),
            "{name}"
        );
        assert_eq!(meta.metadata["correlation-id"], "c-1", "{name}");
    }
}

#[tokio::test]
async fn a_posted_network_location_file_reaches_dacs_as_a_dropped_one_does() {
    for Example { name, bytes } in of_kind("valid-network-location") {
        let world = world();
        assert_eq!(ask(&world, request(&bytes)).await.status, 202);
        let key = stored(&world).await.0;
        let object = world.objects.versions(OUTBOX, &key).pop().unwrap();
        let flow = world.to_file_flow(network::NAME, network::LOOKUPS, network::open, INBOX);
        let trigger = Trigger::Queue(vec![world.notification(&object)]);
        let reply = flow.handle(trigger, world.invocation("flow")).await.unwrap();
        assert_eq!(reply, Reply::Batch { failed: vec![] }, "{name}");
        assert_eq!(world.objects.bytes(INBOX, &key), world.objects.bytes(OUTBOX, &key), "{name}");
        let run = world.run(network::NAME, &object).unwrap();
        assert_eq!((run.counts.rejected, run.correlation.as_str()), (0, "c-1"), "{name}");
    }
}

#[test]
fn the_trigger_carries_the_first_example_as_the_gateway_would() {
    let trigger: Value = serde_json::from_str(&repo::text(format!("events/{NAME}/trigger.json"))).unwrap();
    let example = of_kind("valid-network-location.http").next().unwrap();
    let example = request(&example.bytes);
    assert_eq!(trigger["rawPath"], example.path);
    assert_eq!(trigger["headers"]["content-type"].as_str(), example.content_type.as_deref());
    assert_eq!(trigger["isBase64Encoded"], true);
    let body = base64_of(&example.body);
    assert_eq!(trigger["body"], body);
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
