//! Writes the published contract.

use std::process::ExitCode;
use std::{fs, io};

fn main() -> io::Result<ExitCode> {
    for file in contract::files() {
        fs::write(file.place(), &file.text)?;
    }
    Ok(ExitCode::SUCCESS)
}
