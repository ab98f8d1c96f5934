//! Program events of the program system: how one is created and brought through its life, and what its answers mean
//! (contracts.md §4, documented by the vendor).
//!
//! ```text
//! SCHEDULED                            POST …/programEvent/            created, moves itself to Scheduled
//! IN_PROGRESS, COMPLETED, CANCELED     POST …/programEvent/lifecycle   X1IP, F1CO, F1CN
//! ```
//!
//! A call whose answer was lost is made again: "create → 400 'exists' = done when ours was the same; lifecycle → 400 when the
//! stage already is there = done". A refusal that no number explains is compared with `nextActions`, which tell where the
//! program event is.

use serde::{Deserialize, Serialize};

use crate::ids::{EventId, StageId};
use crate::lookups::Verdict;
use crate::stage::{StageStatus, Terms};
use crate::sync_request::{DacsRelease, Refusal, cut, read_refusal};
use crate::time::Instant;

/// Where a program event is created.
pub const CREATE: &str = "/rest/apis/cross/service/programEvent/";

/// Where it is brought through its life.
pub const LIFECYCLE: &str = "/rest/apis/cross/service/programEvent/lifecycle";

/// The longest `cancelReason` (contracts.md §4). **Interpretation:** in UTF-8 bytes, as everywhere towards this system.
const LONGEST_REASON: usize = 254;

/// The body of a create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Create<'a> {
    program_external_identifier: &'a str,
    event_external_identifier: &'a str,
    external_identifier: &'a str,
    program_event_category: &'a str,
    start_date_time: String,
    end_date_time: String,
}

impl<'a> Create<'a> {
    /// The program event that is `stage` of `event`, of the program with this external id.
    #[must_use]
    pub fn new(program: &'a str, (event, stage): (&'a EventId, &'a StageId), terms: &'a Terms) -> Self {
        Self {
            program_external_identifier: program,
            event_external_identifier: event.as_str(),
            external_identifier: stage.as_str(),
            program_event_category: &terms.category,
            start_date_time: Instant::from(terms.start).to_string(),
            end_date_time: Instant::from(terms.end).to_string(),
        }
    }
}

/// What a program event can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Be Scheduled.
    #[serde(rename = "X1SD")]
    Schedule,
    /// Be In Progress.
    #[serde(rename = "X1IP")]
    Begin,
    /// Be Completed.
    #[serde(rename = "F1CO")]
    Complete,
    /// Be Canceled.
    #[serde(rename = "F1CN")]
    Cancel,
}

impl From<StageStatus> for Action {
    fn from(status: StageStatus) -> Self {
        match status {
            StageStatus::Scheduled => Self::Schedule,
            StageStatus::InProgress => Self::Begin,
            StageStatus::Completed => Self::Complete,
            StageStatus::Canceled => Self::Cancel,
        }
    }
}

/// The body of a lifecycle call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle<'a> {
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_external_identifier: Option<&'a str>,
}

impl<'a> Lifecycle<'a> {
    /// Tells the program event of `stage` an action; `reason` goes with a cancel only.
    ///
    /// The stage's id is the `externalIdentifier`; the reference of 25.10 calls the same member `eventExternalIdentifier`.
    #[must_use]
    pub fn new(action: Action, stage: &'a StageId, reason: Option<&'a str>, release: DacsRelease) -> Self {
        let id = Some(stage.as_str());
        let renamed = release >= DacsRelease::LIFECYCLE_BY_EVENT_IDENTIFIER;
        Self {
            action,
            cancel_reason: reason.filter(|_| action == Action::Cancel).map(|reason| cut(reason, LONGEST_REASON)),
            external_identifier: id.filter(|_| !renamed),
            event_external_identifier: id.filter(|_| renamed),
        }
    }
}

/// What the program system's answer to either call means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The program event is where it was told to be.
    Done,
    /// It was there already: done.
    AlreadyDone,
    /// Not possible now; try again later.
    NotYet(Refusal),
    /// Refused for good.
    Refused(Refusal),
    /// Any other status: the caller's general rules hold (retry, credentials).
    Unclear,
}

/// Reads the answer; `verdict` is the lookup DacsMessages, which also says what no number means.
#[must_use]
pub fn read_answer(status: u16, body: &[u8], verdict: &dyn Fn(Option<u32>) -> Verdict) -> Answer {
    match status {
        200..=299 => Answer::Done,
        400 => {
            let refusal = read_refusal(body);
            match verdict(refusal.number) {
                Verdict::AlreadyDone => Answer::AlreadyDone,
                Verdict::NotYet => Answer::NotYet(refusal),
                Verdict::Refused => Answer::Refused(refusal),
            }
        }
        _ => Answer::Unclear,
    }
}

