//! Many schedules, on all processors.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::bugs::Bug;
use crate::faults::Coverage;
use crate::schedule::{Options, Outcome, RECORDS, run};

/// What came of many schedules.
#[derive(Debug, Clone, Default)]
pub struct Campaign {
    /// How many there were.
    pub schedules: u64,
    /// The faults of all together.
    pub coverage: Coverage,
    /// Calls of ports.
    pub steps: u64,
    /// Rows and messages.
    pub records: u64,
    /// The fewest faults of a schedule, and its seed.
    pub fewest_faults: Option<(u64, u64)>,
    /// Schedules with fewer than three faults, 50 records or two instances.
    pub mild: u64,
    /// Those that broke a rule, in order of seeds.
    pub failures: Vec<Outcome>,
}

/// Runs the schedules of `seeds`, until `most_failures` have failed or `go_on` says stop.
pub fn campaign(
    seeds: impl Iterator<Item = u64> + Send,
    options: &Options,
    most_failures: usize,
    go_on: impl Fn() -> bool + Sync,
) -> Campaign {
    let seeds = Mutex::new(seeds);
    let result = Mutex::new(Campaign::default());
    let stop = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && go_on() {
                    let next = seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(seed) = next else { return };
                    let outcome = run(seed, options);
                    done.fetch_add(1, Ordering::Relaxed);
                    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
                    result.add(outcome);
                    if result.failures.len() >= most_failures {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut result = result.into_inner().unwrap_or_else(PoisonError::into_inner);
    result.failures.sort_by_key(|outcome| outcome.seed);
    result
}

impl Campaign {
    fn add(&mut self, outcome: Outcome) {
        self.schedules += 1;
        self.coverage.add(&outcome.coverage);
        self.steps += outcome.steps;
        self.records += u64::try_from(outcome.records).unwrap_or(0);
        let faults = outcome.coverage.faults();
        self.mild += u64::from(faults < 3 || outcome.records < RECORDS || outcome.instances < 2);
        if self.fewest_faults.is_none_or(|(fewest, _)| faults < fewest) {
            self.fewest_faults = Some((faults, outcome.seed));
        }
        if !outcome.broken.is_empty() {
            self.failures.push(outcome);
        }
    }
}

/// How a hunt for a planted bug went.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// The bug.
    pub bug: Bug,
    /// The first seed.
    pub first: u64,
    /// How many schedules it took, and the first rule that was broken; `None` when it was not found.
    pub found: Option<(u64, String)>,
}

/// Hunts every bug, from each of the seeds `firsts` on, for at most `most` schedules.
pub fn hunt(bugs: &[Bug], firsts: &[u64], most: u64) -> Vec<Hunt> {
    let pairs = bugs.iter().flat_map(|bug| firsts.iter().map(move |first| (*bug, *first)));
    let pairs = Mutex::new(pairs);
    let hunts = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = pairs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((bug, first)) = next else { return };
                    let options = Options { bug: Some(bug), flow: bug.flow(), ..Options::default() };
                    let found = (0..most).find_map(|number| {
                        let broken = run(first.wrapping_add(number), &options).broken;
                        broken.into_iter().next().map(|broken| (number + 1, broken))
                    });
                    hunts.lock().unwrap_or_else(PoisonError::into_inner).push(Hunt { bug, first, found });
                }
            });
        }
    });
    let mut hunts = hunts.into_inner().unwrap_or_else(PoisonError::into_inner);
    hunts.sort_by_key(|hunt| (hunt.bug, hunt.first));
    hunts
}
