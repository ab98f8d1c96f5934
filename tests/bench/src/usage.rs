//! What a process has used, from `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// The length of one tick of `/proc/…/stat` (`CLK_TCK` is 100 on every Linux that Lambda and Rust know).
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process so far. The scheduler's own count is exact to the nanosecond, but leaves out threads that
/// ended; the ticks have all threads. The larger of the two is the better one.
#[must_use]
pub fn cpu(process: u32) -> Duration {
    let (user, system) = user_and_system(process);
    running_threads(process).max(user + system)
}

/// CPU time in the program and in the kernel, in ticks.
#[must_use]
pub fn user_and_system(process: u32) -> (Duration, Duration) {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in brackets may hold anything; what follows it are numbers, the state being the first.
    let numbers = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |place: usize| {
        let ticks = numbers.split_whitespace().nth(place).and_then(|text| text.parse().ok());
        TICK.saturating_mul(ticks.unwrap_or(0))
    };
    (ticks(11), ticks(12))
}

/// CPU time of the thread that calls this.
#[must_use]
pub fn this_thread() -> Duration {
    on_cpu(Path::new("/proc/thread-self"))
}

fn running_threads(process: u32) -> Duration {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return Duration::ZERO;
    };
    threads.flatten().map(|thread| on_cpu(&thread.path())).sum()
}

fn on_cpu(thread: &Path) -> Duration {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// The most memory that a process has had resident (`VmHWM`), in bytes; 0 when it is gone.
#[must_use]
pub fn high_water(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0).saturating_mul(1024)
}
