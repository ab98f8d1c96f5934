//! One attempt at a run: claimed, worked on, checkpointed, and ended or handed over.

use std::sync::Arc;
use std::time::Duration;

use domain::layout::RowFault;
use domain::lookups::Lookups;
use jiff::{SignedDuration, Timestamp};

use super::cut_short::{closing, follow_supersession, give_up_when_due, is_delivering};
use super::decode::{Object, ReadFault};
use super::halt::{Halt, Stop, Worked};
use super::head;
use super::ids::Ids;
use super::reader::Line;
use super::rejects::Rejects;
use super::settle::{self, Ending};
use super::{FileFlow, FileKit, NameRow, Next, acknowledge, calls, deliver, look_again_after, publish, register, tell};
use crate::ledger::run::{Lease, Phase, Position, Run, RunState};
use crate::ledger::{Committed, Seen};
use crate::ports::Write;
use crate::trigger::Invocation;
use crate::{Rejected, Transient};

/// Between two checkpoints at most this much of the file (architecture.md §2.3: 8–16 MB; a checkpoint is what a part of
/// scores costs most) …
const SEGMENT: u64 = 15 << 20;
/// … or this much time.
const SEGMENT_TIME: SignedDuration = SignedDuration::from_secs(10);
/// An attempt stops this long before its deadline, so that its last checkpoint is its own decision.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);
/// … and this long where it calls a target: no call begins that could outlive the invocation, which is 20 s, and those
/// that wait for their slots are made before.
const CALL_MARGIN: SignedDuration = SignedDuration::from_secs(30);
/// The lease outlasts the deadline by this, for clocks that differ.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// A claimed run.
pub(super) struct Attempt<'a> {
    /// The kit.
    pub kit: &'a FileKit,
    /// The run with all that was done since the last checkpoint.
    pub run: Run,
    /// Rejected rows since the last piece.
    pub rejects: Rejects,
    /// Ids that are in no complete piece, in flows whose rows are answered or answer.
    pub ids: Ids,
    /// Why the file breaks within its beginning, if it was read now and does.
    pub broken: Option<String>,
    /// What the sender calls a rejected row, in flows that acknowledge record by record.
    pub names: Option<NameRow>,
    /// The run as the ledger has it.
    committed: Seen<Run>,
    invocation: &'a Invocation,
    /// When nothing is sent any more, if the run says so itself.
    deadline: Option<Timestamp>,
    last_checkpoint: Timestamp,
}

impl<'a> Attempt<'a> {
    /// Claims `run`, or `None` when another invocation holds it.
    pub async fn claim(
        kit: &'a FileKit,
        run: Seen<Run>,
        invocation: &'a Invocation,
        deadline: Option<Timestamp>,
    ) -> Result<Option<Self>, Transient> {
        let now = kit.clock.now();
        let Seen { value: mut claimed, rev } = run;
        if claimed.is_held_by_other(&invocation.owner, now) {
            return Ok(None);
        }
        claimed.state = RunState::Working;
        claimed.attempt = claimed.attempt.saturating_add(1);
        claimed.idle_attempts = claimed.idle_attempts.saturating_add(1);
        if claimed.first_turn.is_none() {
            claimed.first_turn = Some(now);
            claimed.late = register::is_late(kit, &claimed).await?;
        }
        let until = invocation.deadline.saturating_add(SKEW).unwrap_or(invocation.deadline);
        claimed.lease = Some(Lease { owner: invocation.owner.clone(), until });
        give_up_when_due(kit, &mut claimed, (now, deadline));
        follow_supersession(&mut claimed);
        if claimed.lookups.is_empty() {
            claimed.lookups = kit.lookups.current_versions().await?;
        }
        let key = Run::key(kit.flow, &claimed.id);
        let write = Write::put(key, &claimed, Some(rev), None)?;
        if kit.ledger.commit(&[write]).await? == Committed::LostRace {
            return Ok(None);
        }
        Ok(Some(Self {
            kit,
            rejects: Rejects::new(kit.rejects.clone(), kit.flow),
            ids: Ids::new(kit.rejects.clone(), kit.flow),
            broken: None,
            names: None,
            deadline,
            committed: Seen { value: claimed.clone(), rev: rev + 1 },
            run: claimed,
            invocation,
            last_checkpoint: now,
        }))
    }

