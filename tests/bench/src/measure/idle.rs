//! What a stack costs in a month in which nothing happens, item by item, from the template itself.
//!
//! Two things go on all the same. `watch` runs by its schedule: its requests are counted in a run of the real binary. And
//! Lambda polls every queue that it takes messages from: AWS's knowledge center says that it long-polls though a queue
//! is not used, and its developer guide that it begins with five pollers of at most 20 seconds each.

use std::collections::BTreeMap;
use std::time::Duration;

use it::template::{Resource, Template, each, target};
use serde_json::Value;

use super::{Setup, Stage};
use crate::Fault;
use crate::function::{Function, WATCH};
use crate::price::{self, Pico};
use crate::report::{Figure, decimals};

/// The bar of architecture.md §6.
const BAR: Pico = 30 * price::DOLLAR;
/// Minutes of a month of 30 days.
const MINUTES: u64 = 30 * 24 * 60;
/// Pollers that Lambda keeps at a queue in which nothing is, and polls of each in a minute.
const POLLS: u64 = 5 * 3 * MINUTES;
/// A run of `watch`, with its start.
const RUN: Duration = Duration::from_secs(1);
/// What it writes into its log, in bytes, Lambda's own lines included.
const LOG: u128 = 4096;
/// A byte of log.
const LOG_BYTE: Pico = price::DOLLAR / 2 / 1_000_000_000;
/// A secret.
const SECRET: Pico = price::DOLLAR * 2 / 5;
/// A GB in the ledger, and as much for its restoring to any second.
const LEDGER_GB: Pico = price::DOLLAR * 45 / 100;

/// The month, and what it is made of.
///
/// # Errors
/// When `watch` fails, or the template has something whose price is not known here.
pub async fn run(setup: &Setup) -> Result<Vec<Figure>, Fault> {
    let template = Template::read();
    let mut items = resources(&template)?;
    items.extend(polls(&template)?);
    items.push(secrets(&template));
    let runs = scheduled(&template)?;
    items.push(("runs of watch".into(), runs, price::of(&watch(setup).await?) + LOG * LOG_BYTE));
    items.push(("GB in the ledger, with point-in-time recovery".into(), 1, LEDGER_GB));
    let sum = |items: &[Item]| items.iter().map(|(_, count, each)| u128::from(*count) * each).sum::<Pico>();
    let (all, own) = (sum(&items), sum(&without_cognito(&items)));
    let value = format!("{}; with a utility's own issuer of tokens {}", price::dollars(all), price::dollars(own));
    let mut figures = vec![Figure::held("idle: a month", value, "≤ $30", all <= BAR)];
    for (what, count, price) in items.iter().filter(|(_, count, price)| *count > 0 && *price > 0) {
        let value = format!("{} ({count})", price::dollars(u128::from(*count) * price));
        figures.push(Figure::told(format!("idle: {what}"), value));
    }
    Ok(figures)
}

/// What, how many, the price of one.
type Item = (String, u64, Pico);

fn resources(template: &Template) -> Result<Vec<Item>, Fault> {
    let mut counts = BTreeMap::<&str, u64>::new();
    for resource in template.resources() {
        *counts.entry(resource.kind).or_default() += 1;
    }
    let priced = |(kind, count): (&str, u64)| {
        let price = price::a_month(kind).ok_or(format!("what does {kind} cost in a month?"))?;
        Ok((kind.to_owned(), count, price))
    };
    counts.into_iter().map(priced).collect()
}

fn without_cognito(items: &[Item]) -> Vec<Item> {
    items.iter().filter(|(what, ..)| !what.starts_with("AWS::Cognito::")).cloned().collect()
}

/// Every queue that Lambda takes messages from, by the kinds of queues.
fn polls(template: &Template) -> Result<Vec<Item>, Fault> {
    let mut queues: Vec<&Value> = Vec::new();
    for function in template.of_kind("AWS::Serverless::Function") {
        queues.extend(events(&function, "SQS").filter_map(|event| event.pointer("/Properties/Queue")));
    }
    queues.extend(template.of_kind("AWS::Lambda::EventSourceMapping").map(|source| source.property("EventSourceArn")));
    let (mut fifo, mut standard) = (0, 0);
    for queue in queues {
        let queue = target(queue).and_then(|name| template.resource(name)).ok_or("a queue that is not there")?;
        *(if *queue.property("FifoQueue") == true { &mut fifo } else { &mut standard }) += 1;
    }
    let price = |operation: &str| price::of(&BTreeMap::from([(operation.to_owned(), POLLS)]));
    Ok(vec![
        ("polled queues, standard".into(), standard, price("AmazonSQS.ReceiveMessage, standard")),
        ("polled queues, FIFO".into(), fifo, price("AmazonSQS.ReceiveMessage")),
    ])
}

fn events<'a>(function: &Resource<'a>, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    let events = function.property("Events").as_object().into_iter().flatten().map(|(_, event)| event);
    events.filter(move |event| event.get("Type").is_some_and(|of| of == kind))
}

/// The secrets of the neighbours, which are made before the stack.
fn secrets(template: &Template) -> Item {
    let names = template.document.get("Parameters").and_then(Value::as_object).into_iter().flatten();
    let secrets = names.filter(|(name, _)| name.ends_with("Secret")).count();
    ("secrets".into(), u64::try_from(secrets).unwrap_or(u64::MAX), SECRET)
}

/// How often `watch` runs in a month; nothing else is scheduled.
fn scheduled(template: &Template) -> Result<u64, Fault> {
    let mut schedules = Vec::new();
    for function in template.of_kind("AWS::Serverless::Function") {
        let rates = events(&function, "Schedule").filter_map(|event| event.pointer("/Properties/Schedule"));
        schedules.extend(rates.map(|rate| (function.name, rate)));
    }
    let [("Watch", schedule)] = schedules.as_slice() else {
        return Err(format!("not only watch is scheduled: {schedules:?}").into());
    };
    let rate = each(schedule).filter_map(Value::as_str).next().unwrap_or_default();
    let minutes = rate.strip_prefix("rate(").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    Ok(MINUTES / minutes.parse::<u64>().map_err(|_| format!("{rate:?} is no rate in minutes"))?)
}

/// The requests of one run, by a process that has just started.
async fn watch(setup: &Setup) -> Result<BTreeMap<String, u64>, Fault> {
    let stage = Stage::with_targets(Duration::ZERO).await?;
    let mut function = Function::start(&setup.binaries, WATCH, &stage.surroundings).await?;
    function.invoke(it::repo::text("events/watch/trigger.json"), Duration::from_secs(120)).await?;
    function.kill().await?;
    let mut counts = stage.aws.counts.take();
    let asked = counts.get("DynamoDB.Query").copied().unwrap_or_default();
    if asked == 0 {
        return Err(format!("watch has looked at nothing: {}", decimals(asked.into(), 1)).into());
    }
    price::add_lambda(&mut counts, 1, RUN);
    Ok(counts)
}
