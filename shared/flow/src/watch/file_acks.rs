//! Missing answers to files: "ids that were sent and never acknowledged are reported after the limit" (contracts.md §8).
//!
//! A delivered file whose rows are answered is an open matter. Once the limit is over, the ids that it delivered are
//! compared with those that the answering flow's files have delivered since (decision 19). What is missing is told, one
//! notice for all files of a flow; the matter stays listed, and is closed when the last answer comes after all.

use domain::flows::{Flow, Kind};
use jiff::{SignedDuration, Timestamp};

use super::WatchKit;
use super::compare::{Answers, compare, list_key};
use crate::Transient;
use crate::ledger::Seen;
use crate::ledger::message::REMEMBERED;
use crate::ledger::open::{Matter, Open};
use crate::ledger::run::Run;
use crate::ports::{Audience, Notice, Write};
use crate::trigger::Invocation;

/// So many files are named in the notice.
const NAMED: usize = 20;

/// A file that lacks answers.
struct Lacking {
    matter: Seen<Open>,
    run: Run,
    missing: u64,
}

/// Reports files that are not answered, or not all of them, in one notice per flow; and closes those that are by now.
///
/// # Errors
/// [`Transient`] when ledger, lists or notifier do not answer; the rest is done the next time.
pub async fn report_missing_file_acks(kit: &WatchKit, invocation: &Invocation) -> Result<(), Transient> {
    for flow in Flow::of(Kind::Files) {
        let Some(by) = flow.answered_by else { continue };
        let mut matters = all(kit, flow, Matter::AwaitingAck, kit.limits.ouai_ack).await?;
        matters.extend(all(kit, flow, Matter::Overdue, SignedDuration::ZERO).await?);
        let Some(oldest) = matters.iter().map(|open| open.value.asked).min() else { continue };
        let answers = Answers::since(kit, by, oldest).await?;
        let mut lacking = Vec::new();
        for matter in matters {
            if kit.is_out_of_time(invocation) {
                break;
            }
            lacking.extend(look_at(kit, flow, matter, &answers, invocation).await?);
        }
        tell(kit, flow, by, &lacking).await?;
    }
    Ok(())
}

async fn all(kit: &WatchKit, flow: &Flow, matter: Matter, age: SignedDuration) -> Result<Vec<Seen<Open>>, Transient> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (due, next) = kit.open(flow.name, matter, after, age).await?;
        all.extend(due);
        after = next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Closes the matter of a file that is answered; the file, if people are to be told that it is not.
async fn look_at(
    kit: &WatchKit,
    flow: &Flow,
    matter: Seen<Open>,
    answers: &Answers,
    invocation: &Invocation,
) -> Result<Option<Lacking>, Transient> {
    let id = matter.value.id.parse().map_err(|e| Transient::because("reading an open matter", e))?;
    let run = kit.ledger.get::<Run>(&Run::key(flow.name, &id)).await?.map(|run| run.value);
    // The answers are forgotten a while after the file: nothing can be said of it any more.
    let forgotten = kit.clock.now().duration_since(matter.value.since) >= REMEMBERED;
    let Some(run) = run.filter(|_| !forgotten) else {
        close(kit, flow, &matter).await?;
        return Ok(None);
    };
    let Some(missing) = compare(kit, (flow.name, &run), &answers.since_then(matter.value.asked), invocation).await?
    else {
        return Ok(None);
    };
    if missing == 0 {
        close(kit, flow, &matter).await?;
        return Ok(None);
    }
    let lacking = Lacking { matter, run, missing };
    if lacking.matter.value.matter == Matter::Overdue {
        renew(kit, flow, &lacking).await?;
        return Ok(None);
    }
    Ok(Some(lacking))
}

/// Whoever leaves it at that at this moment closes the matter as well.
async fn close(kit: &WatchKit, flow: &Flow, matter: &Seen<Open>) -> Result<(), Transient> {
    kit.ledger.commit(&[Write::Delete { key: matter.value.key(flow.name), seen: matter.rev }]).await?;
    Ok(())
}

/// Some of the answers may have come: the list of open matters says how many are missing now.
async fn renew(kit: &WatchKit, flow: &Flow, lacking: &Lacking) -> Result<(), Transient> {
    let reason = Some(lacking.reason(kit, flow));
    let matter = &lacking.matter;
    if matter.value.reason == reason {
        return Ok(());
    }
    let renewed = Open { reason, ..matter.value.clone() };
    let key = renewed.key(flow.name);
    kit.ledger.commit(&[Write::put(key, &renewed, Some(matter.rev), expires(matter))?]).await?;
    Ok(())
}

/// One notice for all; each file is overdue from now on.
async fn tell(kit: &WatchKit, flow: &Flow, by: &str, lacking: &[Lacking]) -> Result<(), Transient> {
    if lacking.is_empty() {
        return Ok(());
    }
    let missing = lacking.iter().map(|lacking| lacking.missing).sum();
    kit.notifier.notify(&notice(kit, flow, by, lacking)).await?;
    kit.telemetry.tally(flow.name, "MissingAcks", missing);
    for lacking in lacking {
        let overdue = Open { reason: Some(lacking.reason(kit, flow)), ..lacking.matter.value.overdue() };
        let close = Write::Delete { key: lacking.matter.value.key(flow.name), seen: lacking.matter.rev };
        kit.ledger.commit(&[close, overdue.opening(flow.name, expires(&lacking.matter))?]).await?;
    }
    Ok(())
}

fn notice(kit: &WatchKit, flow: &Flow, by: &str, lacking: &[Lacking]) -> Notice {
    let mut text = format!(
        "Flow: {}\nTheir answers come through: {by}\nFiles that lack answers {} minutes after they were delivered: {}\n",
        flow.name,
        kit.limits.ouai_ack.as_mins(),
        lacking.len(),
    );
    for lacking in lacking.iter().take(NAMED) {
        let delivered = lacking.matter.value.since.strftime("%FT%TZ");
        let (file, run) = (&lacking.run.source.key, &lacking.run.id);
        text.push_str(&format!("{file} (run {run}, delivered {delivered}): {}\n", lacking.reason(kit, flow)));
    }
    if lacking.len() > NAMED {
        text.push_str("…\n");
    }
    text.push_str(
        "They stay listed until the answers come: make open lists them, make drop-answers ID=<run> leaves one at that.\n",
    );
    Notice { audience: Audience::Business, subject: format!("{}: answers are missing", flow.name), text }
}

fn expires(matter: &Seen<Open>) -> Option<Timestamp> {
    matter.value.since.checked_add(REMEMBERED).ok()
}

impl Lacking {
    /// How many answers are missing, and where they are listed.
    fn reason(&self, kit: &WatchKit, flow: &Flow) -> String {
        let list = list_key(flow.name, &self.run);
        format!("{} rows are not acknowledged: s3://{}/{list}", self.missing, kit.rejects.bucket)
    }
}
