//! Flow `derms-dacs-event-status`: what the DERMS says of an event and its stages.
//!
//! ```text
//! {messageId, drmsInstanceId, eventId, eventType, status?, cancelReason?,
//!  stages[]{stageId, programCode?, status, startDateTime, endDateTime, cancelReason?}}         (contracts.md §5)
//! ```
//!
//! What a stage's status does is decided by [`crate::stage`]. The event's own `status` does something only when it is
//! CANCELED; then `stages` may be empty, since it holds for every stage of the event, "listed or not" (contracts.md §9).
//!
//! **Interpretation:** a stage is listed once in a message, because its response in the acknowledgement is found by its id.
//! Texts that lookups translate are taken as they are: an unknown one is a business error of its stage, not of the form.

use std::collections::HashMap;

use crate::enrollment_sync::LONGEST_TEXT;
use crate::ids::{DrmsInstanceId, EventId, MessageId, ProgramCode, StageId};
use crate::json::{Document, Object, Problem};
use crate::lookups::{Lookups, MapName, Miss};
use crate::msg_ack::ResponseCode;
use crate::stage::{Ground, Reached, StageStatus, Terms, Wanted};
use crate::time::Instant;

/// The longest `cancelReason` taken, in characters; the program system gets as much of it as it holds.
pub const LONGEST_REASON: usize = 2000;

/// A valid message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventStatus {
    /// What makes two messages the same, and what the acknowledgement calls it.
    pub message_id: MessageId,
    /// The DERMS that sends it, and gets the acknowledgement.
    pub drms_instance_id: DrmsInstanceId,
    /// The event.
    pub event_id: EventId,
    /// Its kind, as the DERMS spells it: lookup EventType.
    pub event_type: String,
    /// Where the event as a whole is, as the DERMS spells it: lookup EventStatus.
    pub status: Option<String>,
    /// Why it is canceled.
    pub cancel_reason: Option<String>,
    /// Stages, none twice.
    pub stages: Vec<StageEntry>,
}

/// One of `stages`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageEntry {
    /// The stage.
    pub stage_id: StageId,
    /// Its program; a stage without one is not the program system's.
    pub program_code: Option<ProgramCode>,
    /// Where it is, as the DERMS spells it: lookup EventStatus.
    pub status: String,
    /// Its start.
    pub start: Instant,
    /// Its end, exclusive; after its start.
    pub end: Instant,
    /// Why it is canceled.
    pub cancel_reason: Option<String>,
}

/// Why a stage of a message cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// A lookup does not have the value.
    #[error(transparent)]
    Unlisted(#[from] Miss),
    /// The lookup EventStatus has it, but not as a status that stages have.
    #[error("lookup EventStatus makes \"{0}\" of it, which no stage can be")]
    NoStatus(String),
}

impl EventStatus {
    /// Parses and checks a body.
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        Self::from_document(&Document::parse(body)?)
    }

    /// Checks a body that is parsed already (its hash is needed too).
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(read)
    }

    /// What makes two messages the same (contracts.md §2).
    #[must_use]
    pub fn message_key(&self) -> &MessageId {
        &self.message_id
    }

    /// Whether the event as a whole is canceled.
    ///
    /// # Errors
    /// A [`Miss`] when the lookup EventStatus does not have the event's status: perhaps it was meant as a cancel.
    pub fn cancels_event(&self, lookups: &Lookups) -> Result<bool, Miss> {
        let Some(status) = &self.status else { return Ok(false) };
        Ok(lookups.translate(MapName::EventStatus, status)? == StageStatus::Canceled.as_str())
    }

    /// The program system's category of the event.
    ///
    /// # Errors
    /// A [`Miss`] when the lookup EventType does not have its type.
    pub fn category<'a>(&'a self, lookups: &'a Lookups) -> Result<&'a str, Miss> {
        lookups.translate(MapName::EventType, &self.event_type)
    }
}

impl StageEntry {
    /// The status that is asked for.
    ///
    /// # Errors
    /// [`NotUnderstood`]
    pub fn status(&self, lookups: &Lookups) -> Result<StageStatus, NotUnderstood> {
        let status = lookups.translate(MapName::EventStatus, &self.status)?;
        status.parse().map_err(|_| NotUnderstood::NoStatus(status.to_owned()))
    }

    /// What it is scheduled for, if it is a stage of `program` and `category`.
    #[must_use]
    pub fn terms(&self, program: ProgramCode, category: &str) -> Terms {
        let (start, end) = (self.start.timestamp(), self.end.timestamp());
        Terms { program_code: program, category: category.to_owned(), start, end }
    }
}

/// What is asked of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// To be in this status.
    pub status: StageStatus,
    /// Because its whole event is canceled.
    pub whole_event: bool,
}

/// The value of the response for a stage without a program (contracts.md §9).
pub const NO_PROGRAM: &str = "NO_PROGRAM";
/// The value of the response for a stage that does not move any more.
pub const ALREADY_FINAL: &str = "ALREADY_FINAL";

