//! From JSON to a valid message: the members one by one, then the rules between them.

use std::collections::HashMap;

use super::{ProgramRules, Rule};
use crate::enrollment_sync::LONGEST_TEXT;
use crate::json::Object;
use crate::period::Days;
use crate::program_ids::ProgramIds;

pub(super) fn program(object: &Object<'_, '_>) -> Option<ProgramRules> {
    let sync_request_id = object.required("syncRequestId");
    let program_id = object.required("programId");
    let code = object.optional("programCode");
    let external_id = object.optional("programExternalIdentifier");
    let name = object.text("programName", LONGEST_TEXT);
    let program_type = object.text("programType", LONGEST_TEXT);
    let division = object.optional("division");
    let time_zone = object.required("timeZone");
    let status = object.required("status");
    let days = Days::read(object, "startDate", "endDate");
    let changed = object.required("changeDateTime");
    let rules = object.objects("rules", rule);
    if let Some(rules) = &rules {
        each_rule_begins_once_on_a_day(object, rules);
    }
    Some(ProgramRules {
        sync_request_id: sync_request_id?,
        program: ProgramIds { id: Some(program_id?), code, external_id },
        name: name.map(str::to_owned),
        program_type: program_type.map(str::to_owned),
        division,
        time_zone: time_zone?,
        status: status?,
        days: days?,
        changed: changed?,
        rules: rules?,
    })
}

fn rule(object: &Object<'_, '_>) -> Option<Rule> {
    let rule_id = object.required("ruleId");
    let rule_type = object.required_text("ruleType", LONGEST_TEXT);
    let action = object.optional("action");
    let days = Days::read(object, "effectiveDate", "expirationDate");
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let all = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
    let rule = Rule {
        cycle_frequency: owned(object.text("cycleFrequency", LONGEST_TEXT)),
        week_start: owned(object.text("weekStart", LONGEST_TEXT)),
        participation_limit: object.count("participationLimit"),
        participation_duration: object.optional("participationDuration"),
        duration_between: object.optional("durationBetweenParticipation"),
        allowed_event_days: object.texts("allowedEventDays", LONGEST_TEXT).map(all).unwrap_or_default(),
        minimum_event: object.optional("minimumEventDuration"),
        maximum_event: object.optional("maximumEventDuration"),
        customer_override_limit: object.count("customerOverrideLimit"),
        event_categories: object.texts("eventCategories", LONGEST_TEXT).map(all).unwrap_or_default(),
        rule_id: rule_id?,
        rule_type: rule_type?.to_owned(),
        action,
        days: days?,
    };
    if let (Some(least), Some(most)) = (&rule.minimum_event, &rule.maximum_event)
        && least.elapsed() > most.elapsed()
    {
        object.fault("maximumEventDuration", "is shorter than minimumEventDuration");
    }
    Some(rule)
}

fn each_rule_begins_once_on_a_day(program: &Object<'_, '_>, rules: &[Rule]) {
    let mut seen = HashMap::with_capacity(rules.len());
    for (i, rule) in rules.iter().enumerate() {
        let first = *seen.entry((&rule.rule_id, rule.days.start)).or_insert(i);
        if first != i {
            program.fault_in("rules", i, "ruleId", format!("is the rule of entry {first} again, from the same day"));
        }
    }
}
