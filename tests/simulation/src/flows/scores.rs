//! Score files: every valid row is in the DERMS's books once its set is complete, sets in order of arrival.

use std::collections::BTreeMap;

use flow::ledger::run::RunState;
use flow::ports::Metadata;

use super::file_checks::{check_order, check_run, check_sent};
use super::files::{Dress, File, Files, Row, Settled, Shape};
use super::{FlowId, Workload, plan};
use crate::neighbours::ScoreSet;
use crate::schedule::Setting;

const BUCKET: &str = "dacs-outbox";
/// The lookup of the columns, and the spelling that its newer version allows.
pub const COLUMNS: &str = "Columns-device-score";
/// See above.
pub const SPELLING: &str = "SCORE_VALUE";
const HEADER: [&str; 7] = ["deviceId", "headEndSystem", "nicId", "programCode", "score", "available", "scoreDateTime"];

/// The score files of one schedule.
pub struct Scores {
    files: Files,
}

/// Plans files of at least `records` rows.
pub fn plan(setting: &mut Setting, records: usize) -> Scores {
    Scores {
        files: plan::plan(
            setting,
            records,
            (FlowId::DeviceScore, BUCKET),
            |number| format!("device-score/SDCSE {number} & more.csv"),
            file,
        ),
    }
}

fn file(setting: &mut Setting, key: String, at: u64, dress: Dress, shape: Shape) -> File {
    let header = plan::header(&HEADER, (4, SPELLING), 2, dress, shape);
    let number = match shape {
        Shape::Empty | Shape::HeaderOnly => 0,
        _ => setting.dice.count(3, 30),
    };
    let all_bad = setting.dice.chance(3);
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..number {
        let repeated = setting.dice.chance(6).then(|| rows.last().cloned()).flatten();
        rows.push(repeated.unwrap_or_else(|| row(setting, all_bad)));
    }
    File { key, at, header, rows, shape, dress, envelope: Metadata::new(), may_close: false }
}

fn row(setting: &mut Setting, bad: bool) -> Row {
    let dice = &mut setting.dice;
    let device = dice.below(40);
    let value = dice.below(10_000);
    let mut fields = vec![
        format!("D{device:05}"),
        "HES-NORTH".to_owned(),
        format!("nic-{device:05}"),
        "SUMMER".to_owned(),
        format!("{}.{:02}", value / 100, value % 100),
        "Y".to_owned(),
        format!("2026-06-30T{:02}:{:02}:00-05:00", dice.below(24), dice.below(60)),
    ];
    let bad = bad || dice.chance(10);
    if bad {
        let wrong =
            [(4, "many"), (4, ""), (5, "maybe"), (6, "2026-02-30T10:00:00Z"), (6, "2026-06-30T10:00:00"), (2, "")];
        let (place, text) = *dice.pick(&wrong);
        if let Some(field) = fields.get_mut(place) {
            *field = text.to_owned();
        }
    }
    Row { fields, good: !bad }
}

/// A row as the DERMS gets it: all twelve columns.
fn canonical(row: &Row) -> String {
    format!("{},,,,,", row.fields.join(","))
}

impl Workload for Scores {
    fn records(&self) -> usize {
        self.files.records()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        let settled = self.files.settled(setting, broken);
        let mut sets = setting.neighbours.derms.sets();
        let mut effects: Vec<(usize, &Settled<'_>)> = Vec::new();
        for settled in &settled {
            check_run(setting, settled, broken);
            let set = sets.remove(&settled.run.id.to_string()).unwrap_or_default();
            check_sent(setting, settled, (COLUMNS, SPELLING, setting.neighbours.derms.outages.longest()), broken);
            check_set(settled, &set, broken);
            if let Some(place) = set.complete {
                effects.push((place, settled));
            }
        }
        for stray in sets.keys() {
            broken.push(format!("the DERMS has a score file {stray} that nobody dropped"));
        }
        effects.sort_by_key(|(place, _)| *place);
        let effects: Vec<&Settled<'_>> = effects.into_iter().map(|(_, settled)| settled).collect();
        check_order(setting, &effects, broken);
        check_books(setting, &effects, broken);
    }
}

/// What the DERMS was sent of the file: its valid rows in order, each once, but for those repeated within a part.
fn check_set(settled: &Settled<'_>, set: &ScoreSet, broken: &mut Vec<String>) {
    let (run, file) = (&settled.run, settled.file);
    let about = format!("score file {} ({}, {:?})", run.id, file.key, run.state);
    if run.state == RunState::Rejected && set.complete.is_some() {
        broken.push(format!("{about}: rejected, and yet the DERMS has it"));
    }
    if run.state != RunState::Delivered {
        return;
    }
    if set.complete.is_none() {
        broken.push(format!("{about}: the DERMS has parts {:?} of {:?}", set.parts.keys(), set.last));
        return;
    }
    let mut sent: Vec<&str> = set.parts.values().flat_map(|part| part.lines()).collect();
    if u64::try_from(sent.len()).unwrap_or(0) != run.counts.delivered {
        broken.push(format!("{about}: {} rows counted as delivered, {} sent", run.counts.delivered, sent.len()));
    }
    sent.reverse();
    let mut dropped = 0;
    for row in file.rows.iter().filter(|row| row.good) {
        let text = canonical(row);
        if sent.last() == Some(&text.as_str()) {
            sent.pop();
        } else {
            dropped += 1;
        }
    }
    let explained = run.counts.repeated + run.counts.rejected;
    let bad = u64::try_from(file.rows.iter().filter(|row| !row.good).count()).unwrap_or(0);
    if file.shape == Shape::Whole && dropped + bad != explained {
        broken.push(format!("{about}: {dropped} valid rows were not sent, {:?}", run.counts));
    }
    if !sent.is_empty() {
        broken.push(format!("{about}: the DERMS was sent rows that the file does not have in this order"));
    }
}

/// The books by key: of all files that took effect, the last row of each key counts.
fn check_books(setting: &Setting, effects: &[&Settled<'_>], broken: &mut Vec<String>) {
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for settled in effects {
        let mut of_file: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in settled.file.rows.iter().filter(|row| row.good) {
            let key = row.fields.iter().skip(1).take(3).cloned().collect::<Vec<_>>().join(",");
            of_file.entry(key).or_default().push(canonical(row));
        }
        // Within one part a later row of the same key is rejected, in another part it counts.
        expected.extend(of_file);
    }
    let books = setting.neighbours.derms.scores();
    for (key, row) in &books {
        if !expected.get(key).is_some_and(|rows| rows.contains(row)) {
            broken.push(format!("the DERMS's score for {key} is {row}, expected {:?}", expected.get(key)));
        }
    }
    let whole = effects.iter().all(|settled| settled.file.shape == Shape::Whole);
    if whole && books.len() != expected.len() {
        broken.push(format!("the DERMS has {} scores, expected {}", books.len(), expected.len()));
    }
}
