//! Small files, and functions built for debugging.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bench::Fault;
use bench::function::{self, Binaries};
use bench::measure::Setup;

/// The functions, built into the folder in which this program is.
pub fn setup() -> Result<Setup, Fault> {
    let bench = PathBuf::from(env!("CARGO_BIN_EXE_bench"));
    let folder = bench.parent().ok_or("no folder")?.to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("build").arg("--target-dir").arg(folder.parent().ok_or("no target folder")?);
    for flow in function::all() {
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
        flows: Vec::new(),
        records: 400,
        simulated: 8000,
        timeout: Duration::from_secs(120),
        retry_at_once: true,
        shows_progress: false,
    })
}
