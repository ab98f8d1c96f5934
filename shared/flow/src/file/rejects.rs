//! The reject files of a run: `rows`, the header and every rejected row byte for byte, droppable again as it is, and
//! `reasons.csv` with line, column and reason. Written as pieces while the run goes on, joined at its end.
//!
//! ```text
//! piece   lengths │ reasons: line,column,reason … │ records: line,record,reason … │ rows, as they came …
//! ```
//!
//! A piece is one object, so that it is one request. `records` is there for flows that acknowledge record by record.

use std::sync::Arc;

use bytes::Bytes;

use super::Limits;
use super::ids::read_piece;
use super::joiner::Joiner;
use crate::Transient;
use crate::ledger::run::{Pieces, Position, Run};
use crate::ports::{Destination, Metadata, Outlet, Source};

/// A piece is written when its rows or reasons reach this size.
const PIECE: usize = 1 << 20;

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

/// A rejected row, as it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What its sender calls it, if that could be read.
    pub record: Option<String>,
    /// Why it is rejected.
    pub reason: String,
}

/// Rejected rows since the last piece.
pub struct Rejects {
    store: RejectStore,
    flow: &'static str,
    rows: Vec<u8>,
    reasons: csv::Writer<Vec<u8>>,
    records: csv::Writer<Vec<u8>>,
    pending: bool,
}

impl Rejects {
    /// No rejects yet.
    #[must_use]
    pub fn new(store: RejectStore, flow: &'static str) -> Self {
        let (reasons, records) = (in_memory(), in_memory());
        Self { store, flow, rows: Vec::new(), reasons, records, pending: false }
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

    /// Notes for the acknowledgement what the sender calls the row that was rejected.
    ///
    /// # Errors
    /// [`Transient`] should writing into memory fail.
    pub fn name(&mut self, at: Position, record: Option<&str>, reason: &str) -> Result<(), Transient> {
        let row = [&at.line.to_string(), record.unwrap_or_default(), reason];
        self.records.write_record(row).map_err(|e| Transient::because("writing a record's name", e))
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
        let piece = [written(&mut self.reasons)?, written(&mut self.records)?, std::mem::take(&mut self.rows)];
        let to = Destination { key: piece_key(self.flow, run, number, attempt), metadata: Metadata::new() };
        self.store.outlet.put(&to, Bytes::from(bound(&piece))).await?;
        self.pending = false;
        *pieces = next;
        Ok(())
    }
}

fn in_memory() -> csv::Writer<Vec<u8>> {
    csv::Writer::from_writer(Vec::new())
}

fn written(writer: &mut csv::Writer<Vec<u8>>) -> Result<Vec<u8>, Transient> {
    let written = std::mem::replace(writer, in_memory()).into_inner();
    written.map_err(|e| Transient::because("writing rejects", e.into_error()))
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
    let rows = Joiner::new(store, RejectFile::Rows.key(flow, run), header.into_bytes());
    let rows = all(rows, Section::Rows, (store, flow, run)).await?;
    let reasons = Joiner::new(store, RejectFile::Reasons.key(flow, run), b"line,column,reason\n".to_vec());
    let reasons = all(reasons, Section::Reasons, (store, flow, run)).await?;
    Ok(reasons.map(|reasons| RejectFiles { rows, reasons }))
}

/// The key of the joined file, or `None` when there is nothing after its head.
async fn all(
    mut joined: Joiner<'_>,
    wanted: Section,
    (store, flow, run): (&RejectStore, &str, &Run),
) -> Result<Option<String>, Transient> {
    for (number, attempt) in run.pieces.iter() {
        joined.append(&read_section(store, piece_key(flow, run, number, attempt), wanted).await?).await?;
    }
    joined.end().await
}

/// The rejected rows of `run` as they are acknowledged, in the order in which they were rejected; `None` when they are
/// more than `most`.
///
/// # Errors
/// [`Transient`] when the bucket cannot be read.
pub async fn records(
    store: &RejectStore,
    flow: &str,
    run: &Run,
    most: usize,
) -> Result<Option<Vec<RejectedRecord>>, Transient> {
    let mut found = Vec::new();
    for (number, attempt) in run.pieces.iter() {
        let piece = read_section(store, piece_key(flow, run, number, attempt), Section::Records).await?;
        let rows = csv::ReaderBuilder::new().has_headers(false).from_reader(piece.as_slice()).into_deserialize();
        for row in rows {
            let (line, record, reason): (u64, String, String) =
                row.map_err(|e| Transient::because("reading a reject piece", e))?;
            let record = Some(record).filter(|record| !record.is_empty());
            found.push(RejectedRecord { line, record, reason });
        }
        if found.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// The sections of a piece, in their order.
#[derive(Clone, Copy)]
enum Section {
    Reasons,
    Records,
    Rows,
}

const SECTIONS: usize = 3;
/// Each length stands first, as so many hexadecimal digits.
const LENGTH: usize = 8;

fn bound(sections: &[Vec<u8>; SECTIONS]) -> Vec<u8> {
    let lengths: String = sections.iter().map(|section| format!("{:0LENGTH$x}", section.len())).collect();
    let mut piece = lengths.into_bytes();
    for section in sections {
        piece.extend_from_slice(section);
    }
    piece
}

/// One section of a piece.
async fn read_section(store: &RejectStore, key: String, wanted: Section) -> Result<Vec<u8>, Transient> {
    let piece = read_piece(store, key.clone()).await?;
    section(&piece, wanted).ok_or_else(|| Transient::new(format!("{key} is no reject piece")))
}

fn section(piece: &[u8], wanted: Section) -> Option<Vec<u8>> {
    let mut start = SECTIONS * LENGTH;
    for (place, length) in piece.get(..start)?.chunks(LENGTH).enumerate() {
        let length = usize::from_str_radix(std::str::from_utf8(length).ok()?, 16).ok()?;
        let end = start.checked_add(length)?;
        let is_wanted = match wanted {
            Section::Reasons => place == 0,
            Section::Records => place == 1,
            Section::Rows => place == 2,
        };
        if is_wanted {
            return piece.get(start..end).map(<[u8]>::to_vec);
        }
        start = end;
    }
    None
}

fn piece_key(flow: &str, run: &Run, number: u32, attempt: u32) -> String {
    format!("{flow}/pieces/{}/{number:06}-{attempt:03}", run.id)
}

/// One of the two reject files of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectFile {
    /// The header and every rejected row, byte for byte.
    Rows,
    /// Line, column and reason of each.
    Reasons,
}

impl RejectFile {
    /// Where it is in the rejects bucket, once the run is settled and if anything was rejected; rows also only where they
    /// could be kept.
    #[must_use]
    pub fn key(self, flow: &str, run: &Run) -> String {
        let kind = match self {
            Self::Rows => "rows",
            Self::Reasons => "reasons",
        };
        format!("{flow}/{}.{}.{kind}.csv", run.file_name(), run.id)
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
