//! Outcome files: what every device did is in DACS's books, one stage per call, and not before the stage is final, unless
//! the platform does not know it or has waited for a day.

use flow::ledger::run::RunState;

use super::day::{Life, Stage};
use super::file_acks::check_ack;
use super::file_checks::{check_run, check_sent};
use super::files::{Dress, File, Files, Row, Settled, Shape};
use super::{FlowId, Workload, plan};
use crate::neighbours::UNKNOWN;
use crate::schedule::Setting;

const BUCKET: &str = "derms-outbox";
const COLUMNS: &str = "Columns-device-outcome";
const SPELLING: &str = "NIC";
const HEADER: [&str; 15] = [
    "recordId",
    "eventId",
    "eventType",
    "stageId",
    "stageStartDateTime",
    "stageEndDateTime",
    "programId",
    "programCode",
    "servicePointId",
    "headEndSystemId",
    "nicId",
    "outcome",
    "errorMessage",
    "participationStartDateTime",
    "participationEndDateTime",
];
const TIMES: [&str; 2] = ["2026-06-30T18:00:00Z", "2026-06-30T19:00:00Z"];

/// The outcome files of one schedule.
pub struct Outcomes {
    files: Files,
}

/// Plans files of at least `records` rows, of a few stages each.
pub fn plan(setting: &mut Setting, records: usize) -> Outcomes {
    let stages = setting.day.stages.clone();
    let files = plan::plan(
        setting,
        records,
        (FlowId::Outcome, BUCKET),
        |number| format!("device-outcome/O {number}.csv"),
        |setting, key, at, dress, shape| file(setting, &stages, (key, at), dress, shape),
    );
    Outcomes { files }
}

fn file(setting: &mut Setting, stages: &[Stage], (key, at): (String, u64), dress: Dress, shape: Shape) -> File {
    let header = plan::header(&HEADER, (10, SPELLING), 11, dress, shape);
    // Of those that do not end, outcomes wait for a day.
    let waits = setting.dice.below(150) == 0;
    let mut stages: Vec<Stage> = stages.iter().filter(|stage| waits || stage.ends_soon()).cloned().collect();
    if stages.is_empty() {
        stages.push(unheard_of());
    }
    let number = match shape {
        Shape::Empty | Shape::HeaderOnly => 0,
        _ => setting.dice.count(3, 30),
    };
    let rows = (0..number).map(|_| row(setting, &stages)).collect();
    let mut envelope = flow::ports::Metadata::new();
    if setting.dice.chance(50) {
        envelope.insert("message-id".into(), format!("M-{}", setting.shared.lock().fresh()));
    }
    File { key, at, header, rows, shape, dress, envelope, may_close: false }
}

/// A stage that neither the platform nor DACS knows; DACS keeps its outcomes all the same.
fn unheard_of() -> Stage {
    Stage {
        event: "E-UNHEARD-OF".into(),
        id: "E-UNHEARD-OF.0".into(),
        start: jiff::Timestamp::MIN,
        end: jiff::Timestamp::MAX,
        life: Life::Unsaid,
        said: Vec::new(),
        before: None,
        event_canceled: false,
        curable: false,
    }
}

fn row(setting: &mut Setting, stages: &[Stage]) -> Row {
    let number = setting.shared.lock().fresh();
    let dice = &mut setting.dice;
    let Stage { event, id: stage, .. } = dice.pick(stages).clone();
    let took_part = dice.chance(60);
    let (outcome, times) = if took_part { ("SUCCESS", TIMES) } else { ("NON_RESPONSIVE", ["", ""]) };
    let fixed = ["2026-06-30T18:00:00Z", "2026-06-30T20:00:00Z", "90000001", "SUMMER"];
    let mut fields = vec![format!("r{number}"), event, "ECONOMIC".to_owned(), stage];
    fields.extend(fixed.map(str::to_owned));
    fields.extend([format!("SP{number:05}"), "HES-NORTH".to_owned(), format!("nic-{number:05}")]);
    fields.extend([outcome.to_owned(), String::new()]);
    fields.extend(times.map(str::to_owned));
    let bad = dice.chance(12);
    if bad {
        let wrong =
            [(0, String::new()), (10, format!("{UNKNOWN}-{number}")), (11, "ASLEEP".into()), (4, "noon".into())];
        let (place, text) = dice.pick(&wrong).clone();
        if let Some(field) = fields.get_mut(place) {
            *field = text;
        }
    }
    Row { fields, good: !bad }
}

impl Workload for Outcomes {
    fn records(&self) -> usize {
        self.files.records()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        for settled in &self.files.settled(setting, broken) {
            check_run(setting, settled, broken);
            check_sent(setting, settled, (COLUMNS, SPELLING, setting.longest_outage()), broken);
            check_ack(setting, settled, broken);
            check_books(setting, settled, broken);
        }
    }
}

/// What the file says of each device is what DACS has; of devices in invalid rows it has nothing.
fn check_books(setting: &Setting, settled: &Settled<'_>, broken: &mut Vec<String>) {
    let file = settled.file;
    let field = |row: &Row, place: usize| row.fields.get(place).cloned().unwrap_or_default();
    for row in &file.rows {
        let (stage, nic) = (field(row, 3), field(row, 10));
        let has = setting.neighbours.dacs.events.devices.outcome_of(&stage, &nic);
        let said = if field(row, 11) == "SUCCESS" { "D1SP" } else { "D1ND" };
        let must = row.good && settled.run.state == RunState::Delivered && file.shape == Shape::Whole;
        if must && has.as_deref() != Some(said) {
            broken.push(format!("{}: {nic} did {said} in {stage}, DACS has {has:?}", file.key));
        }
        if !row.good && has.is_some() {
            broken.push(format!("{}: the row of {nic} is not valid, DACS has {has:?}", file.key));
        }
    }
    let good = u64::try_from(file.rows.iter().filter(|row| row.good).count()).unwrap_or(0);
    let whole = settled.run.state == RunState::Delivered && file.shape == Shape::Whole;
    if whole && settled.run.counts.delivered != good {
        broken.push(format!("{}: {good} valid rows, {:?}", file.key, settled.run.counts));
    }
}
