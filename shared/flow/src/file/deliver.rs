//! File → REST: valid rows are encoded for the target and sent in numbered parts.
//!
//! ```text
//! rows   r r x r r r r │ r r r x r r │ r …          x = rejected
//! part   ─────── 1 ────┴────── 2 ────┴── 3 (open)
//!                      └ checkpoint: the start of the first row of the open part
//! ```
//!
//! A part is cut by the size of its rows alone, from a checkpoint that is always the start of a part, under pinned
//! lookups: whoever sends part *n* sends the same rows, so a repeat is harmless by its number. A part is sent when the
//! next valid row is at hand, or the file has ended: so it is always known whether it is the last one. Parts go one
//! after another; the target's answer to one is waited for before the next is sent.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::csv::Record;
use domain::layout::{HeaderFault, RowFault};
use domain::lookups::Lookups;

use super::attempt::Attempt;
use super::decode::ReadFault;
use super::halt::{Halt, Stop, Worked, reject};
use super::head;
use super::keys::{Place, RowKeys};
use super::reader::{FileReader, Line, has_swallowed, swallowed, too_long};
use crate::Failure;
use crate::ledger::run::{Phase, Position, Run, RunState};
use crate::trigger::Invocation;

/// What the rows of one file mean, and how they are written for the target.
pub struct Rows {
    /// Appends one row to what is sent.
    pub encode: EncodeRow,
}

