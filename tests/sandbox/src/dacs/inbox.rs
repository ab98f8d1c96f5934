//! The inbox of DACS. The sandbox has no bucket of its own: a test hands it the bytes that lie in the
//! stack's inbox, and DACS reads them as it would there.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::Books;
use super::measurements::{self, File, Row};
use crate::clock::{count, locked};
use crate::json_response;
use crate::problem::Problem;

/// Largest file taken, in bytes.
pub const LIMIT: usize = 256 * 1024 * 1024;

/// Files by key, and the newest row of each row key.
#[derive(Debug, Default)]
pub struct Inbox(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    files: BTreeMap<String, Value>,
    rows: BTreeMap<[String; 4], (String, Row)>,
}

impl Inbox {
    /// Forgets all.
    pub fn clear(&self) {
        *locked(&self.0) = Book::default();
    }

    /// Files and rows as JSON.
    pub fn state(&self) -> Value {
        let book = locked(&self.0);
        let row = |(file, row): &(String, Row)| {
            let fields: serde_json::Map<_, _> =
                row.fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({"file": file, "row": fields})
        };
        json!({"files": book.files, "rows": book.rows.values().map(row).collect::<Vec<_>>()})
    }

    fn take(&self, order: u64, key: &str, bytes: u64, file: File) -> Value {
        let mut book = locked(&self.0);
        let entry = json!({
            "order": order,
            "kind": file.kind.map(measurements::Kind::name),
            "bytes": bytes,
            "digest": file.digest.state(),
            "violations": file.found,
        });
        book.files.insert(key.to_owned(), entry.clone());
        // "The receiver's key decides": a later row is a correction (contracts.md §6).
        for row in file.rows {
            book.rows.insert(row.key.clone(), (key.to_owned(), row));
        }
        entry
    }
}

/// `PUT /control/dacs/inbox/{key}` with a file's bytes: what DACS makes of them.
pub async fn put(sandbox: Books, Path(key): Path<String>, bytes: Bytes) -> Result<Response, Problem> {
    if !key.starts_with("kwh-avoided/") {
        let reason = "DACS reads only kwh-avoided/ here";
        return Err(Problem::at("key", reason));
    }
    let length = count(bytes.len());
    let file = tokio::task::spawn_blocking(move || measurements::read(&bytes))
        .await
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let order = sandbox.order.next();
    let entry = sandbox.dacs.inbox.take(order, &key, length, file);
    Ok(json_response(StatusCode::OK, &entry))
}

/// `GET /control/dacs/inbox`.
pub async fn get(sandbox: Books) -> Response {
    json_response(StatusCode::OK, &sandbox.dacs.inbox.state())
}
