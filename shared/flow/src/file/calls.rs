//! File → REST, row by row: valid rows go to the target in small calls, side by side, each key in file order.
//!
//! ```text
//! rows ─ by group ─▶ call being filled ─▶ waiting, in order ─▶ on their way, side by side
//!                                         └ unless a key of it is on its way, or waits further ahead
//! segment 15 MiB or 10 s ─▶ all calls are made and answered ─▶ one checkpoint
//! ```
//!
//! So two rows of one key never overtake each other, and no call waits for another without a reason. Rows of different
//! groups (stages, for example) never share a call: one call per group is being filled, and the fullest goes out when many
//! rows are held. After a crash at most the calls since the last checkpoint are made again, and each is harmless by its
//! target key (contracts.md §4, "On repeat").

use std::collections::hash_map::{DefaultHasher, HashMap};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use domain::csv::Record;
use domain::layout::{HeaderFault, RowFault};
use domain::lookups::Lookups;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::acknowledge::AckFile;
use super::attempt::Attempt;
use super::deliver::{finish, read_on};
use super::gate::{Gate, Looked, Verdict};
use super::halt::{Halt, Stop, Worked};
use super::head;
use super::reader::{Line, has_swallowed, swallowed, too_long};
use super::{FileFlow, FileKit, serve};
use crate::ledger::run::{Position, Run};
use crate::trigger::{Invocation, Reply, Trigger};
use crate::{Failure, Transient};

/// The most that the calls being filled hold together, in bytes.
const MOST_FILLED: usize = 2 << 20;

/// A valid row, in the target's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Its key (contracts.md §6, "Row keys").
    pub key: Vec<u8>,
    /// Rows of different groups never share a call; a stage, for example.
    pub group: Vec<u8>,
    /// What is sent of it.
    pub content: Vec<u8>,
}

/// Decides one row.
pub type ReadRow = Box<dyn Fn(&Record<'_>) -> Result<CallRow, RowFault> + Send + Sync>;

/// Understands a header, knowing the run and its envelope; a fault of either rejects the file.
pub type OpenCalls = Box<dyn Fn(&Record<'_>, &Lookups, &Run) -> Result<ReadRow, HeaderFault> + Send + Sync>;

/// A flow from outbox to API, in many calls.
pub struct FileToCalls {
    /// Understands the header.
    pub open: OpenCalls,
    /// Rows in one call at most.
    pub rows_per_call: usize,
    /// Calls made side by side at most.
    pub side_by_side: usize,
    /// Makes a call.
    pub target: Arc<dyn CallTarget>,
    /// When rows may be sent; at once, if there is none.
    pub gate: Option<Arc<dyn Gate>>,
    /// How the source hears what became of its file, where the contract has it.
    pub ack: Option<AckFile>,
    /// Whether its rows answer what another flow has sent: then the keys of delivered rows are listed, for `watch`.
    pub is_answer: bool,
}

/// A whole flow from outbox to API in many calls, one message of its queue at a time; its fields are what it may touch.
pub struct ToCallsFlow {
    /// Ledger, outbox, rejects and the rest of every file flow.
    pub kit: FileKit,
    /// The target, and its gate.
    pub to_calls: FileToCalls,
}

impl ToCallsFlow {
    /// Messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] for a trigger that such a flow does not have.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        serve(&self.kit, &FileFlow::ToCalls(&self.to_calls), trigger, &invocation).await
    }
}

/// The target call of such a flow.
#[async_trait]
pub trait CallTarget: Send + Sync {
    /// Sends `rows`, all of one group. Returns the rows that the target refuses, by their place in `rows`.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when the target will never take any row of the file.
    async fn call(
        &self,
        run: &Run,
        rows: &[CallRow],
        invocation: &Invocation,
    ) -> Result<Vec<(usize, RowFault)>, Failure>;
}

/// A row with what is needed should the target refuse it.
struct Held {
    row: CallRow,
    /// The hash of its key.
    hash: u64,
    at: Position,
    raw: Vec<u8>,
    /// The same row again within the call: what becomes of it becomes of them.
    again: Vec<(Position, Vec<u8>)>,
}

type Answered = (Vec<Held>, Result<Vec<(usize, RowFault)>, Failure>);

/// All calls of a segment.
struct Calls<'a> {
    flow: &'a FileToCalls,
    run: Arc<Run>,
    invocation: Invocation,
    /// Those that are being filled, by group.
    open: BTreeMap<Vec<u8>, Vec<Held>>,
    /// Bytes in them.
    filled: usize,
    /// Those that are filled, in order.
    waiting: VecDeque<Vec<Held>>,
    /// Those on their way, and the hashes of their keys.
    begun: FuturesUnordered<BoxFuture<'a, Answered>>,
    busy: HashSet<u64>,
    refused: Vec<(Held, RowFault)>,
    delivered: u64,
    /// The keys of rows that were delivered since the last checkpoint, where they are answers.
    answered: Vec<Vec<u8>>,
    gate: Looked,
}

