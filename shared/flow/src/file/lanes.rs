//! File → REST, row by row: valid rows go to the target in small calls, side by side, each key in file order.
//!
//! ```text
//! rows    ─ by hash of the row key ─▶ lane 1  call ─ call ─ call …   one after another
//!                                     lane 2  call ─ call …          side by side
//! segment 8 MiB or 10 s ─▶ every lane is emptied and answered ─▶ one checkpoint
//! ```
//!
//! A row's key always goes to the same lane, so two rows of one key never overtake each other. Rows of different groups
//! (stages, for example) never share a call: a lane fills one call per group, and the fullest goes out when many rows are
//! held. After a crash at most the calls since the last checkpoint are made again, and each is harmless by its target key
//! (contracts.md §4, "On repeat").

use std::collections::hash_map::{DefaultHasher, HashMap};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use domain::csv::Record;
use domain::layout::{HeaderFault, RowFault};
use domain::lookups::Lookups;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::acknowledge::AckFile;
use super::attempt::{Attempt, Halt, Stop, Worked};
use super::deliver::{finish, read_on};
use super::gate::{Gate, Looked, Verdict};
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
    pub lanes: usize,
    /// Makes a call.
    pub target: Arc<dyn CallTarget>,
    /// When rows may be sent; at once, if there is none.
    pub gate: Option<Arc<dyn Gate>>,
    /// How the source hears what became of its file, where the contract has it.
    pub ack: Option<AckFile>,
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
    at: Position,
    raw: Vec<u8>,
    /// The same row again within the call: what becomes of it becomes of them.
    again: Vec<(Position, Vec<u8>)>,
}

type Answered = (usize, Vec<Held>, Result<Vec<(usize, RowFault)>, Failure>);

/// All lanes, and the calls on their way.
struct Lanes<'a> {
    flow: &'a FileToCalls,
    run: Arc<Run>,
    invocation: Invocation,
    /// Calls that are being filled, by lane and group.
    open: BTreeMap<(usize, Vec<u8>), Vec<Held>>,
    /// Bytes in them.
    filled: usize,
    waiting: Vec<VecDeque<Vec<Held>>>,
    busy: Vec<bool>,
    calls: FuturesUnordered<BoxFuture<'a, Answered>>,
    refused: Vec<(Held, RowFault)>,
    delivered: u64,
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
    let mut lanes = Lanes::new(flow, attempt);
    loop {
        match reader.next() {
            Line::Record(record, at) => {
                if has_swallowed(&record) {
                    attempt.run.reason = Some(swallowed(at));
                }
                match read(&record) {
                    Ok(row) => {
                        let held = Held { row, at, raw: record.raw().to_vec(), again: Vec::new() };
                        lanes.pass(attempt, held).await?;
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
                lanes.pause_if_due(attempt, reader.position()).await?;
                if !read_on(attempt, &mut reader).await? {
                    break;
                }
            }
        }
        // Rows are not read much faster than they are sent.
        while lanes.are_full() {
            lanes.answer().await?;
            lanes.pause_if_due(attempt, reader.position()).await?;
        }
    }
    lanes.settle(attempt).await?;
    finish(attempt, reader.position()).await
}

impl<'a> Lanes<'a> {
    fn new(flow: &'a FileToCalls, attempt: &Attempt<'_>) -> Self {
        let lanes = flow.lanes.max(1);
        Self {
            flow,
            run: Arc::new(attempt.run.clone()),
            invocation: attempt.invocation().clone(),
            open: BTreeMap::new(),
            filled: 0,
            waiting: (0..lanes).map(|_| VecDeque::new()).collect(),
            busy: vec![false; lanes],
            calls: FuturesUnordered::new(),
            refused: Vec::new(),
            delivered: 0,
            gate: Looked::default(),
        }
    }

    /// Lets a valid row pass the gate into its lane, or not.
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

    /// Puts a row into its lane. The same key again within one call: identical is sent once, different is rejected
    /// (contracts.md §6, "Row keys").
    fn take(&mut self, attempt: &mut Attempt<'_>, held: Held) -> Result<(), Stop> {
        let place = (lane_of(&held.row.key, self.busy.len()), held.row.group.clone());
        if self.open.get(&place).is_some_and(|open| open.len() >= self.flow.rows_per_call) {
            self.close(&place);
        }
        let open = self.open.entry(place).or_default();
        if let Some(twin) = open.iter_mut().find(|other| other.row.key == held.row.key) {
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
        let fullest = self.open.iter().max_by_key(|(_, open)| open.len()).map(|(place, _)| place.clone());
        if let Some(place) = fullest {
            self.close(&place);
        }
    }

    /// Closes an open call, and begins it if nothing of its lane is on its way.
    fn close(&mut self, place: &(usize, Vec<u8>)) {
        let (Some(open), Some(waiting)) = (self.open.remove(place), self.waiting.get_mut(place.0)) else { return };
        self.filled = self.filled.saturating_sub(open.iter().map(Held::size).sum());
        waiting.push_back(open);
        self.begin(place.0);
    }

    fn begin(&mut self, lane: usize) {
        let (Some(busy), Some(waiting)) = (self.busy.get_mut(lane), self.waiting.get_mut(lane)) else { return };
        if *busy {
            return;
        }
        let Some(held) = waiting.pop_front() else { return };
        *busy = true;
        let (target, run, invocation) = (&self.flow.target, self.run.clone(), self.invocation.clone());
        self.calls.push(Box::pin(async move {
            let rows: Vec<CallRow> = held.iter().map(|held| held.row.clone()).collect();
            let answer = target.call(&run, &rows, &invocation).await;
            (lane, held, answer)
        }));
    }

    fn are_full(&self) -> bool {
        self.waiting.iter().map(VecDeque::len).sum::<usize>() >= self.busy.len()
    }

    /// Waits for one call.
    async fn answer(&mut self) -> Result<(), Halt> {
        let Some((lane, held, answer)) = self.calls.next().await else { return Ok(()) };
        let refused = match answer {
            Ok(refused) => refused,
            Err(failure) => {
                // No call is dropped on its way: its target may just be saying when to come again.
                while self.calls.next().await.is_some() {}
                return Err(failure.into());
            }
        };
        let mut refused: HashMap<usize, RowFault> = refused.into_iter().collect();
        for (place, held) in held.into_iter().enumerate() {
            match refused.remove(&place) {
                Some(fault) => self.refused.push((held, fault)),
                None => self.delivered += 1,
            }
        }
        if let Some(busy) = self.busy.get_mut(lane) {
            *busy = false;
        }
        self.begin(lane);
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

    /// Empties all lanes, and enters what came of it into the books.
    async fn settle(&mut self, attempt: &mut Attempt<'_>) -> Worked {
        let places: Vec<_> = self.open.keys().cloned().collect();
        for place in &places {
            self.close(place);
        }
        while !self.calls.is_empty() {
            self.answer().await?;
        }
        attempt.run.counts.delivered += std::mem::take(&mut self.delivered);
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

/// Where the rows of one key go.
fn lane_of(key: &[u8], lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let lanes = u64::try_from(lanes).unwrap_or(1).max(1);
    usize::try_from(hasher.finish() % lanes).unwrap_or(0)
}
