//! Files over HTTP: posted, uploaded, and what was rejected of them fetched; each goes through the flow of its subject.

use std::collections::BTreeMap;

use aws_sdk_s3::error::ProvideErrorMetadata;
use bytes::Bytes;
use flow::ledger::run::{Run, RunState};
use flow::ports::ObjectRef;
use it::repo;
use serde_json::{Value, json};

use crate::support::{Platform, config, eventually, unique};

const NETWORK: &str = "derms-dacs-network-location";
const RESERVATION: &str = "derms-dacs-device-reservation";
const ROUTE: &str = "/v1/derms/network-location";

/// The DERMS: it has a token for our API, and follows no redirect by itself.
struct Derms<'a> {
    platform: &'a Platform,
    token: String,
    web: reqwest::Client,
}

impl<'a> Derms<'a> {
    async fn of(platform: &'a Platform) -> Self {
        let web = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { platform, token: platform.token("derms").await, web }
    }

    fn call(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.web.request(method, format!("{}{path}", self.platform.fact("apiUrl"))).bearer_auth(&self.token)
    }

    async fn post(&self, path: &str, envelope: &Value, file: impl Into<Vec<u8>>) -> (u16, Value) {
        let part = |bytes: Vec<u8>, kind: &str| reqwest::multipart::Part::bytes(bytes).mime_str(kind).unwrap();
        let form = reqwest::multipart::Form::new()
            .part("envelope", part(envelope.to_string().into(), "application/json"))
            .part("file", part(file.into(), "text/csv").file_name("file.csv"));
        read(self.call(reqwest::Method::POST, path).multipart(form).send().await.unwrap()).await
    }

    async fn ask_to_upload(&self, envelope: &Value) -> (u16, Value) {
        let request = self.call(reqwest::Method::POST, &format!("{ROUTE}/uploads")).body(envelope.to_string());
        read(request.header("content-type", "application/json").send().await.unwrap()).await
    }

