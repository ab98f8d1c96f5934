//! Flow `dacs-derms-program-rules`: a program and all its rules, as the program system sends them when the program is made
//! or activated, or one of its rules is associated, changed or disassociated (contracts.md §5).
//!
//! The rules listed are all that are associated, with their dates, those of the future included: the DERMS chooses which
//! hold on a day. What a message leaves out is not associated any more.
//!
//! **Interpretation:** required are what the DERMS could not place the program without (`syncRequestId`, `programId`,
//! `status`, `timeZone`, `startDate`, `changeDateTime`) and of each rule its id, type and first day. `programId` is also
//! what the order is kept by, so it must be there even if the code is. A rule without `action` has not changed. The same
//! rule may be listed for several spans of days, which begin on different days.

mod read;
mod update_program;

#[cfg(test)]
mod tests;

use std::str::FromStr;

use serde::Serialize;

pub use update_program::UpdateProgram;

use crate::derms_message::{DermsMessage, DermsRequest, Destination, Method, Synchronization};
use crate::duration::Length;
use crate::ids::{Division, RuleId, SyncRequestId};
use crate::json::{Document, Grammar, Problem, Text};
use crate::lookups::{Lookups, Miss};
use crate::msg_ack::UnknownCode;
use crate::period::Days;
use crate::program_ids::ProgramIds;
use crate::sync_request::encoded;
use crate::time::Instant;
use crate::zone::Zone;

/// A valid message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramRules {
    /// The program system's id of this message; the DERMS's `dacsMessageId`.
    pub sync_request_id: SyncRequestId,
    /// The program; its own id is always there.
    pub program: ProgramIds,
    /// What people call it.
    pub name: Option<String>,
    /// A code of the program system.
    pub program_type: Option<String>,
    /// The part of the utility; decides which DERMS, where there are several.
    pub division: Option<Division>,
    /// The zone that the dates and days of the rules are in.
    pub time_zone: Zone,
    /// Whether events may be called.
    pub status: ProgramStatus,
    /// `startDate` and `endDate`.
    pub days: Days,
    /// When it was changed in the program system.
    pub changed: Instant,
    /// All that are associated after the change, and the one that was disassociated by it.
    pub rules: Vec<Rule>,
}

/// Whether a program is in force. A closed set: an unknown status taken for active would have devices called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProgramStatus {
    /// Made, not yet in force.
    Pending,
    /// In force.
    Active,
    /// Not any more.
    Inactive,
}

impl FromStr for ProgramStatus {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "PENDING" => Ok(Self::Pending),
            "ACTIVE" => Ok(Self::Active),
            "INACTIVE" => Ok(Self::Inactive),
            _ => Err(UnknownCode("PENDING, ACTIVE, INACTIVE")),
        }
    }
}

impl Text for ProgramStatus {
    const GRAMMAR: Grammar = Grammar::Codes(&["PENDING", "ACTIVE", "INACTIVE"]);
}

/// One of `rules`: a constraint on when, how long and how often a device may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The program system's id of the rule.
    pub rule_id: RuleId,
    /// A code of the program system.
    pub rule_type: String,
    /// What happened to it.
    pub action: Option<RuleAction>,
    /// `effectiveDate` and `expirationDate`.
    pub days: Days,
    /// What limits count over: a code of the program system (lookup CycleFrequency).
    pub cycle_frequency: Option<String>,
    /// The day on which a week begins: a code of the program system (lookup AllowEventDays).
    pub week_start: Option<String>,
    /// Successful participations per cycle at most.
    pub participation_limit: Option<u32>,
    /// Their length together per cycle at most.
    pub participation_duration: Option<Length>,
    /// The pause between two of them at least.
    pub duration_between: Option<Length>,
    /// Days on which events are allowed: codes of the program system (lookup AllowEventDays).
    pub allowed_event_days: Vec<String>,
    /// How long one event is at least.
    pub minimum_event: Option<Length>,
    /// How long one event is at most.
    pub maximum_event: Option<Length>,
    /// How often a customer may override.
    pub customer_override_limit: Option<u32>,
    /// The kinds of events that the rule is for, as they are; none is all.
    pub event_categories: Vec<String>,
}

/// What happened to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RuleAction {
    /// It was attached to the program.
    Associate,
    /// It was changed.
    Update,
    /// It was detached.
    Disassociate,
}

impl FromStr for RuleAction {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "ASSOCIATE" => Ok(Self::Associate),
            "UPDATE" => Ok(Self::Update),
            "DISASSOCIATE" => Ok(Self::Disassociate),
            _ => Err(UnknownCode("ASSOCIATE, UPDATE, DISASSOCIATE")),
        }
    }
}

impl Text for RuleAction {
    const GRAMMAR: Grammar = Grammar::Codes(&["ASSOCIATE", "UPDATE", "DISASSOCIATE"]);
}

impl DermsMessage for ProgramRules {
    type Body<'a> = UpdateProgram<'a>;

    fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(read::program)
    }

    fn message_key(&self) -> String {
        self.sync_request_id.to_string()
    }

    fn ordering_key(&self) -> String {
        self.program.id.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn destination(&self) -> Destination<'_> {
        Destination::Division(self.division.as_ref().map(Division::as_str))
    }

    fn request<'a>(&'a self, lookups: &'a Lookups) -> Result<DermsRequest<UpdateProgram<'a>>, Miss> {
        let program = self.program.completed(lookups.programs())?;
        let code = program.code.as_ref().map(|code| encoded(code.as_str())).unwrap_or_default();
        let body = UpdateProgram::new(self, program, lookups)?;
        Ok(DermsRequest { method: Method::Put, path: format!("/programs/{code}"), body })
    }
}

impl Synchronization for ProgramRules {
    fn sync_request_id(&self) -> &SyncRequestId {
        &self.sync_request_id
    }
}
