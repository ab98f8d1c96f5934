//! The platform as a test sees it: its facts, its buckets and queues, its API, its neighbours' books.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws::{Clients, DynamoTable, SystemClock, Vars};
use bytes::Bytes;
use flow::ledger::Ledger;
use flow::ledger::run::{Run, RunId};
use flow::ports::{Clock, ObjectRef};
use it::repo::{self, FlowName};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell, RwLock};

use crate::{neighbours, routing};

mod functions;

/// Files of the score flow, which takes them one at a time.
pub static SCORES: Mutex<()> = Mutex::const_new(());
/// Files of the kWh flow, likewise.
pub static KWH: Mutex<()> = Mutex::const_new(());
/// Messages: many at once, or one test alone that makes the neighbours fail.
pub static MESSAGES: RwLock<()> = RwLock::const_new(());

/// What every test may rely on, made by the first.
static PREPARED: OnceCell<()> = OnceCell::const_new();

/// The programs of the examples, as a utility would have them in its lookup.
pub const PROGRAMS: &str = "programId,programCode,programExternalIdentifier\n90000001,SUMMER-T,PRG-SUMMER-T\n";

/// What the program system calls a thermostat.
const ASSET_TYPES: &str = "key,value\nTHERMOSTAT,SMART-THERMOSTAT\n";

/// The running platform.
pub struct Platform {
    facts: Value,
    /// As the account's root.
    pub s3: aws_sdk_s3::Client,
    /// As the account's root.
    pub sqs: aws_sdk_sqs::Client,
    /// Over the aws ports, as the account's root.
    pub clients: Clients,
    /// Runs and messages.
    pub ledger: Ledger,
    web: reqwest::Client,
}

/// Who signs.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Id.
    pub id: String,
    /// Secret.
    pub secret: String,
    /// Of a role.
    pub session: Option<String>,
}

/// The configuration of one service's client.
macro_rules! config {
    ($sdk:ident, $platform:expr, $keys:expr) => {
        $sdk::config::Builder::new()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .endpoint_url($platform.fact("endpoint"))
            .credentials_provider(aws_sdk_s3::config::Credentials::new(
                $keys.id.clone(),
                $keys.secret.clone(),
                $keys.session.clone(),
                None,
                "test",
            ))
    };
}
pub(crate) use config;

impl Platform {
    /// The platform of this clone.
    ///
    /// Fails with what to do when there is none.
    pub async fn here() -> Self {
        let none = "no platform runs here: `make test` brings one; by hand `make up`, then `eval \"$(make -s env)\"`";
        let path = repo::root().join(".local/platform.json");
        let Ok(text) = std::fs::read_to_string(path) else { panic!("{none}") };
        let facts: Value = serde_json::from_str(&text).unwrap();
        assert!(facts.get("outputs").is_some(), "{none}");
        let vars = Vars::from_env();
        assert_eq!(vars.optional("AWS_ENDPOINT_URL"), facts["endpoint"].as_str(), "{none}");
        let clients = Clients::load(&vars).await;
        let table = facts["outputs"]["LedgerTableName"].as_str().unwrap();
        let ledger = Ledger::new(std::sync::Arc::new(DynamoTable::new(&clients, table)));
        let web = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let bare = Facts(&facts);
        let s3 = aws_sdk_s3::Client::from_conf(config!(aws_sdk_s3, bare, bare.root()).force_path_style(true).build());
        let sqs = aws_sdk_sqs::Client::from_conf(config!(aws_sdk_sqs, bare, bare.root()).build());
        let platform = Self { s3, sqs, clients, ledger, web, facts };
        PREPARED.get_or_init(async || platform.prepare().await).await;
        platform
    }

    async fn prepare(&self) {
        self.put(self.output("ConfigBucket"), "lookups/Program.csv", PROGRAMS).await;
        self.put(self.output("ConfigBucket"), "lookups/AssetType.csv", ASSET_TYPES).await;
        routing::prepare(self).await;
        neighbours::subscribe(self).await;
    }

    /// A fact of `.local/platform.json`.
    pub fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap()
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> &str {
        self.facts["outputs"][name].as_str().unwrap_or_else(|| panic!("the stack has no output {name}"))
    }

    /// The account root's keys.
    pub fn root(&self) -> Keys {
        Facts(&self.facts).root()
    }