    /// Works through the phases until the run is ready to end.
    pub async fn work(&mut self, flow: &FileFlow<'_>) -> Result<Ending, Stop> {
        loop {
            let done = match (self.run.phase, flow) {
                (Phase::Settle(state), flow) => match self.take_leave(flow, state).await {
                    Ok(()) => return Ok(Ending { state }),
                    Err(halt) => Err(halt),
                },
                (Phase::Drain(state), _) => self.drain(state).await,
                (Phase::Check, FileFlow::ToFile(flow)) => publish::check(self, flow).await,
                (Phase::Copy, FileFlow::ToFile(flow)) => publish::copy(self, flow).await,
                (Phase::Rewrite, FileFlow::ToFile(flow)) => publish::rewrite(self, flow).await,
                (Phase::Tell(state), FileFlow::ToFile(flow)) => tell::tell(self, flow, state).await,
                (Phase::Deliver, FileFlow::ToRest(flow)) => deliver::deliver(self, flow).await,
                (Phase::Deliver, FileFlow::ToCalls(flow)) => calls::deliver(self, flow).await,
                (phase, _) => Err(Transient::new(format!("phase {phase:?} is not of this kind of flow")).into()),
            };
            match done {
                Ok(()) => {}
                Err(Halt::Stop(stop)) => return Err(stop),
                Err(Halt::Rejected(rejected)) => self.reject_file(&rejected).await?,
            }
        }
    }

