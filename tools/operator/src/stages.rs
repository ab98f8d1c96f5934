//! What a person decides about a stage of an event.

use std::sync::Arc;

use aws::SystemClock;
use domain::ids::{EventId, StageId};
use flow::stage::{NotSupplied, StageDesk};

use crate::stack::Stack;

/// The flow that brings stages through their life.
const FLOW: &str = "derms-dacs-event-status";

/// Why a stage was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Left {
    /// The text names no stage.
    #[error("a stage is named <event>/<stage>")]
    Name,
    /// Nothing was supplied.
    #[error(transparent)]
    Not(#[from] NotSupplied),
}

/// Asks for what is missing before the status that waits. An id may hold a slash: the first reading that is known counts.
pub async fn supply_predecessor(stack: &Stack, id: &str) -> Result<String, Left> {
    let desk =
        StageDesk { ledger: stack.ledger.clone(), queue: Arc::new(stack.queue(FLOW)), clock: Arc::new(SystemClock) };
    let mut left = Left::Name;
    for (event, stage) in readings(id) {
        match desk.supply_predecessor(&event, &stage).await {
            Ok(supplied) => {
                let supplied: Vec<&str> = supplied.into_iter().map(|status| status.as_str()).collect();
                return Ok(format!("stage {stage} of event {event} is asked to be {}", supplied.join(", then ")));
            }
            Err(unknown @ NotSupplied::Unknown { .. }) => left = unknown.into(),
            Err(other) => return Err(other.into()),
        }
    }
    Err(left)
}

/// All ways to read `<event>/<stage>`.
fn readings(id: &str) -> impl Iterator<Item = (EventId, StageId)> {
    id.match_indices('/').filter_map(|(at, _)| {
        let (event, stage) = id.split_at_checked(at)?;
        Some((event.parse().ok()?, stage.strip_prefix('/')?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_named_by_event_and_stage_whatever_slashes_are_in_them() {
        let read = |id: &str| -> Vec<(String, String)> {
            readings(id).map(|(event, stage)| (event.to_string(), stage.to_string())).collect()
        };
        let pair = |event: &str, stage: &str| (event.to_owned(), stage.to_owned());
        assert_eq!(read("E-1/S-1"), [pair("E-1", "S-1")]);
        assert_eq!(read("E/1/S"), [pair("E", "1/S"), pair("E/1", "S")]);
        assert_eq!(read("E-1"), []);
        assert_eq!(read("/S-1"), []);
    }
}
