//! A score file through the real binary, which is killed in the middle again and again; then the books have to balance.
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
use crate::runtime::Answer;
use crate::{Fault, events};

const MEMORY: u64 = 32 << 20;
const KEY: &str = "device-score/SDCSE_killed.csv";
/// A segment of 16 MiB at most, and what lies in the sockets between stub and function: read by nobody yet, but handed out.
const REPEATED: u64 = 24 << 20;
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
    let started = clock::instant();
    let bar = setup.progress("kill -9 and again", content.size() >> 20);
    let mut file = File { setup, stage: &stage, size: content.size(), version, bar, turn: 0, high_water: 0, again: 0 };
    for kill in 1..=setup.kills {
        file.until_killed(content.size() / (setup.kills + 1) * kill).await?;
    }
    file.until_done().await?;
    file.bar.finish_and_clear();
    let (wall, attempts, high_water, again) = (started.elapsed(), file.turn, file.high_water, file.again);
    let mut figures = balance(setup.kills, &stage, &content, &expecting.await?)?;
    figures.push(Figure::held("killed: VmHWM of any process", mebibytes(high_water), "≤ 32 MiB", high_water <= MEMORY));
    let most = format!("≤ {}: a segment, and what lay in sockets", mebibytes(REPEATED));
    figures.push(Figure::held("killed: read again after a kill, at most", mebibytes(again), most, again <= REPEATED));
    figures.push(Figure::told("killed: attempts", attempts.to_string()));
    figures.push(Figure::told("killed: on the clock, waits for leases included", seconds(wall)));
    Ok(figures)
}

/// The file on its way.
struct File<'a> {
    setup: &'a Setup,
    stage: &'a Stage,
    size: u64,
    version: String,
    bar: indicatif::ProgressBar,
    /// Attempts so far.
    turn: u32,
    /// The largest of all processes, in bytes.
    high_water: u64,
    /// The most that was read again after a kill, in bytes.
    again: u64,
}

impl File<'_> {
    /// Works until `offset` is read, and is killed there.
    async fn until_killed(&mut self, offset: u64) -> Result<(), Fault> {
        let begun = clock::instant();
        let function = self.start().await?;
        let before = self.stage.aws.read_up_to();
        tokio::select! {
            answer = self.invoke(&function) => {
                succeeded(answer?)?;
                return Err("the attempt ended before the function could be killed".into());
            }
            () = reached(self.stage, offset, &self.bar) => {}
        }
        self.looked_at(&function, before);
        function.kill().await?;
        if !self.setup.retry_at_once {
            tokio::time::sleep((self.setup.timeout + BEYOND_TIMEOUT).saturating_sub(begun.elapsed())).await;
        }
        self.turn += 1;
        Ok(())
    }

    /// One attempt after another, as many as the time limit needs.
    async fn until_done(&mut self) -> Result<(), Fault> {
        let function = self.start().await?;
        let before = self.stage.aws.read_up_to();
        loop {
            let answer = succeeded(self.invoke(&function).await?)?;
            self.turn += 1;
            if is_done(&answer.body.unwrap_or_default()) {
                self.looked_at(&function, before);
                return function.kill().await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn start(&self) -> Result<Function, Fault> {
        Function::start(&self.setup.binaries, SCORES, &self.stage.surroundings).await
    }

    async fn invoke(&self, function: &Function) -> Result<Answer, Fault> {
        let event = events::file(("outbox", KEY, &self.version), self.size, self.turn + 1);
        // Each delivery from a queue has another request id; repeats of an asynchronous invocation share one.
        let id = if self.setup.retry_at_once { "the-same".to_owned() } else { function.runtime.request_id() };
        function.runtime.invoke(id, event, self.setup.timeout).await
    }

    /// How large the process became, and from where it went on.
    fn looked_at(&mut self, function: &Function, before: u64) {
        self.high_water = self.high_water.max(function.high_water());
        let starts = self.stage.aws.take_starts();
        // The beginning is read by every attempt that has no checkpoint yet.
        let from = starts.iter().copied().filter(|from| *from > 0).min().unwrap_or(0);
        self.again = self.again.max(before.saturating_sub(from));
    }
}

async fn reached(stage: &Stage, offset: u64, bar: &indicatif::ProgressBar) {
    while stage.aws.read_up_to() < offset {
        bar.set_position(stage.aws.read_up_to() >> 20);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// DERMS's books, the reject files and the ledger, each against what the generator says.
fn balance(kills: u64, stage: &Stage, content: &Content, expected: &Expected) -> Result<Vec<Figure>, Fault> {
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
        Figure::held(format!("killed {kills} times, {of} GB: DERMS's books"), value, "the generator's digest", whole),
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
