//! A score file through the real binary, which is killed in the middle three times; then the books have to balance.
//!
//! ```text
//! file   ├──────── ✕ killed        lease runs out, the queue shows the message again
//!              ├──────── ✕ killed  … from the last checkpoint
//!                    ├──────── ✕
//!                          ├────────── settled
//! ```

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::files::is_done;
use super::{Setup, Stage};
use crate::aws::{Stored, locked};
use crate::clock;
use crate::content::{Content, Expected, Kind, expect};
use crate::function::{Function, SCORES, succeeded};
use crate::report::{Figure, decimals, mebibytes, seconds};
use crate::{Fault, events};

const KEY: &str = "device-score/SDCSE_killed.csv";
/// After how many quarters of the file it is killed.
const QUARTERS: [u64; 3] = [1, 2, 3];
/// What the queue's visibility is longer than the function's timeout.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(10);

/// Kills, then reads the books.
///
/// # Errors
/// When the function fails, or ended before it could be killed.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let stage = Stage::with_sandbox().await?;
    let content = Arc::new(Content::of_size(Kind::Score, setup.size, 4711, 1000));
    let version = stage.give("outbox", KEY, Stored::Made(Arc::clone(&content)));
    let expecting = tokio::task::spawn_blocking({
        let content = Arc::clone(&content);
        move || expect(&content)
    });
    let bar = setup.progress("kill -9 and again", content.size() >> 20);
    let started = clock::instant();
    let mut turn = 0;
    for quarter in QUARTERS {
        turn += 1;
        let begun = clock::instant();
        let function = start(setup, &stage).await?;
        let event = events::file(("outbox", KEY, &version), content.size(), turn);
        let handling = function.runtime.invoke(request_id(setup, &function), event, setup.timeout);
        tokio::select! {
            answer = handling => {
                succeeded(answer?)?;
                return Err("the file was done before the function could be killed".into());
            }
            () = reached(&stage, content.size() * quarter / 4, &bar) => {}
        }
        function.kill().await?;
        if !setup.retry_at_once {
            tokio::time::sleep((setup.timeout + BEYOND_TIMEOUT).saturating_sub(begun.elapsed())).await;
        }
    }
    let high_water = finish(setup, &stage, (&content, &version), turn).await?;
    bar.finish_and_clear();
    let wall = started.elapsed();
    let mut figures = balance(&stage, &content, &expecting.await?)?;
    figures.push(Figure::told("killed: VmHWM of the last process", mebibytes(high_water)));
    figures.push(Figure::told("killed: on the clock, waits for leases included", seconds(wall)));
    Ok(figures)
}

async fn start(setup: &Setup, stage: &Stage) -> Result<Function, Fault> {
    Function::start(&setup.binaries, SCORES, &stage.surroundings).await
}

/// Each delivery from a queue has another request id; repeats of an asynchronous invocation share one.
fn request_id(setup: &Setup, function: &Function) -> String {
    if setup.retry_at_once { "the-same".to_owned() } else { function.runtime.request_id() }
}

async fn reached(stage: &Stage, offset: u64, bar: &indicatif::ProgressBar) {
    while stage.aws.read_up_to() < offset {
        bar.set_position(stage.aws.read_up_to() >> 20);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn finish(
    setup: &Setup,
    stage: &Stage,
    (content, version): (&Arc<Content>, &str),
    mut turn: u32,
) -> Result<u64, Fault> {
    let function = start(setup, stage).await?;
    loop {
        turn += 1;
        let event = events::file(("outbox", KEY, version), content.size(), turn);
        let answer = function.runtime.invoke(request_id(setup, &function), event, setup.timeout).await?;
        let answer = succeeded(answer)?;
        if is_done(&answer.body.unwrap_or_default()) {
            let high_water = function.high_water();
            function.kill().await?;
            return Ok(high_water);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// DERMS's books, the reject files and the ledger, each against what the generator says.
fn balance(stage: &Stage, content: &Content, expected: &Expected) -> Result<Vec<Figure>, Fault> {
    let derms = stage.sandbox.as_ref().ok_or("no sandbox")?.derms();
    let sets = derms.pointer("/scores/sets").and_then(Value::as_object).ok_or("DERMS has no sets")?;
    let landed = derms.pointer("/scores/landed").and_then(Value::as_array).map_or(0, Vec::len);
    let set = sets.values().next().cloned().unwrap_or_default();
    let digest = set.get("digest").cloned().unwrap_or_default();
    let parts = set.get("parts").and_then(Value::as_object).cloned().unwrap_or_default();
    let sum = |of: &str| -> u64 { parts.values().filter_map(|part| part.get(of)?.as_u64()).sum() };
    let (calls, effects) = (sum("calls"), sum("effects"));
    let whole = sets.len() == 1 && landed == 1 && digest == expected.valid.state();
    let value = format!(
        "{} rows, digest {}: DERMS has {} in {} parts ({} calls, {} repeated after kills)",
        expected.valid.rows,
        expected.valid.state(),
        digest,
        parts.len(),
        calls,
        calls - effects.min(calls)
    );
    let bad = expected.lines.len();
    let of = decimals(content.size().into(), 1_000_000_000);
    let rejected = rejects(stage, expected);
    let books = ledger(stage);
    let rows = format!("rows {} = delivered {} + rejected {bad}", content.rows(), expected.valid.rows);
    Ok(vec![
        Figure::held(format!("killed three times, {of} GB: DERMS's books"), value, "the generator's digest", whole),
        Figure::held("killed: reject files", rejected.1, format!("exactly the {bad} bad rows and lines"), rejected.0),
        Figure::held("killed: the run's books", books.clone(), rows.clone(), books == rows),
    ])
}

fn rejects(stage: &Stage, expected: &Expected) -> (bool, String) {
    let objects = locked(&stage.aws.objects);
    let read = |ending: &str| {
        let keys = objects.keys("rejects", ending);
        let whole = keys.first().and_then(|key| objects.get("rejects", key, None)?.1.stored.bytes());
        whole.filter(|_| keys.len() == 1).unwrap_or_default()
    };
    let (rows, reasons) = (read(".rows.csv"), read(".reasons.csv"));
    let reasons = String::from_utf8_lossy(&reasons).into_owned();
    let lines: Vec<u64> = reasons.lines().skip(1).filter_map(|line| line.split(',').next()?.parse().ok()).collect();
    let same = rows == expected.rejected && lines == expected.lines;
    (
        same,
        format!(
            "{} rows ({} bytes) and {} reasons",
            rows.split(|byte| *byte == b'\n').count() - 2,
            rows.len(),
            lines.len()
        ),
    )
}

/// The counts of the one run, as the ledger has them.
fn ledger(stage: &Stage) -> String {
    let runs = stage.aws.ledger("run");
    let [run] = runs.as_slice() else { return format!("{} runs", runs.len()) };
    let count = |name: &str| run.pointer(&format!("/counts/{name}")).and_then(Value::as_u64).unwrap_or(0);
    let other: u64 = ["repeated", "superseded", "undelivered"].into_iter().map(count).sum();
    let rest = if other == 0 { String::new() } else { format!(" + {other} others") };
    format!("rows {} = delivered {} + rejected {}{rest}", count("rows"), count("delivered"), count("rejected"))
}