    /// Makes the request of an offer, with some headers replaced.
    async fn put(&self, offer: &Value, replaced: &[(&str, &str)], file: impl Into<Bytes>) -> u16 {
        let headers: BTreeMap<String, String> = serde_json::from_value(offer["headers"].clone()).unwrap();
        let mut request = self.web.put(offer["url"].as_str().unwrap()).body(file.into());
        for (name, value) in &headers {
            let value =
                replaced.iter().find(|(replaced, _)| replaced == name).map_or(value.as_str(), |(_, value)| value);
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// What a route of rejects leads to.
    async fn rejects(&self, run: &Run, query: &str) -> Bytes {
        let path = format!("/v1/derms/rejects/{}{query}", run.id);
        let answer = self.call(reqwest::Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{:?}", answer.text().await);
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        self.web.get(location).send().await.unwrap().bytes().await.unwrap()
    }
}

async fn read(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn example(flow: &str, name: &str) -> Vec<u8> {
    std::fs::read(repo::root().join(format!("events/{flow}/examples/{name}"))).unwrap()
}

/// The newest version of what lies under a key of the DERMS's outbox.
async fn stored(platform: &Platform, key: &str) -> ObjectRef {
    let bucket = platform.output("DermsOutboxBucket").to_owned();
    let head = platform.s3.head_object().bucket(&bucket).key(key).send().await.unwrap();
    ObjectRef { bucket, key: key.to_owned(), version: head.version_id }
}

#[tokio::test]
async fn a_posted_file_reaches_dacs_once_and_another_under_its_name_is_refused() {
    let platform = Platform::here().await;
    let (derms, id, file) = (Derms::of(&platform).await, unique(), example(NETWORK, "valid-initial-load.csv"));
    let envelope = json!({"drmsInstanceId": "Leitstelle Süd", "messageId": format!("Netz 計 {id}"), "recordCount": 3});
    let (status, answer) = derms.post(ROUTE, &envelope, file.clone()).await;
    assert_eq!((status, &answer["messageKey"]), (202, &envelope["messageId"]), "{answer}");
    let key = format!("network-location/Netz 計 {id}.csv");
    let object = stored(&platform, &key).await;
    let run = platform.settled(NETWORK, &object, 60).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 3), "{:?}", run.reason);
    assert_eq!(run.envelope["message-id"], envelope["messageId"].as_str().unwrap());
    assert_eq!(json!(run.correlation), answer["correlationId"]);
    assert_eq!(platform.bytes(platform.output("DacsInboxBucket"), &key).await.unwrap(), file);

    assert_eq!(derms.post(ROUTE, &envelope, file.clone()).await.0, 202, "the same again");
    let (status, problem) = derms.post(ROUTE, &envelope, example(NETWORK, "valid-incremental.csv")).await;
    assert_eq!((status, &problem["type"]), (422, &json!("urn:problem:key-already-used")), "{problem}");
    assert_eq!(platform.versions(&object.bucket, &key).await, 1);
}

#[tokio::test]
async fn an_uploaded_file_reaches_dacs_once_and_only_with_its_envelope() {
    let platform = Platform::here().await;
    let (derms, id, file) = (Derms::of(&platform).await, unique(), example(NETWORK, "valid-incremental.csv"));
    let envelope = json!({"messageId": format!("größe-{id}")});
    let (status, offer) = derms.ask_to_upload(&envelope).await;
    assert_eq!((status, &offer["messageKey"]), (200, &envelope["messageId"]), "{offer}");
    assert_eq!(derms.put(&offer, &[("x-amz-meta-message-id", "another")], file.clone()).await, 403);
    assert_eq!(derms.put(&offer, &[("if-none-match", "\"x\"")], file.clone()).await, 403);
    assert_eq!(derms.put(&offer, &[], file.clone()).await, 200);
    assert_eq!(derms.put(&offer, &[], example(NETWORK, "valid-initial-load.csv")).await, 412, "it is there");

    let key = format!("network-location/größe-{id}.csv");
    let object = stored(&platform, &key).await;
    let run = platform.settled(NETWORK, &object, 60).await;
    assert_eq!(run.state, RunState::Delivered, "{:?}", run.reason);
    assert_eq!(run.envelope["message-id"], envelope["messageId"].as_str().unwrap());
    assert_eq!(json!(run.correlation), offer["correlationId"]);
    assert_eq!(platform.bytes(platform.output("DacsInboxBucket"), &key).await.unwrap(), file);
    assert_eq!(derms.ask_to_upload(&envelope).await.0, 202, "nothing is left to upload");
    assert_eq!(derms.ask_to_upload(&json!({"messageId": envelope["messageId"], "recordCount": 7})).await.0, 422);
}

#[tokio::test]
async fn what_was_rejected_of_a_posted_file_is_fetched_by_its_run() {
    let platform = Platform::here().await;
    let (derms, id) = (Derms::of(&platform).await, unique());
    let file = example(NETWORK, "invalid-several-rows.csv");
    assert_eq!(derms.post(ROUTE, &json!({"messageId": id}), file).await.0, 202);
    let object = stored(&platform, &format!("network-location/{id}.csv")).await;
    let run = platform.settled(NETWORK, &object, 60).await;
    let (rows, reasons) = platform.rejects(NETWORK, &run).await;
    assert_eq!(derms.rejects(&run, "").await, reasons.unwrap());
    assert_eq!(derms.rejects(&run, "?file=rows").await, rows.unwrap());
    let unknown = derms.call(reqwest::Method::GET, "/v1/derms/rejects/0123456789abcdef0123").send().await.unwrap();
    assert_eq!(
        (unknown.status().as_u16(), unknown.headers()["content-type"].to_str().unwrap()),
        (404, "application/problem+json")
    );
    let others = platform.token("dacs").await;
    for token in [None, Some(others)] {
        let path = format!("{}/v1/derms/rejects/{}", platform.fact("apiUrl"), run.id);
        let mut request = derms.web.get(path);
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        assert_eq!(request.send().await.unwrap().status(), if token.is_some() { 403 } else { 401 });
    }
}

#[tokio::test]
async fn a_posted_reservation_is_a_run_for_its_stage() {
    let platform = Platform::here().await;
    let (derms, id) = (Derms::of(&platform).await, unique());
    let mut envelope: Value = serde_json::from_str(&repo::text(format!("events/{RESERVATION}/envelope.json"))).unwrap();
    envelope["messageId"] = json!(format!("RES-{id}"));
    envelope["stageId"] = json!(format!("stage-{id}"));
    let file = example(RESERVATION, "valid-reservation.csv");
    assert_eq!(derms.post("/v1/derms/device-reservation", &envelope, file).await.0, 202);
    let object = stored(&platform, &format!("device-reservation/RES-{id}.csv")).await;
    let run = eventually("the run is registered", 30, async || platform.run(RESERVATION, &object).await).await;
    assert_eq!(run.envelope["stage-id"], format!("stage-{id}"));
    let start: jiff::Timestamp = run.envelope["event-start-date-time"].parse().unwrap();
    assert_eq!(start, "2026-07-01T14:00:00-04:00".parse().unwrap());
    let (status, problem) = derms.post("/v1/derms/device-reservation", &json!({"messageId": id}), "").await;
    assert_eq!((status, problem["errors"].as_array().map(Vec::len)), (400, Some(5)), "{problem}");
}

#[tokio::test]
async fn above_four_megabytes_the_answer_names_the_route_for_uploads() {
    let platform = Platform::here().await;
    let derms = Derms::of(&platform).await;
    let (status, problem) = derms.post(ROUTE, &json!({"messageId": unique()}), vec![b'x'; 4 << 20]).await;
    assert_eq!(status, 413);
    assert!(problem["detail"].as_str().unwrap().contains("/v1/derms/network-location/uploads"), "{problem}");
}

#[tokio::test]
async fn the_role_stores_new_files_of_its_three_subjects_and_reads_rejects_of_their_flows() {
    let platform = Platform::here().await;
    let keys = platform.assume_role_of("file-intake").await;
    let s3 = aws_sdk_s3::Client::from_conf(config!(aws_sdk_s3, platform, keys).force_path_style(true).build());
    let refused = |code: Option<&str>| code.is_some_and(|code| code.contains("AccessDenied"));
    let put = async |bucket: &str, key: &str, condition: Option<&str>| {
        let put = s3.put_object().bucket(bucket).key(key).set_if_none_match(condition.map(str::to_owned));
        let put = put.body(Vec::new().into()).send().await;
        put.is_ok() || !refused(put.unwrap_err().code())
    };
    let get = async |bucket: &str, key: &str| {
        let got = s3.get_object().bucket(bucket).key(key).send().await;
        got.is_ok() || !refused(got.unwrap_err().code())
    };
    let (outbox, rejects) = (platform.output("DermsOutboxBucket"), platform.output("RejectsBucket"));
    for subject in
        ["device-reservation", "device-outcome", "network-location", "device-score", "load-reduction-forecast"]
    {
        let own = subject.starts_with("device-r") || subject.starts_with("device-o") || subject.starts_with("network");
        // Nothing is written: an empty file of a test would be a run of its flow.
        let key = format!("{subject}/none.csv");
        assert_eq!(get(outbox, &key).await, own, "{subject}");
        assert!(!put(outbox, &key, None).await, "{subject} without the condition");
        assert!(own || !put(outbox, &key, Some("*")).await, "{subject}");
        assert_eq!(get(rejects, &format!("derms-dacs-{subject}/none.csv")).await, own, "{subject}");
        assert!(!put(rejects, &format!("derms-dacs-{subject}/none.csv"), Some("*")).await, "{subject}");
    }
    for bucket in ["DacsOutboxBucket", "DacsInboxBucket", "DermsInboxBucket", "OuaiInboxBucket", "ConfigBucket"] {
        assert!(!get(platform.output(bucket), "network-location/none.csv").await, "{bucket}");
    }
}