impl Request {
    /// Code and value of the response for a stage that is `applied` and was asked for all that is `wanted`; `None` while the
    /// status may still be reached.
    ///
    /// A refusal by the program system is answered with `refusal`: "400 from DACS: ERROR ack with DACS's reason (FAILURE in
    /// Oracle's table; parameter)" (contracts.md §8).
    ///
    /// **Interpretation:** `value` of a stage that was brought where it was asked to be is its status in the program system,
    /// which may be a later one.
    #[must_use]
    pub fn response(
        self,
        applied: Option<StageStatus>,
        wanted: &Wanted,
        refusal: ResponseCode,
    ) -> Option<(ResponseCode, String)> {
        let Some(reached) = self.status.reached(applied) else {
            let refused = wanted.get(&self.status)?.refused.as_ref()?;
            let code = if refused.ground == Ground::ProgramSystem { refusal } else { ResponseCode::Error };
            return Some((code, refused.reason.clone()));
        };
        let is = applied.map_or("", StageStatus::as_str);
        Some(match reached {
            Reached::Done => (ResponseCode::Success, is.to_owned()),
            Reached::Overtaken => (ResponseCode::Success, ALREADY_FINAL.to_owned()),
            Reached::Contradicted if self.whole_event => (ResponseCode::Success, ALREADY_FINAL.to_owned()),
            Reached::Contradicted => (ResponseCode::Error, format!("the stage is {is}, and does not move any more")),
        })
    }
}

fn read(root: &Object<'_, '_>) -> Option<EventStatus> {
    let message_id = root.required("messageId");
    let drms_instance_id = root.required("drmsInstanceId");
    let event_id = root.required("eventId");
    let event_type = root.required_text("eventType", LONGEST_TEXT);
    let status = root.text("status", LONGEST_TEXT);
    let cancel_reason = root.text("cancelReason", LONGEST_REASON);
    let stages = root.objects("stages", read_stage);
    if let Some(stages) = &stages {
        each_stage_is_listed_once(root, stages);
        if stages.is_empty() && !root.has("status") {
            root.fault("stages", "is required where the event has no status of its own");
        }
    }
    Some(EventStatus {
        message_id: message_id?,
        drms_instance_id: drms_instance_id?,
        event_id: event_id?,
        event_type: event_type?.to_owned(),
        status: status.map(str::to_owned),
        cancel_reason: cancel_reason.map(str::to_owned),
        stages: stages?,
    })
}

fn read_stage(stage: &Object<'_, '_>) -> Option<StageEntry> {
    let stage_id = stage.required("stageId");
    let program_code = stage.optional("programCode");
    let status = stage.required_text("status", LONGEST_TEXT);
    let start = stage.required::<Instant>("startDateTime");
    let end = stage.required::<Instant>("endDateTime");
    let cancel_reason = stage.text("cancelReason", LONGEST_REASON);
    if start.zip(end).is_some_and(|(start, end)| end <= start) {
        stage.fault("endDateTime", "is not after the start");
    }
    Some(StageEntry {
        stage_id: stage_id?,
        program_code,
        status: status?.to_owned(),
        start: start?,
        end: end?,
        cancel_reason: cancel_reason.map(str::to_owned),
    })
}