    /// What is left to do outside before the run ends in `state`. May be done again.
    async fn take_leave(&mut self, flow: &FileFlow<'_>, state: RunState) -> Worked {
        match flow {
            FileFlow::ToFile(flow) if state != RunState::Delivered => Ok(publish::abandon(self, flow).await?),
            FileFlow::ToFile(_) | FileFlow::ToRest(_) => Ok(()),
            FileFlow::ToCalls(flow) => {
                if let Some(gate) = &flow.gate {
                    gate.leave(&self.run).await?;
                }
                match &flow.ack {
                    Some(ack) => acknowledge::acknowledge(self, ack, state).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Ends the attempt: settles the run, or hands it over.
    pub async fn end(mut self, outcome: Result<Ending, Stop>, started: Timestamp) -> Result<Next, Transient> {
        let fault = match outcome {
            Ok(ending) => match settle::settle(&mut self, &ending, started).await {
                Ok(()) => return Ok(Next::Settled(self.run.state)),
                Err(stop) => stop,
            },
            Err(stop) => stop,
        };
        match fault {
            // The other one goes on; this message stays until it is done, for it may be the only one left.
            Stop::Fenced => Ok(Next::Again(Duration::from_secs(60))),
            Stop::OutOfTime => self.hand_over(Duration::ZERO, None, started).await,
            Stop::Waiting(why) => {
                let waited = self.kit.clock.now().duration_since(self.run.registered);
                let wait = self.until_deadline(look_again_after(waited));
                // Waiting is counted to no limit.
                self.committed.value.first_turn = None;
                self.committed.value.idle_attempts = 0;
                self.hand_over(wait, Some(why), started).await
            }
            Stop::Transient(fault) => {
                self.committed.value.faults = self.committed.value.faults.saturating_add(1);
                let wait = self.until_deadline(backoff(self.committed.value.faults));
                self.hand_over(wait, Some(fault.chain()), started).await
            }
        }
    }

    /// `wait`, but not past the deadline: then the run is given up.
    fn until_deadline(&self, wait: Duration) -> Duration {
        let Some(deadline) = self.deadline.filter(|_| is_delivering(self.run.phase)) else { return wait };
        let left = Duration::try_from(deadline.duration_since(self.kit.clock.now())).unwrap_or_default();
        wait.min(left + Duration::from_secs(1))
    }

    /// Whether it has been tried for long enough to tell the source how the run ended.
    pub fn may_give_up_telling(&self) -> bool {
        let now = self.kit.clock.now();
        let tried = self.run.first_turn.map_or(SignedDuration::ZERO, |first| now.duration_since(first));
        tried > self.kit.limits.retry && self.deadline.is_none_or(|deadline| now > deadline)
    }

    /// The file as an object to read.
    pub fn object(&self) -> Object {
        Object { source: self.kit.source.clone(), object: self.run.source.clone(), size: self.run.size }
    }

    /// Whether the invocation's time is nearly used up, or the run's own.
    pub fn is_out_of_time(&self) -> bool {
        let now = self.kit.clock.now();
        let margin = if matches!(self.run.phase, Phase::Deliver | Phase::Tell(_)) { CALL_MARGIN } else { MARGIN };
        let stop = self.invocation.deadline.saturating_sub(margin).unwrap_or(self.invocation.deadline);
        now >= stop || (is_delivering(self.run.phase) && self.deadline.is_some_and(|deadline| now >= deadline))
    }

    /// Whether a checkpoint is due at `position`.
    pub fn is_due(&self, position: Position) -> bool {
        let read = position.offset.saturating_sub(self.committed.value.position.offset);
        read >= SEGMENT || self.kit.clock.now().duration_since(self.last_checkpoint) >= SEGMENT_TIME
    }

    /// The invocation that works on it.
    pub fn invocation(&self) -> &Invocation {
        self.invocation
    }

    /// The lookups that the run began with.
    pub async fn lookups(&self) -> Result<Arc<Lookups>, Transient> {
        self.kit.lookups.at(&self.run.lookups).await
    }

    /// Notes a rejected row; `raw` is empty where it could not be kept.
    pub fn reject_row(&mut self, raw: &[u8], at: Position, fault: &RowFault) -> Result<(), Stop> {
        self.run.counts.rows += 1;
        self.run.counts.rejected += 1;
        if let Some(name) = &self.names {
            self.rejects.name(at, head::name(&self.run, raw, name).as_deref(), &fault.to_string())?;
        }
        Ok(self.rejects.push(raw, at, fault.column.as_deref().unwrap_or_default(), &fault.reason)?)
    }

    /// Writes a piece of the reject files when enough has come together.
    pub async fn write_large_rejects(&mut self) -> Result<(), Transient> {
        if self.rejects.is_large() { self.write_rejects().await } else { Ok(()) }
    }

    async fn write_rejects(&mut self) -> Result<(), Transient> {
        let mut pieces = std::mem::take(&mut self.run.pieces);
        let flushed = self.rejects.flush(&self.run, &mut pieces, self.run.attempt).await;
        self.run.pieces = pieces;
        flushed
    }

    /// At the start of a record: checkpoints if that is due, and stops if the time is used up.
    pub async fn pause(&mut self, position: Position) -> Result<(), Stop> {
        if self.is_due(position) || self.is_out_of_time() {
            return self.pause_now(position).await;
        }
        Ok(self.write_large_rejects().await?)
    }

    /// Checkpoints, and stops if the time is used up.
    pub async fn pause_now(&mut self, position: Position) -> Result<(), Stop> {
        self.checkpoint(position).await?;
        if self.is_out_of_time() { Err(Stop::OutOfTime) } else { Ok(()) }
    }

    /// Counts the rows that will not be delivered, so that the books close. A file that breaks off ends there.
    async fn drain(&mut self, state: RunState) -> Worked {
        let head = head::read(self).await?;
        let mut reader = head::rows(self, &head, self.run.position).await?;
        loop {
            match reader.next() {
                Line::Record(..) | Line::TooLong { .. } => self.run.counts.rows += 1,
                Line::Nothing => {}
                Line::End => break,
                Line::More => {
                    self.pause(reader.position()).await?;
                    match reader.fill().await {
                        Ok(()) => {}
                        Err(ReadFault::Broken(_)) => break,
                        Err(ReadFault::Transient(fault)) => return Err(fault.into()),
                    }
                }
            }
        }
        Ok(self.enter(Phase::Settle(state), reader.position()).await?)
    }

    /// Checkpoints at `position`: one conditional write renews the claim, records how far it got, and fences.
    pub async fn checkpoint(&mut self, position: Position) -> Result<(), Stop> {
        self.write_rejects().await?;
        self.ids.flush(&self.run.id, &mut self.run.ids, self.run.attempt).await?;
        self.run.position = position;
        self.run.idle_attempts = 0;
        self.run.faults = 0;
        self.commit(&[]).await?;
        self.last_checkpoint = self.kit.clock.now();
        Ok(())
    }

    /// Moves on to `phase`, at `position`.
    pub async fn enter(&mut self, phase: Phase, position: Position) -> Result<(), Stop> {
        self.run.phase = phase;
        self.checkpoint(position).await
    }

    /// Writes the run, and `others` with it.
    pub async fn commit(&mut self, others: &[Write]) -> Result<(), Stop> {
        let key = Run::key(self.kit.flow, &self.run.id);
        let write = Write::put(key.clone(), &self.run, Some(self.committed.rev), self.run.expires())?;
        let mut writes = vec![write];
        writes.extend_from_slice(others);
        if self.kit.ledger.commit(&writes).await? == Committed::Yes {
            self.committed = Seen { value: self.run.clone(), rev: self.committed.rev.saturating_add(1) };
            return Ok(());
        }
        self.adopt_supersession(&key).await
    }

    /// The run was changed by somebody else. If all they did was to supersede it, it is still ours to drain.
    async fn adopt_supersession(&mut self, key: &crate::ports::Key) -> Result<(), Stop> {
        let Some(found) = self.kit.ledger.get::<Run>(key).await? else { return Err(Stop::Fenced) };
        let ours =
            found.value.lease == self.committed.value.lease && found.value.attempt == self.committed.value.attempt;
        if !ours || found.value.superseded_by.is_none() || self.committed.value.superseded_by.is_some() {
            return Err(Stop::Fenced);
        }
        // Back to the last checkpoint: from there the rest is counted as superseded.
        self.committed = found;
        Err(Stop::OutOfTime)
    }

    /// Rejects the file as a whole: what was not delivered before will not be.
    async fn reject_file(&mut self, rejected: &Rejected) -> Result<(), Stop> {
        self.back_to_checkpoint();
        self.run.reason = Some(rejected.reason.clone());
        let at = Position { offset: 0, line: 1 };
        self.rejects.push(b"", at, "", &rejected.reason)?;
        let next = match self.run.head {
            Some(_) => closing(self.run.phase, RunState::Rejected),
            None => Phase::Settle(RunState::Rejected),
        };
        self.enter(next, self.run.position).await
    }

    /// Forgets what was done since the last checkpoint.
    pub fn back_to_checkpoint(&mut self) {
        self.run = self.committed.value.clone();
        self.rejects = Rejects::new(self.kit.rejects.clone(), self.kit.flow);
        self.ids = Ids::new(self.kit.rejects.clone(), self.kit.flow);
    }

    async fn hand_over(
        mut self,
        wait: Duration,
        reason: Option<String>,
        started: Timestamp,
    ) -> Result<Next, Transient> {
        self.back_to_checkpoint();
        self.run.lease = None;
        self.run.state = RunState::Waiting;
        // It did not die: only the retry limit ends it.
        self.run.idle_attempts = self.run.idle_attempts.saturating_sub(1);
        match self.commit(&[]).await {
            Ok(()) | Err(Stop::Fenced | Stop::OutOfTime | Stop::Waiting(_)) => {}
            Err(Stop::Transient(fault)) => return Err(fault),
        }
        settle::report(self.kit, &self.run, "handed-back", reason, started);
        Ok(Next::Again(wait))
    }
}

/// 2, 4, 8 … seconds, at most five minutes.
fn backoff(faults: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(faults.min(8)).unwrap_or(256)).min(Duration::from_secs(300))
}
