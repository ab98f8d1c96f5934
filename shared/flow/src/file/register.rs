//! From an event to a run: registered once, in its place, superseding an older version of its key; and its turn.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::settle;
use super::{Arrival, FileKit};
use crate::Transient;
use crate::ledger::run::{
    CORRELATION, Counts, Listed, Phase, Pieces, Position, REMEMBERED, ROW_COUNTS, Run, RunId, RunState,
};
use crate::ledger::turn::{Newest, Ticket, Turn, place};
use crate::ledger::{Committed, Seen, decode};
use crate::ports::{ObjectMeta, Write};
use crate::trigger::{Invocation, is_correlation};

/// How often a registration that lost a race is tried again at once.
const RACES: u32 = 5;

/// What an arrival turned out to be.
pub(super) enum Registered {
    /// A run that is not settled: it may be worked on.
    Open(Box<Seen<Run>>),
    /// Nothing more happens to it by itself.
    Settled(RunState),
}

/// Finds the run of `arrival`, or registers it, to begin with `phase`.
pub(super) async fn register(
    kit: &FileKit,
    arrival: &Arrival,
    phase: Phase,
    invocation: &Invocation,
) -> Result<Registered, Transient> {
    let id = RunId::of(kit.flow, &arrival.object);
    for _ in 0..RACES {
        let (run, newest) = kit
            .ledger
            .get_two::<Run, Newest>(&Run::key(kit.flow, &id), &Newest::key(kit.flow, &arrival.object))
            .await?;
        if let Some(run) = run {
            return Ok(match run.value.state.is_settled() {
                true => Registered::Settled(run.value.state),
                false => Registered::Open(Box::new(run)),
            });
        }
        let Some(meta) = kit.source.head(&arrival.object).await? else {
            settle::tell_vanished(kit, arrival).await?;
            return Ok(Registered::Settled(RunState::Rejected));
        };
        let mut run = new_run(kit, arrival, &meta, id.clone(), phase, invocation);
        adopt_parent(kit, &mut run).await?;
        let mut writes = supersede(kit, &mut run, newest).await?;
        let key = Run::key(kit.flow, &id);
        writes.push(Write::put(key, &run, None, None)?);
        let listed = Listed { run: id.clone() };
        let forgotten = run.registered.checked_add(REMEMBERED).ok();
        writes.push(Write::put(Listed::key(kit.flow, &run.place), &listed, None, forgotten)?);
        if kit.in_order {
            let ticket = Ticket { run: id.clone() };
            writes.push(Write::put(Ticket::key(kit.flow, &run.place), &ticket, None, None)?);
        }
        if kit.ledger.commit(&writes).await? == Committed::Yes {
            return Ok(Registered::Open(Box::new(Seen { value: run, rev: 1 })));
        }
    }
    Err(Transient::new("registering the file: others keep registering at the same time"))
}

fn new_run(
    kit: &FileKit,
    arrival: &Arrival,
    meta: &ObjectMeta,
    id: RunId,
    phase: Phase,
    invocation: &Invocation,
) -> Run {
    let now: Timestamp = kit.clock.now();
    let given = meta.metadata.get(CORRELATION).filter(|id| is_correlation(id));
    Run {
        place: place(meta, &arrival.object, &arrival.sequencer, &id),
        id,
        source: arrival.object.clone(),
        size: meta.size,
        etag: meta.etag.clone(),
        envelope: meta.metadata.clone(),
        registered: now,
        correlation: given.unwrap_or(&invocation.correlation).clone(),
        late: false,
        state: RunState::Waiting,
        phase,
        lease: None,
        attempt: 0,
        idle_attempts: 0,
        faults: 0,
        first_turn: None,
        lookups: BTreeMap::new(),
        head: None,
        position: Position::default(),
        counts: Counts::default(),
        pieces: Pieces::default(),
        ids: Pieces::default(),
        parts: 0,
        upload: None,
        parent: None,
        in_order: kit.in_order,
        resume: None,
        superseded_by: None,
        reason: None,
        held: None,
        ended: None,
    }
}

/// A reject file that was corrected and dropped back is a new run with its parent recorded, and has its parent's
/// envelope where it brings none of its own; but not its row count.
async fn adopt_parent(kit: &FileKit, run: &mut Run) -> Result<(), Transient> {
    let Some(parent) = RunId::in_reject_name(run.file_name()) else { return Ok(()) };
    let Some(parent) = kit.ledger.get::<Run>(&Run::key(kit.flow, &parent)).await? else { return Ok(()) };
    for (name, value) in parent.value.envelope {
        if !ROW_COUNTS.contains(&name.as_str()) && name != CORRELATION {
            run.envelope.entry(name).or_insert(value);
        }
    }
    run.parent = Some(parent.value.id);
    Ok(())
}

/// The writes by which the newer of two versions of one key supersedes the older one, if that is not settled.
async fn supersede(kit: &FileKit, run: &mut Run, newest: Option<Seen<Newest>>) -> Result<Vec<Write>, Transient> {
    let key = Newest::key(kit.flow, &run.source);
    let mine = Newest { run: run.id.clone(), place: run.place.clone() };
    let Some(newest) = newest else {
        return Ok(vec![Write::put(key, &mine, None, None)?]);
    };
    if newest.value.place > run.place {
        run.superseded_by = Some(newest.value.run);
        run.phase = Phase::Drain(RunState::Superseded);
        return Ok(Vec::new());
    }
    let mut writes = vec![Write::put(key, &mine, Some(newest.rev), None)?];
    let older_key = Run::key(kit.flow, &newest.value.run);
    if let Some(mut older) = kit.ledger.get::<Run>(&older_key).await?
        && !older.value.state.is_settled()
    {
        older.value.superseded_by = Some(run.id.clone());
        writes.push(Write::put(older_key, &older.value, Some(older.rev), None)?);
    }
    Ok(writes)
}

/// Whether it is the run's turn; taken if it is. Files wait for earlier registered ones that are not settled; but the
/// one that has begun goes on, also when an earlier one is registered after that (contracts.md §6: "one registered after
/// a later one has started goes next").
pub(super) async fn take_turn(kit: &FileKit, run: &Run) -> Result<bool, Transient> {
    let key = Turn::key(kit.flow);
    let turn = kit.ledger.get::<Turn>(&key).await?;
    let (mut turn, seen) = turn.map_or((Turn::default(), None), |turn| (turn.value, Some(turn.rev)));
    match &turn.run {
        Some(holder) if *holder == run.id => return Ok(true),
        Some(holder) => {
            let holder = kit.ledger.get::<Run>(&Run::key(kit.flow, holder)).await?;
            if holder.is_some_and(|holder| !holder.value.state.is_settled()) {
                return Ok(false);
            }
        }
        None => {}
    }
    let first = kit.ledger.list(&Ticket::partition(kit.flow), None, 1).await?;
    let Some(first) = first.first() else { return Ok(false) };
    if decode::<Ticket>(first)?.value.run != run.id {
        return Ok(false);
    }
    turn.run = Some(run.id.clone());
    if turn.furthest < run.place {
        turn.furthest.clone_from(&run.place);
    }
    Ok(kit.ledger.commit(&[Write::put(key, &turn, seen, None)?]).await? == Committed::Yes)
}

/// Whether a later place had begun before `run`'s: it is marked and reported as late.
pub(super) async fn is_late(kit: &FileKit, run: &Run) -> Result<bool, Transient> {
    let turn = kit.ledger.get::<Turn>(&Turn::key(kit.flow)).await?;
    Ok(turn.is_some_and(|turn| turn.value.furthest > run.place))
}
