//! File → file: every row is checked first, then the file appears whole in the inbox.
//!
//! A clean file is copied by the store, byte for byte. Otherwise a second pass writes the valid rows as UTF-8, comma,
//! our column names. Parts are cut by size alone and from pinned lookups, so whoever writes part *n* writes the same
//! bytes: a slow twin does no harm.

use std::sync::Arc;

use bytes::Bytes;
use domain::csv::{Delimiter, Record};
use domain::layout::{Columns, HeaderFault, RowFault};
use domain::lookups::Lookups;

use super::attempt::Attempt;
use super::deliver::emptied;
use super::halt::{Halt, Stop, Worked, reject};
use super::head;
use super::reader::{Line, has_swallowed, swallowed, too_long};
use super::rejects::too_many;
use super::tell::TellSource;
use super::{FileFlow, FileKit, serve};
use crate::Transient;
use crate::ledger::run::{CORRELATION, Encoding, Head, Phase, Position, ROW_COUNTS, Run, RunState};
use crate::ports::{Destination, Finished, Metadata, ObjectRef, Outlet, Part, UploadEnd, UploadId};
use crate::trigger::{Invocation, Reply, Trigger};

/// Parts of the second pass.
const REWRITTEN_PART: usize = 8 << 20;
/// A part with the row that fills it: a buffer that grows takes twice the memory.
const ROOM: usize = REWRITTEN_PART + (128 << 10);
/// Parts of the copy: 5 GiB are allowed, and up to 10,000 of them.
const COPIED_PART: u64 = 1 << 30;

/// What the rows of one file mean.
pub struct Sheet {
    /// Its columns.
    pub columns: Columns,
    /// Decides one row.
    pub check: CheckRow,
    /// Where the receiver answers what it gets: the id of a valid row, if it has one.
    pub id: Option<IdOf>,
}

impl Sheet {
    /// What `file` says of its rows.
    pub fn of<F: Send + Sync + 'static>(
        file: F,
        columns: fn(&F) -> &Columns,
        check: impl Fn(&F, &Record<'_>) -> Result<(), RowFault> + Send + Sync + 'static,
    ) -> Self {
        Self { columns: columns(&file).clone(), check: Box::new(move |row| check(&file, row)), id: None }
    }
}

/// Decides one row.
pub type CheckRow = Box<dyn Fn(&Record<'_>) -> Result<(), RowFault> + Send + Sync>;

/// What a valid row is answered by.
pub type IdOf = Box<dyn for<'a> Fn(&Record<'a>) -> Option<&'a str> + Send + Sync>;

/// Understands a header.
pub type OpenSheet = fn(&Record<'_>, &Lookups) -> Result<Sheet, HeaderFault>;

/// A flow from outbox to inbox.
pub struct FileToFile {
    /// Understands the header.
    pub open: OpenSheet,
    /// The receiver's inbox.
    pub inbox: Arc<dyn Outlet>,
    /// Looks whether a file is there already. The inbox's name.
    pub inbox_bucket: String,
    /// How the source hears of rejected rows, where the contract asks for it.
    pub tell: Option<TellSource>,
}

impl FileToFile {
    /// Into the inbox of that name, telling nobody of rejected rows but people.
    #[must_use]
    pub fn into_inbox(open: OpenSheet, inbox_bucket: impl Into<String>, inbox: Arc<dyn Outlet>) -> Self {
        Self { open, inbox, inbox_bucket: inbox_bucket.into(), tell: None }
    }
}

/// A file → file flow, ready to be started; its fields are what it may touch.
pub struct ToFileFlow {
    /// Ledger, outbox, rejects and the rest of every file flow.
    pub kit: FileKit,
    /// The receiver's inbox.
    pub to_file: FileToFile,
}

impl ToFileFlow {
    /// Messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] for a trigger that such a flow does not have.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        serve(&self.kit, &FileFlow::ToFile(&self.to_file), trigger, &invocation).await
    }
}

/// Phase [`Phase::Check`]: decides every row, and with them the file.
pub(super) async fn check(attempt: &mut Attempt<'_>, flow: &FileToFile) -> Worked {
    let head = head::read(attempt).await?;
    let lookups = attempt.lookups().await?;
    let sheet = head::understand(attempt, &head, |header| (flow.open)(header, &lookups))?;
    let mut reader = head::rows(attempt, &head, attempt.run.position).await?;
    loop {
        match reader.next() {
            Line::Record(record, at) if has_swallowed(&record) => return Err(reject(&attempt.run, swallowed(at))),
            Line::TooLong { at, unclosed: true, .. } => return Err(reject(&attempt.run, swallowed(at))),
            Line::Record(record, at) => attempt.check_row(&sheet, &record, at)?,
            Line::TooLong { at, length, .. } => attempt.reject_row(b"", at, &too_long(at, length))?,
            Line::Nothing => {}
            Line::End => break,
            Line::More => {
                attempt.pause(reader.position()).await?;
                reader.fill().await.map_err(|fault| head::halt(&attempt.run, fault))?;
            }
        }
    }
    let next = verdict(attempt, flow, &head, &sheet)?;
    let begin = if matches!(next, Phase::Rewrite | Phase::Tell(_)) { head.rows_at } else { reader.position() };
    Ok(attempt.enter(next, begin).await?)
}