/// Phase [`crate::ledger::run::Phase::Deliver`] of such a flow.
pub(super) async fn deliver(attempt: &mut Attempt<'_>, flow: &FileToCalls) -> Worked {
    let head = head::read(attempt).await?;
    let lookups = attempt.lookups().await?;
    let read = head::understand(attempt, &head, |header| (flow.open)(header, &lookups, &attempt.run))?;
    if let Some(ack) = &flow.ack {
        attempt.names = Some(head::understand(attempt, &head, |header| (ack.open)(header, &lookups))?);
    }
    let mut reader = head::rows(attempt, &head, attempt.run.position).await?;
    let mut calls = Calls::new(flow, attempt);
    loop {
        match reader.next() {
            Line::Record(record, at) => {
                if has_swallowed(&record) {
                    attempt.run.reason = Some(swallowed(at));
                }
                match read(&record) {
                    Ok(row) => {
                        let hash = hash(&row.key);
                        let held = Held { row, hash, at, raw: record.raw().to_vec(), again: Vec::new() };
                        calls.pass(attempt, held).await?;
                    }
                    Err(fault) => attempt.reject_row(record.raw(), at, &fault)?,
                }
            }
            Line::TooLong { at, length, unclosed } => {
                attempt.run.reason = unclosed.then(|| swallowed(at)).or(attempt.run.reason.take());
                attempt.reject_row(b"", at, &too_long(at, length))?;
            }
            Line::Nothing => {}
            Line::End => break,
            Line::More => {
                calls.pause_if_due(attempt, reader.position()).await?;
                if !read_on(attempt, &mut reader).await? {
                    break;
                }
            }
        }
        // Rows are not read much faster than they are sent.
        while calls.are_full() {
            calls.answer().await?;
            calls.pause_if_due(attempt, reader.position()).await?;
        }
    }
    calls.settle(attempt).await?;
    finish(attempt, reader.position()).await
}

impl<'a> Calls<'a> {
    fn new(flow: &'a FileToCalls, attempt: &Attempt<'_>) -> Self {
        Self {
            flow,
            run: Arc::new(attempt.run.clone()),
            invocation: attempt.invocation().clone(),
            open: BTreeMap::new(),
            filled: 0,
            waiting: VecDeque::new(),
            begun: FuturesUnordered::new(),
            busy: HashSet::new(),
            refused: Vec::new(),
            delivered: 0,
            answered: Vec::new(),
            gate: Looked::default(),
        }
    }

    /// Lets a valid row pass the gate into its call, or not.
    async fn pass(&mut self, attempt: &mut Attempt<'_>, held: Held) -> Worked {
        let verdict = match &self.flow.gate {
            Some(gate) => self.gate.at(&**gate, &self.run, &held.row.group, &self.invocation).await?,
            None => Verdict::Open,
        };
        match verdict {
            Verdict::Open => Ok(self.take(attempt, held)?),
            Verdict::Closed(why) => Ok(attempt.reject_row(&held.raw, held.at, &RowFault::row(why))?),
            Verdict::Wait(why) => {
                self.settle(attempt).await?;
                attempt.checkpoint(held.at).await?;
                Err(Stop::Waiting(why).into())
            }
        }
    }

    /// Puts a row into the call of its group. The same key again within one call: identical is sent once, different is rejected
    /// (contracts.md §6, "Row keys").
    fn take(&mut self, attempt: &mut Attempt<'_>, held: Held) -> Result<(), Stop> {
        if self.open.get(&held.row.group).is_some_and(|open| open.len() >= self.flow.rows_per_call) {
            self.close(&held.row.group);
        }
        let open = self.open.entry(held.row.group.clone()).or_default();
        if let Some(twin) = open.iter_mut().find(|other| other.hash == held.hash && other.row.key == held.row.key) {
            if twin.row == held.row {
                attempt.run.counts.rows += 1;
                attempt.run.counts.repeated += 1;
                self.filled += held.raw.len();
                twin.again.push((held.at, held.raw));
                return Ok(());
            }
            let fault = RowFault::row(format!("duplicate of line {}", twin.at.line));
            return attempt.reject_row(&held.raw, held.at, &fault);
        }
        self.filled += held.size();
        open.push(held);
        attempt.run.counts.rows += 1;
        if self.filled > MOST_FILLED {
            self.close_fullest();
        }
        Ok(())
    }

