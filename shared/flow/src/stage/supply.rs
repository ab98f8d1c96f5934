//! *Supply predecessor*, the operator's action: a status waits for another that does not come, and a person knows that it
//! happened (contracts.md §9).

use std::sync::Arc;

use domain::ids::{EventId, StageId};
use domain::stage::{Ground, StageStatus, Wanted, Wish};
use jiff::Timestamp;

use super::StageNudge;
use super::nudge::OPERATOR;
use crate::Transient;
use crate::ledger::message::group_of_one;
use crate::ledger::stage::Stage;
use crate::ledger::{Committed, Ledger};
use crate::ports::{Clock, Outgoing, Queue, Write};

/// A person's access to stages.
pub struct StageDesk {
    /// The ledger.
    pub ledger: Ledger,
    /// The queue of `derms-dacs-event-status`, by which the stage is looked at.
    pub queue: Arc<dyn Queue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why nothing was supplied.
#[derive(Debug, thiserror::Error)]
pub enum NotSupplied {
    /// There is no such stage.
    #[error("there is no stage {stage} of event {event}")]
    Unknown {
        /// The event.
        event: EventId,
        /// The stage.
        stage: StageId,
    },
    /// Nothing waits.
    #[error("no status of stage {0} waits for a predecessor")]
    NothingWaits(StageId),
    /// Somebody else changed it at the same time.
    #[error("stage {0} was changed at the same time; look at it again")]
    Changed(StageId),
    /// The machinery failed.
    #[error(transparent)]
    Transient(#[from] Transient),
}

impl StageDesk {
    /// Asks for every status that is missing before those which wait for it, or have waited in vain, and for these again.
    /// What was asked for, in order.
    ///
    /// # Errors
    /// [`NotSupplied`]
    pub async fn supply_predecessor(&self, event: &EventId, stage: &StageId) -> Result<Vec<StageStatus>, NotSupplied> {
        let key = Stage::key(event, stage);
        let Some(seen) = self.ledger.get::<Stage>(&key).await? else {
            return Err(NotSupplied::Unknown { event: event.clone(), stage: stage.clone() });
        };
        let (mut known, now) = (seen.value, self.clock.now());
        let supplied = supply(&mut known.wanted, known.applied, now);
        if supplied.is_empty() {
            return Err(NotSupplied::NothingWaits(stage.clone()));
        }
        let write = Write::put(key, &known, Some(seen.rev), known.expires(now))?;
        if self.ledger.commit(&[write]).await? == Committed::LostRace {
            return Err(NotSupplied::Changed(stage.clone()));
        }
        let nudge = StageNudge { event_id: event.clone(), stage_id: stage.clone() };
        let body = serde_json::to_string(&nudge).map_err(|e| Transient::because("writing the nudge", e))?;
        let once = format!("{event}/{stage}");
        let (group, deduplication) = (group_of_one(&once), format!("{once}#{}", seen.rev));
        self.queue.send(&Outgoing { body, group, deduplication }).await?;
        Ok(supplied)
    }
}

/// What waits for a predecessor, or has waited in vain, is wanted from now on, with all before it that is not reached. What
/// was not wanted before.
fn supply(wanted: &mut Wanted, applied: Option<StageStatus>, now: Timestamp) -> Vec<StageStatus> {
    let waits = |status: &StageStatus| match wanted.get(status).map(|wish| &wish.refused) {
        Some(Some(refused)) => refused.ground == Ground::Early,
        Some(None) => !StageStatus::after(applied).contains(status),
        None => false,
    };
    let to_come = || StageStatus::ALL.into_iter().filter(|status| status.reached(applied).is_none());
    let late: Vec<StageStatus> = to_come().filter(waits).collect();
    let is_open = |status: &StageStatus| wanted.get(status).is_some_and(|wish| wish.refused.is_none());
    let is_needed = |status: &StageStatus| late.iter().any(|late| late == status || status.is_before(*late));
    let supplied: Vec<StageStatus> = to_come().filter(|status| is_needed(status) && !is_open(status)).collect();
    for status in &supplied {
        wanted.insert(*status, Wish::new(now, format!("{OPERATOR}#{now}")));
    }
    supplied
}

#[cfg(test)]
mod tests {
    use domain::stage::Refused;

    use super::StageStatus::{Canceled, Completed, InProgress, Scheduled};
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn wishes(statuses: &[StageStatus]) -> Wanted {
        statuses.iter().map(|status| (*status, Wish::new(NOW, "M-1#1"))).collect()
    }

    fn refused(mut wanted: Wanted, status: StageStatus, ground: Ground) -> Wanted {
        let wish = wanted.entry(status).or_insert_with(|| Wish::new(NOW, "M-1#1"));
        wish.refused = Some(Refused { reason: "too long".into(), ground });
        wanted
    }

    #[test]
    fn everything_before_what_waits_is_supplied() {
        assert_eq!(supply(&mut wishes(&[InProgress]), None, NOW), [Scheduled]);
        assert_eq!(supply(&mut wishes(&[Completed]), None, NOW), [Scheduled, InProgress]);
        assert_eq!(supply(&mut wishes(&[Canceled]), None, NOW), [Scheduled]);
        assert_eq!(supply(&mut wishes(&[Completed]), Some(Scheduled), NOW), [InProgress]);
    }

    #[test]
    fn what_has_waited_in_vain_is_wanted_again() {
        let mut wanted = refused(Wanted::new(), Completed, Ground::Early);
        assert_eq!(supply(&mut wanted, None, NOW), [Scheduled, InProgress, Completed]);
        assert!(wanted.values().all(|wish| wish.refused.is_none()));
        let mut late = refused(wishes(&[Scheduled]), InProgress, Ground::Early);
        assert_eq!(supply(&mut late, Some(Scheduled), NOW), [InProgress], "its predecessor came in the meantime");
    }

    #[test]
    fn nothing_is_supplied_where_nothing_waits() {
        assert_eq!(supply(&mut Wanted::new(), None, NOW), []);
        assert_eq!(supply(&mut wishes(&[Scheduled, InProgress]), None, NOW), []);
        assert_eq!(supply(&mut wishes(&[InProgress]), Some(Scheduled), NOW), []);
        assert_eq!(supply(&mut wishes(&[Canceled]), Some(InProgress), NOW), []);
        assert_eq!(supply(&mut wishes(&[Completed]), Some(Canceled), NOW), []);
        let mut turned_down = refused(Wanted::new(), Scheduled, Ground::ProgramSystem);
        assert_eq!(supply(&mut turned_down, None, NOW), []);
    }
}