/// What becomes of a file whose rows are all decided.
fn verdict(attempt: &mut Attempt<'_>, flow: &FileToFile, head: &Head, sheet: &Sheet) -> Result<Phase, Halt> {
    let run = &mut attempt.run;
    let counts = run.counts;
    match run.announced_rows().map(str::parse::<u64>) {
        None => {}
        Some(Ok(expected)) if expected == counts.rows => {}
        Some(Ok(expected)) => {
            let why = format!("row-count says {expected} rows, the file has {}", counts.rows);
            return Err(reject(run, why));
        }
        Some(Err(_)) => return Err(reject(run, "the metadata row-count is not a number")),
    }
    if counts.rows == 0 {
        return Err(reject(run, "the file has a header and no rows"));
    }
    if counts.rejected == counts.rows {
        // The file is rejected, but not for one reason: each row keeps its own.
        run.reason = Some(format!("none of the {} rows is valid", counts.rows));
        return Ok(ending(flow, run, RunState::Rejected));
    }
    if too_many(run, &attempt.kit.limits) {
        run.reason = Some(format!("held: {} of {} rows were rejected", counts.rejected, counts.rows));
        return Ok(Phase::Settle(RunState::Held));
    }
    Ok(if is_clean(run, head, sheet) { Phase::Copy } else { Phase::Rewrite })
}

fn is_clean(run: &Run, head: &Head, sheet: &Sheet) -> bool {
    run.counts.rejected == 0
        && head.encoding == Encoding::Plain
        && !head.bom
        && head::delimiter(head) == Delimiter::Comma
        && sheet.columns.is_canonical()
}

/// Phase [`Phase::Copy`]: the store copies the version that was validated.
pub(super) async fn copy(attempt: &mut Attempt<'_>, flow: &FileToFile) -> Worked {
    let to = destination(&attempt.run);
    let Some(upload) = upload(attempt, flow, &to).await? else { return published(attempt, flow).await };
    let (source, etag, size) = (attempt.run.source.clone(), attempt.run.etag.clone(), attempt.run.size);
    let mut from = u64::from(attempt.run.parts) * COPIED_PART;
    while from < size {
        let len = COPIED_PART.min(size - from);
        let number = attempt.run.parts.saturating_add(1);
        let part = Part::Copy { source: source.clone(), etag: etag.clone(), from, len };
        flow.inbox.part(&to.key, &upload, number, part).await?;
        attempt.run.parts = number;
        from += len;
        if from < size {
            attempt.pause_now(attempt.run.position).await?;
        }
    }
    finish(attempt, flow, &to, &upload).await
}

/// Phase [`Phase::Rewrite`]: valid rows, as comma-separated UTF-8 under our column names.
pub(super) async fn rewrite(attempt: &mut Attempt<'_>, flow: &FileToFile) -> Worked {
    let head = head::read(attempt).await?;
    let lookups = attempt.lookups().await?;
    let sheet = head::understand(attempt, &head, |header| (flow.open)(header, &lookups))?;
    let to = destination(&attempt.run);
    let Some(upload) = upload(attempt, flow, &to).await? else { return published(attempt, flow).await };
    let mut reader = head::rows(attempt, &head, attempt.run.position).await?;
    let mut out = Vec::with_capacity(ROOM);
    if attempt.run.parts == 0 {
        sheet.columns.write_header(&mut out);
    }
    loop {
        match reader.next() {
            Line::Record(record, _) => {
                if (sheet.check)(&record).is_ok() {
                    record.write_csv(&mut out);
                }
            }
            Line::TooLong { .. } | Line::Nothing => {}
            Line::End => break,
            Line::More => reader.fill().await.map_err(|fault| head::halt(&attempt.run, fault))?,
        }
        if out.len() >= REWRITTEN_PART {
            let part = Bytes::from(std::mem::take(&mut out));
            write_part(attempt, flow, &to, &upload, part.clone()).await?;
            out = emptied(part);
            out.reserve_exact(ROOM);
            attempt.pause_now(reader.position()).await?;
        }
    }
    if !out.is_empty() {
        write_part(attempt, flow, &to, &upload, Bytes::from(out)).await?;
    }
    finish(attempt, flow, &to, &upload).await
}

