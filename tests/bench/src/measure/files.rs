//! Large files through the real binaries: memory, CPU against a plain read of the same object, requests and their price.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::library::{Pass, figure};
use super::{Setup, Stage};
use crate::aws::{Stored, locked};
use crate::content::{Content, Kind, expect};
use crate::function::{Function, MEASUREMENTS, SCORES};
use crate::report::{Figure, decimals, mebibytes, median, seconds};
use crate::{Fault, events, price};

const MEMORY_BAR: u64 = 32 << 20;
/// Attempts at one file: a file of 1 GB needs one.
const ATTEMPTS: u32 = 200;

/// One file through one function.
#[derive(Debug, Clone, Default)]
struct Run {
    cpu: Duration,
    user: Duration,
    system: Duration,
    wall: Duration,
    high_water: u64,
    counts: BTreeMap<String, u64>,
    calls: u64,
}

/// All runs of one kind of file, and the plain reads of it.
struct Series {
    name: &'static str,
    flow: &'static str,
    key: &'static str,
    content: Arc<Content>,
    version: String,
    reads: Vec<Duration>,
    runs: Vec<Run>,
}

/// Scores, clean measurements, and measurements with bad rows, in turns.
///
/// # Errors
/// When a function fails, or what it delivered is not what the file holds.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let stage = Stage::with_targets(Duration::ZERO).await?;
    let mut all = [
        series(&stage, setup, ("scores", SCORES, "device-score/SDCSE.csv"), Kind::Score, 1000),
        series(&stage, setup, ("kWh, clean", MEASUREMENTS, "kwh-avoided/clean.csv"), Kind::KwhAvoided, 0),
        series(&stage, setup, ("kWh, bad rows", MEASUREMENTS, "kwh-avoided/dirty.csv"), Kind::KwhAvoided, 1000),
    ];
    let bar = setup.progress("files", u64::try_from(setup.rounds * all.len())?);
    for _ in 0..setup.rounds {
        for series in &mut all {
            series.reads.push(plain_read(setup, &stage, series).await?);
            stage.aws.reset();
            series.runs.push(process(setup, &stage, series).await?);
            check_delivered(&stage, series)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(all.iter().flat_map(figures).collect())
}

fn series(
    stage: &Stage,
    setup: &Setup,
    (name, flow, key): (&'static str, &'static str, &'static str),
    kind: Kind,
    bad_every: u64,
) -> Series {
    let content = Arc::new(Content::of_size(kind, setup.size, 42, bad_every));
    let version = stage.give("outbox", key, Stored::Made(Arc::clone(&content)));
    Series { name, flow, key, content, version, reads: Vec::new(), runs: Vec::new() }
}

async fn process(setup: &Setup, stage: &Stage, series: &Series) -> Result<Run, Fault> {
    let mut function = Function::start(&setup.binaries, series.flow, &stage.surroundings).await?;
    let started = function.started;
    for attempt in 1..=ATTEMPTS {
        let object = ("outbox", series.key, series.version.as_str());
        let answer = function.invoke(events::file(object, series.content.size(), attempt), setup.timeout).await?;
        if !is_done(&answer.body.unwrap_or_default()) {
            continue;
        }
        let (user, system) = function.user_and_system();
        let mut counts = stage.aws.counts.take();
        let wall = answer.at.duration_since(started);
        price::add_lambda(&mut counts, attempt.into(), wall);
        let (cpu, high_water) = (function.cpu(), function.high_water());
        let calls = stage.targets.as_ref().map_or(0, |targets| targets.take_arrivals().len());
        function.kill().await?;
        return Ok(Run { cpu, user, system, wall, high_water, counts, calls: u64::try_from(calls)? });
    }
    Err(format!("{}: not done after {ATTEMPTS} attempts", series.name).into())
}

/// Whether a batch of one was taken off its queue.
pub(super) fn is_done(response: &[u8]) -> bool {
    let response: Value = serde_json::from_slice(response).unwrap_or_default();
    response.get("batchItemFailures").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// What lies in the inbox: of a clean file the same bytes by a copy, of another its valid rows.
fn check_delivered(stage: &Stage, series: &Series) -> Result<(), Fault> {
    if series.flow != MEASUREMENTS {
        return Ok(());
    }
    let objects = locked(&stage.aws.objects);
    let delivered = objects.get("dacs-inbox", series.key, None).ok_or("nothing was delivered")?.1;
    let Stored::Joined(parts) = &delivered.stored else {
        return Err("what was delivered came in one piece".into());
    };
    let mut at = 0;
    let mut rows = sandbox::digest::Digest::default();
    for part in parts {
        match part {
            Stored::Copied { etag, from, len } if *etag == series.content.etag() && *from == at => at += len,
            Stored::Digested(digest, _) => rows.join(*digest),
            other => return Err(format!("an unexpected part was delivered: {other:?}").into()),
        }
    }
    let mut expected = expect(&series.content).valid;
    expected.add([series.content.kind().header().trim_end()]);
    if at == series.content.size() || rows == expected {
        return Ok(());
    }
    Err(format!("{}: what was delivered is not what the file holds", series.name).into())
}

/// The CPU time of a process that reads the object over HTTP and does nothing with it.
async fn plain_read(setup: &Setup, stage: &Stage, series: &Series) -> Result<Duration, Fault> {
    let url = format!("{}/outbox/{}", stage.surroundings.aws, series.key);
    let mut command = Command::new(&setup.bench);
    command.args(["--plain-read", &url]).env_clear().stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().await?;
    let nanos = String::from_utf8_lossy(&output.stdout).trim().parse();
    Ok(Duration::from_nanos(nanos.map_err(|_| "the plain read said nothing")?))
}

fn figures(series: &Series) -> Vec<Figure> {
    let middle = |of: fn(&Run) -> Duration| median(&series.runs.iter().map(of).collect::<Vec<_>>()).unwrap_or_default();
    let (name, size) = (series.name, series.content.size());
    let read = median(&series.reads).unwrap_or_default();
    let cpu = middle(|run| run.cpu);
    let beyond = cpu.saturating_sub(read);
    let high_water = series.runs.iter().map(|run| run.high_water).max().unwrap_or_default();
    let gigabytes = decimals(size.into(), 1_000_000_000);
    let detail = format!(
        "{} for {gigabytes} GB, of which program {}, kernel {}; plain read {}; {} on the clock",
        seconds(cpu),
        seconds(middle(|run| run.user)),
        seconds(middle(|run| run.system)),
        seconds(read),
        seconds(middle(|run| run.wall)),
    );
    let mut figures = vec![
        Figure::held(format!("{name}: VmHWM"), mebibytes(high_water), "≤ 32 MiB", high_water <= MEMORY_BAR),
        Figure::told(format!("{name}: CPU"), detail),
    ];
    if name == "scores" || name == "kWh, clean" {
        let what = format!("{name}: whole binary less a plain read");
        let pass = Pass { kind: series.content.kind(), rows: series.content.rows(), bytes: size, cpu: beyond };
        figures.push(figure(&what, &pass));
    }
    if series.flow == MEASUREMENTS {
        let allowed = if name == "kWh, clean" { 4 } else { 10 };
        let bar = Duration::from_nanos(size.saturating_mul(allowed));
        let value = format!("{} beyond a plain read of {gigabytes} GB", seconds(beyond));
        let text = format!("≤ {allowed} s per GB");
        figures.push(Figure::held(format!("{name}: CPU beyond a plain read"), value, text, beyond <= bar));
    }
    figures.extend(series.runs.last().map(|run| cost(series, run)));
    figures
}

fn cost(series: &Series, run: &Run) -> Figure {
    let price = price::of(&run.counts);
    let (units, of, most, bar) = match series.flow {
        SCORES => (run.calls, "calls", 1_000_000, "≤ $1 per million calls"),
        _ => (series.content.rows(), "rows", 500, "≤ $0.0005 per million rows"),
    };
    let (micro, text) = price::per_million(price, units);
    let value = format!("{text} per million {of}; per call or row: {}", price::itemised(&run.counts, units));
    Figure::held(format!("{}: price", series.name), value, bar, micro <= most)
}
