//! On what was measured.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::report::{median, millis};
use crate::{clock, events};

/// So many messages are read by the yardstick.
const MESSAGES: u64 = 400;
/// Cache lines that are walked through: about what a message of ours touches, code and all.
const LINES: usize = 1 << 14;
/// Words of a cache line.
const WORDS: usize = 64 / size_of::<usize>();
/// How often each is done.
const ROUNDS: usize = 10;
/// As long as a message that comes alone is waited for.
const REST: Duration = Duration::from_millis(200);

/// The machine in one line: processor, how many of them, memory, kernel.
#[must_use]
pub fn describe() -> String {
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let cpus = thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    let memory = memory.unwrap_or(0) >> 20;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{processor}, {cpus} CPUs, {memory} GiB, Linux {} ({})", kernel.trim(), std::env::consts::ARCH)
}

/// How many processes want to run, on average over the last minute.
#[must_use]
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

/// What a virtual CPU does in a millisecond differs by machine and hour, and whoever has rested finds the caches cold. So
/// figures of CPU time come with two of the machine itself: reading messages, and walking through a mebibyte.
#[must_use]
pub fn yardstick() -> String {
    let messages: Vec<String> = (0..MESSAGES).map(events::enrollment).collect();
    let read = || {
        black_box(messages.iter().filter(|message| serde_json::from_str::<Value>(message).is_ok()).count());
    };
    let lines = lines();
    let walk = || {
        black_box((0..LINES).fold(0, |at, _| lines.get(at * WORDS).copied().unwrap_or(0)));
    };
    let (busy, rested) = (taken(Duration::ZERO, walk), taken(REST, walk));
    let read = taken(Duration::ZERO, read);
    format!(
        "{MESSAGES} messages read in {}, 1 MiB walked in {}, after a rest in {}",
        millis(read),
        millis(busy),
        millis(rested)
    )
}

/// Each line names the next, in an order that no processor foresees.
fn lines() -> Vec<usize> {
    let next = |line: usize| (line * 20_077 + 12_345) % LINES;
    let word = |place: usize| if place.is_multiple_of(WORDS) { next(place / WORDS) } else { 0 };
    (0..LINES * WORDS).map(word).collect()
}

/// What the round in the middle took on the clock: the scheduler counts a running thread by its ticks, which are longer.
fn taken(rest: Duration, round: impl Fn()) -> Duration {
    let times = (0..ROUNDS).map(|_| {
        thread::sleep(rest);
        let begun = clock::instant();
        round();
        begun.elapsed()
    });
    median(&times.collect::<Vec<_>>()).unwrap_or_default()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
