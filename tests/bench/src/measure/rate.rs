//! A target that takes [`LIMIT`] calls a second and needs [`LATENCY`] for each; the calls are counted where they arrive.
//!
//! ```text
//! file ─▶ function ─┐
//! file ─▶ function ─┼─▶ DACS: when did each call come, what was it about
//!   └──▶ function ─┘        429 and Retry-After for a while
//! ```

mod simulated;
mod windows;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::Value;

use super::files::is_done;
use super::{Setup, Stage};
use crate::aws::Stored;
use crate::content::{Content, Kind};
use crate::function::{ACK_FILES, Function};
use crate::report::{Figure, decimals, millis};
use crate::targets::Arrival;
use crate::{Fault, clock, events};
use windows::{mean_after, most_in_a_second, until_back};

/// Calls per second.
const LIMIT: u64 = 200;
/// Of one call.
const LATENCY: Duration = Duration::from_millis(50);
/// Calls of one instance side by side: a fifth of the rate, as the template advises.
const CALLS: u32 = 40;
/// In any second: the limit and one per cent.
const MOST: u64 = LIMIT + LIMIT / 100;
/// On average, in thousandths: 95 % of the limit.
const MEAN: u64 = LIMIT * 950;
/// The mean is taken from here on.
const WARM: Duration = Duration::from_secs(10);
/// How long the target refuses.
const PAUSE: Duration = Duration::from_secs(10);
/// What is in flight when the first refusal is answered has arrived by then: a call's time, and as much for the answer's
/// way to all instances.
const IN_FLIGHT: Duration = LATENCY.saturating_mul(2);
/// After the pause the rate is back within this.
const BACK: Duration = Duration::from_secs(3);

/// Which files on how many instances.
struct Scene {
    name: &'static str,
    files: u64,
    /// Where there are more than files, some are given to two at once, as a queue may do.
    instances: u64,
    /// Records of all files.
    records: u64,
    pauses: bool,
}

