//! What is uploaded to Lambda: the binary, deflated as the SAM CLI does it.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::Setup;
use crate::Fault;
use crate::function;
use crate::report::{Figure, decimals};

/// 5.5 MB.
const BAR: u64 = 5_500_000;
/// What a zip file adds to its one entry: two headers and the directory's end, each with the name.
const FRAME: u64 = 30 + 46 + 22 + 2 * 9;

/// All four.
///
/// # Errors
/// When a binary is not there.
pub fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let bar = setup.progress("zip", u64::try_from(function::all().count())?);
    let mut figures = Vec::new();
    for flow in function::all() {
        let binary = fs::read(setup.binaries.of(flow))?;
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(&binary)?;
        let zipped = u64::try_from(deflated.finish()?.len())? + FRAME;
        let megabytes = |bytes: u64| decimals(bytes.into(), 1_000_000);
        let unzipped = megabytes(u64::try_from(binary.len())?);
        let value = format!("{} MB of {unzipped} MB ({})", megabytes(zipped), std::env::consts::ARCH);
        figures.push(Figure::held(format!("zip, {flow}"), value, "≤ 5.5 MB, arm64", zipped <= BAR));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(figures)
}