    /// The outbox and key under which `flow` takes a file of this name.
    pub fn place(&self, flow: &str, name: &str) -> (String, String) {
        let FlowName { source, subject, .. } = FlowName::of(flow);
        (self.bucket(source, "outbox"), format!("{subject}/{name}"))
    }

    /// A system's outbox or inbox.
    pub fn bucket(&self, system: &str, which: &str) -> String {
        format!("local-{system}-{which}-{}", self.fact("account"))
    }

    /// Drops a file where `flow` takes it.
    pub async fn drop_file(&self, flow: &str, name: &str, bytes: impl Into<Bytes>) -> ObjectRef {
        let (bucket, key) = self.place(flow, name);
        let put = self.s3.put_object().bucket(&bucket).key(&key).body(bytes.into().into()).send().await.unwrap();
        ObjectRef { bucket, key, version: put.version_id }
    }

    /// Drops a file with its envelope as metadata.
    pub async fn drop_with(
        &self,
        flow: &str,
        name: &str,
        envelope: &[(&str, &str)],
        bytes: impl Into<Bytes>,
    ) -> ObjectRef {
        let (bucket, key) = self.place(flow, name);
        let put = self.s3.put_object().bucket(&bucket).key(&key).body(bytes.into().into());
        let put = envelope.iter().fold(put, |put, (name, value)| put.metadata(*name, *value));
        ObjectRef { bucket, key, version: put.send().await.unwrap().version_id }
    }

