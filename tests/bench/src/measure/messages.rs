//! Messages through door and worker: CPU time, requests to AWS, throughput against a target that takes 1 ms.

mod flows;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use self::flows::Flow;
use super::files::is_done;
use super::{Setup, Stage};
use crate::aws::{Queued, SLOTS};
use crate::function::{Function, queue, succeeded};
use crate::report::{Figure, decimals, mebibytes, median, millis, per_second};
use crate::{Fault, clock, events, price};

const TIMEOUT: Duration = Duration::from_secs(60);
const CPU_BAR: Duration = Duration::from_millis(1);
const DOOR_CALLS_BAR: u64 = 3;
const RATE_BAR: u64 = 500;
const MEMORY_BAR: u64 = 64 << 20;
/// For a million messages (architecture.md §6).
const DOLLARS: u128 = 7;
/// Messages of one batch of a FIFO queue.
const BATCH: usize = 10;
/// Messages that come alone, each after a pause in which reserved slots grow stale.
const ALONE: usize = 10;
/// What AWS takes for each request of theirs, so that those that wait for one another are told from those that do not.
const AWS_TAKES: Duration = Duration::from_millis(8);

/// What a number of messages took.
struct Taken {
    messages: u64,
    cpu: Duration,
    wall: Duration,
    high_water: u64,
    counts: BTreeMap<String, u64>,
}

/// What messages took that came one at a time.
struct Alone {
    taken: Taken,
    /// AWS calls in sequence, of the message in the middle.
    in_sequence: u64,
}