/// All scenes, one after another.
///
/// # Errors
/// When a function fails, or not every record is acknowledged.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let (all, half) = (setup.records, setup.records / 2);
    let scenes = [
        Scene { name: "one file on one instance", files: 1, instances: 1, records: all, pauses: false },
        Scene { name: "two files on four instances", files: 2, instances: 4, records: half, pauses: false },
        Scene { name: "four files on four instances", files: 4, instances: 4, records: half, pauses: false },
        Scene { name: "four files, 429 for a while", files: 4, instances: 4, records: half, pauses: true },
    ];
    let bar = setup.progress("rate", u64::try_from(scenes.len())?);
    let mut figures = Vec::new();
    for scene in scenes {
        figures.extend(scene.play(setup).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    figures.extend(simulate(setup).await?);
    Ok(figures)
}

/// A million records, and four instances at once.
async fn simulate(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let (all, half) = (setup.simulated, setup.simulated / 2);
    let scenes = [
        Scene { name: "simulated: one file on one instance", files: 1, instances: 1, records: all, pauses: false },
        Scene { name: "simulated: four files on four instances", files: 4, instances: 4, records: half, pauses: false },
    ];
    let mut figures = Vec::new();
    for scene in scenes {
        let played = tokio::task::spawn_blocking(move || Ok::<_, Fault>((simulated::play(&scene)?, scene)));
        let (times, scene) = played.await??;
        figures.extend([most(scene.name, &times), mean(scene.name, &times)]);
        figures.push(Figure::told(format!("{}: calls", scene.name), times.len().to_string()));
    }
    Ok(figures)
}

impl Scene {
    async fn play(&self, setup: &Setup) -> Result<Vec<Figure>, Fault> {
        let mut stage = Stage::with_targets(LATENCY).await?;
        stage.surroundings.rate = u32::try_from(LIMIT)?;
        stage.surroundings.calls = CALLS;
        let files: Vec<File> = (0..self.files).map(|number| self.file(&stage, number)).collect();
        let instances = (0..self.instances).zip(files.iter().cycle());
        let working = try_join_all(instances.map(|(number, file)| work(setup, &stage, file, number >= self.files)));
        let pausing = async {
            if !self.pauses {
                return None;
            }
            // In the middle: what is left takes as long again.
            tokio::time::sleep(Duration::from_millis(self.records * 500 / LIMIT)).await;
            let begun = clock::instant();
            if let Some(targets) = &stage.targets {
                targets.refuse_for(PAUSE);
            }
            Some(begun)
        };
        let (worked, paused) = tokio::join!(working, pausing);
        worked?;
        let arrivals = stage.targets.as_ref().map(crate::targets::Targets::take_arrivals).unwrap_or_default();
        self.check(&stage, &arrivals)?;
        Ok(self.figures(&arrivals, paused))
    }

    fn file(&self, stage: &Stage, number: u64) -> File {
        let key = format!("enrollment-ack/ACK_{number}.csv");
        // Each has other sync requests: no two rows of all files are about the same.
        let content = Arc::new(Content::numbered(Kind::EnrollmentAck, number, self.records / self.files));
        let version = stage.give("ouai-outbox", &key, Stored::Made(Arc::clone(&content)));
        File { key, version, size: content.size() }
    }

    /// Every record was taken, and the books say so.
    fn check(&self, stage: &Stage, arrivals: &[Arrival]) -> Result<(), Fault> {
        let records = self.records / self.files * self.files;
        let taken = taken(arrivals).count();
        let delivered: u64 = stage.aws.ledger("run").iter().filter_map(delivered).sum();
        if u64::try_from(taken)? < records || delivered != records {
            return Err(format!("{}: {taken} of {records} taken, {delivered} in the books", self.name).into());
        }
        Ok(())
    }

    fn figures(&self, arrivals: &[Arrival], paused: Option<Instant>) -> Vec<Figure> {
        let Some(first) = arrivals.first().map(|arrival| arrival.at) else { return Vec::new() };
        let since = |at: Instant| at.saturating_duration_since(first);
        let times: Vec<Duration> = arrivals.iter().map(|arrival| since(arrival.at)).collect();
        let name = self.name;
        let mut figures = vec![most(name, &times)];
        match paused {
            Some(begun) => figures.extend(pause(name, &times, since(begun))),
            None => figures.push(mean(name, &times)),
        }
        let taken: Vec<&Arrival> = taken(arrivals).collect();
        let once: BTreeSet<&str> = taken.iter().map(|arrival| arrival.about.as_str()).collect();
        let value = format!(
            "{} for {} records, {} taken twice, {} refused",
            arrivals.len(),
            once.len(),
            taken.len() - once.len(),
            arrivals.len() - taken.len()
        );
        figures.push(Figure::told(format!("{name}: calls"), value));
        figures
    }
}

fn most(name: &str, times: &[Duration]) -> Figure {
    let most = most_in_a_second(times);
    let bar = format!("≤ {MOST} ({LIMIT} + 1 %)");
    Figure::held(format!("{name}: calls in any second"), most.to_string(), bar, most <= MOST)
}

fn mean(name: &str, times: &[Duration]) -> Figure {
    let mean = mean_after(times, WARM);
    let value = format!("{} a second", decimals(mean.into(), 1000));
    let bar = format!("≥ {} (95 %)", decimals(MEAN.into(), 1000));
    Figure::held(format!("{name}: mean after 10 s"), value, bar, mean >= MEAN)
}

fn pause(name: &str, times: &[Duration], begun: Duration) -> Vec<Figure> {
    let end = begun + PAUSE;
    let within: Vec<Duration> =
        times.iter().filter(|at| (begun..end).contains(*at)).map(|at| at.saturating_sub(begun)).collect();
    let last = within.last().copied().unwrap_or_default();
    let late = within.iter().filter(|at| **at > IN_FLIGHT).count();
    let back = until_back(times, end, MEAN / 1000);
    let value = format!("{} calls, the last after {}; {late} later than in flight", within.len(), millis(last));
    let text = back.map_or_else(|| "never".to_owned(), |back| format!("{} after its end", millis(back)));
    vec![
        Figure::held(
            format!("{name}: in a pause of {} s", PAUSE.as_secs()),
            value,
            format!("none later than {}", millis(IN_FLIGHT)),
            late == 0,
        ),
        Figure::held(format!("{name}: back to 95 %"), text, "≤ 3 s", back.is_some_and(|back| back <= BACK)),
    ]
}

fn taken(arrivals: &[Arrival]) -> impl Iterator<Item = &Arrival> {
    arrivals.iter().filter(|arrival| !arrival.refused)
}

fn delivered(run: &Value) -> Option<u64> {
    run.pointer("/counts/delivered")?.as_u64()
}

#[derive(Clone)]
struct File {
    key: String,
    version: String,
    size: u64,
}

/// One instance with one file, until that is done. A message that is handed back comes again when its function said.
async fn work(setup: &Setup, stage: &Stage, file: &File, second: bool) -> Result<(), Fault> {
    let mut function = Function::start(&setup.binaries, ACK_FILES, &stage.surroundings).await?;
    // Deliveries of the twin have other numbers, so that no two are the same.
    let turns = if second { 1001.. } else { 1.. };
    for turn in turns {
        let event = events::file(("ouai-outbox", &file.key, &file.version), file.size, turn);
        let answer = function.invoke(event, setup.timeout).await?;
        if is_done(&answer.body.unwrap_or_default()) {
            break;
        }
        let delay = stage.aws.handed_back(&events::receipt(&file.key, turn)).unwrap_or_default();
        tokio::time::sleep(delay).await;
    }
    function.kill().await
}
