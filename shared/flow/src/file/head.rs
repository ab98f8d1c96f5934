//! The beginning of a file: how it is packed and delimited, and its header.

use domain::csv::{Delimiter, Record, Split, Splitter, foreign_encoding, strip_bom};
use domain::layout::HeaderFault;

use super::acknowledge::NameRow;
use super::attempt::Attempt;
use super::decode::{self, Decoded, ReadFault};
use super::halt::{Halt, Stop, reject};
use super::reader::{FileReader, moved};
use crate::ledger::run::{Encoding, Head, Position, Run};

/// The longest header accepted: it is kept in the ledger with the run.
const LONGEST_HEADER: usize = 64 << 10;
/// What is read to find it: a mark and a line end more.
const LONGEST_BEGINNING: usize = LONGEST_HEADER + 4;

/// The head of the run's file: from the ledger, or read now.
pub(super) async fn read(attempt: &mut Attempt<'_>) -> Result<Head, Halt> {
    if let Some(head) = &attempt.run.head {
        return Ok(head.clone());
    }
    if attempt.run.size == 0 {
        return Err(reject(&attempt.run, "the file is empty"));
    }
    let object = attempt.object();
    let encoding = decode::detect(&object).await.map_err(|e| halt(&attempt.run, e))?;
    let mut decoded = Decoded::open(&object, encoding, 0).await.map_err(|e| halt(&attempt.run, e))?;
    let (first, broken) = beginning(&mut decoded).await.map_err(|e| halt(&attempt.run, e))?;
    let at_end = first.len() < LONGEST_BEGINNING && broken.is_none();
    attempt.broken = broken;
    let head = understand_beginning(encoding, &first, at_end).map_err(|why| reject_beginning(attempt, why))?;
    attempt.run.head = Some(head.clone());
    attempt.run.position = head.rows_at;
    Ok(head)
}

/// The first bytes of the file, and why there are no more, if it breaks so early. A file that breaks off soon after its
/// header still has a header.
async fn beginning(decoded: &mut Decoded) -> Result<(Vec<u8>, Option<String>), ReadFault> {
    let mut first = vec![0; LONGEST_BEGINNING];
    let (mut have, mut broken) = (0, None);
    while have < first.len() {
        match decoded.read(first.get_mut(have..).unwrap_or_default()).await {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(ReadFault::Broken(why)) => {
                broken = Some(why);
                break;
            }
            Err(fault) => return Err(fault),
        }
    }
    first.truncate(have);
    Ok((first, broken))
}

fn understand_beginning(encoding: Encoding, first: &[u8], at_end: bool) -> Result<Head, String> {
    if first.is_empty() {
        return Err("the file is empty".into());
    }
    if let Some(foreign) = foreign_encoding(first) {
        return Err(format!("the file is {foreign}; it must be UTF-8"));
    }
    let text = strip_bom(first);
    let bom = text.len() < first.len();
    let (header, rows_at) = split_header(text, at_end)?;
    let rows_at = Position { offset: rows_at.offset + if bom { 3 } else { 0 }, line: rows_at.line };
    Ok(Head { encoding, bom, header, rows_at })
}

/// The header of `text` and where the first row begins, before the mark is counted.
fn split_header(text: &[u8], at_end: bool) -> Result<(String, Position), String> {
    let mut splitter = Splitter::new(Delimiter::sniff(text));
    let mut position = Position { offset: 0, line: 1 };
    let mut rest = text;
    loop {
        match splitter.split(rest, at_end) {
            Split::Blank { len, lines } => {
                position = moved(position, len, lines);
                rest = rest.get(len..).unwrap_or_default();
            }
            Split::Record(record) if record.raw().len() <= LONGEST_HEADER => {
                let header = std::str::from_utf8(record.raw()).map_err(|_| "the header is not valid UTF-8")?;
                let rows_at = moved(position, record.raw().len(), record.lines());
                return Ok((header.to_owned(), rows_at));
            }
            Split::End => return Err("the file has nothing but blank lines".into()),
            Split::Record(_) | Split::Incomplete | Split::TooLong => {
                return Err(format!("the header is longer than {LONGEST_HEADER} bytes"));
            }
        }
    }
}

/// Lets `open` understand the header; a fault of the header rejects the file.
pub(super) fn understand<T>(
    attempt: &Attempt<'_>,
    head: &Head,
    open: impl FnOnce(&Record<'_>) -> Result<T, HeaderFault>,
) -> Result<T, Halt> {
    let mut splitter = Splitter::new(delimiter(head));
    match splitter.split(head.header.as_bytes(), true) {
        Split::Record(record) => open(&record).map_err(|fault| reject_beginning(attempt, fault.to_string())),
        _ => Err(reject_beginning(attempt, "the header cannot be read".into())),
    }
}

/// A file that breaks so early may have given rubbish for its header: that it is broken is then the reason.
fn reject_beginning(attempt: &Attempt<'_>, why: String) -> Halt {
    reject(&attempt.run, attempt.broken.clone().unwrap_or(why))
}

/// What separates the fields.
pub(super) fn delimiter(head: &Head) -> Delimiter {
    Delimiter::sniff(head.header.as_bytes())
}

/// A reader of the run's rows from `position` on.
pub(super) async fn rows(attempt: &Attempt<'_>, head: &Head, position: Position) -> Result<FileReader, Halt> {
    let opened = FileReader::open(&attempt.object(), head.encoding, delimiter(head), position).await;
    opened.map_err(|fault| halt(&attempt.run, fault))
}

/// What the sender calls the row `raw`, if that can be read.
pub(super) fn name(run: &Run, raw: &[u8], name: &NameRow) -> Option<String> {
    match Splitter::new(delimiter(run.head.as_ref()?)).split(raw, true) {
        Split::Record(record) => name(&record),
        _ => None,
    }
}

/// A fault of reading, as a phase reports it.
pub(super) fn halt(run: &Run, fault: ReadFault) -> Halt {
    match fault {
        ReadFault::Broken(why) => reject(run, why),
        ReadFault::Transient(fault) => Halt::Stop(Stop::Transient(fault)),
    }
}
