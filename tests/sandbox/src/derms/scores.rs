//! `POST /device_scores`: a score file in parts, a `text/csv` part and a JSON part `{scoreFileId,
//! part, last}` per call (contracts.md §5). An upsert by (`scoreFileId`, `part`); the set counts when
//! the last part and all before it are there.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::score_rows::{self, COLUMNS, Content, ScoreRow};
use crate::clock::{count, locked};
use crate::digest::Digest;
use crate::problem::{Problem, Violation};
use crate::shape::{self, Kind, must, violations};
use crate::{Shared, json_response, media_type};

const ENVELOPE: &[shape::Field] =
    &[must("scoreFileId", Kind::Text(255)), must("part", Kind::Whole(1, 1_000_000)), must("last", Kind::Flag)];

/// Largest JSON part, in bytes.
const ENVELOPE_LIMIT: usize = 16 * 1024;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    score_file_id: String,
    part: u64,
    last: bool,
}

/// The books of device scores.
#[derive(Debug, Default)]
pub struct Scores(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    sets: BTreeMap<String, Set>,
    landed: Vec<String>,
    latest: BTreeMap<[String; 3], Latest>,
    effects: u64,
}

#[derive(Debug, Default)]
struct Set {
    opened: u64,
    opened_while_open: Vec<String>,
    parts: BTreeMap<u64, Part>,
    last: Option<u64>,
    counted: Option<u64>,
    last_came_early: bool,
}

#[derive(Debug, Default)]
struct Part {
    calls: u64,
    effects: u64,
    bytes: u64,
    digest: Digest,
    rows: Vec<ScoreRow>,
}

#[derive(Debug)]
struct Latest {
    at: Timestamp,
    score_file_id: String,
    row: ScoreRow,
}

impl Scores {
    /// Forgets all.
    pub fn clear(&self) {
        *locked(&self.0) = Book::default();
    }

    /// Sets and the order in which they counted, without single scores.
    pub fn summary(&self) -> Value {
        let book = locked(&self.0);
        let sets: BTreeMap<_, _> = book.sets.iter().map(|(id, set)| (id, set.state())).collect();
        json!({
            "sets": sets,
            "landed": book.landed,
            "keys": book.latest.len(),
            "effects": book.effects,
        })
    }

    /// The same with the newest score of each (head-end, nic, program).
    pub fn state(&self) -> Value {
        let mut state = self.summary();
        let book = locked(&self.0);
        let latest: Vec<Value> = book.latest.values().map(Latest::state).collect();
        if let Some(fields) = state.as_object_mut() {
            fields.insert("latest".to_owned(), Value::Array(latest));
        }
        state
    }

    fn take(&self, order: u64, envelope: &Envelope, bytes: u64, content: Content) -> Result<(), Problem> {
        let mut book = locked(&self.0);
        let open = |(_, set): &(&String, &Set)| set.counted.is_none();
        let fresh = Set {
            opened: order,
            opened_while_open: book.sets.iter().filter(open).map(|(id, _)| id.clone()).collect(),
            ..Set::default()
        };
        let known = book.sets.get(&envelope.score_file_id);
        known.unwrap_or(&fresh).check(envelope, content.digest.rows)?;
        let set = book.sets.entry(envelope.score_file_id.clone()).or_insert(fresh);
        if set.put(envelope, bytes, content) {
            book.effects = book.effects.saturating_add(1);
        }
        book.count_if_complete(&envelope.score_file_id, order);
        Ok(())
    }
}

impl Set {
    /// Whether this part fits what is known of the set.
    fn check(&self, envelope: &Envelope, rows: u64) -> Result<(), Problem> {
        let part = envelope.part;
        match self.last {
            Some(last) if part > last => {
                return Err(Problem::at("part", format!("{last} was the last part")));
            }
            Some(last) if envelope.last != (part == last) => {
                return Err(Problem::at("last", format!("{last} was the last part")));
            }
            _ => {}
        }
        let beyond = self.parts.keys().find(|it| **it > part);
        if let (true, Some(beyond)) = (envelope.last, beyond) {
            return Err(Problem::at("last", format!("part {beyond} came already")));
        }
        let earlier = self.parts.keys().any(|it| *it < part);
        if rows == 0 && !(envelope.last && earlier) {
            // "A file without a valid row makes no POST"; only the close of a set may be empty.
            return Err(Problem::at("text/csv", "has no row"));
        }
        Ok(())
    }

    /// Puts the part in its place; `true` when that changed anything.
    fn put(&mut self, envelope: &Envelope, bytes: u64, content: Content) -> bool {
        if envelope.last && self.last.is_none() {
            self.last = Some(envelope.part);
            let before = self.parts.range(..envelope.part).count();
            self.last_came_early = count(before) < envelope.part.saturating_sub(1);
        }
        let fresh = !self.parts.contains_key(&envelope.part);
        let part = self.parts.entry(envelope.part).or_default();
        part.calls = part.calls.saturating_add(1);
        if !fresh && part.digest == content.digest {
            return false;
        }
        part.effects = part.effects.saturating_add(1);
        part.bytes = bytes;
        part.digest = content.digest;
        part.rows = content.rows;
        true
    }

