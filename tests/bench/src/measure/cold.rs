//! From the start of the process to its first answer, every client used once.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::{Setup, Stage};
use crate::aws::Stored;
use crate::content::{Content, Kind};
use crate::function::{ACKNOWLEDGEMENTS, ENROLLMENTS, Function, MEASUREMENTS, SCORES};
use crate::report::{Figure, median, millis};
use crate::{Fault, events};

/// The bar of the median.
const BAR: Duration = Duration::from_millis(40);
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Times {
    /// To the first answer.
    answered: Vec<Duration>,
    /// To the first question for an event: reading the binary, clients built.
    asked: Vec<Duration>,
    /// CPU time at the first answer.
    cpu: Vec<Duration>,
}

/// Starts each function anew, one after the other, so that what else the machine does meets all alike.
///
/// # Errors
/// When a function fails.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let mut stage = Stage::with_targets(Duration::ZERO).await?;
    // Functions that follow each other share the rate of a target; waiting for a slot is no part of a start.
    stage.surroundings.rate = 100_000;
    let bar = setup.progress("cold starts", u64::try_from(setup.starts)?);
    let mut times: BTreeMap<&'static str, Times> = BTreeMap::new();
    for number in 0..u64::try_from(setup.starts)? {
        stage.aws.reset();
        for (name, flow, kind) in [
            ("file → REST: a file with a bad row", SCORES, Kind::Score),
            ("file → file: a file with a bad row", MEASUREMENTS, Kind::KwhAvoided),
        ] {
            let event = small_file(&stage, kind);
            times.entry(name).or_default().add(setup, &stage, flow, event).await?;
        }
        for (name, flow, path, body) in [
            ("message, door: enrollment", ENROLLMENTS, "/v1/dacs/enrollment-sync", events::enrollment(number)),
            (
                "message, door: acknowledgement",
                ACKNOWLEDGEMENTS,
                "/v1/derms/enrollment-ack",
                events::acknowledgement(number),
            ),
        ] {
            let event = events::request(path, &body, &format!("cold-{number}"));
            times.entry(name).or_default().add(setup, &stage, flow, event).await?;
        }
        for (name, flow) in
            [("message, worker: enrollment", ENROLLMENTS), ("message, worker: acknowledgement", ACKNOWLEDGEMENTS)]
        {
            let messages = stage.aws.take_messages(&crate::function::queue(flow));
            let event = events::batch(&messages, 1);
            times.entry(name).or_default().add(setup, &stage, flow, event).await?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(times.iter().map(|(name, times)| times.figure(name)).collect())
}

impl Times {
    async fn add(&mut self, setup: &Setup, stage: &Stage, flow: &str, event: String) -> Result<(), Fault> {
        let mut function = Function::start(&setup.binaries, flow, &stage.surroundings).await?;
        let answer = function.invoke(event, TIMEOUT).await?;
        self.answered.push(answer.at.duration_since(function.started));
        self.cpu.push(function.cpu());
        self.asked.extend(function.runtime.asked().map(|asked| asked.duration_since(function.started)));
        function.kill().await
    }

    fn figure(&self, name: &str) -> Figure {
        let middle = |times: &[Duration]| median(times).unwrap_or_default();
        let answered = middle(&self.answered);
        let value = format!(
            "{} (first question after {}; {} CPU; n = {})",
            millis(answered),
            millis(middle(&self.asked)),
            millis(middle(&self.cpu)),
            self.answered.len()
        );
        Figure::held(format!("cold start, {name}"), value, format!("median ≤ {} ms", BAR.as_millis()), answered <= BAR)
    }
}

/// A file of three rows, the last of which is bad: so rejects are written and people are told.
fn small_file(stage: &Stage, kind: Kind) -> String {
    let content = std::sync::Arc::new(Content::of_size(kind, 600, 1, 0));
    let mut bytes: Vec<u8> = content.range(0, u64::MAX).flatten().collect();
    bytes.extend_from_slice(b"not,a,row\n");
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let version = stage.give("outbox", "cold/small.csv", Stored::Held(Bytes::from(bytes)));
    events::file(("outbox", "cold/small.csv", &version), size, 1)
}
