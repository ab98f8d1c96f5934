//! What a message asks of a stage, written into it.

use domain::ids::DrmsInstanceId;
use domain::stage::{StageStatus, Terms, Wish};
use jiff::Timestamp;

use crate::ledger::stage::Stage;

/// That a stage be in a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks: one attempt of one message.
    pub by: String,
    /// The DERMS that it comes from.
    pub drms_instance_id: DrmsInstanceId,
    /// The status.
    pub status: StageStatus,
    /// What the stage is for, according to whoever asks.
    pub terms: Terms,
    /// Why it is canceled.
    pub cancel_reason: Option<String>,
}

impl Ask {
    /// Writes it into `stage` at `now`. Whether that changed anything.
    ///
    /// A status that was refused is asked for anew, unless it was refused to the same attempt of the same message.
    ///
    /// # Errors
    /// The reason, when the stage is known for something else: "SCHEDULED for a known stage with other times, program or
    /// category is an ERROR" (contracts.md §9).
    pub(super) fn write_into(&self, stage: &mut Stage, now: Timestamp) -> Result<bool, String> {
        let before = stage.clone();
        if self.status == StageStatus::Scheduled {
            if is_bound(stage) {
                same_terms(&stage.terms, &self.terms)?;
            } else {
                stage.terms.clone_from(&self.terms);
            }
        }
        if stage.drms_instance_id.is_none() {
            stage.drms_instance_id = Some(self.drms_instance_id.clone());
        }
        if self.status.reached(stage.applied).is_none() {
            self.wish(stage, now);
        }
        Ok(*stage != before)
    }

    fn wish(&self, stage: &mut Stage, now: Timestamp) {
        match stage.wanted.get_mut(&self.status) {
            Some(wish) if wish.refused.is_none() => {
                wish.join(&self.by);
            }
            Some(wish) if wish.is_by(&self.by) => {}
            _ => {
                stage.wanted.insert(self.status, Wish::new(now, &self.by));
                if self.status == StageStatus::Canceled {
                    stage.cancel_reason.clone_from(&self.cancel_reason);
                }
            }
        }
    }
}

/// Whether the program system has the stage's program event, or may have it.
fn is_bound(stage: &Stage) -> bool {
    stage.applied.is_some() || stage.wanted.get(&StageStatus::Scheduled).is_some_and(|wish| wish.refused.is_none())
}

fn same_terms(known: &Terms, asked: &Terms) -> Result<(), String> {
    let differs = [
        (known.start != asked.start || known.end != asked.end, "times"),
        (known.program_code != asked.program_code, "program"),
        (known.category != asked.category, "category"),
    ];
    let differs: Vec<&str> = differs.into_iter().filter(|(differs, _)| *differs).map(|(_, what)| what).collect();
    if differs.is_empty() {
        return Ok(());
    }
    let differs = differs.join(" and ");
    Err(format!("the stage is known with other {differs}; cancel it and send a new stage id"))
}