/// Message flows of each kind.
///
/// # Errors
/// When a message is not accepted or not delivered.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let mut stage = Stage::with_targets(Duration::from_millis(1)).await?;
    // The rate of the target is not what is measured.
    stage.surroundings.rate = 100_000;
    let mut flows = flows::all();
    flows.retain(|flow| setup.flows.is_empty() || setup.flows.iter().any(|name| name == flow.name));
    let bar = setup.progress("messages", u64::try_from(flows.len())?);
    let mut figures = Vec::new();
    for flow in flows {
        stage.aws.reset();
        let door = door(setup, &stage, &flow).await?;
        if flow.is_patient() {
            figures.extend(flow.door_figures(&door));
        }
        let mut messages = stage.aws.take_messages(&queue(flow.name));
        if messages.is_empty() {
            figures.extend(flow.costs(&door, None));
        } else {
            let alone = alone(setup, &stage, &flow, &messages.split_off(messages.len() - ALONE)).await?;
            let worker = worker(setup, &stage, &flow, &messages).await?;
            figures.extend(flow.worker_figures(&alone, &worker));
            figures.extend(flow.costs(&door, Some(&worker)));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(figures)
}

async fn door(setup: &Setup, stage: &Stage, flow: &Flow) -> Result<Taken, Fault> {
    let mut function = Function::start(&setup.binaries, flow.name, &stage.surroundings).await?;
    let warm = setup.messages / 10 + 1;
    let events: Vec<String> = (0..warm + setup.messages)
        .map(|number| events::request(flow.path, &(flow.body)(number), &format!("request-{number}")))
        .collect();
    let mut measuring = Measuring::new(&function, stage);
    for (number, event) in (0..).zip(events) {
        if number == warm {
            measuring = Measuring::new(&function, stage);
        }
        let answer = function.invoke(event, flow.patience).await?;
        let answer: Value = serde_json::from_slice(&answer.body.unwrap_or_default())?;
        if answer.get("statusCode").and_then(Value::as_u64) != Some(flow.status) {
            return Err(format!("{}: not accepted: {answer}", flow.called).into());
        }
    }
    let taken = measuring.end(&function, stage, setup.messages);
    function.kill().await?;
    Ok(taken)
}

/// One message at a time, so that every request waits for the one before, unless both are made side by side.
async fn alone(setup: &Setup, stage: &Stage, flow: &Flow, messages: &[Queued]) -> Result<Alone, Fault> {
    let mut function = Function::start(&setup.binaries, flow.name, &stage.surroundings).await?;
    let (first, rest) = messages.split_first().ok_or("no messages")?;
    deliver(&mut function, std::slice::from_ref(first)).await?;
    stage.aws.answer_after(AWS_TAKES);
    let measuring = Measuring::new(&function, stage);
    let mut in_sequence = Vec::new();
    for message in rest {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stage.aws.counts.take_in_sequence();
        deliver(&mut function, std::slice::from_ref(message)).await?;
        in_sequence.push(stage.aws.counts.take_in_sequence());
    }
    stage.aws.answer_after(Duration::ZERO);
    let taken = measuring.end(&function, stage, u64::try_from(rest.len())?);
    function.kill().await?;
    Ok(Alone { taken, in_sequence: median(&in_sequence).unwrap_or(u64::MAX) })
}

async fn deliver(function: &mut Function, messages: &[Queued]) -> Result<(), Fault> {
    let answer = function.invoke(events::batch(messages, 1), TIMEOUT).await?;
    if is_done(&answer.body.unwrap_or_default()) { Ok(()) } else { Err("a message was handed back".into()) }
}

/// Full batches, the next one always waiting.
async fn worker(setup: &Setup, stage: &Stage, flow: &Flow, messages: &[Queued]) -> Result<Taken, Fault> {
    let mut function = Function::start(&setup.binaries, flow.name, &stage.surroundings).await?;
    let warm = messages.len() / 10 / BATCH * BATCH;
    let (warming, measured) = messages.split_at(warm);
    for batch in warming.chunks(BATCH) {
        deliver(&mut function, batch).await?;
    }
    let measuring = Measuring::new(&function, stage);
    let runtime = &function.runtime;
    let batches = stream::iter(measured.chunks(BATCH)).map(|batch| async move {
        let answer = runtime.invoke(runtime.request_id(), events::batch(batch, 1), TIMEOUT).await?;
        Ok::<_, Fault>(is_done(&succeeded(answer)?.body.unwrap_or_default()))
    });
    let mut batches = batches.buffered(2);
    while let Some(done) = batches.next().await {
        if !done? {
            return Err(format!("{}: a message was handed back", flow.name).into());
        }
    }
    drop(batches);
    let taken = measuring.end(&function, stage, u64::try_from(measured.len())?);
    function.kill().await?;
    Ok(taken)
}

struct Measuring {
    cpu: Duration,
    since: std::time::Instant,
}

impl Measuring {
    fn new(function: &Function, stage: &Stage) -> Self {
        stage.aws.counts.take();
        Self { cpu: function.cpu(), since: clock::instant() }
    }

    fn end(&self, function: &Function, stage: &Stage, messages: u64) -> Taken {
        Taken {
            messages,
            cpu: function.cpu().saturating_sub(self.cpu),
            wall: self.since.elapsed(),
            high_water: function.high_water(),
            counts: stage.aws.counts.take(),
        }
    }
}

impl Taken {
    fn cpu_of_one(&self) -> Duration {
        self.cpu / u32::try_from(self.messages).unwrap_or(u32::MAX).max(1)
    }

    fn requests(&self) -> impl Iterator<Item = (&String, &u64)> {
        self.counts.iter().filter(|(operation, _)| operation.contains('.'))
    }

    /// `2.10 (DynamoDB.BatchGetItem 1.00, …)`
    fn calls(&self) -> String {
        let all: u64 = self.requests().map(|(_, count)| count).sum();
        let each = |count: u64| decimals(count.into(), self.messages.max(1).into());
        let itemised: Vec<String> =
            self.requests().map(|(operation, count)| format!("{operation} {}", each(*count))).collect();
        format!("{} ({})", each(all), itemised.join(", "))
    }

    /// Whether a message made `most` requests at most, in whatever sequence.
    fn calls_within(&self, most: u64) -> bool {
        self.requests().map(|(_, count)| count).sum::<u64>() <= most * self.messages
    }
}

impl Flow {
    fn figure(&self, what: &str, value: String, bar: &str, met: bool) -> Figure {
        Figure::held(format!("{} {what}", self.called), value, bar, met)
    }

    fn cpu(&self, who: &str, taken: &Taken) -> Figure {
        let cpu = taken.cpu_of_one();
        self.figure(&format!("{who}: CPU of a message"), millis(cpu), "≤ 1 ms", cpu <= CPU_BAR)
    }

    fn memory(&self, who: &str, taken: &Taken) -> Figure {
        let most = taken.high_water;
        self.figure(&format!("{who}: VmHWM"), mebibytes(most), "≤ 64 MiB", most <= MEMORY_BAR)
    }

    fn door_figures(&self, door: &Taken) -> Vec<Figure> {
        let met = door.calls_within(DOOR_CALLS_BAR);
        vec![
            self.cpu("door", door),
            self.figure("door: AWS calls of a message", door.calls(), "≤ 3 in sequence", met),
            self.memory("door", door),
        ]
    }

    fn worker_figures(&self, alone: &Alone, worker: &Taken) -> Vec<Figure> {
        let rate = per_second(worker.messages, worker.wall);
        let bar = self.calls_bar();
        let in_sequence = format!("{} in sequence, {} in all", alone.in_sequence, alone.taken.calls());
        let within = worker.calls_within(self.calls_in_all);
        vec![
            self.cpu("worker, batches of ten", worker),
            self.figure("worker, batches of ten: AWS calls of a message", worker.calls(), &bar, within),
            self.memory("worker", worker),
            self.figure("worker: messages a second, 1 ms target", rate.to_string(), "≥ 500", rate >= RATE_BAR),
            self.cpu("worker, one at a time", &alone.taken),
            self.figure(
                "worker, one at a time: AWS calls of a message",
                in_sequence,
                &bar,
                alone.in_sequence <= self.calls,
            ),
        ]
    }

    /// Door and worker of one message, the gateway, and the requests by which Lambda reads the queue; and the same without
    /// slots, which are reserved again where the machine is too slow to use them in time.
    fn costs(&self, door: &Taken, worker: Option<&Taken>) -> [Figure; 2] {
        let (mut counts, mut invocations, mut time) = (door.counts.clone(), door.messages, door.cpu);
        if let Some(worker) = worker {
            for (operation, count) in &worker.counts {
                let scaled = u128::from(*count) * u128::from(door.messages) / u128::from(worker.messages.max(1));
                *counts.entry(operation.clone()).or_default() += u64::try_from(scaled).unwrap_or(u64::MAX);
            }
            let batches = door.messages.div_ceil(10);
            invocations += batches;
            time += worker.cpu * u32::try_from(door.messages / worker.messages.max(1)).unwrap_or(1);
            // A batch is received and deleted by one request each.
            counts.insert("AmazonSQS.ReceiveMessage and DeleteMessageBatch".to_owned(), 2 * batches);
        }
        price::add_lambda(&mut counts, invocations, time);
        counts.insert("HTTP API request".to_owned(), door.messages);
        let whole = self.price("price of a message", &counts, door.messages);
        counts.remove(SLOTS);
        [whole, self.price("price of a message without slots", &counts, door.messages)]
    }

    fn price(&self, what: &str, counts: &BTreeMap<String, u64>, messages: u64) -> Figure {
        let (micro, text) = price::per_million(price::of(counts), messages);
        let value = format!("{text} per million; each: {}", price::itemised(counts, messages));
        let met = micro <= DOLLARS * 1_000_000;
        self.figure(&format!("door and worker: {what}"), value, &format!("≤ ${DOLLARS} per million"), met)
    }
}