    fn complete(&self) -> bool {
        self.last == Some(count(self.parts.len()))
    }

    fn state(&self) -> Value {
        let mut digest = Digest::default();
        let mut parts = serde_json::Map::new();
        for (number, part) in &self.parts {
            digest.join(part.digest);
            let value = json!({
                "calls": part.calls,
                "effects": part.effects,
                "bytes": part.bytes,
                "digest": part.digest.state(),
            });
            parts.insert(number.to_string(), value);
        }
        json!({
            "opened": self.opened,
            "openedWhileOpen": self.opened_while_open,
            "counted": self.counted,
            "last": self.last,
            "lastCameEarly": self.last_came_early,
            "digest": digest.state(),
            "parts": parts,
        })
    }
}

impl Book {
    /// "The set counts" when all its parts are there: its rows become scores, once.
    fn count_if_complete(&mut self, id: &str, order: u64) {
        let Some(set) = self.sets.get_mut(id).filter(|set| set.complete()) else {
            return;
        };
        if set.counted.is_none() {
            set.counted = Some(order);
            self.landed.push(id.to_owned());
        }
        for part in set.parts.values_mut() {
            for row in std::mem::take(&mut part.rows) {
                let [_, head_end, nic, program, ..] = row.fields.clone();
                let key = [head_end, nic, program];
                // "Row times let the target keep the newest" (contracts.md §6).
                if self.latest.get(&key).is_some_and(|it| it.at > row.at) {
                    continue;
                }
                let latest = Latest { at: row.at, score_file_id: id.to_owned(), row };
                self.latest.insert(key, latest);
            }
        }
    }
}

impl Latest {
    fn state(&self) -> Value {
        let mut fields = serde_json::Map::new();
        for (column, value) in COLUMNS.iter().zip(&self.row.fields) {
            if !value.is_empty() {
                fields.insert((*column).to_owned(), json!(value));
            }
        }
        fields.insert("scoreFileId".to_owned(), json!(self.score_file_id));
        Value::Object(fields)
    }
}

/// Answers `POST /derms/device_scores`.
pub async fn device_scores(
    State(sandbox): State<Shared>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    let multipart = multipart.map_err(|error| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.body_text()))?;
    let limit = sandbox.config.score_part_limit;
    let (envelope, csv) = parts(multipart, limit).await?;
    let envelope = read_envelope(&envelope)?;
    let bytes = count(csv.len());
    let keep = !sandbox.config.digest;
    // Some ten milliseconds of work: not on the thread that serves all other calls.
    let content = tokio::task::spawn_blocking(move || score_rows::read(&csv, keep))
        .await
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
        .map_err(Problem::invalid)?;
    let rows = content.digest.rows;
    let order = sandbox.order.next();
    sandbox.derms.scores.take(order, &envelope, bytes, content)?;
    let status = if sandbox.derms.answers.scores_accepted() { StatusCode::ACCEPTED } else { StatusCode::OK };
    let answer = json!({"scoreFileId": envelope.score_file_id, "part": envelope.part, "rows": rows});
    Ok(json_response(status, &answer))
}

fn read_envelope(bytes: &[u8]) -> Result<Envelope, Problem> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| Problem::at("application/json", error.to_string()))?;
    let found = violations(&value, ENVELOPE);
    if !found.is_empty() {
        return Err(Problem::invalid(found));
    }
    serde_json::from_value(value).map_err(|error| Problem::at("application/json", error.to_string()))
}

/// The JSON part and the CSV part, told apart by their content type.
async fn parts(mut multipart: Multipart, limit: usize) -> Result<(Vec<u8>, Vec<u8>), Problem> {
    let (mut json_part, mut csv_part) = (None, None);
    let broken = |error: MultipartError| Problem::at("multipart/form-data", error.body_text());
    while let Some(field) = multipart.next_field().await.map_err(broken)? {
        let kind = media_type(field.content_type().unwrap_or("text/plain"));
        let (place, limit) = match kind.as_str() {
            "application/json" => (&mut json_part, ENVELOPE_LIMIT),
            "text/csv" => (&mut csv_part, limit),
            _ => {
                return Err(Problem::at(format!("part {kind}"), "must be text/csv or application/json"));
            }
        };
        if place.is_some() {
            return Err(Problem::at(format!("part {kind}"), "is there twice"));
        }
        *place = Some(bounded(field, &kind, limit).await?);
    }
    let missing = |kind: &str| Problem::invalid(vec![Violation::new(kind, "part is missing")]);
    Ok((json_part.ok_or_else(|| missing("application/json"))?, csv_part.ok_or_else(|| missing("text/csv"))?))
}

async fn bounded(mut field: Field<'_>, kind: &str, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    loop {
        let chunk = field.chunk().await.map_err(|error| Problem::at(kind, error.body_text()))?;
        let Some(chunk) = chunk else {
            return Ok(bytes);
        };
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the {kind} part is over {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
}