/// Whether the `nextActions` of an answer say that the program event is where `status` would bring it. `None`: the answer
/// has none, or one that the contract does not know, so it says nothing.
///
/// **Interpretation:** a list of codes, also in refusals. A program event that can begin is Scheduled, one that can be
/// completed is In Progress, one that can do nothing is final; in which of the two final states is the ledger's to say.
#[must_use]
pub fn is_there(body: &[u8], status: StageStatus) -> Option<bool> {
    #[derive(Deserialize)]
    struct Told {
        #[serde(rename = "nextActions")]
        next_actions: Vec<Action>,
    }
    let next = serde_json::from_slice::<Told>(body).ok()?.next_actions;
    Some(match status {
        StageStatus::Scheduled => next.contains(&Action::Begin),
        StageStatus::InProgress => next.contains(&Action::Complete),
        StageStatus::Completed | StageStatus::Canceled => next.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::Lookups;
    use serde_json::json;

    fn ids() -> (EventId, StageId) {
        ("E-1".parse().unwrap(), "S-1".parse().unwrap())
    }

    #[test]
    fn a_program_event_is_created_with_the_ids_of_event_and_stage_and_utc_times() {
        let terms = Terms {
            program_code: "SUMMER-T".parse().unwrap(),
            category: "X1EM".into(),
            start: "2026-07-01T14:00:00-05:00".parse().unwrap(),
            end: "2026-07-01T16:00:00-05:00".parse().unwrap(),
        };
        let (event, stage) = ids();
        let body = serde_json::to_value(Create::new("PRG-SUMMER-T", (&event, &stage), &terms)).unwrap();
        assert_eq!(
            body,
            json!({
                "programExternalIdentifier": "PRG-SUMMER-T",
                "eventExternalIdentifier": "E-1",
                "externalIdentifier": "S-1",
                "programEventCategory": "X1EM",
                "startDateTime": "2026-07-01T19:00:00Z",
                "endDateTime": "2026-07-01T21:00:00Z",
            })
        );
    }

    #[test]
    fn each_release_gets_the_stage_under_the_name_that_it_knows() {
        let (_, stage) = ids();
        let body = |status: StageStatus, release: &str| {
            let lifecycle = Lifecycle::new(status.into(), &stage, Some("storm"), release.parse().unwrap());
            serde_json::to_value(lifecycle).unwrap()
        };
        assert_eq!(body(StageStatus::InProgress, "25.4"), json!({"action": "X1IP", "externalIdentifier": "S-1"}));
        assert_eq!(body(StageStatus::Completed, "25.10"), json!({"action": "F1CO", "eventExternalIdentifier": "S-1"}));
        assert_eq!(
            body(StageStatus::Canceled, "23C"),
            json!({"action": "F1CN", "cancelReason": "storm", "externalIdentifier": "S-1"})
        );
    }

    #[test]
    fn a_long_reason_is_cut_between_two_characters() {
        let (_, stage) = ids();
        let reason = "ü".repeat(200);
        let lifecycle = Lifecycle::new(Action::Cancel, &stage, Some(&reason), "25.4".parse().unwrap());
        assert_eq!(lifecycle.cancel_reason.map(str::len), Some(254));
    }

    #[test]
    fn the_shipped_numbers_mean_what_the_contract_says() {
        let lookups = Lookups::shipped();
        let verdict = |number: Option<u32>| lookups.dacs_messages().verdict(number);
        let answer = |number: u32| read_answer(400, format!(r#"{{"messageNumber":{number}}}"#).as_bytes(), &verdict);
        assert_eq!((answer(20002), answer(20003)), (Answer::AlreadyDone, Answer::AlreadyDone));
        for early in [20011, 20012, 20013] {
            assert!(matches!(answer(early), Answer::NotYet(_)), "{early}");
        }
        for refused in [20023, 77777] {
            assert!(matches!(answer(refused), Answer::Refused(_)), "{refused}");
        }
        assert!(matches!(read_answer(400, b"", &verdict), Answer::Refused(_)));
        assert_eq!(read_answer(201, b"{}", &verdict), Answer::Done);
        assert_eq!(read_answer(404, b"", &verdict), Answer::Unclear);
    }

    #[test]
    fn next_actions_tell_where_a_program_event_is() {
        let there = |body: &str, status| is_there(body.as_bytes(), status);
        let scheduled = r#"{"message":"no","nextActions":["X1IP","F1CN"]}"#;
        let running = r#"{"nextActions":["F1CO","F1CN"]}"#;
        let ended = r#"{"nextActions":[]}"#;
        let table = [
            (scheduled, [Some(true), Some(false), Some(false), Some(false)]),
            (running, [Some(false), Some(true), Some(false), Some(false)]),
            (ended, [Some(false), Some(false), Some(true), Some(true)]),
            (r#"{"nextActions":["WHAT"]}"#, [None; 4]),
            ("{}", [None; 4]),
        ];
        for (body, row) in table {
            for (status, is) in StageStatus::ALL.into_iter().zip(row) {
                assert_eq!(there(body, status), is, "{status} by {body}");
            }
        }
    }
}
