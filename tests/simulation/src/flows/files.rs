//! What all file flows have in common: files that are dropped, overwritten and notified of, and the rules that hold for
//! their runs whatever their rows mean.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flow::ledger::run::{Run, RunId};
use flow::ports::{Destination, Metadata, ObjectRef, Outlet};
use serde_json::json;

use super::FlowId;
use crate::cloud::enqueue;
use crate::engine::{Micros, seconds, sleep_until};
use crate::faults::Fault;
use crate::schedule::Setting;

/// One row as its sender means it.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its fields; none holds a delimiter, a quote or a line end.
    pub fields: Vec<String>,
    /// Whether it is valid.
    pub good: bool,
}

/// What is odd about a file as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Whole,
    /// No byte.
    Empty,
    /// No row.
    HeaderOnly,
    /// A required column is missing.
    WrongHeader,
    /// A gzip that breaks off in the middle.
    BrokenOff,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dress {
    /// Between fields.
    pub delimiter: char,
    /// After rows.
    pub line_end: &'static str,
    /// Members of gzip; 0 for none.
    pub gzip: usize,
    /// Whether one column has the spelling that a newer lookup allows.
    pub spelled: bool,
}

/// One version of one file.
#[derive(Debug, Clone)]
pub struct File {
    /// Its key.
    pub key: String,
    /// When it is dropped.
    pub at: Micros,
    /// The header's names.
    pub header: Vec<String>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Its shape.
    pub shape: Shape,
    /// Its dress.
    pub dress: Dress,
    /// Its envelope, as the object's metadata.
    pub envelope: Metadata,
    /// Whether its rows may be refused because their stage moves on meanwhile.
    pub may_close: bool,
}

impl File {
    /// A row byte for byte, without its line end.
    pub fn raw(&self, row: &Row) -> String {
        row.fields.join(&self.dress.delimiter.to_string())
    }

    fn bytes(&self) -> Vec<u8> {
        if self.shape == Shape::Empty {
            return Vec::new();
        }
        let mut text = self.header.join(&self.dress.delimiter.to_string());
        text.push_str(self.dress.line_end);
        for row in &self.rows {
            text.push_str(&self.raw(row));
            text.push_str(self.dress.line_end);
        }
        let (first, second) = text.split_at(text.len() / 2);
        match (self.shape, self.dress.gzip) {
            (Shape::BrokenOff, _) => {
                let mut whole = gzip(&text);
                whole.truncate(whole.len() / 2);
                whole
            }
            (_, 0) => text.into_bytes(),
            (_, 1) => gzip(&text),
            _ => [gzip(first), gzip(second)].concat(),
        }
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory does not fail");
    encoder.finish().expect("memory does not fail")
}

/// A version as it came to lie in the outbox.
#[derive(Debug, Clone)]
pub struct Dropped {
    /// Which file of the plan.
    pub file: usize,
    /// The version.
    pub object: ObjectRef,
    /// Its place by the contract: last-modified in seconds, key, then the order of versions.
    pub place: (u64, String, u64),
}

/// A flow's files.
pub struct Files {
    /// The flow.
    pub flow: FlowId,
    /// In order of dropping.
    pub files: Vec<File>,
    /// How often the target could be down without a file being given up.
    pub dropped: Arc<Mutex<Vec<Dropped>>>,
}

/// A file together with what became of it.
pub struct Settled<'a> {
    /// The file.
    pub file: &'a File,
    /// Its version.
    pub dropped: Dropped,
    /// Its run.
    pub run: Run,
    /// Whether a later version of the same key was dropped.
    pub overwritten: bool,
}

