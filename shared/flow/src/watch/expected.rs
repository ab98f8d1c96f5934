//! Expected files: "one that is late, missing or too short by ExpectedFiles is one business notification and a metric"
//! (contracts.md §7).
//!
//! Each due time of each row of the lookup is decided once, when its grace is over, by the runs of the flow that arrived
//! around it. An arrival belongs to the due time that is nearest, and in any case to one within whose grace it came:
//!
//! ```text
//!           belongs to the due time before ┆ belongs to this one                    ┆ to the next
//! ────────────────────────────────────────┆──────────── due ──── + grace ──────────┆───────────
//!                                  halfway┆   early      in time        late        ┆halfway
//! ```
//!
//! What is decided is written down together with what is to be told, then told, then written down as told: watched twice
//! at once, or not for a while, each due time is told once.

use domain::flows::Flow;
use domain::lookups::ExpectedFile;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{PAGE, WatchKit};
use crate::Transient;
use crate::ledger::run::{Listed, Run, RunState};
use crate::ledger::turn::arrived;
use crate::ledger::{Committed, decode};
use crate::ports::{Audience, Key, Notice, Write};
use crate::trigger::Invocation;

/// How long a file may take from the outbox to the ledger: our own time, not the sender's.
const OWN_TIME: SignedDuration = SignedDuration::from_mins(5);
/// Due times further back are not decided any more.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many due times of one row are taken up at a time.
const MOST: usize = 500;
/// So many are named in a notice.
const NAMED: usize = 20;
/// How long a row that was taken out of the lookup is remembered.
const ROW_REMEMBERED: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What is known of one row of the lookup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Checked {
    /// Due times up to here are taken up.
    until: Timestamp,
    /// Due times that cannot be decided yet, because a run is not settled.
    undecided: Vec<Timestamp>,
    /// What people are to be told.
    untold: Vec<Finding>,
}

/// What is wrong with the file of one due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Finding {
    due: Timestamp,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Fault {
    Missing,
    Late { arrived: Timestamp },
    Short { rows: u64 },
}

/// Decides the due times of every row whose grace is over, and tells people.
///
/// # Errors
/// [`Transient`] when ledger, lookups or notifier do not answer; the rest is done the next time.
pub async fn check_expected_files(kit: &WatchKit, invocation: &Invocation) -> Result<(), Transient> {
    let lookups = kit.lookups.current().await?;
    for row in lookups.expected_files() {
        if kit.is_out_of_time(invocation) {
            return Ok(());
        }
        if let Some(flow) = Flow::named(&row.flow) {
            check(kit, flow, row).await?;
        }
    }
    Ok(())
}

async fn check(kit: &WatchKit, flow: &Flow, row: &ExpectedFile) -> Result<(), Transient> {
    let key = key(row);
    let now = kit.clock.now();
    let expires = now.checked_add(ROW_REMEMBERED).ok();
    let Some(seen) = kit.ledger.get::<Checked>(&key).await? else {
        // What was due before the row was first seen is nobody's promise.
        let checked = Checked { until: now, undecided: Vec::new(), untold: Vec::new() };
        kit.ledger.commit(&[Write::put(key, &checked, None, expires)?]).await?;
        return Ok(());
    };
    let (mut checked, mut rev) = (seen.value.clone(), seen.rev);
    decide(kit, row, &mut checked, now).await?;
    if checked != seen.value {
        if kit.ledger.commit(&[Write::put(key.clone(), &checked, Some(rev), expires)?]).await? == Committed::LostRace {
            return Ok(());
        }
        rev += 1;
    }
    if checked.untold.is_empty() {
        return Ok(());
    }
    tell(kit, flow, row, &checked.untold).await?;
    checked.untold.clear();
    kit.ledger.commit(&[Write::put(key, &checked, Some(rev), expires)?]).await?;
    Ok(())
}

/// Takes up the due times whose grace is over, and decides them and those that were left.
async fn decide(kit: &WatchKit, row: &ExpectedFile, checked: &mut Checked, now: Timestamp) -> Result<(), Transient> {
    let oldest = now.saturating_sub(FORGOTTEN).unwrap_or(now);
    checked.until = checked.until.max(oldest);
    checked.undecided.retain(|due| *due >= oldest);
    while checked.undecided.len() < MOST {
        let Some(due) = row.due.after(checked.until).filter(|due| in_time(row, *due) + OWN_TIME <= now) else { break };
        checked.until = due;
        checked.undecided.push(due);
    }
    for due in std::mem::take(&mut checked.undecided) {
        match verdict(kit, row, due).await? {
            Verdict::Undecided => checked.undecided.push(due),
            Verdict::Fine => {}
            Verdict::Fault(fault) => checked.untold.push(Finding { due, fault }),
        }
    }
    Ok(())
}

enum Verdict {
    Fine,
    Fault(Fault),
    Undecided,
}

