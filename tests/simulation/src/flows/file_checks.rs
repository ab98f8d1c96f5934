//! The rules that hold for the runs of all file flows, whatever their rows mean.

use flow::ledger::run::{Run, RunState};
use flow::memory::{CONFIG, REJECTS};
use flow::ports::ObjectRef;

use super::files::{File, Settled, Shape};
use crate::engine::{Micros, seconds};
use crate::schedule::Setting;

/// The rules that hold for a run of any file flow.
pub fn check_run(setting: &Setting, settled: &Settled<'_>, broken: &mut Vec<String>) {
    let (run, file) = (&settled.run, settled.file);
    let about = format!("run {} of {} ({:?})", run.id, file.key, run.state);
    if run.state != RunState::Held && !run.counts.balance() {
        broken.push(format!("{about}: rows in are not what became of them: {:?}", run.counts));
    }
    let rows = u64::try_from(file.rows.len()).unwrap_or(0);
    let all_read = matches!(run.state, RunState::Delivered | RunState::Held) && file.shape == Shape::Whole;
    if all_read && run.counts.rows != rows {
        broken.push(format!("{about}: {} rows counted, the file has {rows}", run.counts.rows));
    }
    if run.state == RunState::Superseded && (!settled.overwritten || run.superseded_by.is_none()) {
        broken.push(format!("{about}: superseded by nothing"));
    }
    let quiet = run.state == RunState::Delivered && run.counts.rejected == 0 && run.reason.is_none() && !run.late;
    if !quiet && !setting.is_told(": file", &run.id.to_string()) {
        broken.push(format!("{about}: nobody was told"));
    }
    check_rejects(setting, settled, &about, broken);
}

/// How the run of a file whose rows are sent had to end, under the lookup that it was pinned to; the target was down for so
/// long at most.
pub fn check_sent(
    setting: &Setting,
    settled: &Settled<'_>,
    (columns, spelling, outage): (&str, &str, Micros),
    broken: &mut Vec<String>,
) {
    let (run, file) = (&settled.run, settled.file);
    let header_holds = !file.dress.spelled || allows_spelling(setting, run, columns, spelling);
    let some_good = file.rows.iter().any(|row| row.good);
    let expected: &[RunState] = match file.shape {
        Shape::Whole if header_holds && some_good => &[RunState::Delivered],
        Shape::BrokenOff => &[RunState::Delivered, RunState::Rejected],
        _ => &[RunState::Rejected],
    };
    let overtaken = run.state == RunState::Superseded && settled.overwritten;
    let given_up = run.state == RunState::GivenUp && outage > seconds(30 * 60);
    if !expected.contains(&run.state) && !overtaken && !given_up {
        let why = run.reason.clone().unwrap_or_default();
        broken.push(format!("run {} of {} ended as {:?} ({why}); expected {expected:?}", run.id, file.key, run.state));
    }
}

/// "rows: the header and the rejected rows byte for byte", "reasons.csv: line, column, reason".
fn check_rejects(setting: &Setting, settled: &Settled<'_>, about: &str, broken: &mut Vec<String>) {
    let (run, file) = (&settled.run, settled.file);
    let reasons = reject_file(setting, settled, "reasons");
    let told = reasons.as_ref().map_or(0, |text| text.lines().count().saturating_sub(1));
    if run.state == RunState::Delivered && u64::try_from(told).unwrap_or(0) != run.counts.rejected {
        broken.push(format!("{about}: {} rows rejected, {told} reasons", run.counts.rejected));
    }
    if run.state == RunState::Rejected && told == 0 {
        broken.push(format!("{about}: no reason is given"));
    }
    if file.shape != Shape::Whole || !matches!(run.state, RunState::Delivered | RunState::Held) {
        return;
    }
    let rows = reject_file(setting, settled, "rows").unwrap_or_default();
    let mut found: Vec<&str> = rows.lines().skip(1).collect();
    for bad in file.rows.iter().filter(|row| !row.good) {
        let raw = file.raw(bad);
        match found.iter().position(|line| line.trim_end_matches('\r') == raw) {
            Some(at) => {
                found.swap_remove(at);
            }
            None => broken.push(format!("{about}: an invalid row is not in its reject file: {raw}")),
        }
    }
    for extra in found {
        if file.may_close {
            continue;
        }
        let valid = file.rows.iter().filter(|row| row.good && file.raw(row) == extra.trim_end_matches('\r')).count();
        if valid < 2 && !has_key_twice(file, extra) {
            broken.push(format!("{about}: a valid row is in the reject file: {extra}"));
        }
    }
}

/// Whether another row of the file begins like this one: "different = the later one is rejected".
fn has_key_twice(file: &File, raw: &str) -> bool {
    let key = |raw: &str| raw.split(file.dress.delimiter).take(4).collect::<Vec<_>>().join(",");
    file.rows.iter().filter(|row| row.good && key(&file.raw(row)) == key(raw)).count() > 1
}

/// One of the two reject files of a run.
pub fn reject_file(setting: &Setting, settled: &Settled<'_>, kind: &str) -> Option<String> {
    let run = &settled.run;
    let name = setting.services.objects.keys(REJECTS).into_iter().find(|key| {
        !key.contains("/pieces/") && key.ends_with(&format!("{}.{}.{kind}.csv", run.file_name(), run.id))
    })?;
    let bytes = setting.services.objects.bytes(REJECTS, &name)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Files that took effect in this order: each came after those before it, or is marked late.
/// What a person took in hand has the place that the person gave it.
pub fn check_order(setting: &Setting, effects: &[&Settled<'_>], broken: &mut Vec<String>) {
    let effects: Vec<_> = effects.iter().filter(|it| !setting.is_in_hand(&it.run.id)).collect();
    for (index, later) in effects.iter().enumerate() {
        let overtaken = effects.iter().take(index).any(|earlier| earlier.dropped.place > later.dropped.place);
        if overtaken && !later.run.late {
            broken.push(format!("{} took effect out of order and is not marked late", later.file.key));
        }
    }
}

/// Whether the lookup that the run was pinned to allows the spelling of the column `ours` as `theirs`.
pub fn allows_spelling(setting: &Setting, run: &Run, lookup: &str, theirs: &str) -> bool {
    let Some(version) = run.lookups.get(lookup) else { return false };
    let key = format!("lookups/{lookup}.csv");
    let object = ObjectRef { bucket: CONFIG.into(), key, version: Some(version.clone()) };
    setting.content(&object).is_some_and(|text| text.contains(theirs))
}
