//! What of a file is not answered: the ids that it delivered, less those that were answered since.
//!
//! ```text
//! ids of the file   ████████ ████████ ████        a stretch at a time is held, at most 16 MiB …
//! answered ids      ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒       … and all answers pass by it, piece after piece
//! missing           ▖        ▗        ▖           what is left of the stretch is written, and the ledger knows
//! ```
//!
//! So memory is bounded whatever the files are: a day of 100,000 ids is one stretch, ten million are ten. A comparison
//! that does not end within one invocation goes on with its next stretch in the next. One that has ended is made again
//! only if more was answered since, and if it has rested for twenty times as long as it took.

use futures_util::{StreamExt, TryStreamExt, stream};
use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::hash::BuildHasher;

use super::{PAGE, WatchKit};
use crate::Transient;
use crate::file::ids::{piece_keys, read_piece};
use crate::file::joiner::Joiner;
use crate::ledger::message::REMEMBERED;
use crate::ledger::run::{Listed, Run};
use crate::ledger::turn::arrived;
use crate::ledger::{Committed, decode};
use crate::ports::{Destination, Key, Metadata, Write};
use crate::trigger::Invocation;

/// Ids of the file that are held at once, in bytes, and a piece more.
const STRETCH: usize = 16 << 20;
/// Pieces of answers that are read side by side.
const SIDE_BY_SIDE: usize = 4;
/// A comparison rests for so many times as long as it took.
const REST: i32 = 20;
/// The list's header.
const HEADER: &[u8] = b"syncRequestId\n";

/// What has been answered by the files of one flow.
pub(super) struct Answers {
    files: Vec<Answering>,
}

/// What one file has answered so far.
#[derive(Clone)]
struct Answering {
    arrived: Timestamp,
    rows: u64,
    pieces: Vec<String>,
}

impl Answers {
    /// Of the files of flow `by` that came at `from` or later, in whatever state they are: an answer that its target took
    /// was given.
    pub async fn since(kit: &WatchKit, by: &str, from: Timestamp) -> Result<Self, Transient> {
        // Places begin with the second of arrival.
        let mut after = format!("{:020}", from.as_second());
        let mut files = Vec::new();
        loop {
            let page = kit.ledger.list(&Listed::partition(by), Some(&after), PAGE).await?;
            let Some(last) = page.last() else { return Ok(Self { files }) };
            after.clone_from(&last.key.sort);
            let mut keys = Vec::new();
            for item in &page {
                keys.push(Run::key(by, &decode::<Listed>(item)?.value.run));
            }
            for run in kit.ledger.get_all::<Run>(&keys).await?.into_iter().flatten().map(|run| run.value) {
                let arrived = arrived(&run.place).unwrap_or(run.registered);
                files.push(Answering { arrived, rows: run.counts.delivered, pieces: piece_keys(by, &run).collect() });
            }
        }
    }

    /// Those that came at `from` or later.
    pub fn since_then(&self, from: Timestamp) -> Self {
        Self { files: self.files.iter().filter(|file| file.arrived >= from).cloned().collect() }
    }

    fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// How far the comparison of a file has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Comparison {
    /// Rows that had been answered when it began.
    answered: u64,
    /// Pieces of the file's ids that are compared.
    compared: usize,
    /// Lists of missing ids that are written, one per stretch.
    lists: u32,
    /// The ids in them.
    missing: u64,
    /// Whether an earlier comparison has found some missing.
    again: bool,
    begun: Timestamp,
    ended: Option<Timestamp>,
}

/// How many ids of `run` of `flow` are not in `answers`; `None` while that is not known.
pub(super) async fn compare(
    kit: &WatchKit,
    (flow, run): (&str, &Run),
    answers: &Answers,
    invocation: &Invocation,
) -> Result<Option<u64>, Transient> {
    let key = Key { partition: "watch#answers".into(), sort: format!("{flow}#{}", run.id) };
    let seen = kit.ledger.get::<Comparison>(&key).await?;
    let (known, mut rev) = seen.map_or((None, None), |seen| (Some(seen.value), Some(seen.rev)));
    let fresh = |again| Comparison { answered: answers.rows(), begun: kit.clock.now(), again, ..Comparison::default() };
    let mut state = match known {
        None => fresh(false),
        Some(last) if last.ended.is_none() => last,
        Some(last) if last.answered == answers.rows() || !last.is_rested(kit.clock.now()) => {
            return Ok(Some(last.missing));
        }
        Some(last) => fresh(last.missing > 0),
    };
    let pieces: Vec<String> = piece_keys(flow, run).collect();
    while state.compared < pieces.len() {
        if kit.is_out_of_time(invocation) {
            return Ok(None);
        }
        compare_stretch(kit, (flow, run), &pieces, answers, &mut state).await?;
        if !note(kit, &key, &state, &mut rev).await? {
            return Ok(None);
        }
    }
    write_list(kit, (flow, run), &state).await?;
    state.ended = Some(kit.clock.now());
    Ok(note(kit, &key, &state, &mut rev).await?.then_some(state.missing))
}

