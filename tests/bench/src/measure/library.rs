//! The rows alone: split, checked, and for scores written for the target, out of memory and on one thread.

use std::sync::Arc;
use std::time::Duration;

use domain::csv::{Delimiter, Record, Split, Splitter};
use domain::device_score::ScoreSheet;
use domain::lookups::{Lookups, MapName};
use domain::measurement::Measurement;

use super::Setup;
use crate::content::{Content, Kind};
use crate::report::{Figure, decimals, median, per_second};
use crate::{Fault, usage};

/// Rows per CPU-second.
const SCORES_BAR: u64 = 2_500_000;
/// Bytes per CPU-second.
const MEASUREMENTS_BAR: u64 = 200_000_000;
/// As much as is read over and over: more than any cache holds.
const SAMPLE: u64 = 64 << 20;

/// Both kinds of file.
///
/// # Errors
/// When a header or a row that the generator made is refused.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let (size, rounds) = (SAMPLE.min(setup.size), setup.rounds.max(3));
    let bar = setup.progress("rows in memory", 2);
    let scores = tokio::task::spawn_blocking(move || pass(Kind::Score, scores, size, rounds)).await??;
    bar.inc(1);
    let measurements =
        tokio::task::spawn_blocking(move || pass(Kind::KwhAvoided, measurements, size, rounds)).await??;
    bar.finish_and_clear();
    Ok(vec![figure("score rows, in memory", &scores), figure("kWh rows of 8 intervals, in memory", &measurements)])
}

/// What a pass over rows took.
pub(super) struct Pass {
    pub(super) kind: Kind,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) cpu: Duration,
}

/// Held to the bar of its kind of row.
pub(super) fn figure(what: &str, pass: &Pass) -> Figure {
    let (rows, bytes) = (per_second(pass.rows, pass.cpu), per_second(pass.bytes, pass.cpu));
    let value =
        format!("{} M rows/cpu-s, {} MB/cpu-s", decimals(rows.into(), 1_000_000), decimals(bytes.into(), 1_000_000));
    match pass.kind {
        Kind::Score => Figure::held(what, value, "≥ 2.5 M rows/cpu-s", rows >= SCORES_BAR),
        Kind::KwhAvoided => Figure::held(what, value, "≥ 200 MB/cpu-s", bytes >= MEASUREMENTS_BAR),
        Kind::EnrollmentAck => Figure::told(what, value),
    }
}

fn pass(kind: Kind, read: fn(&[u8]) -> Result<u64, Fault>, size: u64, rounds: usize) -> Result<Pass, Fault> {
    let content = Arc::new(Content::of_size(kind, size, 1, 1000));
    let (rows, bytes) = (content.rows(), content.size());
    let file: Vec<u8> = content.range(0, u64::MAX).flatten().collect();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let before = usage::this_thread();
        let seen = read(&file)?;
        times.push(usage::this_thread().saturating_sub(before));
        if seen != rows {
            return Err(format!("{seen} of {rows} rows were seen").into());
        }
    }
    Ok(Pass { kind, rows, bytes, cpu: median(&times).unwrap_or_default() })
}

fn scores(file: &[u8]) -> Result<u64, Fault> {
    let lookups = Lookups::shipped();
    let (spelling, head_ends) = (lookups.spelling("device-score"), lookups.map(MapName::HeadEndSystem));
    let (mut sheet, mut seen) = (None, 0);
    let mut out = Vec::with_capacity(8 << 20);
    each(file, |record| {
        let Some(sheet): Option<&ScoreSheet> = sheet.as_ref() else {
            sheet = Some(ScoreSheet::open(record, &spelling)?);
            return Ok(());
        };
        seen += 1;
        if out.len() > 4 << 20 {
            out.clear();
        }
        // A row that is refused is one of those that the generator made bad.
        if let Ok(row) = sheet.read(record) {
            let row = row.with_head_end_system(head_ends.get(row.head_end_system).map_err(|miss| miss.to_string())?);
            row.write_csv(&mut out);
            std::hint::black_box(row.key());
        }
        Ok(())
    })?;
    std::hint::black_box(&out);
    Ok(seen)
}

fn measurements(file: &[u8]) -> Result<u64, Fault> {
    let spelling = Lookups::shipped().spelling("kwh-avoided");
    let mut sheet = None;
    let mut seen = 0;
    each(file, |record| {
        let Some(sheet): Option<&Measurement> = sheet.as_ref() else {
            sheet = Some(Measurement::open(record, &spelling)?);
            return Ok(());
        };
        seen += 1;
        std::hint::black_box(sheet.check(record).is_ok());
        Ok(())
    })?;
    Ok(seen)
}

fn each(file: &[u8], mut take: impl FnMut(&Record<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut splitter = Splitter::new(Delimiter::Comma);
    let mut rest = file;
    loop {
        match splitter.split(rest, true) {
            Split::Record(record) => {
                let length = record.raw().len();
                take(&record)?;
                rest = rest.get(length..).unwrap_or_default();
            }
            Split::End => return Ok(()),
            other => return Err(format!("the generator wrote no record: {other:?}").into()),
        }
    }
}
