//! Reservation files: every valid device is reserved in DACS once its stage is Scheduled, none before, none for another
//! stage; and the DERMS hears of each file what became of it.

use flow::ledger::run::RunState;

use super::day::{Hope, Stage};
use super::file_acks::check_ack;
use super::file_checks::{allows_spelling, check_run};
use super::files::{Dress, File, Files, Row, Settled, Shape};
use super::{FlowId, Workload, plan};
use crate::engine::seconds;
use crate::neighbours::UNKNOWN;
use crate::schedule::Setting;

const BUCKET: &str = "derms-outbox";
const COLUMNS: &str = "Columns-device-reservation";
const SPELLING: &str = "NIC";
const HEADER: [&str; 3] = ["recordId", "nicId", "headEndSystemId"];

/// The reservation files of one schedule.
pub struct Reservations {
    files: Files,
    stages: Vec<Stage>,
}

/// Plans files of at least `records` rows for a few stages.
pub fn plan(setting: &mut Setting, records: usize) -> Reservations {
    let stages = setting.day.stages.clone();
    let files = plan::plan(
        setting,
        records,
        (FlowId::Reservation, BUCKET),
        |number| format!("device-reservation/R+{number}.csv"),
        |setting, key, at, dress, shape| file(setting, &stages, (key, at), dress, shape),
    );
    Reservations { files, stages }
}

fn file(setting: &mut Setting, stages: &[Stage], (key, at): (String, u64), dress: Dress, shape: Shape) -> File {
    let header = plan::header(&HEADER, (1, SPELLING), 2, dress, shape);
    // Most are for stages that stay Scheduled: of these it is known what must be reserved.
    let firm: Vec<&Stage> = stages.iter().filter(|stage| stage.hope() == Hope::Firm).collect();
    let stage = match setting.dice.chance(50) && !firm.is_empty() {
        true => (*setting.dice.pick(&firm)).clone(),
        false => setting.dice.pick(stages).clone(),
    };
    let number = match shape {
        Shape::Empty | Shape::HeaderOnly => 0,
        _ => setting.dice.count(3, 30),
    };
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..number {
        let repeated = setting.dice.chance(5).then(|| rows.last().cloned()).flatten();
        rows.push(repeated.unwrap_or_else(|| row(setting)));
    }
    let message = format!("M-{}", setting.shared.lock().fresh());
    let envelope = [
        ("drms-instance-id", "DRMS-1".to_owned()),
        ("message-id", message),
        ("event-id", stage.event.clone()),
        ("stage-id", stage.id.clone()),
        ("event-start-date-time", stage.start.to_string()),
        ("event-end-date-time", stage.end.to_string()),
    ];
    let envelope = envelope.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    File { key, at, header, rows, shape, dress, envelope, may_close: stage.hope() != Hope::Firm }
}

fn row(setting: &mut Setting) -> Row {
    let number = setting.shared.lock().fresh();
    let dice = &mut setting.dice;
    let mut fields = vec![format!("r{number}"), format!("nic-{number:05}"), "HES-NORTH".to_owned()];
    let bad = dice.chance(12);
    if bad {
        let wrong = [(0, String::new()), (1, String::new()), (1, format!("{UNKNOWN}-{number}")), (2, " padded".into())];
        let (place, text) = dice.pick(&wrong).clone();
        if let Some(field) = fields.get_mut(place) {
            *field = text;
        }
    }
    Row { fields, good: !bad }
}

impl Workload for Reservations {
    fn records(&self) -> usize {
        self.files.records()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        let settled = self.files.settled(setting, broken);
        for settled in &settled {
            check_run(setting, settled, broken);
            self.check_state(setting, settled, broken);
            check_ack(setting, settled, broken);
        }
        for stage in &self.stages {
            check_books(setting, stage, &settled, broken);
        }
    }
}

impl Reservations {
    fn hope_of(&self, file: &File) -> Option<Hope> {
        let stage = file.envelope.get("stage-id")?;
        self.stages.iter().find(|known| known.id == *stage).map(Stage::hope)
    }

    fn check_state(&self, setting: &Setting, settled: &Settled<'_>, broken: &mut Vec<String>) {
        use RunState::{Delivered, GivenUp, Rejected};
        let (run, file) = (&settled.run, settled.file);
        let header_holds = !file.dress.spelled || allows_spelling(setting, run, COLUMNS, SPELLING);
        let some_good = file.rows.iter().any(|row| row.good);
        let down = setting.longest_outage() > seconds(30 * 60);
        let expected: &[RunState] = match (file.shape, self.hope_of(file)) {
            (Shape::Empty | Shape::HeaderOnly | Shape::WrongHeader, _) => &[Rejected],
            (Shape::Whole, _) if !header_holds => &[Rejected],
            (_, Some(Hope::Never)) if some_good => &[GivenUp, Rejected],
            (_, Some(Hope::While)) if some_good => &[Delivered, Rejected, GivenUp],
            (Shape::Whole, _) if some_good => &[Delivered],
            (Shape::BrokenOff, _) => &[Delivered, Rejected],
            // Whether a device that DACS does not have gets as far as DACS depends on its stage.
            _ => &[Rejected, GivenUp],
        };
        let overtaken = run.state == RunState::Superseded && settled.overwritten;
        let given_up = run.state == GivenUp && down;
        if !expected.contains(&run.state) && !overtaken && !given_up {
            let why = run.reason.clone().unwrap_or_default();
            broken.push(format!(
                "run {} of {} ended as {:?} ({why}); expected {expected:?}",
                run.id, file.key, run.state
            ));
        }
    }
}

/// DACS has reserved for a stage what its files held validly, and nothing else.
fn check_books(setting: &Setting, stage: &Stage, settled: &[Settled<'_>], broken: &mut Vec<String>) {
    let reserved = setting.neighbours.dacs.events.devices.reserved(&stage.id);
    let of_stage = |settled: &&Settled<'_>| settled.file.envelope.get("stage-id") == Some(&stage.id);
    let nic = |row: &Row| row.fields.get(1).cloned().unwrap_or_default();
    let mut could_be = std::collections::BTreeSet::new();
    for settled in settled.iter().filter(of_stage) {
        let good: Vec<String> = settled.file.rows.iter().filter(|row| row.good).map(nic).collect();
        let whole = settled.run.state == RunState::Delivered && settled.file.shape == Shape::Whole;
        if whole && stage.hope() == Hope::Firm {
            for missing in good.iter().filter(|nic| !reserved.contains(*nic)) {
                broken.push(format!("{} is not reserved for {}", missing, stage.id));
            }
            let counted = settled.run.counts.delivered + settled.run.counts.repeated;
            if counted != u64::try_from(good.len()).unwrap_or(0) {
                broken.push(format!("{}: {} valid rows, {:?}", settled.file.key, good.len(), settled.run.counts));
            }
        }
        could_be.extend(good);
    }
    for stray in reserved.difference(&could_be) {
        broken.push(format!("{stray} is reserved for {}, and no file says so", stage.id));
    }
    if stage.hope() == Hope::Never && !reserved.is_empty() {
        broken.push(format!("devices are reserved for {}, which was never scheduled", stage.id));
    }
}
