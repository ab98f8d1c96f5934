//! How file flows plan what is dropped: new files and new versions of old ones, dressed in many ways.

use super::FlowId;
use super::files::{Dress, File, Files, Shape};
use crate::engine::seconds;
use crate::schedule::Setting;

/// Plans files of at least `records` rows, new ones called by `name`, and drops them into `bucket`.
pub fn plan(
    setting: &mut Setting,
    records: usize,
    (flow, bucket): (FlowId, &'static str),
    name: impl Fn(usize) -> String,
    file: impl Fn(&mut Setting, String, u64, Dress, Shape) -> File,
) -> Files {
    let mut files: Vec<File> = Vec::new();
    let mut at = 0;
    let mut rows = 0;
    while rows < records || files.len() < 2 {
        let keys: Vec<String> = files.iter().map(|file| file.key.clone()).collect();
        let again = setting.dice.chance(50) && !keys.is_empty();
        // A new version often comes while the old one is worked on.
        at += match setting.dice.below(10) {
            0..=1 => 0,
            2..=7 if again => setting.dice.below(seconds(3)),
            _ => setting.dice.below(seconds(60)),
        };
        let (dress, shape) = roll_dress(setting);
        let suffix = if dress.gzip > 0 || shape == Shape::BrokenOff { ".gz" } else { "" };
        let key = if again { setting.dice.pick(&keys).clone() } else { format!("{}{suffix}", name(files.len())) };
        let file = file(setting, key, at, dress, shape);
        rows += file.rows.len();
        files.push(file);
    }
    Files::drop_all(setting, flow, bucket, files)
}

/// The header of a file: `names`, of which one may be spelled otherwise, and one is missing where the header is wrong.
pub fn header(
    names: &[&str],
    (spelled, spelling): (usize, &str),
    missing: usize,
    dress: Dress,
    shape: Shape,
) -> Vec<String> {
    let mut header: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    if let Some(name) = header.get_mut(spelled)
        && dress.spelled
    {
        *name = spelling.to_owned();
    }
    if shape == Shape::WrongHeader {
        header.remove(missing);
    }
    header
}

/// The dress and shape of a file by dice: most are plain and whole.
fn roll_dress(setting: &mut Setting) -> (Dress, Shape) {
    let dice = &mut setting.dice;
    let dress = Dress {
        delimiter: if dice.chance(20) { '\t' } else { ',' },
        line_end: if dice.chance(15) { "\r\n" } else { "\n" },
        gzip: if dice.chance(25) { dice.count(1, 2) } else { 0 },
        spelled: dice.chance(15),
    };
    let shape = match dice.below(40) {
        0 => Shape::Empty,
        1 => Shape::HeaderOnly,
        2 => Shape::WrongHeader,
        3 => Shape::BrokenOff,
        _ => Shape::Whole,
    };
    (dress, shape)
}
