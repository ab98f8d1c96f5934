//! `make bench`: the shipped binaries against the bars of architecture.md §6.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use bench::function::{self, Binaries, MESSAGE_FLOWS};
use bench::measure::{Setup, cold, cost, files, idle, kills, library, messages, rate, zip};
use bench::report::{Figure, Verdict, print};
use bench::{Fault, clock, machine, usage};
use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};

/// Measures functions of each kind, built as they are shipped, against compiled stubs of Lambda and AWS on 127.0.0.1, and
/// holds the figures to the bars of the architecture. Needs no account and no network.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Only these measurements.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Measurement>,
    /// Of the message flows, only these.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(MESSAGE_FLOWS))]
    flows: Vec<String>,
    /// Size of the large files: 1GB, 300MB, 64MiB, or bytes.
    #[arg(long, default_value = "1GB", value_parser = size)]
    size: u64,
    /// Small files and few rounds, to see that everything works; its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Build profile of the functions; `release` builds faster than what is shipped.
    #[arg(long, default_value = "ship")]
    profile: String,
    /// Measure the binaries that are there.
    #[arg(long)]
    no_build: bool,
    /// How often large files are measured, for the median.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How often a score file's function is killed; each time the lease has to run out.
    #[arg(long, default_value_t = 3)]
    kills: u64,
    /// How long a file function may take, in seconds. After a kill its message comes back ten seconds later.
    #[arg(long, default_value_t = 120)]
    timeout: u64,
    /// Fail when a bar is missed. Books that do not balance always fail.
    #[arg(long)]
    strict: bool,
    #[arg(long, hide = true)]
    plain_read: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measurement {
    /// What is uploaded to Lambda.
    Zip,
    /// From process start to the first answer.
    Cold,
    /// Rows in memory: split, checked, written.
    Rows,
    /// Messages through door and worker.
    Messages,
    /// Large files: memory, CPU, price.
    Files,
    /// What requests cost, by row, call and file.
    Cost,
    /// What a month costs in which nothing happens.
    Idle,
    /// A target that takes so many calls a second, and one that asks for a pause.
    Rate,
    /// A score file whose function is killed again and again.
    Kills,
}

fn main() -> Result<ExitCode, Fault> {
    let arguments = Arguments::parse();
    if let Some(url) = &arguments.plain_read {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(plain_read(url))?;
        return Ok(ExitCode::SUCCESS);
    }
    let binaries = binaries(&arguments)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let missed = runtime.block_on(measure(&arguments, binaries))?;
    Ok(if missed && arguments.strict { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(arguments: &Arguments, binaries: Binaries) -> Result<bool, Fault> {
    let setup = setup(arguments, binaries)?;
    let today = clock::timestamp().strftime("%Y-%m-%d").to_string();
    writeln!(
        io::stdout(),
        "{today}, {}, load {}, profile {}; {}",
        machine::describe(),
        machine::load(),
        arguments.profile,
        machine::yardstick()
    )?;
    let mut missed = false;
    for measurement in Measurement::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(measurement) {
            continue;
        }
        let figures: Vec<Figure> = match measurement {
            Measurement::Zip => zip::run(&setup)?,
            Measurement::Cold => cold::run(&setup).await?,
            Measurement::Rows => library::run(&setup).await?,
            Measurement::Messages => messages::run(&setup).await?,
            Measurement::Files => files::run(&setup).await?,
            Measurement::Cost => cost::run(&setup).await?,
            Measurement::Idle => idle::run(&setup).await?,
            Measurement::Rate => rate::run(&setup).await?,
            Measurement::Kills => kills::run(&setup).await?,
        };
        print(&format!("{measurement:?}").to_lowercase(), &figures)?;
        let lost = figures.iter().any(|figure| figure.verdict == Verdict::Missed);
        if lost && *measurement == Measurement::Kills {
            return Err("the books do not balance".into());
        }
        missed |= lost;
    }
    Ok(missed)
}

fn setup(arguments: &Arguments, binaries: Binaries) -> Result<Setup, Fault> {
    let bench = std::env::current_exe()?;
    let timeout = Duration::from_secs(arguments.timeout);
    let full = Setup {
        binaries,
        bench,
        size: arguments.size,
        rounds: arguments.rounds,
        starts: 20,
        kills: arguments.kills,
        messages: 3000,
        flows: arguments.flows.clone(),
        records: 60_000,
        simulated: 1_000_000,
        timeout,
        retry_at_once: false,
        shows_progress: true,
    };
    if arguments.quick {
        let size = full.size.min(48_000_000);
        let counts = Setup { starts: 3, messages: 300, records: 6000, simulated: 50_000, ..full };
        return Ok(Setup { size, rounds: 1, retry_at_once: true, ..counts });
    }
    Ok(full)
}

/// Builds the functions with the profile, and says where they are: beside this program's own folder.
fn binaries(arguments: &Arguments) -> Result<Binaries, Fault> {
    let profile = arguments.profile.as_str();
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(|folder| folder.parent()).ok_or("this program is in no target folder")?;
    let folder = target.join(if profile == "dev" { "debug" } else { profile });
    if !arguments.no_build {
        let mut cargo = Command::new(cargo());
        cargo.args(["build", "--profile", profile, "--target-dir"]).arg(target);
        for flow in function::all() {
            cargo.args(["-p", flow]);
        }
        if !cargo.status()?.success() {
            return Err("the functions could not be built".into());
        }
    }
    Ok(Binaries(folder))
}

#[expect(clippy::disallowed_methods, reason = "cargo says where it is, to what it runs")]
fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// `1GB`, `64MiB`, `1000`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.trim_start_matches(digits) {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("{other:?} is not a unit such as MB, GB or MiB")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} does not begin with a whole number"))?;
    number.checked_mul(unit).ok_or_else(|| format!("{text:?} is too large"))
}

/// Reads an object over HTTP as it comes, does nothing with it, and prints the CPU time it took in nanoseconds.
async fn plain_read(url: &str) -> Result<(), Fault> {
    let mut answer = reqwest::get(url).await?.error_for_status()?;
    while let Some(piece) = answer.chunk().await? {
        std::hint::black_box(piece);
    }
    writeln!(io::stdout(), "{}", usage::cpu(std::process::id()).as_nanos())?;
    Ok(())
}
