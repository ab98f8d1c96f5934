//! Bringing stages through their life in the program system, whatever the order in which messages come.
//!
//! ```text
//! message ─ ask ─▶ ledger: wanted ─┐
//! event canceled ─▶ ledger: event ─┼─▶ next legal status ─▶ lease ─▶ DACS ─▶ ledger: applied ─┐
//! reservation ───▶ reserving until ┘         ▲                                               │
//!                                            └────────────── look again ◀────────────────────┘
//! ```
//!
//! A message is only a nudge: it writes down what it asks for, and whoever looks at the stage next does what follows from all
//! that is written ([`domain::stage::Course`]). So messages may come late, twice, in any order, and on any number of
//! instances at once.
//!
//! **The lease.** A call is announced in the stage ([`Calling`]) until the end of the invocation that makes it, and no call
//! begins that could not end before ([`crate::target::TargetClient::call`]). Whoever finds an announcement whose time is
//! over by any clock makes the same call again before anything else, because nobody knows what became of it.
//!
//! ```text
//! t0            t0 + 60 s           t0 + 120 s
//! │ announced   │ invocation over   │ over even if that clock is a minute behind ours
//! ├── DACS ── applied, announcement gone: the usual case
//! ├── DACS ── no answer: announced still, and free at once
//! └── DACS ── killed ───────────────┴──▶ the next one repeats the call
//! ```
//!
//! **Whole events.** A cancel writes the event, then lists the stages; whoever asks for SCHEDULED writes the stage, then looks
//! at both. One of the two sees the other.

mod ask;
mod bring;
mod event;
mod note;
mod nudge;
mod program_events;
mod supply;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::stage::Limits;

use crate::Transient;
use crate::ledger::stage::{Calling, Stage};
use crate::ledger::{Committed, Ledger};
use crate::ports::{Clock, Write};
use crate::target::TargetClient;
use crate::trigger::Invocation;

pub use ask::Ask;
pub use bring::{Brought, Errand};
pub use nudge::{StageNudge, work_nudges};
pub use program_events::ProgramEvents;
pub use supply::{NotSupplied, StageDesk};

/// Brings stages through their life.
pub struct Stages {
    /// Stages and events.
    pub ledger: Ledger,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// DACS.
    pub program_events: ProgramEvents,
    /// How long is waited, and for what.
    pub limits: Limits,
    /// Who is told once a stage is brought, if anybody is.
    told_next: Option<TargetClient>,
    errands: AtomicU64,
}

impl Stages {
    /// Over these ports, with these limits.
    #[must_use]
    pub fn new(ledger: Ledger, clock: Arc<dyn Clock>, program_events: ProgramEvents, limits: Limits) -> Self {
        Self { ledger, clock, program_events, limits, told_next: None, errands: AtomicU64::default() }
    }

    /// The same; `source` is told once a stage is brought, and a slot of its rate is reserved meanwhile.
    #[must_use]
    pub fn told_next(self, source: TargetClient) -> Self {
        Self { told_next: Some(source), ..self }
    }

    /// Names one errand of one invocation: two on the same stage never look alike.
    fn owner(&self, invocation: &Invocation) -> String {
        format!("{}#{}", invocation.owner, self.errands.fetch_add(1, Ordering::Relaxed))
    }

    async fn write(&self, stage: &Stage, seen: Option<u64>) -> Result<Committed, Transient> {
        let key = Stage::key(&stage.event_id, &stage.stage_id);
        let write = Write::put(key, stage, seen, stage.expires(self.clock.now()))?;
        self.ledger.commit(&[write]).await
    }
}
