//! Stages and their events, as three flows see them: `derms-dacs-event-status` brings them through their life
//! ([`domain::stage`]), reservations need a stage to be SCHEDULED in the program system, outcomes need it to be final.
//!
//! ```text
//! stage#<eventId>   event              canceled, if the whole event was
//!                   stage#<stageId>    one per stage
//! ```
//!
//! SCHEDULED writes its stage, then reads the event; a cancel of the event writes the event, then lists its stages. So one of
//! the two sees the other, whichever comes first (architecture.md §3).

use domain::ids::{DrmsInstanceId, EventId, StageId};
use domain::stage::{StageStatus, Terms, Wanted};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ports::Key;

/// How long a stage stays in the ledger after its end, or after it was last written, whichever is later.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Who asks for what no message asks for: the cancel of the event, or a status that is supplied by itself.
pub(crate) const OF_EVENT: &str = "what is known of the event";

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its event.
    pub event_id: EventId,
    /// Its id.
    pub stage_id: StageId,
    /// The DERMS that it comes from.
    #[serde(default)]
    pub drms_instance_id: Option<DrmsInstanceId>,
    /// What it is scheduled for.
    pub terms: Terms,
    /// What it was asked to be.
    #[serde(default)]
    pub wanted: Wanted,
    /// What the program system is known to be in.
    #[serde(default)]
    pub applied: Option<StageStatus>,
    /// Since when.
    #[serde(default)]
    pub applied_at: Option<Timestamp>,
    /// A call to the program system that was begun and whose answer is not written here.
    #[serde(default)]
    pub calling: Option<Calling>,
    /// Why it is canceled, in the DERMS's words.
    #[serde(default)]
    pub cancel_reason: Option<String>,
    /// A reservation that runs for it. IN_PROGRESS waits for it (contracts.md §9).
    #[serde(default)]
    pub reserving: Option<Reserving>,
}

/// A file of reserved devices that is being sent for a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserving {
    /// The run that sends it.
    pub by: String,
    /// Until when it does, unless it says so again.
    pub until: Timestamp,
}

/// A call to the program system under way. Nobody else makes one for the stage before `until` is over for everybody
/// ([`crate::ports::over_for_all`]); after it, what the call did is not known, and the same call is made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calling {
    /// The status that the program system is told.
    pub status: StageStatus,
    /// Who makes it.
    pub owner: String,
    /// When whoever makes it has ended, by its own clock; `None` since it knows that it was not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The stage was never SCHEDULED here.
    #[serde(default)]
    pub unseen: bool,
}

impl Stage {
    /// A stage of which nothing is known but what it is for.
    #[must_use]
    pub fn new(event_id: EventId, stage_id: StageId, terms: Terms) -> Self {
        Self {
            event_id,
            stage_id,
            drms_instance_id: None,
            terms,
            wanted: Wanted::new(),
            applied: None,
            applied_at: None,
            calling: None,
            cancel_reason: None,
            reserving: None,
        }
    }

    /// The partition of `event`'s stages, and of the event itself.
    #[must_use]
    pub fn partition(event: &EventId) -> String {
        format!("stage#{event}")
    }

    /// The key of `stage` of `event`.
    #[must_use]
    pub fn key(event: &EventId, stage: &StageId) -> Key {
        Key { partition: Self::partition(event), sort: format!("stage#{stage}") }
    }

    /// When the ledger may forget it, if it is written at `now`. An open one too: what never ends cannot stay for ever.
    #[must_use]
    pub fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        self.terms.end.max(now).checked_add(REMEMBERED).ok()
    }

    /// Whether devices can be reserved for it: the program system has it SCHEDULED and is not being told another status.
    #[must_use]
    pub fn takes_reservations(&self) -> bool {
        self.applied == Some(StageStatus::Scheduled) && self.calling.is_none()
    }

    /// Whether it is still to be canceled with its event, and no message asked for that: whoever looks at it has to look
    /// again, since perhaps nobody else does.
    #[must_use]
    pub fn follows_its_event(&self) -> bool {
        let is_being_told = || self.calling.as_ref().is_some_and(|calling| calling.status == StageStatus::Canceled);
        let by_event = match self.wanted.get(&StageStatus::Canceled) {
            Some(wish) => wish.refused.is_none() && wish.by == [OF_EVENT],
            None => is_being_told(),
        };
        by_event && !self.is_final()
    }

    /// Whether it does not move any more in the program system.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.applied.is_some_and(StageStatus::is_final)
    }
}

