use std::time::Duration;

use bytes::Bytes;
use flow::ledger::run::{Phase, Run, RunId, RunState};
use flow::memory::{REJECTS, World};
use flow::ports::{Deposited, Destination, Link, Metadata, ObjectRef, Source, Write};
use flow::suite::Stranger;
use flow::trigger::HttpReply;
use serde_json::{Value, json};

use super::*;

const OUTBOX: &str = "derms-outbox";
const CSV: &str = "servicePointId,transformerId\nSP1,T1\n";
const NETWORK: &str = "/v1/derms/network-location";
const UPLOADS: &str = "/v1/derms/network-location/uploads";
const ENVELOPE: &str = r#"{"messageId": "M-1", "recordCount": 1}"#;

struct Door {
    world: World,
    intake: Intake,
}

impl Door {
    fn new() -> Self {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        let intake = Intake {
            outbox: Outbox {
                bucket: OUTBOX.into(),
                depot: Arc::new(world.objects.outlet(OUTBOX)),
                source: Arc::new(world.objects.clone()),
            },
            rejects: Arc::new(world.objects.outlet(REJECTS)),
            ledger: world.ledger(),
            telemetry: Arc::new(world.reports.clone()),
            clock: Arc::new(world.clock.clone()),
        };
        Self { world, intake }
    }