async fn verdict(kit: &WatchKit, row: &ExpectedFile, due: Timestamp) -> Result<Verdict, Transient> {
    let runs = arrivals(kit, row, due).await?;
    let in_time: Vec<_> =
        runs.iter().filter(|(arrived, _)| *arrived <= in_time(row, due)).map(|(_, run)| run).collect();
    if in_time.is_empty() {
        let late = runs.first().map(|(arrived, _)| Fault::Late { arrived: *arrived });
        return Ok(Verdict::Fault(late.unwrap_or(Fault::Missing)));
    }
    let rows = in_time.iter().map(|run| run.counts.rows).sum();
    if rows >= row.minimum_rows {
        return Ok(Verdict::Fine);
    }
    if in_time.iter().any(|run| !run.state.is_settled()) {
        return Ok(Verdict::Undecided);
    }
    Ok(Verdict::Fault(Fault::Short { rows }))
}

/// The runs that belong to `due`, with their arrival, in order. One that corrects rejected rows is no file that was
/// expected, and one that was superseded is there with its newer version.
async fn arrivals(kit: &WatchKit, row: &ExpectedFile, due: Timestamp) -> Result<Vec<(Timestamp, Run)>, Transient> {
    let from = row.due.before(due).map_or(Timestamp::UNIX_EPOCH, |before| ends(row, before));
    let until = ends(row, due);
    let mut after = format!("{:020}#{}", from.as_second(), char::MAX);
    let mut runs = Vec::new();
    loop {
        let page = kit.ledger.list(&Listed::partition(&row.flow), Some(&after), PAGE).await?;
        let mut arrivals = Vec::new();
        for item in &page {
            if let Some(arrived) = arrived(&item.key.sort).filter(|arrived| *arrived <= until) {
                arrivals.push((arrived, Run::key(&row.flow, &decode::<Listed>(item)?.value.run)));
            }
        }
        let keys: Vec<_> = arrivals.iter().map(|(_, key)| key.clone()).collect();
        let found = kit.ledger.get_all::<Run>(&keys).await?;
        let found = arrivals.iter().zip(found).filter_map(|((arrived, _), run)| Some((*arrived, run?.value)));
        runs.extend(found.filter(|(_, run)| run.state != RunState::Superseded && run.parent.is_none()));
        let is_last = u32::try_from(arrivals.len()).is_ok_and(|found| found < PAGE);
        match page.last() {
            Some(last) if !is_last => after.clone_from(&last.key.sort),
            _ => return Ok(runs),
        }
    }
}

/// Until when a file that is due at `due` is in time.
fn in_time(row: &ExpectedFile, due: Timestamp) -> Timestamp {
    due.saturating_add(row.grace).unwrap_or(Timestamp::MAX)
}

/// Until when an arrival belongs to `due` and not to the due time after it.
fn ends(row: &ExpectedFile, due: Timestamp) -> Timestamp {
    let next = row.due.after(due).unwrap_or(Timestamp::MAX);
    let halfway = due.saturating_add(next.duration_since(due) / 2).unwrap_or(next);
    halfway.max(in_time(row, due)).min(next)
}

fn key(row: &ExpectedFile) -> Key {
    let sort = format!("{}#{}#{}", row.flow, row.cron, row.time_zone);
    Key { partition: "watch#expected".into(), sort }
}

/// One notice of all that was found of one row.
async fn tell(kit: &WatchKit, flow: &Flow, row: &ExpectedFile, findings: &[Finding]) -> Result<(), Transient> {
    let count = |metric: &dyn Fn(&Fault) -> bool| findings.iter().filter(|finding| metric(&finding.fault)).count();
    let missing = count(&|fault| matches!(fault, Fault::Missing));
    let late = count(&|fault| matches!(fault, Fault::Late { .. }));
    let short = findings.len() - missing - late;
    let kinds = [
        (missing, "is missing", "ExpectedFilesMissing"),
        (late, "was late", "ExpectedFilesLate"),
        (short, "is too short", "ExpectedFilesShort"),
    ];
    let mut what = Vec::new();
    for (count, word, metric) in kinds.into_iter().filter(|(count, ..)| *count > 0) {
        what.push(word);
        kit.telemetry.tally(flow.name, metric, u64::try_from(count).unwrap_or(u64::MAX));
    }
    let mut text = format!(
        "Flow: {}\nDue: {} in {}, {} minutes of grace, at least {} rows\n",
        row.flow,
        row.cron,
        row.time_zone,
        row.grace.as_mins(),
        row.minimum_rows
    );
    for finding in findings.iter().take(NAMED) {
        text.push_str(&format!("{}: {}\n", row.due.local(finding.due), words(row, finding)));
    }
    if findings.len() > NAMED {
        text.push_str(&format!("and {} more\n", findings.len() - NAMED));
    }
    let subject = format!("{}: an expected file {}", row.flow, what.join(", or "));
    kit.notifier.notify(&Notice { audience: Audience::Business, subject, text }).await
}

fn words(row: &ExpectedFile, finding: &Finding) -> String {
    match finding.fault {
        Fault::Missing => format!("no file had come by {}", row.due.local(in_time(row, finding.due))),
        Fault::Late { arrived } => format!("it came at {}", row.due.local(arrived)),
        Fault::Short { rows } => format!("{rows} rows had come by {}", row.due.local(in_time(row, finding.due))),
    }
}
