//! What a call, or the lack of one, leaves in a stage.

use domain::stage::{Ground, Limits, Refused, StageStatus, Wish};
use jiff::{SignedDuration, Timestamp};

use super::bring::{Due, course};
use crate::ledger::stage::{OF_EVENT, Stage};

/// What the program system made of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// The program event is there, now or before.
    Done,
    /// Not possible yet.
    NotYet(String),
    /// Never.
    Refused(Refused),
}

/// Writes down what became of a call. `None`: nobody knows, so it stays announced, and whoever looks next makes it again.
pub(super) fn told(stage: &mut Stage, due: &Due, told: Option<&Told>, limits: &Limits, now: Timestamp) {
    let Some(told) = told else {
        if let Some(calling) = &mut stage.calling {
            calling.until = None;
        }
        return;
    };
    stage.calling = None;
    match told {
        Told::Done => {
            stage.applied = Some(due.status);
            stage.applied_at = Some(now);
        }
        Told::NotYet(_) | Told::Refused(_) if due.unseen => {
            let overdue = course(stage, false).overdue(now, limits);
            in_vain(stage, &overdue, limits);
        }
        Told::NotYet(reason) => {
            let wish = wish(stage, due.status, now);
            let since = *wish.not_yet_since.get_or_insert(now);
            if now.duration_since(since) >= limits.hold {
                let reason = format!("{reason}, for {}", words(limits.hold));
                wish.refused = Some(Refused { reason, ground: Ground::ProgramSystem });
            }
        }
        Told::Refused(refused) => wish(stage, due.status, now).refused = Some(refused.clone()),
    }
}

/// These have waited for their predecessor in vain.
pub(super) fn in_vain(stage: &mut Stage, statuses: &[StageStatus], limits: &Limits) {
    let missing = StageStatus::after(stage.applied).first().map_or("its predecessor", |missing| missing.as_str());
    for status in statuses {
        let Some(wish) = stage.wanted.get_mut(status) else { continue };
        let reason = format!(
            "{status} came before {missing}, which did not come within {}; supply it, or send it and this one again",
            words(limits.hold)
        );
        wish.refused = Some(Refused { reason, ground: Ground::Early });
    }
}

/// The wish for `status`; a cancel of the event, or a predecessor that is supplied by itself, has none until now.
fn wish(stage: &mut Stage, status: StageStatus, now: Timestamp) -> &mut Wish {
    stage.wanted.entry(status).or_insert_with(|| Wish::new(now, OF_EVENT))
}

fn words(span: SignedDuration) -> String {
    match span.as_secs() {
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}