    async fn ask(&self, request: HttpRequest) -> HttpReply {
        match self.intake.handle(Trigger::Http(request), self.world.invocation("one")).await.unwrap() {
            Reply::Http(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    async fn post(&self, envelope: &str, csv: &str) -> HttpReply {
        self.ask(form(NETWORK, &[("application/json", envelope), ("text/csv", csv)])).await
    }

    async fn get(&self, run: &str, query: &[(&str, &str)]) -> HttpReply {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.ask(HttpRequest { query, ..request(&format!("/v1/derms/rejects/{run}"), "") }).await
    }

    /// The keys of the outbox, and how many versions they have together.
    fn stored(&self) -> (Vec<String>, usize) {
        let keys = self.world.objects.keys(OUTBOX);
        let versions = keys.iter().map(|key| self.world.objects.versions(OUTBOX, key).len()).sum();
        (keys, versions)
    }

    async fn metadata(&self, key: &str) -> Metadata {
        let object = ObjectRef { bucket: OUTBOX.into(), key: key.into(), version: None };
        self.world.objects.head(&object).await.unwrap().unwrap().metadata
    }
}

fn request(path: &str, body: impl Into<Bytes>) -> HttpRequest {
    HttpRequest {
        body: body.into(),
        content_type: Some("application/json".into()),
        request_id: "request".into(),
        correlation: "c-1".into(),
        path: path.into(),
        query: Default::default(),
        claims: Default::default(),
    }
}

/// A form whose parts have these media types.
fn form(path: &str, parts: &[(&str, &str)]) -> HttpRequest {
    let mut body = String::new();
    for (kind, content) in parts {
        body +=
            &format!("--b\r\nContent-Disposition: form-data; name=\"p\"\r\nContent-Type: {kind}\r\n\r\n{content}\r\n");
    }
    let content_type = Some("multipart/form-data; boundary=b".into());
    HttpRequest { content_type, ..request(path, body + "--b--\r\n") }
}

fn json_of(reply: &HttpReply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

fn faults(reply: &HttpReply) -> Vec<String> {
    let problem = json_of(reply);
    assert_eq!((reply.status, reply.content_type), (400, Problem::MEDIA_TYPE), "{problem}");
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap().iter();
    errors.map(|fault| format!("{} {}", text(fault, "pointer"), text(fault, "reason"))).collect()
}

#[tokio::test]
async fn a_posted_file_lies_in_the_outbox_with_its_envelope_under_its_message_id() {
    let door = Door::new();
    let reply = door.post(ENVELOPE, CSV).await;
    assert_eq!(reply.status, 202);
    assert_eq!(json_of(&reply), json!({"messageKey": "M-1", "status": "ACCEPTED", "correlationId": "c-1"}));
    assert_eq!(door.world.objects.bytes(OUTBOX, "network-location/M-1.csv").unwrap(), CSV);
    let expected = [("message-id", "M-1"), ("record-count", "1"), ("correlation-id", "c-1")];
    let expected: Metadata = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(door.metadata("network-location/M-1.csv").await, expected);
    assert_eq!(door.world.reports.all().last().unwrap().outcome, "accepted");
}

#[tokio::test]
async fn the_same_body_again_is_stored_once_and_another_is_refused() {
    let door = Door::new();
    assert_eq!(door.post(ENVELOPE, CSV).await.status, 202);
    let spelled_otherwise = r#"{"recordCount":1,"messageId":"M-1","unknown":true}"#;
    let again = form(NETWORK, &[("text/csv", CSV), ("application/json", spelled_otherwise)]);
    let again = door.ask(HttpRequest { correlation: "c-2".into(), ..again }).await;
    assert_eq!((again.status, &json_of(&again)["correlationId"]), (202, &json!("c-2")));
    let shorter = CSV.trim_end();
    let same_length = CSV.replace("T1", "T2");
    for csv in [shorter, &same_length, &format!("{CSV}SP2,T1\n"), ""] {
        let other = door.post(ENVELOPE, csv).await;
        assert_eq!((other.status, &json_of(&other)["type"]), (422, &json!("urn:problem:key-already-used")), "{csv}");
    }
    for envelope in [r#"{"messageId": "M-1"}"#, r#"{"messageId": "M-1", "recordCount": 2}"#] {
        assert_eq!(door.post(envelope, CSV).await.status, 422, "{envelope}");
    }
    assert_eq!(door.stored(), (vec!["network-location/M-1.csv".into()], 1));
}

#[tokio::test]
async fn a_file_without_a_message_id_is_known_by_its_content() {
    let door = Door::new();
    let first = json_of(&door.post("{}", CSV).await)["messageKey"].clone();
    assert_eq!(json_of(&door.post("{}", CSV).await)["messageKey"], first);
    assert_ne!(json_of(&door.post("{}", &CSV.replace("T1", "T2")).await)["messageKey"], first);
    let (keys, versions) = door.stored();
    assert_eq!((keys.len(), versions), (2, 2));
    assert!(keys.contains(&format!("network-location/{}.csv", first.as_str().unwrap())), "{keys:?}");
    assert_eq!(door.metadata(&keys[0]).await.get("message-id"), None, "its run names it");
}

#[tokio::test]
async fn one_message_id_may_name_files_of_two_subjects() {
    let door = Door::new();
    assert_eq!(door.post(ENVELOPE, CSV).await.status, 202);
    let parts = [("application/json", ENVELOPE), ("text/csv", "recordId\n1\n")];
    assert_eq!(door.ask(form("/v1/derms/device-outcome", &parts)).await.status, 202);
    assert_eq!(door.stored().1, 2);
}

#[tokio::test]
async fn an_uploaded_file_lies_there_as_a_posted_one_does() {
    let (door, posted) = (Door::new(), Door::new());
    let offer = door.ask(request(UPLOADS, ENVELOPE)).await;
    let offered = json_of(&offer);
    assert_eq!((offer.status, &offered["method"], &offered["messageKey"]), (200, &json!("PUT"), &json!("M-1")));
    assert_eq!(offered["expires"], "2026-07-01T10:15:00Z");
    assert!(offer.headers.contains(&("cache-control", "no-store".into())));
    assert_eq!(door.stored().1, 0, "nothing is there before the file");
    let link = Link {
        url: offered["url"].as_str().unwrap().into(),
        headers: serde_json::from_value(offered["headers"].clone()).unwrap(),
        expires: offered["expires"].as_str().unwrap().parse().unwrap(),
    };
    assert_eq!(door.world.objects.upload(&link, CSV.into()).await.unwrap(), 200);
    assert_eq!(posted.post(ENVELOPE, CSV).await.status, 202);
    let key = "network-location/M-1.csv";
    assert_eq!(door.stored(), posted.stored());
    assert_eq!(door.metadata(key).await, posted.metadata(key).await);
    assert_eq!(door.post(ENVELOPE, CSV).await.status, 202, "posted again, it is the same");
    assert_eq!(door.post(ENVELOPE, "another").await.status, 422);
}

#[tokio::test]
async fn what_is_stored_is_not_uploaded_again() {
    let door = Door::new();
    assert_eq!(door.post(ENVELOPE, CSV).await.status, 202);
    let again = door.ask(request(UPLOADS, ENVELOPE)).await;
    assert_eq!((again.status, &json_of(&again)["status"]), (202, &json!("ACCEPTED")));
    assert_eq!(door.ask(request(UPLOADS, r#"{"messageId": "M-1"}"#)).await.status, 422);
}

#[tokio::test]
async fn every_fault_of_form_and_envelope_is_named_and_nothing_is_stored() {
    let door = Door::new();
    let csv = ("text/csv", CSV);
    let json = |text| ("application/json", text);
    let of = async |parts: &[(&str, &str)]| faults(&door.ask(form(NETWORK, parts)).await).join("; ");
    let wrong = r#"{"messageId": 7, "recordCount": -1}"#;
    assert_eq!(
        of(&[json(wrong)]).await,
        "/file is required; /envelope/messageId is a number where text is expected; \
         /envelope/recordCount is not a whole number of rows"
    );
    assert_eq!(of(&[]).await, "/envelope is required; /file is required");
    assert_eq!(of(&[csv]).await, "/envelope is required");
    assert_eq!(of(&[json("{}"), csv, csv]).await, "/file occurs more than once");
    assert_eq!(of(&[json("{}"), json("{}"), csv]).await, "/envelope occurs more than once");
    assert_eq!(of(&[json("{"), csv]).await, "/envelope is truncated: it ends at line 1 column 1");
    let refused = door.ask(form("/v1/derms/device-reservation", &[("application/json", ENVELOPE), csv])).await;
    assert_eq!(faults(&refused).len(), 5, "{}", refused.body);
    let whole = form(NETWORK, &[("application/json", "{}"), csv]);
    let broken = HttpRequest { body: whole.body.slice(..whole.body.len() - 6), ..whole };
    assert_eq!(faults(&door.ask(broken).await), [" is no form, or breaks off in the middle"]);
    assert_eq!(faults(&door.ask(request(UPLOADS, "{}")).await), ["/messageId is required of a file that is uploaded"]);
    assert_eq!(door.stored().1, 0);
}

#[tokio::test]
async fn parts_are_told_apart_by_name_where_they_have_no_type() {
    let door = Door::new();
    let part =
        |name: &str, content: &str| format!("--b\r\nContent-Disposition: form-data; {name}\r\n\r\n{content}\r\n");
    let body = part("name=\"envelope\"", ENVELOPE) + &part("name=\"file\"; filename=\"f.csv\"", CSV) + "--b--\r\n";
    let content_type = Some("multipart/form-data; boundary=\"b\"".into());
    assert_eq!(door.ask(HttpRequest { content_type, ..request(NETWORK, body) }).await.status, 202);
    assert_eq!(door.world.objects.bytes(OUTBOX, "network-location/M-1.csv").unwrap(), CSV);
}

#[tokio::test]
async fn what_is_no_form_is_415_and_what_is_no_route_404() {
    let door = Door::new();
    for content_type in [None, Some("application/json"), Some("multipart/form-data"), Some("text/csv")] {
        let content_type = content_type.map(str::to_owned);
        let reply = door.ask(HttpRequest { content_type, ..request(NETWORK, ENVELOPE) }).await;
        assert_eq!((reply.status, reply.content_type), (415, Problem::MEDIA_TYPE));
    }
    for path in ["/v1/derms/device-score", "/v1/derms/network-location/x", "/v1/dacs/network-location", "/", ""] {
        assert_eq!(door.ask(request(path, ENVELOPE)).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn above_four_megabytes_the_answer_says_how_to_upload() {
    let door = Door::new();
    let reply = door.post(ENVELOPE, &"x".repeat(FORM_LIMIT)).await;
    assert_eq!((reply.status, reply.content_type), (413, Problem::MEDIA_TYPE));
    assert!(json_of(&reply)["detail"].as_str().unwrap().contains(UPLOADS), "{}", reply.body);
    assert_eq!(door.stored().1, 0);
    let just = door.post(ENVELOPE, &"x".repeat(FORM_LIMIT - 400)).await;
    assert_eq!(just.status, 202);
}

/// A settled run of a flow over a file of which one row was rejected, and its reject files.
async fn with_rejects(door: &Door, flow: &str) -> Run {
    let source = door.world.objects.put(OUTBOX, "network-location/f.csv", CSV);
    let id = RunId::of(flow, &source);
    let mut run: Run = serde_json::from_value(json!({
        "id": id, "source": source, "size": 1, "etag": "", "envelope": {}, "place": "p", "correlation": "c",
        "registered": "2026-07-01T10:00:00Z", "late": false, "state": RunState::Delivered, "lease": null,
        "phase": Phase::Settle(RunState::Delivered), "attempt": 1, "idle_attempts": 0, "first_turn": null,
        "lookups": {}, "head": null, "position": {"offset": 0, "line": 1}, "parts": 0, "upload": null,
        "counts": {"rows": 1, "delivered": 0, "repeated": 0, "superseded": 0, "rejected": 1, "undelivered": 0},
        "pieces": {"count": 0, "written_by": []}, "parent": null, "in_order": true, "resume": null,
        "superseded_by": null, "reason": null, "ended": null,
    }))
    .unwrap();
    run.pieces.add(1);
    for kind in ["rows", "reasons"] {
        door.world.objects.put(REJECTS, &format!("{flow}/f.csv.{id}.{kind}.csv"), kind);
    }
    let write = Write::put(Run::key(flow, &id), &run, None, None).unwrap();
    door.world.ledger().commit(&[write]).await.unwrap();
    run
}

async fn fetched(door: &Door, reply: &HttpReply) -> Bytes {
    assert_eq!(reply.status, 302, "{}", reply.body);
    let url = reply.headers.iter().find(|(name, _)| *name == "location").unwrap().1.clone();
    let expires = json_of(reply)["expires"].as_str().unwrap().parse().unwrap();
    door.world.objects.download(&Link { url, headers: Default::default(), expires }).await.unwrap().1
}

#[tokio::test]
async fn the_rejects_of_a_run_are_found_by_its_id() {
    let door = Door::new();
    for subject in Subject::ALL {
        let run = with_rejects(&door, subject.flow()).await.id.to_string();
        assert_eq!(fetched(&door, &door.get(&run, &[]).await).await, "reasons");
        assert_eq!(fetched(&door, &door.get(&run, &[("file", "rows")]).await).await, "rows");
        let wrong = door.get(&run, &[("file", "all")]).await;
        assert_eq!(faults(&wrong), ["/file is neither reasons nor rows"]);
    }
}

#[tokio::test]
async fn what_is_no_run_of_the_derms_or_has_no_rejects_is_404() {
    let door = Door::new();
    let foreign = with_rejects(&door, "dacs-derms-device-score").await.id.to_string();
    for run in [foreign.as_str(), "0123456789abcdef0123", "x", "", "../../secret"] {
        assert_eq!(door.get(run, &[]).await.status, 404, "{run}");
    }
    let mut run = with_rejects(&door, "derms-dacs-network-location").await;
    let key = Run::key("derms-dacs-network-location", &run.id);
    for (seen, state, pieces) in [(1, RunState::Working, true), (2, RunState::Delivered, false)] {
        run.state = state;
        run.pieces.count = u32::from(pieces);
        let write = Write::put(key.clone(), &run, Some(seen), None).unwrap();
        door.world.ledger().commit(&[write]).await.unwrap();
        assert_eq!(door.get(&run.id.to_string(), &[]).await.status, 404, "{state:?}");
    }
}

/// An outbox that takes nothing.
struct Down;

#[async_trait::async_trait]
impl Depot for Down {
    async fn deposit(&self, _: &Destination, _: Bytes) -> Result<Deposited, Transient> {
        Err(Transient::new("the store is down"))
    }

    async fn upload_link(&self, _: &Destination, _: Duration) -> Result<Link, Transient> {
        Err(Transient::new("the store is down"))
    }

    async fn download_link(&self, _: &str, _: Duration) -> Result<Link, Transient> {
        Err(Transient::new("the store is down"))
    }
}

#[tokio::test]
async fn what_cannot_be_stored_now_is_answered_503_and_to_be_sent_again() {
    let mut door = Door::new();
    door.intake.outbox.depot = Arc::new(Down);
    for reply in [door.post(ENVELOPE, CSV).await, door.ask(request(UPLOADS, ENVELOPE)).await] {
        assert_eq!((reply.status, reply.content_type), (503, Problem::MEDIA_TYPE));
        assert!(reply.headers.contains(&("retry-after", "5".into())));
    }
    let report = door.world.reports.all().pop().unwrap();
    assert_eq!((report.outcome, report.reason.as_deref()), ("failed", Some("the store is down")));
}
