//! One stack: its ledger, and the queue of each flow.

use std::sync::Arc;

use aws::{Clients, DynamoTable, SqsQueue, SystemClock, Vars};
use domain::flows::{Flow, Kind};
use flow::ledger::Ledger;
use flow::ledger::message::Message;
use flow::ledger::open::Open;
use flow::ledger::run::{Run, RunId};
use flow::operate::{self, Messages, Refused, Runs};

use crate::Failed;

/// A stack as a person sees it.
pub struct Stack {
    name: String,
    clients: Clients,
    /// Its ledger.
    pub ledger: Ledger,
    /// The flows to look at; all if none.
    flows: Vec<String>,
}

impl Stack {
    /// The stack `name` in the account of the caller's credentials.
    pub async fn of(name: &str, flows: Vec<String>) -> Self {
        let clients = Clients::load(&Vars::from_env()).await;
        let ledger = Ledger::new(Arc::new(DynamoTable::new(&clients, format!("{name}-ledger"))));
        Self { name: name.to_owned(), clients, ledger, flows }
    }

    /// What waits for somebody, of the flows of these kinds.
    pub async fn open(&self, kinds: &[Kind]) -> Result<Vec<(String, Open)>, Failed> {
        let mut all = Vec::new();
        for flow in self.flows(kinds)? {
            let open = operate::open(&self.ledger, flow).await?;
            all.extend(open.into_iter().map(|open| (flow.to_owned(), open)));
        }
        Ok(all)
    }

    /// The latest runs, `most` of each flow.
    pub async fn latest(&self, most: usize) -> Result<Vec<(String, Run)>, Failed> {
        let mut all = Vec::new();
        for flow in self.flows(&[Kind::Files])? {
            let runs = self.runs(flow).latest(most).await?;
            all.extend(runs.into_iter().map(|run| (flow.to_owned(), run)));
        }
        Ok(all)
    }

    /// The flow that has run `id`, and the run.
    pub async fn run(&self, id: &RunId) -> Result<(Runs, Run), Failed> {
        for flow in self.flows(&[Kind::Files])? {
            let runs = self.runs(flow);
            match runs.get(id).await {
                Ok(run) => return Ok((runs, run)),
                Err(Refused::Unknown(_)) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(Refused::Unknown(format!("run {id}")).into())
    }

    /// The flow that has message `key`, and the message. Keys come from several systems: two flows may have the same.
    pub async fn message(&self, key: &str) -> Result<(Messages, Message), Failed> {
        let mut found = Vec::new();
        for flow in self.flows(&[Kind::Messages])? {
            let messages = self.messages(flow);
            match messages.get(key).await {
                Ok(message) => found.push((messages, message)),
                Err(Refused::Unknown(_)) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        let (Some(one), others) = (found.pop(), found) else {
            return Err(Refused::Unknown(format!("message {key}")).into());
        };
        if others.is_empty() {
            return Ok(one);
        }
        let flows: Vec<&str> = others.iter().chain([&one]).map(|(messages, _)| messages.flow.as_str()).collect();
        Err(Failed::Asked(format!("several flows have a message {key}: say which, FLOW= one of {}", flows.join(", "))))
    }

    /// The queue of `flow`.
    pub fn queue(&self, flow: &str) -> SqsQueue {
        SqsQueue::of_flow(&self.clients, &self.name, flow)
    }

    /// The flows that were asked for, of one of these kinds.
    fn flows(&self, kinds: &[Kind]) -> Result<Vec<&'static str>, Failed> {
        if self.flows.is_empty() {
            return Ok(kinds.iter().flat_map(|kind| Flow::of(*kind)).map(|flow| flow.name).collect());
        }
        let known = |name: &String| match Flow::named(name) {
            Some(flow) if kinds.contains(&flow.kind) => Ok(flow.name),
            Some(Flow { kind: Kind::Files, .. }) => Err(Failed::Asked(format!("{name} takes files, not messages"))),
            Some(_) => Err(Failed::Asked(format!("{name} takes messages, not files"))),
            None => Err(Failed::Asked(format!("there is no flow {name}"))),
        };
        self.flows.iter().map(known).collect()
    }

    fn runs(&self, flow: &str) -> Runs {
        let queue = Arc::new(self.queue(flow));
        Runs { flow: flow.to_owned(), ledger: self.ledger.clone(), queue, clock: Arc::new(SystemClock) }
    }

    fn messages(&self, flow: &str) -> Messages {
        let queue = Arc::new(self.queue(flow));
        Messages { flow: flow.to_owned(), ledger: self.ledger.clone(), queue, clock: Arc::new(SystemClock) }
    }
}
