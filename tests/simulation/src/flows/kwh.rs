//! kWh Avoided files: each appears in DACS's inbox once, whole, with its valid rows, in order of arrival.

use flow::ledger::run::RunState;
use flow::ports::{Metadata, ObjectRef, Source};
use futures_util::FutureExt;

use super::files::{Dress, File, Files, Row, Settled, Shape, allows_spelling, check_order, check_run};
use super::function::DACS_INBOX;
use super::{FlowId, Workload, plan};
use crate::schedule::Setting;

const BUCKET: &str = "ouai-outbox";
/// The lookup of the columns, and the spelling that its newer version allows.
pub const COLUMNS: &str = "Columns-kwh-avoided";
/// See above.
pub const SPELLING: &str = "ServicePoint";
const HEADER: [&str; 13] = [
    "EventId",
    "EventType",
    "ProgramId",
    "SPId",
    "ActualStartTime",
    "ActualEndTime",
    "IntervalSize(Seconds)",
    "TotalKwh",
    "TotalKwhSavedForPeriod",
    "KwhSaved1",
    "KwhSaved2",
    "KwhSaved3",
    "KwhSaved4",
];

/// The kWh Avoided files of one schedule.
pub struct Kwh {
    files: Files,
}

/// Plans files of at least `records` rows.
pub fn plan(setting: &mut Setting, records: usize) -> Kwh {
    Kwh {
        files: plan::plan(
            setting,
            records,
            (FlowId::KwhAvoided, BUCKET),
            |number| format!("kwh-avoided/event+{number}.csv"),
            file,
        ),
    }
}

fn file(setting: &mut Setting, key: String, at: u64, dress: Dress, shape: Shape) -> File {
    let header = plan::header(&HEADER, (3, SPELLING), 7, dress, shape);
    let clean = setting.dice.chance(40);
    let held = shape == Shape::Whole && setting.dice.chance(3);
    let all_bad = setting.dice.chance(3);
    let number = match shape {
        Shape::Empty | Shape::HeaderOnly => 0,
        _ if held => 130,
        _ => setting.dice.count(2, 25),
    };
    let rows = (0..number).map(|index| row(setting, clean && !held, all_bad || held && index < 105)).collect();
    File { key, at, header, rows, shape, dress, envelope: Metadata::new(), may_close: false }
}

fn row(setting: &mut Setting, clean: bool, bad: bool) -> Row {
    let dice = &mut setting.dice;
    let values: Vec<u64> = (0..4).map(|_| dice.below(2000)).collect();
    let number = |value: u64| format!("{}.{:02}", value / 100, value % 100);
    let mut fields = vec![
        format!("{}", dice.between(4000, 4004)),
        "Economic".to_owned(),
        "90000001".to_owned(),
        format!("SP{:06}", dice.below(500)),
        "2026-06-30T14:30:00-05:00".to_owned(),
        "2026-06-30T15:30:00-05:00".to_owned(),
        "900".to_owned(),
        number(dice.below(9000)),
        number(values.iter().sum()),
    ];
    fields.extend(values.iter().map(|value| number(*value)));
    let bad = bad || !clean && dice.chance(15);
    if bad {
        let wrong = [(5, "2026-06-30T13:30:00-05:00"), (6, "7"), (8, "9999.99"), (9, ""), (11, "NaN"), (3, "")];
        let (place, text) = *dice.pick(&wrong);
        if let Some(field) = fields.get_mut(place) {
            *field = text.to_owned();
        }
    }
    Row { fields, good: !bad }
}

/// A version in DACS's inbox.
struct Arrived {
    key: String,
    run: String,
    order: u64,
    text: String,
}

impl Workload for Kwh {
    fn records(&self) -> usize {
        self.files.records()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        let settled = self.files.settled(setting, broken);
        let arrived = inbox(setting);
        let mut effects: Vec<(u64, &Settled<'_>)> = Vec::new();
        for settled in &settled {
            check_run(setting, settled, broken);
            check_state(setting, settled, broken);
            let id = settled.run.id.to_string();
            let of_run: Vec<&Arrived> = arrived.iter().filter(|arrived| arrived.run == id).collect();
            check_arrival(settled, &of_run, broken);
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
fn inbox(setting: &Setting) -> Vec<Arrived> {
    let objects = &setting.services.objects;
    let versions = objects.keys(DACS_INBOX).into_iter().flat_map(|key| objects.versions(DACS_INBOX, &key));
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

fn check_state(setting: &Setting, settled: &Settled<'_>, broken: &mut Vec<String>) {
    let (run, file) = (&settled.run, settled.file);
    let header_holds = !file.dress.spelled || allows_spelling(setting, run, COLUMNS, SPELLING);
    let bad = file.rows.iter().filter(|row| !row.good).count();
    let expected = match file.shape {
        Shape::Whole if !header_holds || bad == file.rows.len() => RunState::Rejected,
        Shape::Whole if bad > 100 && bad * 20 > file.rows.len() => RunState::Held,
        Shape::Whole => RunState::Delivered,
        _ => RunState::Rejected,
    };
    let overtaken = run.state == RunState::Superseded && settled.overwritten;
    let decided = expected == RunState::Held
        && setting.is_in_hand(&run.id)
        && matches!(run.state, RunState::Delivered | RunState::Discarded);
    if run.state != expected && !overtaken && !decided {
        let why = run.reason.clone().unwrap_or_default();
        broken.push(format!("run {} of {} ended as {:?} ({why}); expected {expected:?}", run.id, file.key, run.state));
    }
}

fn check_arrival(settled: &Settled<'_>, arrived: &[&Arrived], broken: &mut Vec<String>) {
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
    let mut expected = format!("{}{line_end}", HEADER.join(","));
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
