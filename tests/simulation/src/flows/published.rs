//! Files that are published in an inbox: each appears there once, whole, with its valid rows, in order of arrival. What
//! such flows differ in is their sheet.

use flow::ledger::run::{Run, RunState};
use flow::ports::{Metadata, ObjectRef, Source};
use futures_util::FutureExt;
use jiff::SignedDuration;

use super::file_checks::{allows_spelling, check_order, check_run};
use super::files::{Dress, File, Files, Row, Settled, Shape};
use super::sheets::Sheet;
use super::watching::limits;
use super::{FlowId, Workload, plan};
use crate::neighbours::SyncState;
use crate::schedule::Setting;

/// The files of one flow in one schedule.
pub struct Published {
    sheet: &'static Sheet,
    files: Files,
}

/// Plans files of at least `records` rows.
pub fn plan(setting: &mut Setting, records: usize, sheet: &'static Sheet) -> Published {
    let name = |number: usize| format!("{}+{number}.csv", sheet.key);
    let file = |setting: &mut Setting, key, at, dress, shape| file(setting, sheet, (key, at), dress, shape);
    Published { sheet, files: plan::plan(setting, records, (sheet.flow, sheet.outbox), name, file) }
}

fn file(setting: &mut Setting, sheet: &Sheet, (key, at): (String, u64), dress: Dress, shape: Shape) -> File {
    let header = plan::header(sheet.header, (sheet.spelled, sheet.spelling), sheet.missing, dress, shape);
    let clean = setting.dice.chance(40);
    let held = shape == Shape::Whole && setting.dice.chance(3);
    let all_bad = setting.dice.chance(3);
    let number = match shape {
        Shape::Empty | Shape::HeaderOnly => 0,
        _ if held => 130,
        _ => setting.dice.count(2, 25),
    };
    let rows = (0..number).map(|index| row(setting, sheet, clean && !held, all_bad || held && index < 105)).collect();
    File { key, at, header, rows, shape, dress, envelope: Metadata::new(), may_close: false }
}

fn row(setting: &mut Setting, sheet: &Sheet, clean: bool, bad: bool) -> Row {
    let mut fields = (sheet.row)(setting);
    let dice = &mut setting.dice;
    let bad = bad || !clean && dice.chance(15);
    if bad {
        let (place, text) = *dice.pick(sheet.wrong);
        if let Some(field) = fields.get_mut(place) {
            *field = text.to_owned();
        }
    }
    Row { fields, good: !bad }
}

/// A version in the receiver's inbox.
struct Arrived {
    key: String,
    run: String,
    order: u64,
    text: String,
}