/// Appends one row to the first, in the target's form, and its key to the second; or says why it is rejected, whatever
/// it has appended.
pub type EncodeRow = Box<dyn Fn(&Record<'_>, &mut Vec<u8>, &mut Vec<u8>) -> Result<(), RowFault> + Send + Sync>;

/// Understands a header.
pub type OpenRows = fn(&Record<'_>, &Lookups) -> Result<Rows, HeaderFault>;

/// A flow from outbox to API.
pub struct FileToRest {
    /// Understands the header.
    pub open: OpenRows,
    /// What every part begins with, such as a header.
    pub prefix: &'static [u8],
    /// The largest part, in bytes.
    pub part_size: usize,
    /// Sends a part.
    pub target: Arc<dyn DeliverBatch>,
}

/// One part of a file, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number, from 1.
    pub part: u32,
    /// Whether it is the last one.
    pub last: bool,
    /// Prefix and rows.
    pub bytes: Bytes,
    /// Rows in it.
    pub rows: u64,
}

/// The target call of a file → REST flow.
#[async_trait]
pub trait DeliverBatch: Send + Sync {
    /// Sends `batch` of `run`; sending it twice must be harmless at the target.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when the target will never take it: the rest of the file is then not sent.
    async fn deliver(&self, run: &Run, batch: &Batch, invocation: &Invocation) -> Result<(), Failure>;
}

/// The part that is being filled.
struct Open {
    bytes: Vec<u8>,
    rows: u64,
    keys: RowKeys,
}

/// Phase [`Phase::Deliver`]: decides every row and sends the valid ones.
pub(super) async fn deliver(attempt: &mut Attempt<'_>, flow: &FileToRest) -> Worked {
    let head = head::read(attempt).await?;
    let lookups = attempt.lookups().await?;
    let rows = head::understand(attempt, &head, |header| (flow.open)(header, &lookups))?;
    let mut reader = head::rows(attempt, &head, attempt.run.position).await?;
    let mut open = Open::new(flow);
    let mut key = Vec::new();
    loop {
        let taken = match reader.next() {
            Line::Record(record, at) => {
                if has_swallowed(&record) {
                    attempt.run.reason = Some(swallowed(at));
                }
                let start = open.bytes.len();
                key.clear();
                match (rows.encode)(&record, &mut open.bytes, &mut key) {
                    Err(fault) => {
                        open.bytes.truncate(start);
                        attempt.reject_row(record.raw(), at, &fault)?;
                    }
                    Ok(()) if open.is_within(flow) => open.take(attempt, &key, start, &record, at)?,
                    Ok(()) => {
                        open.bytes.truncate(start);
                        reader.put_back(at);
                    }
                }
                // A row that found no room is read again, after the part was sent.
                reader.position() != at
            }
            Line::TooLong { at, length, unclosed } => {
                attempt.run.reason = unclosed.then(|| swallowed(at)).or(attempt.run.reason.take());
                attempt.reject_row(b"", at, &too_long(at, length))?;
                true
            }
            Line::Nothing => true,
            Line::End => break,
            Line::More => {
                if attempt.is_out_of_time() {
                    return Err(Stop::OutOfTime.into());
                }
                if !read_on(attempt, &mut reader).await? {
                    break;
                }
                true
            }
        };
        if !taken {
            send(attempt, flow, &mut open, false).await?;
            attempt.pause(reader.position()).await?;
        }
    }
    if open.rows > 0 {
        send(attempt, flow, &mut open, true).await?;
    }
    finish(attempt, reader.position()).await
}

/// Reads on; `false` at the end of what can be read. A file that breaks off keeps what is valid before, and is rejected
/// from this offset.
pub(super) async fn read_on(attempt: &mut Attempt<'_>, reader: &mut FileReader) -> Result<bool, Halt> {
    attempt.write_large_rejects().await?;
    match reader.fill().await {
        Ok(()) => Ok(true),
        Err(ReadFault::Broken(why)) if attempt.run.counts.rows > 0 => {
            let at = reader.position();
            let rest = reader.rest().to_vec();
            attempt.reject_row(&rest, at, &RowFault::row(format!("from byte {} on: {why}", at.offset)))?;
            attempt.run.reason = Some(why);
            Ok(false)
        }
        Err(fault) => Err(head::halt(&attempt.run, fault)),
    }
}

/// Sends the open part; the next one is open then, in the same memory.
async fn send(attempt: &mut Attempt<'_>, flow: &FileToRest, open: &mut Open, last: bool) -> Worked {
    let part = attempt.run.parts.saturating_add(1);
    let bytes = Bytes::from(std::mem::take(&mut open.bytes));
    let batch = Batch { part, last, bytes, rows: open.rows };
    flow.target.deliver(&attempt.run, &batch, attempt.invocation()).await?;
    attempt.run.parts = part;
    attempt.run.counts.delivered += batch.rows;
    open.begin(flow, batch.bytes);
    Ok(())
}

pub(super) async fn finish(attempt: &mut Attempt<'_>, position: Position) -> Worked {
    let counts = attempt.run.counts;
    if counts.rows == 0 {
        return Err(reject(&attempt.run, "the file has a header and no rows"));
    }
    if counts.delivered == 0 {
        attempt.run.reason = Some(format!("none of the {} rows is valid", counts.rows));
        return Ok(attempt.enter(Phase::Settle(RunState::Rejected), position).await?);
    }
    if let Some(said) = attempt.run.announced_rows()
        && said.parse() != Ok(counts.rows)
    {
        attempt.run.reason = Some(format!("row-count says {said:?}, the file has {} rows", counts.rows));
    }
    Ok(attempt.enter(Phase::Settle(RunState::Delivered), position).await?)
}

/// The memory of bytes that were sent, if nobody holds them any more: a freed part would leave a hole in the heap that
/// the next one, a little longer, does not fit into.
pub(super) fn emptied(sent: Bytes) -> Vec<u8> {
    let memory = sent.try_into_mut().map(|mut bytes| {
        bytes.clear();
        Vec::from(bytes)
    });
    memory.unwrap_or_default()
}

impl Open {
    fn new(flow: &FileToRest) -> Self {
        let mut open = Self { bytes: Vec::new(), rows: 0, keys: RowKeys::default() };
        open.begin(flow, Bytes::new());
        open
    }

    /// Opens a part in the memory of one that was sent, if nobody holds it any more.
    fn begin(&mut self, flow: &FileToRest, sent: Bytes) {
        self.bytes = emptied(sent);
        // Room for the row that turns out to be too much as well: growing would double the part.
        self.bytes.reserve(flow.part_size + flow.part_size / 16);
        self.bytes.extend_from_slice(flow.prefix);
        self.rows = 0;
        self.keys.clear();
    }

    /// Whether the row that was appended last still belongs to the part.
    fn is_within(&self, flow: &FileToRest) -> bool {
        self.rows == 0 || self.bytes.len() <= flow.part_size
    }

    /// Takes a valid row, which was appended at `start`. The same key again within one call: identical is sent once,
    /// different is rejected (contracts.md §6, "Row keys").
    fn take(
        &mut self,
        attempt: &mut Attempt<'_>,
        key: &[u8],
        start: usize,
        record: &Record<'_>,
        at: Position,
    ) -> Result<(), Stop> {
        let place = Place { line: at.line, bytes: start..self.bytes.len() };
        let Err(first) = self.keys.note(key, place) else {
            self.rows += 1;
            attempt.run.counts.rows += 1;
            return Ok(());
        };
        let identical = self.bytes.get(first.bytes) == self.bytes.get(start..);
        self.bytes.truncate(start);
        if identical {
            attempt.run.counts.rows += 1;
            attempt.run.counts.repeated += 1;
            return Ok(());
        }
        attempt.reject_row(record.raw(), at, &RowFault::row(format!("duplicate of line {}", first.line)))
    }
}