/// A whole event, as far as it matters: whether it is canceled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The event.
    pub event_id: EventId,
    /// That it is canceled; remembered for stages that are scheduled later (contracts.md §9).
    #[serde(default)]
    pub canceled: Option<EventCanceled>,
}

/// The cancel of a whole event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCanceled {
    /// When the platform learned of it.
    pub at: Timestamp,
    /// Who said so first: one attempt of one message.
    pub by: String,
    /// Why, in the DERMS's words.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Event {
    /// The key of `event`.
    #[must_use]
    pub fn key(event: &EventId) -> Key {
        Key { partition: Stage::partition(event), sort: "event".into() }
    }

    /// When the ledger may forget it: with its last stage, which ends at `last_end`.
    #[must_use]
    pub fn expires(last_end: Timestamp, now: Timestamp) -> Option<Timestamp> {
        last_end.max(now).checked_add(REMEMBERED).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> Stage {
        let terms = Terms {
            program_code: "SUMMER-THERMO".parse().unwrap(),
            category: "X1EC".into(),
            start: "2026-07-01T18:00:00Z".parse().unwrap(),
            end: "2026-07-01T20:00:00Z".parse().unwrap(),
        };
        Stage::new("E-1".parse().unwrap(), "S-1".parse().unwrap(), terms)
    }

    #[test]
    fn an_event_and_its_stages_are_listed_together_the_event_first() {
        let event: EventId = "E-1".parse().unwrap();
        let (event_key, stage_key) = (Event::key(&event), Stage::key(&event, &"A".parse().unwrap()));
        assert_eq!(event_key.partition, stage_key.partition);
        assert!(event_key.sort < stage_key.sort);
    }

    #[test]
    fn a_stage_that_another_version_wrote_with_less_is_read() {
        let written = r#"{"event_id":"E-1","stage_id":"S-1","terms":{"programCode":"SUMMER-THERMO","category":"X1EC",
            "start":"2026-07-01T18:00:00Z","end":"2026-07-01T20:00:00Z"}}"#;
        assert_eq!(serde_json::from_str::<Stage>(written).unwrap(), stage());
    }

    #[test]
    fn a_stage_reads_back_as_it_was_written() {
        let mut written = stage();
        let wish = domain::stage::Wish::new(written.terms.start, "M-1#1");
        written.wanted.insert(StageStatus::InProgress, wish);
        let text = serde_json::to_string(&written).unwrap();
        assert!(text.contains(r#""IN_PROGRESS":{"#), "{text}");
        assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), written);
    }

    #[test]
    fn devices_are_reserved_only_while_the_stage_is_scheduled_and_stays_so() {
        let mut stage = stage();
        assert!(!stage.takes_reservations());
        stage.applied = Some(StageStatus::Scheduled);
        assert!(stage.takes_reservations());
        let (status, until) = (StageStatus::InProgress, stage.terms.start);
        stage.calling = Some(Calling { status, owner: "one".into(), until: Some(until), unseen: false });
        assert!(!stage.takes_reservations());
    }

    #[test]
    fn a_cancel_with_the_event_is_followed_by_whoever_finds_it_even_when_it_was_announced_by_one_who_died() {
        let mut stage = Stage { applied: Some(StageStatus::Scheduled), ..stage() };
        assert!(!stage.follows_its_event());
        let (status, until) = (StageStatus::Canceled, stage.terms.start);
        stage.calling = Some(Calling { status, owner: "dead".into(), until: Some(until), unseen: false });
        assert!(stage.follows_its_event());
        stage.wanted.insert(status, domain::stage::Wish::new(until, "M-1#1"));
        assert!(!stage.follows_its_event(), "its own message does");
    }

    #[test]
    fn a_stage_is_remembered_for_thirty_days_after_its_end_or_its_last_write() {
        let stage = stage();
        let in_time = stage.expires(stage.terms.start).unwrap();
        assert_eq!(in_time.to_string(), "2026-07-31T20:00:00Z");
        let late = stage.expires("2026-08-01T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(late.to_string(), "2026-08-31T00:00:00Z");
    }
}