/// Compares the next pieces of the file's ids, and writes down what of them is not answered.
async fn compare_stretch(
    kit: &WatchKit,
    (flow, run): (&str, &Run),
    pieces: &[String],
    answers: &Answers,
    state: &mut Comparison,
) -> Result<(), Transient> {
    let mut text = Vec::new();
    while text.len() < STRETCH
        && let Some(piece) = pieces.get(state.compared)
    {
        text.extend_from_slice(&read_piece(&kit.rejects, piece.clone()).await?);
        state.compared += 1;
    }
    let mut ids = IdSet::of(text);
    let pieces = answers.files.iter().flat_map(|file| &file.pieces);
    let reads: Vec<_> = pieces.map(|piece| read_piece(&kit.rejects, piece.clone())).collect();
    let mut answered = stream::iter(reads).buffer_unordered(SIDE_BY_SIDE);
    while let Some(piece) = answered.try_next().await? {
        for id in lines(&piece) {
            ids.remove(id);
        }
    }
    drop(answered);
    let (missing, count) = ids.rest();
    if count > 0 {
        let to = Destination { key: stretch_key(flow, run, state.lists), metadata: Metadata::new() };
        kit.rejects.outlet.put(&to, missing.into()).await?;
        state.lists = state.lists.saturating_add(1);
        state.missing = state.missing.saturating_add(count);
    }
    Ok(())
}

/// Writes the list for people; an empty one where an earlier one named ids that are answered by now.
async fn write_list(kit: &WatchKit, (flow, run): (&str, &Run), state: &Comparison) -> Result<(), Transient> {
    let key = list_key(flow, run);
    let mut list = Joiner::new(&kit.rejects, key.clone(), HEADER.to_vec());
    for number in 0..state.lists {
        list.append(&read_piece(&kit.rejects, stretch_key(flow, run, number)).await?).await?;
    }
    if list.end().await?.is_none() && state.again {
        let to = Destination { key, metadata: Metadata::new() };
        kit.rejects.outlet.put(&to, HEADER.into()).await?;
    }
    Ok(())
}

/// Whether it is written: another invocation may have the turn by now.
async fn note(kit: &WatchKit, key: &Key, state: &Comparison, rev: &mut Option<u64>) -> Result<bool, Transient> {
    let expires = kit.clock.now().checked_add(REMEMBERED).ok();
    let written = kit.ledger.commit(&[Write::put(key.clone(), state, *rev, expires)?]).await? == Committed::Yes;
    *rev = Some(rev.unwrap_or(0).saturating_add(1));
    Ok(written)
}

/// Where the ids of `run` that are not answered are listed.
pub(super) fn list_key(flow: &str, run: &Run) -> String {
    format!("{flow}/unanswered/{}.{}.csv", run.file_name(), run.id)
}

fn stretch_key(flow: &str, run: &Run, number: u32) -> String {
    format!("{flow}/unanswered/{}/{number:06}", run.id)
}

impl Comparison {
    fn is_rested(&self, now: Timestamp) -> bool {
        self.ended.is_none_or(|ended| now.duration_since(ended) >= ended.duration_since(self.begun) * REST)
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|id| !id.is_empty())
}

/// Ids in the text that they came in, found by hash and compared by content.
struct IdSet {
    hashes: DefaultHashBuilder,
    text: Vec<u8>,
    /// Where each begins.
    starts: HashTable<usize>,
}

impl IdSet {
    fn of(text: Vec<u8>) -> Self {
        let hashes = DefaultHashBuilder::default();
        let mut starts = HashTable::with_capacity(text.iter().filter(|byte| **byte == b'\n').count());
        let mut start = 0;
        for line in text.split(|byte| *byte == b'\n') {
            let hash = |start: &usize| hashes.hash_one(id_at(&text, *start));
            let is_same = |other: &usize| id_at(&text, *other) == line;
            if !line.is_empty()
                && let Entry::Vacant(vacant) = starts.entry(hashes.hash_one(line), is_same, hash)
            {
                vacant.insert(start);
            }
            start += line.len() + 1;
        }
        Self { hashes, text, starts }
    }

    fn remove(&mut self, id: &[u8]) {
        let text = &self.text;
        if let Ok(found) = self.starts.find_entry(self.hashes.hash_one(id), |start| id_at(text, *start) == id) {
            found.remove();
        }
    }

    /// Those that are left, one a line in their order, and how many.
    fn rest(self) -> (Vec<u8>, u64) {
        let mut starts: Vec<usize> = self.starts.into_iter().collect();
        starts.sort_unstable();
        let mut rest = Vec::new();
        for start in &starts {
            rest.extend_from_slice(id_at(&self.text, *start));
            rest.push(b'\n');
        }
        (rest, u64::try_from(starts.len()).unwrap_or(u64::MAX))
    }
}

fn id_at(text: &[u8], start: usize) -> &[u8] {
    let rest = text.get(start..).unwrap_or_default();
    rest.split(|byte| *byte == b'\n').next().unwrap_or_default()
}
