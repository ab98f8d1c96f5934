//! `events/<flow>/examples`: the files, and what `expected.csv` says of those that are refused.

use std::collections::BTreeMap;
use std::fs;

use crate::repo;

/// An example.
#[derive(Debug, Clone)]
pub struct Example {
    /// Its file name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// All examples of a flow, in order of names.
///
/// # Panics
/// When one cannot be read, or is named neither `valid-…` nor `invalid-…`.
#[must_use]
pub fn of(flow: &str) -> Vec<Example> {
    let folder = format!("events/{flow}/examples");
    let names = repo::entries(&folder).into_iter().filter(|name| name != "expected.csv");
    names
        .map(|name| {
            assert!(name.starts_with("valid-") || name.starts_with("invalid-"), "{folder}/{name}: which is it?");
            let bytes = fs::read(repo::root().join(&folder).join(&name)).expect("a readable example");
            Example { name, bytes }
        })
        .collect()
}

/// The lines of `expected.csv` by their first column, the file; each with its further columns.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn expected(flow: &str) -> BTreeMap<String, Vec<Vec<String>>> {
    let text = repo::text(format!("events/{flow}/examples/expected.csv"));
    let mut files: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for line in csv::Reader::from_reader(text.as_bytes()).into_records() {
        let line = line.expect("a readable expected.csv");
        let mut fields = line.iter().map(str::to_owned);
        let file = fields.next().expect("a first column");
        files.entry(file).or_default().push(fields.collect());
    }
    files
}
