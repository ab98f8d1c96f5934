//! The reject files of a run: `rows`, the header and every rejected row byte for byte, droppable again as it is, and
//! `reasons.csv` with line, column and reason. Written as pieces while the run goes on, joined at its end.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;

use super::Limits;
use crate::Transient;
use crate::ledger::run::{Pieces, Position, Run};
use crate::ports::{Destination, Metadata, ObjectRef, Outlet, Part, Source, UploadEnd};

/// A piece is written when its rows or reasons reach this size.
const PIECE: usize = 1 << 20;
/// Parts of the joined files.
const JOINED_PART: usize = 8 << 20;

/// The bucket for rejects: written, and read again to join the pieces.
#[derive(Clone)]
pub struct RejectStore {
    /// Its name.
    pub bucket: String,
    /// Writes into it.
    pub outlet: Arc<dyn Outlet>,
    /// Reads from it.
    pub source: Arc<dyn Source>,
}

/// Where the joined files of a run are, for notices and the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectFiles {
    /// The rows, if any could be kept.
    pub rows: Option<String>,
    /// The reasons.
    pub reasons: String,
}

/// Rejected rows since the last piece.
pub struct Rejects {
    store: RejectStore,
    flow: &'static str,
    rows: Vec<u8>,
    reasons: csv::Writer<Vec<u8>>,
    pending: bool,
}

impl Rejects {
    /// No rejects yet.
    #[must_use]
    pub fn new(store: RejectStore, flow: &'static str) -> Self {
        Self { store, flow, rows: Vec::new(), reasons: csv::Writer::from_writer(Vec::new()), pending: false }
    }

    /// Notes one rejected row. `raw` is empty where the row could not be kept.
    ///
    /// # Errors
    /// [`Transient`] should writing into memory fail.
    pub fn push(&mut self, raw: &[u8], at: Position, column: &str, reason: &str) -> Result<(), Transient> {
        self.rows.extend_from_slice(raw);
        if !raw.is_empty() && !raw.ends_with(b"\n") && !raw.ends_with(b"\r") {
            self.rows.push(b'\n');
        }
        self.pending = true;
        let row = [at.line.to_string(), spreadsheet_safe(column), spreadsheet_safe(reason)];
        self.reasons.write_record(row).map_err(|e| Transient::because("writing a reason", e))
    }

    /// Whether a piece should be written now.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.rows.len() >= PIECE || self.reasons.get_ref().len() >= PIECE
    }

    /// Writes what is pending as the next piece of `attempt` and notes it in `pieces`.
    ///
    /// # Errors
    /// [`Transient`] when the bucket does not take it.
    pub async fn flush(&mut self, run: &Run, pieces: &mut Pieces, attempt: u32) -> Result<(), Transient> {
        if !self.pending {
            return Ok(());
        }
        let mut next = pieces.clone();
        let number = next.add(attempt);
        let fresh = csv::Writer::from_writer(Vec::new());
        let reasons = std::mem::replace(&mut self.reasons, fresh)
            .into_inner()
            .map_err(|e| Transient::because("writing reasons", e.into_error()))?;
        let rows = std::mem::take(&mut self.rows);
        for (kind, bytes) in [(Kind::Rows, rows), (Kind::Reasons, reasons)] {
            let to = Destination { key: kind.piece(self.flow, run, number, attempt), metadata: Metadata::new() };
            self.store.outlet.put(&to, Bytes::from(bytes)).await?;
        }
        self.pending = false;
        *pieces = next;
        Ok(())
    }
}

/// Joins the pieces of `run` into its two reject files; `None` when nothing was rejected. Repeating it is harmless.
///
/// # Errors
/// [`Transient`] when the bucket cannot be read or written.
pub async fn join(store: &RejectStore, flow: &str, run: &Run) -> Result<Option<RejectFiles>, Transient> {
    if run.pieces.count == 0 {
        return Ok(None);
    }
    let header = run.head.as_ref().map(|head| head.header.clone()).unwrap_or_default();
    let rows = Joiner::new(store, Kind::Rows.joined(flow, run), header.into_bytes());
    let rows = rows.all(Kind::Rows, flow, run).await?;
    let reasons = Joiner::new(store, Kind::Reasons.joined(flow, run), b"line,column,reason\n".to_vec());
    let reasons = reasons.all(Kind::Reasons, flow, run).await?;
    Ok(reasons.map(|reasons| RejectFiles { rows, reasons }))
}

#[derive(Clone, Copy)]
enum Kind {
    Rows,
    Reasons,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Reasons => "reasons",
        }
    }

    fn piece(self, flow: &str, run: &Run, number: u32, attempt: u32) -> String {
        format!("{flow}/pieces/{}/{number:06}-{attempt:03}.{}", run.id, self.name())
    }

    fn joined(self, flow: &str, run: &Run) -> String {
        let name = run.file_name();
        format!("{flow}/{name}.{}.{}.csv", run.id, self.name())
    }
}

struct Joiner<'a> {
    store: &'a RejectStore,
    to: Destination,
    head: usize,
    buffer: Vec<u8>,
    upload: Option<crate::ports::UploadId>,
    parts: u32,
}

impl<'a> Joiner<'a> {
    fn new(store: &'a RejectStore, key: String, head: Vec<u8>) -> Self {
        let to = Destination { key, metadata: Metadata::new() };
        Self { store, to, head: head.len(), buffer: head, upload: None, parts: 0 }
    }

    /// The key of the joined file, or `None` when there is nothing after its head.
    async fn all(mut self, kind: Kind, flow: &str, run: &Run) -> Result<Option<String>, Transient> {
        for (number, attempt) in run.pieces.iter() {
            let key = kind.piece(flow, run, number, attempt);
            let piece = ObjectRef { bucket: self.store.bucket.clone(), key, version: None };
            let mut bytes = self.store.source.read(&piece, 0).await?;
            while let Some(chunk) = bytes.next().await {
                let chunk = chunk.map_err(|e| Transient::because("reading a reject piece", e))?;
                self.buffer.extend_from_slice(&chunk);
                if self.buffer.len() >= JOINED_PART {
                    self.part().await?;
                }
            }
        }
        let Some(upload) = self.upload.clone() else {
            if self.buffer.len() == self.head {
                return Ok(None);
            }
            self.store.outlet.put(&self.to, Bytes::from(self.buffer)).await?;
            return Ok(Some(self.to.key));
        };
        self.part().await?;
        self.store.outlet.finish(&self.to.key, &upload, UploadEnd::Publish).await?;
        Ok(Some(self.to.key))
    }

    async fn part(&mut self) -> Result<(), Transient> {
        let upload = match &self.upload {
            Some(upload) => upload.clone(),
            None => self.store.outlet.begin(&self.to).await?,
        };
        self.parts = self.parts.saturating_add(1);
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        self.store.outlet.part(&self.to.key, &upload, self.parts, Part::Bytes(bytes)).await?;
        self.upload = Some(upload);
        Ok(())
    }
}

/// A cell that a spreadsheet takes for a formula is quoted with an apostrophe.
fn spreadsheet_safe(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

/// Whether so much was rejected that a person should look first.
#[must_use]
pub fn too_many(run: &Run, limits: &Limits) -> bool {
    let rejected = run.counts.rejected;
    rejected > limits.hold_rows
        && u128::from(rejected) * 100 > u128::from(run.counts.rows) * u128::from(limits.hold_percent)
}