impl Files {
    /// Drops `files` into `bucket`, each at its time, and lets the events follow: late, twice, in another order.
    pub fn drop_all(setting: &mut Setting, flow: FlowId, bucket: &'static str, mut files: Vec<File>) -> Self {
        files.sort_by_key(|file| file.at);
        let dropped: Arc<Mutex<Vec<Dropped>>> = Arc::default();
        let told: Arc<Mutex<Vec<bool>>> = Arc::new(Mutex::new(vec![false; files.len()]));
        for (index, file) in files.iter().enumerate() {
            let (services, shared) = (setting.services.clone(), setting.shared.clone());
            let (mut dice, bytes, at, key) =
                (setting.dice.fork(), Bytes::from(file.bytes()), file.at, file.key.clone());
            let (dropped, told, packed) = (dropped.clone(), told.clone(), file.dress.gzip > 0);
            let envelope = file.envelope.clone();
            setting.script("outbox", async move {
                sleep_until(&shared, at).await;
                let older = services.objects.versions(bucket, &key).pop();
                let to = Destination { key: key.clone(), metadata: envelope };
                services.objects.outlet(bucket).put(&to, bytes).await.expect("memory does not fail");
                let object = services.objects.versions(bucket, &key).pop().expect("it was put just now");
                let number = shared.lock().fresh();
                let place = (at / seconds(1), key.clone(), number);
                dropped.lock().unwrap_or_else(PoisonError::into_inner).push(Dropped {
                    file: index,
                    object: object.clone(),
                    place,
                });
                {
                    let mut core = shared.lock();
                    core.note(
                        "outbox",
                        &format!("{key} is dropped: {}", object.version.as_deref().unwrap_or_default()),
                    );
                    if packed {
                        core.happened(Fault::Compressed, flow);
                    }
                    if older.is_some_and(|older| is_open(&services.table, flow, &older)) {
                        core.happened(Fault::Overwrite, flow);
                    }
                }
                let events = 1 + usize::from(dice.chance(20)) + usize::from(dice.chance(5));
                let mut delays: Vec<Micros> = (0..events).map(|_| delay(&mut dice)).collect();
                delays.sort_unstable();
                for (nth, delay) in delays.into_iter().enumerate() {
                    sleep_until(&shared, at + delay).await;
                    if nth > 0 {
                        shared.lock().happened(Fault::Duplicate, flow);
                    }
                    let overtakes = {
                        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                        let overtakes = nth == 0 && told.iter().take(index).any(|told| !told);
                        if let Some(mine) = told.get_mut(index) {
                            *mine = true;
                        }
                        overtakes
                    };
                    if overtakes {
                        shared.lock().happened(Fault::Reordered, flow);
                    }
                    enqueue(&shared, &services, flow, notification(&object, number), None);
                }
            });
        }
        Self { flow, files, dropped }
    }

    /// What became of each version; a run that cannot be found, or has no end, breaks a rule.
    pub fn settled(&self, setting: &Setting, broken: &mut Vec<String>) -> Vec<Settled<'_>> {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let runs = runs(setting, self.flow);
        let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
        for version in &dropped {
            newest.insert(version.object.key.as_str(), version.place.2);
        }
        let mut settled = Vec::new();
        for version in &dropped {
            let Some(file) = self.files.get(version.file) else { continue };
            let id = RunId::of(self.flow.name(), &version.object);
            let Some(run) = runs.get(&id.to_string()).cloned() else {
                broken.push(format!("{}: no run of {} {}", self.flow.short(), file.key, version.place.2));
                continue;
            };
            if !run.state.is_settled() || run.lease.is_some() {
                broken.push(format!("run {id} of {} ended as {:?} in phase {:?}", file.key, run.state, run.phase));
                continue;
            }
            let overwritten = newest.get(version.object.key.as_str()) != Some(&version.place.2);
            settled.push(Settled { file, dropped: version.clone(), run, overwritten });
        }
        settled
    }

    /// Rows in all files.
    pub fn records(&self) -> usize {
        self.files.iter().map(|file| file.rows.len()).sum()
    }
}

/// All runs of a flow, by id.
fn runs(setting: &Setting, flow: FlowId) -> BTreeMap<String, Run> {
    let prefix = format!("{}#run#", flow.name());
    let items = setting.services.table.items().into_iter().filter(|item| item.key.partition.starts_with(&prefix));
    items.filter_map(|item| serde_json::from_str::<Run>(&item.body).ok()).map(|run| (run.id.to_string(), run)).collect()
}

fn is_open(table: &flow::memory::Table, flow: FlowId, object: &ObjectRef) -> bool {
    let key = Run::key(flow.name(), &RunId::of(flow.name(), object));
    let item = table.items().into_iter().find(|item| item.key == key);
    let run = item.and_then(|item| serde_json::from_str::<Run>(&item.body).ok());
    run.is_some_and(|run| !run.state.is_settled() && run.attempt > 0)
}

fn delay(dice: &mut crate::dice::Dice) -> Micros {
    match dice.below(10) {
        0..=5 => dice.below(seconds(2)),
        6..=8 => dice.between(seconds(2), seconds(30)),
        _ => dice.between(seconds(30), seconds(200)),
    }
}

/// What S3 sends of a new version.
fn notification(object: &ObjectRef, sequencer: u64) -> String {
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": { "name": object.bucket },
            "object": { "key": form_encoded(&object.key), "versionId": object.version, "sequencer": format!("{sequencer:016X}") },
        },
    }] })
    .to_string()
}

fn form_encoded(key: &str) -> String {
    let encode = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'/' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    key.bytes().map(encode).collect()
}
