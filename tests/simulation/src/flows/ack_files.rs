//! Acknowledgement files of the analytics engine: every valid record has reached its sync request, in file order.

use std::collections::BTreeMap;

use flow::ledger::run::RunState;
use flow::ports::Metadata;

use super::file_checks::{check_run, check_sent};
use super::files::{Dress, File, Files, Row, Settled, Shape};
use super::{FlowId, Workload, plan};
use crate::neighbours::SyncState;
use crate::schedule::Setting;

const BUCKET: &str = "ouai-outbox";
const COLUMNS: &str = "Columns-enrollment-ack";
const SPELLING: &str = "Outcome";
const HEADER: [&str; 3] = ["syncRequestId", "status", "comments"];

/// The acknowledgement files of one schedule.
pub struct AckFiles {
    files: Files,
}

/// Plans files of at least `records` rows.
pub fn plan(setting: &mut Setting, records: usize) -> AckFiles {
    AckFiles {
        files: plan::plan(
            setting,
            records,
            (FlowId::AckFile, BUCKET),
            |number| format!("enrollment-ack/ACK_{number}.csv"),
            file,
        ),
    }
}

fn file(setting: &mut Setting, key: String, at: u64, dress: Dress, shape: Shape) -> File {
    let header = plan::header(&HEADER, (1, SPELLING), 0, dress, shape);
    let number = match shape {
        Shape::Empty | Shape::HeaderOnly => 0,
        _ => setting.dice.count(2, 20),
    };
    let mut rows: Vec<Row> = (0..number).flat_map(|_| story(setting)).collect();
    // Records of one sync request need not stand together.
    if setting.dice.chance(50) {
        rows.sort_by_key(|row| row.fields.get(1) == Some(&"SUCCESS".to_owned()));
    }
    File { key, at, header, rows, shape, dress, envelope: Metadata::new(), may_close: false }
}

/// The records of one sync request: one, or an error and then a success.
fn story(setting: &mut Setting) -> Vec<Row> {
    let id = format!("3{:013}", setting.shared.lock().fresh());
    let known = !setting.dice.chance(8);
    if known {
        setting.neighbours.dacs.send(&id);
    }
    let dice = &mut setting.dice;
    let statuses: &[&str] = match dice.below(10) {
        0..=5 => &["SUCCESS"],
        6..=7 => &["ERROR"],
        _ => &["ERROR", "SUCCESS"],
    };
    let row = |status: &&str| {
        let bad = dice.chance(8);
        let status = if bad { "MAYBE" } else { status };
        Row { fields: vec![id.clone(), status.to_owned(), "as they say".to_owned()], good: known && !bad }
    };
    statuses.iter().map(row).collect()
}

impl Workload for AckFiles {
    fn records(&self) -> usize {
        self.files.records()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        for settled in &self.files.settled(setting, broken) {
            check_run(setting, settled, broken);
            check_sent(setting, settled, (COLUMNS, SPELLING, setting.longest_outage()), broken);
            check_sync_requests(setting, settled, broken);
        }
    }
}

/// Each sync request heard its valid records in file order, and stands as the last one says.
fn check_sync_requests(setting: &Setting, settled: &Settled<'_>, broken: &mut Vec<String>) {
    if settled.run.state != RunState::Delivered || settled.file.shape != Shape::Whole {
        return;
    }
    let mut stories: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for row in settled.file.rows.iter().filter(|row| row.good) {
        if let [id, status, ..] = row.fields.as_slice() {
            stories.entry(id).or_default().push(status == "ERROR");
        }
    }
    for (id, expected) in stories {
        let Some(request) = setting.neighbours.dacs.request(id) else { continue };
        let heard: Vec<bool> = request.heard.iter().map(|(has_error, _)| *has_error).collect();
        let state = if expected.last() == Some(&false) { SyncState::Synchronized } else { SyncState::Error };
        if heard != expected || request.state != state {
            broken.push(format!("sync request {id} heard {heard:?} and is {:?}, expected {expected:?}", request.state));
        }
    }
    let good = u64::try_from(settled.file.rows.iter().filter(|row| row.good).count()).unwrap_or(0);
    if settled.run.counts.delivered != good {
        broken.push(format!("{}: {good} valid records, {:?}", settled.file.key, settled.run.counts));
    }
}
