//! Every measurement runs on small files against functions built for debugging: the stubs answer what the functions
//! ask, the books balance after three kills. Figures of such builds mean nothing and are not looked at, but for the
//! numbers of calls, which are the same in any build.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bench::Fault;
use bench::function::{Binaries, FLOWS};
use bench::measure::{Setup, cold, files, kills, messages, rate};
use bench::report::{Figure, Verdict};

/// The functions, built into the folder in which this program is.
fn setup() -> Result<Setup, Fault> {
    let bench = PathBuf::from(env!("CARGO_BIN_EXE_bench"));
    let folder = bench.parent().ok_or("no folder")?.to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("build").arg("--target-dir").arg(folder.parent().ok_or("no target folder")?);
    for flow in FLOWS {
        cargo.args(["-p", flow]);
    }
    if !cargo.status()?.success() {
        return Err("the functions could not be built".into());
    }
    Ok(Setup {
        binaries: Binaries(folder),
        bench,
        size: 9_000_000,
        rounds: 1,
        starts: 1,
        kills: 3,
        messages: 20,
        records: 400,
        simulated: 8000,
        timeout: Duration::from_secs(120),
        retry_at_once: true,
        shows_progress: false,
    })
}

fn missed<'f>(figures: &'f [Figure], about: &str) -> Vec<&'f Figure> {
    let about = figures.iter().filter(|figure| figure.what.contains(about));
    about.filter(|figure| figure.verdict == Verdict::Missed).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_measurements_run_and_the_books_balance_after_three_kills() {
    let setup = setup().unwrap();
    let killed = kills::run(&setup).await.unwrap();
    assert_eq!(missed(&killed, "killed"), Vec::<&Figure>::new());
    files::run(&setup).await.unwrap();
    cold::run(&setup).await.unwrap();
    rate::run(&setup).await.unwrap();
    let messages = messages::run(&setup).await.unwrap();
    assert_eq!(missed(&messages, "door: AWS calls"), Vec::<&Figure>::new());
    assert_eq!(missed(&messages, "enrollment-ack worker, one at a time: AWS calls"), Vec::<&Figure>::new());
}
