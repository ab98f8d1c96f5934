//! Messages through door and worker: CPU time, requests to AWS, throughput against a target that takes 1 ms.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::files::is_done;
use super::{Setup, Stage};
use crate::aws::Queued;
use crate::function::{ACKNOWLEDGEMENTS, ENROLLMENTS, EVENT_STATUS, Function, queue, succeeded};
use crate::report::{Figure, decimals, mebibytes, millis, per_second};
use crate::{Fault, clock, events, price};

const TIMEOUT: Duration = Duration::from_secs(60);
const CPU_BAR: Duration = Duration::from_millis(1);
const CALLS_BAR: u64 = 3;
const RATE_BAR: u64 = 500;
const MEMORY_BAR: u64 = 64 << 20;
const COST_BAR: u128 = 7_000_000;
/// Messages of one batch of a FIFO queue.
const BATCH: usize = 10;
/// Messages that come alone, each after a pause in which reserved slots grow stale.
const ALONE: usize = 10;

struct Flow {
    name: &'static str,
    path: &'static str,
    body: fn(u64) -> String,
}

/// What a number of messages took.
struct Taken {
    messages: u64,
    cpu: Duration,
    wall: Duration,
    high_water: u64,
    counts: BTreeMap<String, u64>,
}

/// Message flows of each kind.
///
/// # Errors
/// When a message is not accepted or not delivered.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let mut stage = Stage::with_targets(Duration::from_millis(1)).await?;
    // The rate of the target is not what is measured.
    stage.surroundings.rate = 100_000;
    let flows = [
        Flow { name: ENROLLMENTS, path: "/v1/dacs/enrollment-sync", body: events::enrollment },
        Flow { name: ACKNOWLEDGEMENTS, path: "/v1/derms/enrollment-ack", body: events::acknowledgement },
        Flow { name: EVENT_STATUS, path: "/v1/derms/event-status", body: events::event_status },
    ];
    let bar = setup.progress("messages", 9);
    let mut figures = Vec::new();
    for flow in flows {
        stage.aws.reset();
        let door = door(setup, &stage, &flow).await?;
        bar.inc(1);
        let mut messages = stage.aws.take_messages(&queue(flow.name));
        let alone = alone(setup, &stage, &flow, &messages.split_off(messages.len() - ALONE)).await?;
        bar.inc(1);
        let worker = worker(setup, &stage, &flow, &messages).await?;
        bar.inc(1);
        figures.extend(both(&flow, &door, &alone, &worker));
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
        let answer = function.invoke(event, TIMEOUT).await?;
        let answer: Value = serde_json::from_slice(&answer.body.unwrap_or_default())?;
        if answer.get("statusCode").and_then(Value::as_u64) != Some(202) {
            return Err(format!("{}: not accepted: {answer}", flow.name).into());
        }
    }
    let taken = measuring.end(&function, stage, setup.messages);
    function.kill().await?;
    Ok(taken)
}

/// One message at a time, so that every request waits for the one before.
async fn alone(setup: &Setup, stage: &Stage, flow: &Flow, messages: &[Queued]) -> Result<Taken, Fault> {
    let mut function = Function::start(&setup.binaries, flow.name, &stage.surroundings).await?;
    let (first, rest) = messages.split_first().ok_or("no messages")?;
    deliver(&mut function, std::slice::from_ref(first)).await?;
    let measuring = Measuring::new(&function, stage);
    for message in rest {
        tokio::time::sleep(Duration::from_millis(200)).await;
        deliver(&mut function, std::slice::from_ref(message)).await?;
    }
    let taken = measuring.end(&function, stage, u64::try_from(rest.len())?);
    function.kill().await?;
    Ok(taken)
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

    fn cpu_figure(&self, flow: &Flow, who: &str) -> Figure {
        let cpu = self.cpu_of_one();
        Figure::held(format!("{} {who}: CPU of a message", flow.name), millis(cpu), "≤ 1 ms", cpu <= CPU_BAR)
    }

    fn calls_figure(&self, flow: &Flow, who: &str) -> Figure {
        let all: u64 = self.requests().map(|(_, count)| count).sum();
        let each = |count: u64| decimals(count.into(), self.messages.max(1).into());
        let itemised: Vec<String> =
            self.requests().map(|(operation, count)| format!("{operation} {}", each(*count))).collect();
        let value = format!("{} ({})", each(all), itemised.join(", "));
        Figure::held(
            format!("{} {who}: AWS calls of a message", flow.name),
            value,
            "≤ 3 in sequence",
            all <= CALLS_BAR * self.messages,
        )
    }

    fn memory_figure(&self, flow: &Flow, who: &str) -> Figure {
        let most = self.high_water;
        Figure::held(format!("{} {who}: VmHWM", flow.name), mebibytes(most), "≤ 64 MiB", most <= MEMORY_BAR)
    }
}

fn both(flow: &Flow, door: &Taken, alone: &Taken, worker: &Taken) -> Vec<Figure> {
    let rate = per_second(worker.messages, worker.wall);
    vec![
        door.cpu_figure(flow, "door"),
        door.calls_figure(flow, "door"),
        door.memory_figure(flow, "door"),
        worker.cpu_figure(flow, "worker, batches of ten"),
        worker.calls_figure(flow, "worker, batches of ten"),
        worker.memory_figure(flow, "worker"),
        Figure::held(
            format!("{} worker: messages a second, 1 ms target", flow.name),
            rate.to_string(),
            "≥ 500",
            rate >= RATE_BAR,
        ),
        alone.cpu_figure(flow, "worker, one at a time"),
        alone.calls_figure(flow, "worker, one at a time"),
        cost(flow, door, worker),
    ]
}

/// Door and worker of one message, the gateway, and the requests by which Lambda reads the queue.
fn cost(flow: &Flow, door: &Taken, worker: &Taken) -> Figure {
    let mut counts = door.counts.clone();
    for (operation, count) in &worker.counts {
        let scaled = u128::from(*count) * u128::from(door.messages) / u128::from(worker.messages.max(1));
        *counts.entry(operation.clone()).or_default() += u64::try_from(scaled).unwrap_or(u64::MAX);
    }
    let batches = door.messages.div_ceil(10);
    let time = door.cpu + worker.cpu * u32::try_from(door.messages / worker.messages.max(1)).unwrap_or(1);
    price::add_lambda(&mut counts, door.messages + batches, time);
    counts.insert("HTTP API request".to_owned(), door.messages);
    // A batch is received and deleted by one request each.
    counts.insert("AmazonSQS.ReceiveMessage and DeleteMessageBatch".to_owned(), 2 * batches);
    let (micro, text) = price::per_million(price::of(&counts), door.messages);
    let value = format!("{text} per million; each: {}", price::itemised(&counts, door.messages));
    Figure::held(format!("{}: price of a message", flow.name), value, "≤ $7 per million", micro <= COST_BAR)
}
