//! The valid examples of `events/<flow>/examples`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Name and value of each example in JSON, in order of names.
pub(crate) fn of(flow: &str) -> Vec<(String, Value)> {
    let folder = root().join("events").join(flow).join("examples");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut examples: Vec<_> = entries.filter_map(|entry| example(&entry.path())).collect();
    examples.sort_by(|(a, _), (b, _)| a.cmp(b));
    examples
}

fn example(path: &Path) -> Option<(String, Value)> {
    let name = path.file_name()?.to_str()?.strip_prefix("valid-")?.strip_suffix(".json")?.to_owned();
    let text = fs::read_to_string(path).ok()?;
    Some((name, serde_json::from_str(&text).ok()?))
}
