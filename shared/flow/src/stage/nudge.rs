//! A queue message that asks for nothing but a look at a stage: an operator has written something into it.

use std::time::Duration;

use domain::ids::{EventId, StageId};
use serde::{Deserialize, Serialize};

use super::{Brought, Errand, Stages};
use crate::Transient;
use crate::ledger::stage::Stage;
use crate::message::{Context, MessageKit, backoff};
use crate::ports::{Audience, Notice};
use crate::trigger::{Delivery, Invocation};

/// Wishes of operators begin so.
pub(super) const OPERATOR: &str = "operator";

/// Look at this stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StageNudge {
    /// Its event.
    pub event_id: EventId,
    /// The stage.
    pub stage_id: StageId,
}

impl StageNudge {
    /// Reads the body of a queue message; `None` when it is something else.
    #[must_use]
    pub fn read(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }
}

/// Works on those of `deliveries` that are nudges about stages; all others are left alone.
///
/// Returns the queue ids of those that must be shown again.
pub async fn work_nudges(
    kit: &MessageKit,
    stages: &Stages,
    deliveries: &[Delivery],
    invocation: &Invocation,
) -> Vec<String> {
    let mut again = Vec::new();
    for delivery in deliveries {
        let Some(nudge) = StageNudge::read(&delivery.body) else { continue };
        let (correlation, attempt) = (invocation.correlation.as_str(), delivery.message_id.as_str());
        let context = Context { flow: kit.flow, invocation, correlation, attempt, beside: None };
        let delay = match look(kit, stages, &nudge, &context).await {
            Ok(None) => continue,
            Ok(Some(delay)) => delay,
            Err(fault) => {
                tracing::warn!(flow = kit.flow, stage = %nudge.stage_id, fault = fault.chain(), "handed back");
                backoff(delivery.receive_count)
            }
        };
        if let Some(receipt) = &delivery.receipt
            && let Err(fault) = kit.queue.hand_back(receipt, delay).await
        {
            tracing::warn!(flow = kit.flow, fault = fault.chain(), "the nudge comes back after its timeout");
        }
        again.push(delivery.message_id.clone());
    }
    again
}

/// One look. `Some`: look again after this time.
async fn look(
    kit: &MessageKit,
    stages: &Stages,
    nudge: &StageNudge,
    context: &Context<'_>,
) -> Result<Option<Duration>, Transient> {
    let errand = Errand { event: &nudge.event_id, stage: &nudge.stage_id, ask: None, read: None };
    match stages.bring(&errand, context).await? {
        Brought::Later(_, delay) => Ok(Some(delay)),
        Brought::Settled(stage) => {
            tell_what_was_refused(kit, &stage).await?;
            Ok(None)
        }
        Brought::Unknown | Brought::Refused(_) => Ok(None),
    }
}

/// Whoever supplied a status hears when it was in vain.
async fn tell_what_was_refused(kit: &MessageKit, stage: &Stage) -> Result<(), Transient> {
    let by_operator = stage.wanted.values().filter(|wish| wish.by.iter().any(|by| by.starts_with(OPERATOR)));
    let reasons: Vec<&str> = by_operator.filter_map(|wish| Some(wish.refused.as_ref()?.reason.as_str())).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    let (event, id) = (&stage.event_id, &stage.stage_id);
    let text = format!(
        "Flow: {}\nEvent: {event}\nStage: {id}\nWhat was supplied by an operator was refused: {}\n",
        kit.flow,
        reasons.join("; "),
    );
    let subject = format!("{}: a supplied status was refused", kit.flow);
    kit.notifier.notify(&Notice { audience: Audience::Business, subject, text }).await
}
