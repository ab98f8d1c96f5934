//! Whole events.

use domain::ids::EventId;
use jiff::Timestamp;

use super::Stages;
use crate::Transient;
use crate::ledger::stage::{Event, EventCanceled, Stage};
use crate::ledger::{Committed, decode};
use crate::ports::Write;

/// How many items are read at once.
const PAGE: u32 = 100;
/// Where the stages begin among the items of an event: the event itself comes first.
const BEFORE_STAGES: &str = "event";

impl Stages {
    /// Remembers that the whole event is canceled, at least as long as a stage that ends at `last_end`. The first who says so
    /// is remembered.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn cancel_event(
        &self,
        event_id: &EventId,
        (by, reason): (&str, Option<&str>),
        last_end: Timestamp,
    ) -> Result<(), Transient> {
        let key = Event::key(event_id);
        loop {
            let seen = self.ledger.get::<Event>(&key).await?;
            if seen.as_ref().is_some_and(|seen| seen.value.canceled.is_some()) {
                return Ok(());
            }
            let now = self.clock.now();
            let canceled = EventCanceled { at: now, by: by.to_owned(), reason: reason.map(str::to_owned) };
            let event = Event { event_id: event_id.clone(), canceled: Some(canceled) };
            let (seen, expires) = (seen.map(|seen| seen.rev), Event::expires(last_end, now));
            if self.ledger.commit(&[Write::put(key.clone(), &event, seen, expires)?]).await? == Committed::Yes {
                return Ok(());
            }
        }
    }

    /// The stages of `event` that are known.
    ///
    /// # Errors
    /// [`Transient`] when the ledger does not answer.
    pub async fn known(&self, event: &EventId) -> Result<Vec<Stage>, Transient> {
        let (partition, mut after, mut stages) = (Stage::partition(event), BEFORE_STAGES.to_owned(), Vec::new());
        loop {
            let page = self.ledger.list(&partition, Some(&after), PAGE).await?;
            let Some(last) = page.last() else { return Ok(stages) };
            after.clone_from(&last.key.sort);
            for item in &page {
                stages.push(decode::<Stage>(item)?.value);
            }
        }
    }
}
