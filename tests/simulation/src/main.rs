//! `simulation --seed 7`, `--schedules 10000`, `--hours 2`: runs schedules, prints what they met, and replays the one
//! that failed.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for people, which says how long it took"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use simulation::bugs::Bug;
use simulation::campaign::{Hunt, campaign, hunt};
use simulation::flows::FlowId;
use simulation::schedule::{Options, run};

/// Runs seeded schedules of all flows under faults, and checks every rule after each.
#[derive(Parser)]
#[command(name = "simulation")]
struct Args {
    /// Replay this seed and print its trace; with --schedules: the first of them
    #[arg(long)]
    seed: Option<u64>,
    /// So many schedules
    #[arg(long)]
    schedules: Option<u64>,
    /// As many schedules as fit into so many hours, which may be a fraction such as 0.1
    #[arg(long)]
    hours: Option<f64>,
    /// Only this flow: its name, or as the table has it
    #[arg(long)]
    flow: Option<String>,
    /// Hunt the planted bugs instead: each from five seeds, for at most 1,000 schedules
    #[arg(long)]
    bugs: bool,
    /// Stop after so many failures
    #[arg(long, default_value_t = 1)]
    failures: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let flow = match args.flow.as_deref().map(flow_of) {
        None => None,
        Some(Some(flow)) => Some(flow),
        Some(None) => {
            println!(
                "no such flow; there are: {}",
                FlowId::everybody().map(FlowId::name).collect::<Vec<_>>().join(", ")
            );
            return ExitCode::FAILURE;
        }
    };
    let options = Options { flow, ..Options::default() };
    if args.bugs {
        return hunt_bugs(&args);
    }
    match (args.seed, args.schedules, args.hours) {
        (Some(seed), None, None) => replay(seed, &options),
        _ => many(&args, &options),
    }
}

fn flow_of(name: &str) -> Option<FlowId> {
    FlowId::everybody().find(|flow| flow.name() == name || flow.short() == name)
}

/// One schedule, told from beginning to end.
fn replay(seed: u64, options: &Options) -> ExitCode {
    let outcome = run(seed, &Options { traced: true, ..options.clone() });
    for line in &outcome.trace {
        println!("{line}");
    }
    println!("\n{} records, {} faults, {} steps", outcome.records, outcome.coverage.faults(), outcome.steps);
    if outcome.broken.is_empty() {
        println!("seed {seed}: every rule holds");
        return ExitCode::SUCCESS;
    }
    for broken in &outcome.broken {
        println!("broken: {broken}");
    }
    ExitCode::FAILURE
}

/// Every planted bug has to be found from every seed.
fn hunt_bugs(args: &Args) -> ExitCode {
    let first = args.seed.unwrap_or(1);
    let firsts: Vec<u64> = (0..5).map(|number| first.wrapping_add(number * 1_000_000)).collect();
    let mut all = true;
    for bug in Bug::ALL {
        let hunts = hunt(&[*bug], &firsts, args.schedules.unwrap_or(1000));
        let took = |hunt: &Hunt| hunt.found.as_ref().map_or("never".to_owned(), |(schedules, _)| schedules.to_string());
        let took: Vec<String> = hunts.iter().map(took).collect();
        let example = hunts.iter().find_map(|hunt| hunt.found.as_ref().map(|(_, broken)| broken.as_str()));
        println!("{:<24} found after {:<24} e.g. {}", format!("{bug:?}"), took.join(", "), example.unwrap_or("-"));
        all &= hunts.iter().all(|hunt| hunt.found.is_some());
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(args: &Args, options: &Options) -> ExitCode {
    let started = Instant::now();
    let fresh = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |age| age.as_secs() * 1_000_000);
    let first = args.seed.unwrap_or(fresh);
    let limit =
        args.hours.and_then(|hours| Duration::try_from_secs_f64(hours).ok()).and_then(|hours| hours.checked_mul(3600));
    let most = args.schedules.unwrap_or(if limit.is_some() { u64::MAX } else { 10_000 });
    let seeds = (0..most).map(|number| first.wrapping_add(number));
    let result = campaign(seeds, options, args.failures, || limit.is_none_or(|limit| started.elapsed() < limit));
    let took = started.elapsed();
    println!("{}", result.coverage.table(&FlowId::everybody().collect::<Vec<_>>()));
    println!(
        "{} schedules from seed {first} in {} s ({} a minute), {} records, {} port calls, fewest faults {:?}, too mild: {}",
        result.schedules,
        took.as_secs(),
        u128::from(result.schedules) * 60_000 / took.as_millis().max(1),
        result.records,
        result.steps,
        result.fewest_faults,
        result.mild,
    );
    for outcome in &result.failures {
        let flow = options.flow.map(|flow| format!(" FLOW={}", flow.name())).unwrap_or_default();
        println!("\nseed {} failed; replay it with: make sim SEED={}{flow}", outcome.seed, outcome.seed);
        for broken in outcome.broken.iter().take(8) {
            println!("  {broken}");
        }
    }
    let mut good = result.failures.is_empty() && result.mild == 0;
    if args.flow.is_none() && result.schedules >= 10_000 {
        for (fault, flow, count) in result.coverage.thin(FlowId::ALL, 50) {
            println!("{fault:?} happened to {} only {count} times", flow.short());
            good = false;
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
