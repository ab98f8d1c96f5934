//! What files cost: the requests of the real binaries, counted, times their prices.
//!
//! ```text
//! requests of a file = what any file costs + rows or calls × what one of them costs
//! ```
//!
//! Each kind is measured with two files, one twice as long as the other, of one segment and of two: what the longer one asks
//! for beyond the shorter one belongs to its rows or calls, and what is left of the shorter one to the file. Targets are
//! called at the rate of the template's default. Time of Lambda is told apart, as it follows from what performance.md has
//! measured: that of a debug build would mean nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::files::is_done;
use super::{Setup, Stage};
use crate::aws::{Stored, locked};
use crate::content::{Content, Kind};
use crate::function::{ACK_FILES, EXTRACTS, Function, MEASUREMENTS, OUTCOMES, RESERVATIONS, SCORES};
use crate::price::{self, Pico};
use crate::report::Figure;
use crate::{Fault, events};

/// The bars of architecture.md §6, for a million, in millionths of a dollar.
const ROWS: (u64, &str) = (500, "≤ $0.0005 per million rows");
const CALLS: (u64, &str) = (1_000_000, "≤ $1 per million calls");
/// Rows of the file by which file → file is held: what a file costs whatever its length is spread over them.
const LONG: u64 = 1_000_000;
/// A file function is given this long, as in the template.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A kind of file.
struct Case {
    name: &'static str,
    flow: &'static str,
    key: &'static str,
    counts: Counted,
    /// The file of this number of steps.
    file: fn(u64) -> Stored,
    metadata: &'static [(&'static str, &'static str)],
}

/// What is paid for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// Rows that were published.
    Rows,
    /// Calls to a target, held to the bar.
    Calls,
    /// The same, of which it is known that it misses the bar; by so much at most, in millionths of a dollar.
    CallsWithin(u64),
}

const STAGE: &[(&str, &str)] = &[
    ("drms-instance-id", "DERMS-NORTH"),
    ("message-id", "M-1"),
    ("event-id", "EV-1"),
    ("stage-id", "ST-1"),
    ("event-start-date-time", "2099-07-01T14:00:00-05:00"),
    ("event-end-date-time", "2099-07-01T16:00:00-05:00"),
];

const CASES: [Case; 8] = [
    case("file → file, clean", MEASUREMENTS, "kwh-avoided/1.csv", Counted::Rows, |steps| {
        made(Kind::KwhAvoided, steps, 17_000_000, 0)
    }),
    case("file → file, a bad row in a thousand", MEASUREMENTS, "kwh-avoided/2.csv", Counted::Rows, |steps| {
        made(Kind::KwhAvoided, steps, 17_000_000, 1000)
    }),
    case("file → file, every row to be acknowledged", EXTRACTS, "enrollment-sync/1.csv", Counted::Rows, extract),
    case("score parts", SCORES, "device-score/1.csv", Counted::Calls, |steps| made(Kind::Score, steps, 17_000_000, 0)),
    case(
        "score parts, a bad row in a thousand",
        SCORES,
        "device-score/2.csv",
        Counted::CallsWithin(3_000_000),
        |steps| made(Kind::Score, steps, 17_000_000, 1000),
    ),
    case("a call per acknowledgement", ACK_FILES, "enrollment-ack/1.csv", Counted::Calls, |steps| {
        Stored::Made(Arc::new(Content::numbered(Kind::EnrollmentAck, steps, steps * 300)))
    }),
    Case {
        metadata: STAGE,
        ..case("calls of 500 reservations", RESERVATIONS, "device-reservation/1.csv", Counted::Calls, reservations)
    },
    case("calls of 500 outcomes", OUTCOMES, "device-outcome/1.csv", Counted::Calls, outcomes),
];

const fn case(
    name: &'static str,
    flow: &'static str,
    key: &'static str,
    counts: Counted,
    file: fn(u64) -> Stored,
) -> Case {
    Case { name, flow, key, counts, file, metadata: &[] }
}

/// Prices each kind of file.
///
/// # Errors
/// When a function fails, or does nothing that could be priced.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let bar = setup.progress("cost", u64::try_from(CASES.len())?);
    let priced = stream::iter(&CASES).map(async |case| {
        let stage = Stage::with_targets(Duration::from_millis(50)).await?;
        let (short, long) = (process(setup, &stage, case, 1).await?, process(setup, &stage, case, 2).await?);
        bar.inc(1);
        case.figure(&short, &long)
    });
    let figures = priced.buffered(2).try_collect().await?;
    bar.finish_and_clear();
    Ok(figures)
}

/// What one file asked for.
struct Taken {
    counts: BTreeMap<String, u64>,
    units: u64,
}