impl Workload for Published {
    fn records(&self) -> usize {
        self.files.records()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        let settled = self.files.settled(setting, broken);
        let arrived = inbox(setting, self.sheet);
        let mut effects: Vec<(u64, &Settled<'_>)> = Vec::new();
        for settled in &settled {
            check_run(setting, settled, broken);
            check_state(setting, self.sheet, settled, broken);
            let id = settled.run.id.to_string();
            let of_run: Vec<&Arrived> = arrived.iter().filter(|arrived| arrived.run == id).collect();
            check_arrival(self.sheet, settled, &of_run, broken);
            if self.sheet.told {
                check_told(setting, settled, broken);
            }
            if let Some(first) = of_run.first() {
                effects.push((first.order, settled));
            }
        }
        for stray in arrived.iter().filter(|arrived| !settled.iter().any(|it| it.run.id.to_string() == arrived.run)) {
            broken.push(format!("the inbox has {} of no run that we know", stray.key));
        }
        effects.sort_by_key(|(order, _)| *order);
        let effects: Vec<&Settled<'_>> = effects.into_iter().map(|(_, settled)| settled).collect();
        check_order(setting, &effects, broken);
    }
}

/// Everything that was ever visible in the inbox.
fn inbox(setting: &Setting, sheet: &Sheet) -> Vec<Arrived> {
    let objects = &setting.services.objects;
    let versions = objects.keys(sheet.inbox).into_iter().flat_map(|key| objects.versions(sheet.inbox, &key));
    let versions = versions.filter(|version| version.key.starts_with(sheet.folder()));
    versions
        .map(|version: ObjectRef| {
            let meta = objects.head(&version).now_or_never().and_then(Result::ok).flatten();
            let run = meta.and_then(|meta| meta.metadata.get("run-id").cloned()).unwrap_or_default();
            let number = version.version.as_deref().and_then(|id| id.trim_start_matches('v').parse().ok());
            let text = setting.content(&version).unwrap_or_default();
            Arrived { key: version.key, run, order: number.unwrap_or(0), text }
        })
        .collect()
}

fn check_state(setting: &Setting, sheet: &Sheet, settled: &Settled<'_>, broken: &mut Vec<String>) {
    let (run, file) = (&settled.run, settled.file);
    let header_holds = !file.dress.spelled || allows_spelling(setting, run, sheet.columns, sheet.spelling);
    let bad = file.rows.iter().filter(|row| !row.good).count();
    let expected = match file.shape {
        Shape::Whole if !header_holds || bad == file.rows.len() => RunState::Rejected,
        Shape::Whole if bad > 100 && bad * 20 > file.rows.len() => RunState::Held,
        Shape::Whole => RunState::Delivered,
        _ => RunState::Rejected,
    };
    let overtaken = run.state == RunState::Superseded && settled.overwritten;
    let decided = expected == RunState::Held
        && (setting.is_in_hand(&run.id) && matches!(run.state, RunState::Delivered | RunState::Discarded)
            || setting.has(FlowId::Watch) && is_expired(run));
    if run.state != expected && !overtaken && !decided {
        let why = run.reason.clone().unwrap_or_default();
        broken.push(format!("run {} of {} ended as {:?} ({why}); expected {expected:?}", run.id, file.key, run.state));
    }
}

/// Whether nobody decided about the run until the hold limit.
fn is_expired(run: &Run) -> bool {
    let held = run.held.zip(run.ended).map(|(held, ended)| ended.duration_since(held));
    run.state == RunState::Discarded && held.is_some_and(|held| held + SignedDuration::from_mins(1) > limits::HOLD)
}

fn check_arrival(sheet: &Sheet, settled: &Settled<'_>, arrived: &[&Arrived], broken: &mut Vec<String>) {
    let (run, file) = (&settled.run, settled.file);
    let about = format!("{} (run {}, {:?})", file.key, run.id, run.state);
    let wanted = match run.state {
        RunState::Delivered => 1..=1,
        // It may have been overtaken after it was finished, before that was written down.
        RunState::Superseded => 0..=1,
        _ => 0..=0,
    };
    if !wanted.contains(&arrived.len()) {
        broken.push(format!("{about}: is {} times in the inbox", arrived.len()));
    }
    let clean = file.rows.iter().all(|row| row.good)
        && file.dress.gzip == 0
        && file.dress.delimiter == ','
        && !file.dress.spelled;
    let line_end = if clean { file.dress.line_end } else { "\n" };
    let mut expected = format!("{}{line_end}", sheet.header.join(","));
    for row in file.rows.iter().filter(|row| row.good) {
        expected.push_str(&format!("{}{line_end}", row.fields.join(",")));
    }
    for arrived in arrived {
        let key = if file.dress.gzip > 0 { file.key.trim_end_matches(".gz") } else { file.key.as_str() };
        if arrived.key != key {
            broken.push(format!("{about}: lies in the inbox as {}", arrived.key));
        }
        if arrived.text != expected {
            broken.push(format!("{about}: the inbox has other content: {:?}, expected {expected:?}", arrived.text));
        }
    }
}

/// "A row that is rejected here will never reach OUAI: its sync request → Error with the reason"; of a valid row nobody
/// says anything.
fn check_told(setting: &Setting, settled: &Settled<'_>, broken: &mut Vec<String>) {
    let whole = settled.file.shape == Shape::Whole && settled.run.state == RunState::Delivered;
    if !whole || setting.is_in_hand(&settled.run.id) || setting.longest_outage() > 0 {
        return;
    }
    for row in &settled.file.rows {
        let id = row.fields.first().map(String::as_str).unwrap_or_default();
        let Some(request) = setting.neighbours.dacs.request(id) else { continue };
        let expected = if row.good { SyncState::Sent } else { SyncState::Error };
        if request.state != expected {
            let about = if row.good { "valid" } else { "rejected" };
            broken.push(format!("sync request {id} of a {about} row is {:?}, expected {expected:?}", request.state));
        }
    }
}
