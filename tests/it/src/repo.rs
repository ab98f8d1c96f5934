//! Where things are in the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The repository's folder.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../..").canonicalize().expect("tests/it lies two folders below the root")
}

/// The text of a file, by its path below the root.
///
/// # Panics
/// When it is not there or not UTF-8.
#[must_use]
pub fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// The names of what a folder holds, hidden entries left out; none when there is no such folder.
#[must_use]
pub fn entries(folder: impl AsRef<Path>) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return BTreeSet::new();
    };
    entries
        .map(|entry| entry.expect("a readable folder").file_name().into_string().expect("a name in UTF-8"))
        .filter(|name| !name.starts_with('.'))
        .collect()
}

/// Systems between which flows go (contracts.md §1).
const SYSTEMS: [&str; 7] = ["dacs", "derms", "ouai", "lec", "ofs", "cis", "market"];

/// The flows: the folders of `functions/` that are named as one. This list is the architecture diagram.
#[must_use]
pub fn flows() -> BTreeSet<String> {
    entries("functions").into_iter().filter(|name| FlowName::read(name).is_some()).collect()
}

/// The functions that serve all flows: the other folders of `functions/`.
#[must_use]
pub fn services() -> BTreeSet<String> {
    entries("functions").into_iter().filter(|name| FlowName::read(name).is_none()).collect()
}

/// A flow's name, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowName<'a> {
    /// The system that sends.
    pub source: &'a str,
    /// The system that receives.
    pub target: &'a str,
    /// What it carries.
    pub subject: &'a str,
}

impl<'a> FlowName<'a> {
    /// Reads `<source>-<target>-<subject>` (contracts.md §2); nothing when it is not of that form.
    #[must_use]
    pub fn read(name: &'a str) -> Option<Self> {
        let mut parts = name.splitn(3, '-');
        let (source, target, subject) = (parts.next()?, parts.next()?, parts.next()?);
        let known = SYSTEMS.contains(&source) && SYSTEMS.contains(&target);
        known.then_some(Self { source, target, subject })
    }

    /// Reads `<source>-<target>-<subject>` (contracts.md §2).
    ///
    /// # Panics
    /// When it is not of that form.
    #[must_use]
    pub fn of(flow: &'a str) -> Self {
        Self::read(flow).unwrap_or_else(|| panic!("{flow} is not named <source>-<target>-<subject>"))
    }
}