async fn process(setup: &Setup, stage: &Stage, case: &Case, steps: u64) -> Result<Taken, Fault> {
    let stored = (case.file)(steps);
    let (size, rows) = (stored.size(), rows(&stored));
    let metadata = case.metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let version = locked(&stage.aws.objects).give_with("outbox", case.key, stored, metadata);
    stage.aws.reset();
    let calls = || stage.targets.as_ref().map(|targets| targets.take_arrivals()).unwrap_or_default();
    calls();
    let mut function = Function::start(&setup.binaries, case.flow, &stage.surroundings).await?;
    for attempt in 1.. {
        let answer = function.invoke(events::file(("outbox", case.key, &version), size, attempt), TIMEOUT).await?;
        if is_done(&answer.body.unwrap_or_default()) {
            break;
        }
    }
    function.kill().await?;
    let counts = stage.aws.counts.take();
    // A question after the target's health and the acknowledgement of the file are none of its calls.
    let calls = calls().iter().filter(|call| !["health", "acks"].contains(&call.about.as_str())).count();
    let units = if case.counts == Counted::Rows { rows } else { u64::try_from(calls)? };
    Ok(Taken { counts, units })
}

impl Case {
    fn figure(&self, short: &Taken, long: &Taken) -> Result<Figure, Fault> {
        let units = long.units.checked_sub(short.units).filter(|units| *units > 0);
        let units = units.ok_or(format!("{}: nothing was counted", self.name))?;
        let extra: BTreeMap<String, u64> = long
            .counts
            .iter()
            .map(|(operation, count)| (operation.clone(), count - count.min(short.counts.get(operation).unwrap_or(&0))))
            .collect();
        let each = price::of(&extra);
        let file = price::of(&short.counts).saturating_sub(each * u128::from(short.units) / u128::from(units));
        let (what, most, bar) = match self.counts {
            Counted::Rows => ("rows", ROWS.0, ROWS.1.to_owned()),
            Counted::Calls => ("calls", CALLS.0, CALLS.1.to_owned()),
            Counted::CallsWithin(most) => {
                let known = format!("{}; known to miss it, held to ${}", CALLS.1, most / 1_000_000);
                ("calls", most, known)
            }
        };
        let spread: Pico = if self.counts == Counted::Rows { file * u128::from(units) / u128::from(LONG) } else { 0 };
        let (micro, text) = price::per_million(each + spread, units);
        let value = format!(
            "{text} per million {what}, in requests; any file ${}; {}",
            six_digits(file / 1_000_000),
            price::itemised(&extra, units)
        );
        let name = format!("cost of {}: {}", self.flow, self.name);
        Ok(Figure::held(name, value, bar, micro <= u128::from(most)))
    }
}

fn six_digits(micro: Pico) -> String {
    format!("0.{micro:06}")
}

fn made(kind: Kind, steps: u64, size: u64, bad_every: u64) -> Stored {
    Stored::Made(Arc::new(Content::of_size(kind, size * steps, 42 + steps, bad_every)))
}

fn rows(stored: &Stored) -> u64 {
    match stored {
        Stored::Made(content) => content.rows(),
        other => {
            let lines = other.bytes().unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            u64::try_from(lines).unwrap_or(u64::MAX).saturating_sub(1)
        }
    }
}

fn held(header: &str, rows: u64, row: impl Fn(u64) -> String) -> Stored {
    let mut text = format!("{header}\n");
    (0..rows).for_each(|number| text.push_str(&row(number)));
    Stored::Held(Bytes::from(text))
}

fn extract(steps: u64) -> Stored {
    let header = "syncRequestId,syncFlag,action,subscriptionId,subscriptionType,status,programId,programCode,cisPersonId,\
                  cisAccountId,cisPremiseId,cisServicePointId,servicePointId,startDateTime,changeDateTime";
    held(header, steps * 85_000, |row| {
        format!(
            "1{row:013},F1IC,ENROLL,S-{row:09},DEVICE_CONTROL,ACTIVE,90000001,SUMMER-T,P-{row:09},A-{row:09},PR-{row:09},\
             CSP-{row:09},SP-{row:09},2026-06-01T00:00:00-05:00,2026-06-01T12:00:00-05:00\n"
        )
    })
}

fn reservations(steps: u64) -> Stored {
    held("recordId,nicId,headEndSystemId", steps * 310_000, |row| {
        format!("{row:09},nic-{row:09}-with-a-longer-address-of-a-device,HES-NORTH\n")
    })
}

fn outcomes(steps: u64) -> Stored {
    let header = "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,\
                  servicePointId,headEndSystemId,nicId,outcome,participationStartDateTime,participationEndDateTime";
    held(header, steps * 95_000, |row| {
        format!(
            "{row:09},EV-1,ECONOMIC,ST-1,2026-07-01T14:00:00-05:00,2026-07-01T16:00:00-05:00,90000001,SUMMER-T,SP-{row:09},\
             HES-NORTH,nic-{row:09},SUCCESS,2026-07-01T14:00:00-05:00,2026-07-01T16:00:00-05:00\n"
        )
    })
}
