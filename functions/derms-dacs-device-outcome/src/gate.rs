//! When outcomes may be sent (contracts.md §9: "Outcomes need *final* stages": until the stage is COMPLETED or CANCELED
//! in DACS they wait, at most as long as the retry limit; then, and for stages that the platform has never seen, they are
//! sent and DACS decides).

use std::sync::Arc;

use async_trait::async_trait;
use domain::outcome::event_and_stage;
use flow::file::{Gate, Verdict};
use flow::ledger::Ledger;
use flow::ledger::run::Run;
use flow::ledger::stage::Stage;
use flow::ports::Clock;
use flow::trigger::Invocation;
use flow::{Failure, Transient};
use jiff::{SignedDuration, Timestamp};

/// Lets outcomes pass once their stage is final.
pub struct FinalStage {
    /// Where stages are.
    pub ledger: Ledger,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// From the file's arrival to sending what waits all the same.
    pub limit: SignedDuration,
}

#[async_trait]
impl Gate for FinalStage {
    fn deadline(&self, _: &Run) -> Option<Timestamp> {
        None
    }

    async fn look(&self, run: &Run, group: &[u8], _: &Invocation) -> Result<Verdict, Failure> {
        let Some((event, stage)) = event_and_stage(group) else { return Ok(Verdict::Open) };
        let known = self.ledger.get::<Stage>(&Stage::key(&event, &stage)).await?;
        let Some(known) = known.filter(|known| !known.value.is_final()) else { return Ok(Verdict::Open) };
        if self.clock.now().duration_since(run.registered) > self.limit {
            return Ok(Verdict::Open);
        }
        let status = known.value.applied.map_or("not scheduled", |status| status.as_str());
        Ok(Verdict::Wait(format!("stage {stage} is {status} in DACS")))
    }

    async fn leave(&self, _: &Run) -> Result<(), Transient> {
        Ok(())
    }
}
