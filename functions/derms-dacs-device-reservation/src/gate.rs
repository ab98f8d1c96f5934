//! When devices may be reserved (contracts.md §9: "Reservation needs the stage Scheduled in DACS, else it is held").
//!
//! | the stage is | its devices |
//! | --- | --- |
//! | unknown here | are sent, and DACS decides |
//! | not scheduled in DACS yet | wait |
//! | Scheduled | are sent; while they are, IN_PROGRESS waits for them |
//! | In Progress, Completed or Canceled | are rejected |

use std::sync::Arc;

use async_trait::async_trait;
use domain::reservation::Envelope;
use domain::stage::StageStatus;
use flow::device_calls::dacs_of;
use flow::file::{Gate, Verdict};
use flow::ledger::run::Run;
use flow::ledger::stage::{Reserving, Stage};
use flow::ledger::{Committed, Ledger, Seen};
use flow::lookups::LookupBook;
use flow::ports::{Call, Clock, Method, Payload, Write};
use flow::target::TargetClient;
use flow::trigger::Invocation;
use flow::{Failure, Rejected, Transient};
use jiff::{SignedDuration, Timestamp};

/// Where the program system says whether it is well [O].
const HEALTH: &str = "/health";
/// How long a look holds off IN_PROGRESS, unless there is another look: as long as IN_PROGRESS waits (contracts.md §9).
const RESERVING: SignedDuration = SignedDuration::from_secs(60);
/// How often a write that lost a race is tried again at once.
const RACES: u32 = 5;

/// Lets reservations pass while their stage is Scheduled and the program system is well.
pub struct ScheduledStage {
    /// The program system.
    pub dacs: TargetClient,
    /// The lookups by which it is chosen among several.
    pub lookups: LookupBook,
    /// Where stages are.
    pub ledger: Ledger,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Gate for ScheduledStage {
    /// The stage's end: "gives up at the stage's end, not later".
    fn deadline(&self, run: &Run) -> Option<Timestamp> {
        Some(Envelope::from_metadata(&run.envelope).ok()?.end.timestamp())
    }

    async fn look(&self, run: &Run, _: &[u8], invocation: &Invocation) -> Result<Verdict, Failure> {
        self.is_well(run, invocation).await?;
        for _ in 0..RACES {
            let Some(stage) = self.stage(run).await? else { return Ok(Verdict::Open) };
            match verdict(&stage.value) {
                Verdict::Open if !self.reserve(run, stage).await? => {}
                verdict => return Ok(verdict),
            }
        }
        Err(Transient::new("saying that a reservation runs: others keep changing the stage").into())
    }

    async fn leave(&self, run: &Run) -> Result<(), Transient> {
        for _ in 0..RACES {
            let Some(Seen { value: mut stage, rev }) = self.known(run).await? else { return Ok(()) };
            if stage.reserving.as_ref().is_none_or(|reserving| reserving.by != run.id.to_string()) {
                return Ok(());
            }
            stage.reserving = None;
            if self.write(&stage, rev).await? {
                return Ok(());
            }
        }
        Err(Transient::new("saying that a reservation is done: others keep changing the stage"))
    }
}

impl ScheduledStage {
    /// Oracle's flow asks for the program system's health before it reserves anything.
    async fn is_well(&self, run: &Run, invocation: &Invocation) -> Result<(), Failure> {
        let (method, payload) = (Method::Get, Payload::Empty);
        let call = Call { method, path: HEALTH.into(), payload, correlation: run.correlation.clone() };
        let dacs = dacs_of(&self.dacs, &self.lookups, run).await?;
        match dacs.call(&call, invocation.deadline).await?.status {
            200..300 => Ok(()),
            status => Err(Transient::new(format!("DACS's health check answers {status}")).into()),
        }
    }

    async fn stage(&self, run: &Run) -> Result<Option<Seen<Stage>>, Failure> {
        if let Err(fault) = Envelope::from_metadata(&run.envelope) {
            return Err(Rejected::new(run.source.key.clone(), fault.to_string()).into());
        }
        Ok(self.known(run).await?)
    }

    async fn known(&self, run: &Run) -> Result<Option<Seen<Stage>>, Transient> {
        let Ok(envelope) = Envelope::from_metadata(&run.envelope) else { return Ok(None) };
        self.ledger.get(&Stage::key(&envelope.event_id, &envelope.stage_id)).await
    }

    /// Says that a reservation runs; `false` when the stage has changed meanwhile.
    async fn reserve(&self, run: &Run, Seen { value: mut stage, rev }: Seen<Stage>) -> Result<bool, Transient> {
        let until = self.clock.now().saturating_add(RESERVING).unwrap_or(Timestamp::MAX);
        stage.reserving = Some(Reserving { by: run.id.to_string(), until });
        self.write(&stage, rev).await
    }

    async fn write(&self, stage: &Stage, rev: u64) -> Result<bool, Transient> {
        let key = Stage::key(&stage.event_id, &stage.stage_id);
        let write = Write::put(key, stage, Some(rev), stage.expires(self.clock.now()))?;
        Ok(self.ledger.commit(&[write]).await? == Committed::Yes)
    }
}

fn verdict(stage: &Stage) -> Verdict {
    match stage.applied {
        Some(StageStatus::Scheduled) if stage.takes_reservations() => Verdict::Open,
        Some(StageStatus::Scheduled) => Verdict::Wait("the stage is being moved on in DACS".into()),
        None => Verdict::Wait("the stage is not scheduled in DACS yet".into()),
        Some(StageStatus::InProgress) => Verdict::Closed("stage already in progress".into()),
        Some(status @ (StageStatus::Completed | StageStatus::Canceled)) => {
            Verdict::Closed(format!("the stage is {status}"))
        }
    }
}
