//! The body of `PUT /programs/{programCode}`, Update Program, the DERMS's side of program rules (contracts.md §5; ours).

use serde::Serialize;

use super::{ProgramRules, ProgramStatus, Rule, RuleAction};
use crate::derms_message::utc_millis;
use crate::duration::Length;
use crate::ids::{Division, ProgramCode, ProgramExternalId, ProgramId, RuleId, SyncRequestId};
use crate::lookups::{Lookups, MapName, Miss};
use crate::period::Effective;
use crate::program_ids::ProgramIds;
use crate::time::{CivilDate, Instant};
use crate::zone::Zone;

/// What the DERMS is sent. Names of members are respelled here and nowhere else.
///
/// Days and cycles are in the DERMS's codes (lookups AllowEventDays and CycleFrequency). The list of rules is always there,
/// because an empty list is a statement and a missing one is not; so are the lists of a rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateProgram<'a> {
    dacs_message_id: &'a SyncRequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_id: Option<ProgramId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_code: Option<ProgramCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_external_identifier: Option<ProgramExternalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<&'a Division>,
    time_zone: &'a Zone,
    status: ProgramStatus,
    start_date: CivilDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<CivilDate>,
    #[serde(rename = "changeDateTimeISO", serialize_with = "utc_millis")]
    changed: Instant,
    rules: Vec<ProgramRule<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProgramRule<'a> {
    rule_id: &'a RuleId,
    rule_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<RuleAction>,
    #[serde(flatten)]
    effective: Effective,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle_frequency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    week_start: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participation_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participation_duration: Option<&'a Length>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_between_participation: Option<&'a Length>,
    allowed_event_days: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_event_duration: Option<&'a Length>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_event_duration: Option<&'a Length>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_override_limit: Option<u32>,
    event_categories: &'a [String],
}

impl<'a> UpdateProgram<'a> {
    pub(super) fn new(message: &'a ProgramRules, ids: ProgramIds, lookups: &'a Lookups) -> Result<Self, Miss> {
        let ProgramRules { sync_request_id, name, program_type, division, time_zone, status, .. } = message;
        let rules = message.rules.iter().map(|rule| ProgramRule::new(rule, lookups));
        Ok(Self {
            dacs_message_id: sync_request_id,
            program_id: ids.id,
            program_code: ids.code,
            program_external_identifier: ids.external_id,
            program_name: name.as_deref(),
            program_type: program_type.as_deref(),
            division: division.as_ref(),
            time_zone,
            status: *status,
            start_date: message.days.start,
            end_date: message.days.end,
            changed: message.changed,
            rules: rules.collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> ProgramRule<'a> {
    fn new(rule: &'a Rule, lookups: &'a Lookups) -> Result<Self, Miss> {
        let day = |code: &'a String| lookups.translate(MapName::AllowEventDays, code);
        let cycle = |code: &'a String| lookups.translate(MapName::CycleFrequency, code);
        Ok(Self {
            rule_id: &rule.rule_id,
            rule_type: &rule.rule_type,
            action: rule.action,
            effective: rule.days.into(),
            cycle_frequency: rule.cycle_frequency.as_ref().map(cycle).transpose()?,
            week_start: rule.week_start.as_ref().map(day).transpose()?,
            participation_limit: rule.participation_limit,
            participation_duration: rule.participation_duration.as_ref(),
            duration_between_participation: rule.duration_between.as_ref(),
            allowed_event_days: rule.allowed_event_days.iter().map(day).collect::<Result<_, _>>()?,
            minimum_event_duration: rule.minimum_event.as_ref(),
            maximum_event_duration: rule.maximum_event.as_ref(),
            customer_override_limit: rule.customer_override_limit,
            event_categories: &rule.event_categories,
        })
    }
}