    fn close_fullest(&mut self) {
        let fullest = self.open.iter().max_by_key(|(_, open)| open.len()).map(|(group, _)| group.clone());
        if let Some(group) = fullest {
            self.close(&group);
        }
    }

    /// A call is filled.
    fn close(&mut self, group: &[u8]) {
        let Some(open) = self.open.remove(group) else { return };
        self.filled = self.filled.saturating_sub(open.iter().map(Held::size).sum());
        self.waiting.push_back(open);
        self.begin();
    }

    /// Begins what may begin, in order: calls none of whose keys is on its way or in a call further ahead.
    fn begin(&mut self) {
        let mut ahead = HashSet::new();
        let mut place = 0;
        while self.begun.len() < self.flow.side_by_side.max(1)
            && let Some(call) = self.waiting.get(place)
        {
            if call.iter().any(|held| self.busy.contains(&held.hash) || ahead.contains(&held.hash)) {
                ahead.extend(call.iter().map(|held| held.hash));
                place += 1;
                continue;
            }
            let Some(held) = self.waiting.remove(place) else { return };
            self.busy.extend(held.iter().map(|held| held.hash));
            let (target, run, invocation) = (&self.flow.target, self.run.clone(), self.invocation.clone());
            self.begun.push(Box::pin(async move {
                let rows: Vec<CallRow> = held.iter().map(|held| held.row.clone()).collect();
                let answer = target.call(&run, &rows, &invocation).await;
                (held, answer)
            }));
        }
    }

    fn are_full(&self) -> bool {
        self.waiting.len() >= self.flow.side_by_side.max(1)
    }

    /// Waits for one call.
    async fn answer(&mut self) -> Result<(), Halt> {
        let Some((held, answer)) = self.begun.next().await else { return Ok(()) };
        let refused = match answer {
            Ok(refused) => refused,
            Err(failure) => {
                // No call is dropped on its way: its target may just be saying when to come again.
                while self.begun.next().await.is_some() {}
                return Err(failure.into());
            }
        };
        let mut refused: HashMap<usize, RowFault> = refused.into_iter().collect();
        for (place, held) in held.into_iter().enumerate() {
            self.busy.remove(&held.hash);
            match refused.remove(&place) {
                Some(fault) => self.refused.push((held, fault)),
                None => {
                    self.delivered += 1;
                    if self.flow.is_answer {
                        self.answered.push(held.row.key);
                    }
                }
            }
        }
        self.begin();
        Ok(())
    }

    /// Checkpoints at `position`, if that is due; then the gate is looked at anew.
    async fn pause_if_due(&mut self, attempt: &mut Attempt<'_>, position: Position) -> Worked {
        if attempt.is_due(position) || attempt.is_out_of_time() {
            self.settle(attempt).await?;
            attempt.pause_now(position).await?;
            self.gate.clear();
        }
        Ok(())
    }

    /// Makes all calls, and enters what came of it into the books.
    async fn settle(&mut self, attempt: &mut Attempt<'_>) -> Worked {
        let groups: Vec<_> = self.open.keys().cloned().collect();
        for group in &groups {
            self.close(group);
        }
        while !self.begun.is_empty() {
            self.answer().await?;
        }
        attempt.run.counts.delivered += std::mem::take(&mut self.delivered);
        for key in self.answered.drain(..) {
            attempt.ids.note(&key);
        }
        let mut refused = Vec::new();
        for (held, fault) in std::mem::take(&mut self.refused) {
            let counts = &mut attempt.run.counts;
            // They were counted when they were taken.
            counts.rows -= 1;
            for (at, raw) in held.again {
                counts.rows -= 1;
                counts.repeated -= 1;
                refused.push((at, raw, fault.clone()));
            }
            refused.push((held.at, held.raw, fault));
        }
        refused.sort_by_key(|(at, ..)| *at);
        for (at, raw, fault) in refused {
            attempt.reject_row(&raw, at, &fault)?;
        }
        Ok(())
    }
}

impl Held {
    /// Its share of the memory.
    fn size(&self) -> usize {
        let again: usize = self.again.iter().map(|(_, raw)| raw.len()).sum();
        self.row.key.len() + self.row.content.len() + self.raw.len() + again
    }
}

/// Two keys of the same hash are taken for one, which costs no more than a wait.
fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