    /// Writes an object.
    pub async fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        self.s3.put_object().bucket(bucket).key(key).body(bytes.into().into()).send().await.unwrap();
    }

    /// The bytes of an object; `None` when it is not there.
    pub async fn bytes(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let got = self.s3.get_object().bucket(bucket).key(key).send().await.ok()?;
        Some(got.body.collect().await.unwrap().into_bytes())
    }

    /// The versions of an object.
    pub async fn versions(&self, bucket: &str, key: &str) -> usize {
        let listed = self.s3.list_object_versions().bucket(bucket).prefix(key).send().await.unwrap();
        listed.versions().iter().filter(|version| version.key() == Some(key)).count()
    }

    /// The run over an object, once it is settled and its books are closed.
    pub async fn settled(&self, flow: &str, object: &ObjectRef, seconds: u64) -> Run {
        let run = self.settled_or_held(flow, object, seconds).await;
        assert!(run.counts.balance(), "{}: {:?}", object.key, run.counts);
        run
    }

    /// The run over an object, once nothing more happens to it by itself.
    pub async fn settled_or_held(&self, flow: &str, object: &ObjectRef, seconds: u64) -> Run {
        let key = Run::key(flow, &RunId::of(flow, object));
        let what = format!("{} settled", object.key);
        let run = eventually(&what, seconds, async || {
            let run = self.ledger.get::<Run>(&key).await.unwrap()?.value;
            run.state.is_settled().then_some(run)
        });
        run.await
    }

    /// The run over an object, as it is.
    pub async fn run(&self, flow: &str, object: &ObjectRef) -> Option<Run> {
        let key = Run::key(flow, &RunId::of(flow, object));
        Some(self.ledger.get::<Run>(&key).await.unwrap()?.value)
    }

    /// The two reject files of a run: rows, reasons.
    pub async fn rejects(&self, flow: &str, run: &Run) -> (Option<Bytes>, Option<Bytes>) {
        let key = |kind: &str| format!("{flow}/{}.{}.{kind}.csv", run.file_name(), run.id);
        let bucket = self.output("RejectsBucket");
        (self.bytes(bucket, &key("rows")).await, self.bytes(bucket, &key("reasons")).await)
    }

    /// The URL of a flow's queue.
    pub async fn queue(&self, flow: &str) -> String {
        for name in [format!("local-{flow}"), format!("local-{flow}.fifo")] {
            if let Ok(found) = self.sqs.get_queue_url().queue_name(name).send().await {
                return found.queue_url.unwrap();
            }
        }
        panic!("{flow} has no queue")
    }

    /// Puts the notification of a new version into the flow's queue once more, as S3 may do.
    pub async fn notify_again(&self, flow: &str, object: &ObjectRef) {
        let key = form_encoded(&object.key);
        let body = json!({"Records": [{
            "eventVersion": "2.6", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": object.bucket},
                "object": {"key": key, "versionId": object.version, "sequencer": "0000000000000001"},
            },
        }]});
        self.sqs.send_message().queue_url(self.queue(flow).await).message_body(body.to_string()).send().await.unwrap();
    }

    /// Waits until nothing is in the flow's queue, in sight or not.
    pub async fn drained(&self, flow: &str) {
        use aws_sdk_sqs::types::QueueAttributeName::{
            ApproximateNumberOfMessages as Seen, ApproximateNumberOfMessagesNotVisible as Hidden,
        };
        let queue = self.queue(flow).await;
        eventually(&format!("{flow} has an empty queue"), 60, async || {
            let asked = self.sqs.get_queue_attributes().queue_url(&queue);
            let told = asked.attribute_names(Seen).attribute_names(Hidden).send().await.unwrap();
            told.attributes()?.values().all(|count| count == "0").then_some(())
        })
        .await;
    }

    /// A token of a sender.
    pub async fn token(&self, sender: &str) -> String {
        let caller = &self.facts["callers"][sender];
        let text = |name: &str| caller[name].as_str().unwrap();
        let scopes: Vec<_> = caller["scopes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let form = [("grant_type", "client_credentials"), ("scope", &scopes.join(" "))];
        let asked = self.web.post(self.fact("tokenUrl")).basic_auth(text("clientId"), Some(text("clientSecret")));
        let answer = asked.form(&form).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Posts a body to the API; status and body of the answer.
    pub async fn post(&self, path: &str, token: Option<&str>, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let url = format!("{}{path}", self.fact("apiUrl"));
        let mut request = self.web.post(url).header("content-type", "application/json").body(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Posts a body as this sender, with a fresh token.
    pub async fn post_as(&self, sender: &str, path: &str, body: &Value) -> (u16, Value) {
        let token = self.token(sender).await;
        self.post(path, Some(&token), body.to_string()).await
    }

    /// The sandbox's state at a path below `/control`.
    pub async fn books(&self, path: &str) -> Value {
        let url = format!("{}/control/{path}", self.sandbox());
        let answer = self.web.get(url).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    /// Tells the sandbox something.
    pub async fn tell(&self, method: reqwest::Method, path: &str, body: impl Into<reqwest::Body>) -> Value {
        let url = format!("{}/control/{path}", self.sandbox());
        let request = self.web.request(method, url).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Sets something of the sandbox by POST.
    pub async fn set(&self, path: &str, body: &Value) -> Value {
        self.tell(reqwest::Method::POST, path, body.to_string()).await
    }

    /// Puts a fault in force; its id, to end it with [`Platform::end_fault`].
    pub async fn fault(&self, rule: &Value) -> String {
        let id = self.set("faults", rule).await["id"].clone();
        id.as_str().map_or_else(|| id.to_string(), str::to_owned)
    }

    /// Ends a fault.
    pub async fn end_fault(&self, id: &str) {
        self.tell(reqwest::Method::DELETE, &format!("faults/{id}"), "").await;
    }

    /// How the platform reaches a neighbour: `url`, and `secret`, its credentials.
    pub fn neighbour(&self, name: &str) -> &Value {
        &self.facts["neighbours"][name]
    }

    fn sandbox(&self) -> &str {
        self.facts["neighbours"]["sandbox"]["url"].as_str().expect("the neighbours are the sandbox's")
    }
}

/// The facts alone, for what is made of them before there is a platform.
struct Facts<'a>(&'a Value);

impl Facts<'_> {
    fn fact(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn root(&self) -> Keys {
        Keys { id: self.fact("accessKeyId").into(), secret: self.fact("secretAccessKey").into(), session: None }
    }
}

/// Asks until there is an answer; fails with `what` after so many seconds.
pub async fn eventually<T>(what: &str, seconds: u64, ask: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..seconds * 4 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("not within {seconds} s: {what}")
}

/// Seven digits that no other test and no earlier run on this platform uses.
pub fn unique() -> String {
    static COUNTED: AtomicU64 = AtomicU64::new(0);
    let seconds = SystemClock.now().as_second() % 10_000;
    format!("{seconds:04}{:03}", COUNTED.fetch_add(1, Ordering::Relaxed))
}

/// A sync request id of 14 digits, unique likewise.
pub fn sync_request_id() -> String {
    format!("2000000{}", unique())
}

/// As S3 writes keys into notifications.
fn form_encoded(key: &str) -> String {
    let encoded = key.bytes().map(|byte| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-_./".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}