async fn write_part(
    attempt: &mut Attempt<'_>,
    flow: &FileToFile,
    to: &Destination,
    upload: &UploadId,
    part: Bytes,
) -> Worked {
    let number = attempt.run.parts.saturating_add(1);
    flow.inbox.part(&to.key, upload, number, Part::Bytes(part)).await?;
    attempt.run.parts = number;
    Ok(())
}

/// The upload in progress, or a new one that the ledger knows before its first part. `None` when an earlier attempt has
/// finished it and died before it could say so: the object's metadata names its run.
async fn upload(attempt: &mut Attempt<'_>, flow: &FileToFile, to: &Destination) -> Result<Option<UploadId>, Halt> {
    if let Some(upload) = attempt.run.upload.clone() {
        return Ok(if is_published(attempt, flow, to).await? { None } else { Some(upload) });
    }
    let upload = flow.inbox.begin(to).await?;
    attempt.run.upload = Some(upload.clone());
    attempt.commit(&[]).await?;
    Ok(Some(upload))
}

async fn is_published(attempt: &Attempt<'_>, flow: &FileToFile, to: &Destination) -> Result<bool, Halt> {
    let there = ObjectRef { bucket: flow.inbox_bucket.clone(), key: to.key.clone(), version: None };
    let meta = attempt.kit.source.head(&there).await?;
    Ok(meta.is_some_and(|meta| meta.metadata.get(RUN) == Some(&attempt.run.id.to_string())))
}

/// Makes the object visible. An upload that is gone was finished by a twin; if the object does not say so, the run
/// starts its upload anew.
async fn finish(attempt: &mut Attempt<'_>, flow: &FileToFile, to: &Destination, upload: &UploadId) -> Worked {
    let finished = flow.inbox.finish(&to.key, upload, UploadEnd::Publish).await?;
    if finished == Finished::NoSuchUpload && !is_published(attempt, flow, to).await? {
        attempt.run.upload = None;
        attempt.run.parts = 0;
        let begin = attempt.run.head.as_ref().map_or(Position::default(), |head| head.rows_at);
        return Ok(attempt.enter(attempt.run.phase, begin).await?);
    }
    published(attempt, flow).await
}

/// Before a run ends that is not delivered, its upload is abandoned: an attempt that was cut off while it finished the
/// upload, or stood still before that, would otherwise show the file after files that came later.
pub(super) async fn abandon(attempt: &mut Attempt<'_>, flow: &FileToFile) -> Result<(), Stop> {
    let Some(upload) = attempt.run.upload.take() else { return Ok(()) };
    let to = destination(&attempt.run);
    flow.inbox.finish(&to.key, &upload, UploadEnd::Abandon).await?;
    let rows_at = attempt.run.head.as_ref().map(|head| head.rows_at).unwrap_or_default();
    attempt.run.parts = 0;
    if let Some(resume) = &mut attempt.run.resume {
        resume.position = rows_at;
    }
    Ok(())
}

async fn published(attempt: &mut Attempt<'_>, flow: &FileToFile) -> Worked {
    let next = ending(flow, &attempt.run, RunState::Delivered);
    let begin = attempt.run.head.as_ref().map_or(attempt.run.position, |head| head.rows_at);
    Ok(attempt.enter(next, begin).await?)
}

/// What follows when all is decided: sources of rejected rows are told first, where the contract asks for it.
fn ending(flow: &FileToFile, run: &Run, state: RunState) -> Phase {
    if flow.tell.is_some() && run.counts.rejected > 0 { Phase::Tell(state) } else { Phase::Settle(state) }
}

/// The metadata by which a delivered file names its run.
const RUN: &str = "run-id";

fn destination(run: &Run) -> Destination {
    let key = run.source.key.as_str();
    let packed = run.head.as_ref().is_some_and(|head| head.encoding != Encoding::Plain);
    let plain = key.strip_suffix(".gz").or_else(|| key.strip_suffix(".zip")).filter(|_| packed).unwrap_or(key);
    let mut metadata: Metadata = run.envelope.clone();
    metadata.retain(|name, _| !ROW_COUNTS.contains(&name.as_str()));
    metadata.insert(RUN.into(), run.id.to_string());
    metadata.insert(CORRELATION.into(), run.correlation.clone());
    let delivered = run.counts.rows.saturating_sub(run.counts.rejected);
    metadata.insert("row-count".into(), delivered.to_string());
    Destination { key: plain.to_owned(), metadata }
}

impl Attempt<'_> {
    fn check_row(&mut self, sheet: &Sheet, record: &Record<'_>, at: Position) -> Result<(), Stop> {
        match (sheet.check)(record) {
            Ok(()) => {
                self.run.counts.rows += 1;
                if let Some(id) = sheet.id.as_ref().and_then(|id| id(record)) {
                    self.ids.note(id.as_bytes());
                }
                Ok(())
            }
            Err(fault) => self.reject_row(record.raw(), at, &fault),
        }
    }
}