fn each_stage_is_listed_once(root: &Object<'_, '_>, stages: &[StageEntry]) {
    let mut listed = HashMap::with_capacity(stages.len());
    for (i, stage) in stages.iter().enumerate() {
        let first = *listed.entry(&stage.stage_id).or_insert(i);
        if first != i {
            root.fault_in("stages", i, "stageId", format!("is the stage of entry {first} again"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups;

    fn message(status: &str, stages: &str) -> String {
        format!(
            r#"{{"messageId":"M-1","drmsInstanceId":"DERMS-1","eventId":"E-1","eventType":"ECONOMIC"{status},"stages":[{stages}]}}"#
        )
    }

    const STAGE: &str = r#"{"stageId":"S-1","programCode":"SUMMER-T","status":"IN PROGRESS",
        "startDateTime":"2026-07-01T14:00:00-05:00","endDateTime":"2026-07-01T16:00:00-05:00"}"#;

    #[test]
    fn a_stage_is_read_with_its_status_whatever_its_spelling() {
        let message = EventStatus::parse(message("", STAGE).as_bytes()).unwrap();
        let lookups = Lookups::shipped();
        let [stage] = message.stages.as_slice() else { panic!("one stage") };
        assert_eq!(stage.status(&lookups), Ok(StageStatus::InProgress));
        assert_eq!(message.cancels_event(&lookups), Ok(false));
        let terms = stage.terms(stage.program_code.clone().unwrap(), message.category(&lookups).unwrap());
        assert_eq!((terms.category.as_str(), terms.start.to_string().as_str()), ("X1EC", "2026-07-01T19:00:00Z"));
        for (spelling, status) in [
            ("SCHEDULED", StageStatus::Scheduled),
            ("IN_PROGRESS", StageStatus::InProgress),
            ("COMPLETED", StageStatus::Completed),
            ("CANCELED", StageStatus::Canceled),
            ("CANCELLED", StageStatus::Canceled),
        ] {
            let stage = StageEntry { status: spelling.to_owned(), ..stage.clone() };
            assert_eq!(stage.status(&lookups), Ok(status));
        }
    }

    #[test]
    fn a_status_or_type_that_no_lookup_has_is_named_with_its_lookup() {
        let odd = message(r#","status":"STOPPED""#, &STAGE.replace("IN PROGRESS", "PAUSED")).replace("ECONOMIC", "FUN");
        let message = EventStatus::parse(odd.as_bytes()).unwrap();
        let lookups = Lookups::shipped();
        let reason = |miss: Miss| miss.to_string();
        let entry = message.stages.first().unwrap();
        assert_eq!(entry.status(&lookups).unwrap_err().to_string(), "lookup EventStatus has no entry for \"PAUSED\"");
        assert_eq!(
            message.cancels_event(&lookups).map_err(reason),
            Err("lookup EventStatus has no entry for \"STOPPED\"".into())
        );
        assert_eq!(message.category(&lookups).map_err(reason), Err("lookup EventType has no entry for \"FUN\"".into()));
    }

    #[test]
    fn a_status_of_events_is_no_status_of_stages() {
        let mut lookups = Lookups::shipped();
        lookups.replace(lookups::parse("EventStatus", b"key,value\nAPPROVED,APPROVED\n").unwrap());
        let body = message(r#","status":"APPROVED""#, &STAGE.replace("IN PROGRESS", "APPROVED"));
        let message = EventStatus::parse(body.as_bytes()).unwrap();
        assert_eq!(message.cancels_event(&lookups), Ok(false));
        assert_eq!(
            message.stages.first().unwrap().status(&lookups),
            Err(NotUnderstood::NoStatus("APPROVED".to_owned()))
        );
    }

    #[test]
    fn a_canceled_event_needs_no_stages_and_any_other_message_does() {
        let canceled = EventStatus::parse(message(r#","status":"CANCELLED""#, "").as_bytes()).unwrap();
        assert_eq!(canceled.cancels_event(&Lookups::shipped()), Ok(true));
        let refused = EventStatus::parse(message("", "").as_bytes()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "400 The message is not valid: /stages is required where the event has no status of its own"
        );
    }

    #[test]
    fn the_response_of_a_stage_says_where_it_is_or_why_it_is_not_where_it_was_asked_to_be() {
        use ResponseCode::{Error, Failure, Success};
        use StageStatus::{Canceled, Completed, InProgress, Scheduled};
        let response =
            |status, whole_event, applied| Request { status, whole_event }.response(applied, &Wanted::new(), Failure);
        let says = |code, value: &str| Some((code, value.to_owned()));
        assert_eq!(response(InProgress, false, Some(Scheduled)), None);
        assert_eq!(response(Scheduled, false, Some(Scheduled)), says(Success, "SCHEDULED"));
        assert_eq!(response(Scheduled, false, Some(Completed)), says(Success, "COMPLETED"));
        assert_eq!(response(InProgress, false, Some(Canceled)), says(Success, "ALREADY_FINAL"));
        assert_eq!(response(Canceled, true, Some(Completed)), says(Success, "ALREADY_FINAL"));
        let stays = "the stage is COMPLETED, and does not move any more";
        assert_eq!(response(Canceled, false, Some(Completed)), says(Error, stays));
    }

    #[test]
    fn a_refusal_of_the_program_system_is_answered_with_the_code_that_the_utility_wants() {
        let mut wish = crate::stage::Wish::new(jiff::Timestamp::UNIX_EPOCH, "M-1#1");
        let mut refused = |ground| {
            wish.refused = Some(crate::stage::Refused { reason: "no".to_owned(), ground });
            let wanted = Wanted::from([(StageStatus::Scheduled, wish.clone())]);
            let request = Request { status: StageStatus::Scheduled, whole_event: false };
            request.response(None, &wanted, ResponseCode::Failure).map(|(code, _)| code)
        };
        assert_eq!(refused(Ground::ProgramSystem), Some(ResponseCode::Failure));
        assert_eq!(refused(Ground::Early), Some(ResponseCode::Error));
        assert_eq!(refused(Ground::Unlisted), Some(ResponseCode::Error));
    }

    #[test]
    fn a_stage_that_is_listed_twice_or_ends_before_it_starts_is_refused() {
        let backwards = STAGE.replace("16:00", "13:00");
        let refused = EventStatus::parse(message("", &format!("{STAGE},{backwards}")).as_bytes()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "400 The message is not valid: /stages/1/endDateTime is not after the start; \
             /stages/1/stageId is the stage of entry 0 again"
        );
    }
}
