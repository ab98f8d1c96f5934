//! `operator`: file runs as a person sees them, and what a person decides about them and about stages of events.
//!
//! It works on the ledger and the queues of one stack, with the credentials of whoever calls it: locally
//! (`eval "$(make -s env)"`), or in a real account.

mod show;
mod stages;

use std::process::ExitCode;
use std::sync::Arc;

use aws::{Clients, DynamoTable, SqsQueue, SystemClock, Vars};
use clap::{Parser, Subcommand};
use flow::Transient;
use flow::ledger::Ledger;
use flow::ledger::run::{Run, RunId};
use flow::operate::{Refused, Runs};
use flow::stage::NotSupplied;
use stages::Left;

/// File runs and stages of the demand-response platform: list, look, decide.
#[derive(Parser)]
#[command(name = "operator", version)]
struct Arguments {
    /// The stack, whose name begins the names of its ledger and queues.
    #[arg(long, env = "STACK")]
    stack: String,
    /// The flows to look at, separated by commas.
    #[arg(long = "flow", env = "FLOWS", value_delimiter = ',', required = true)]
    flows: Vec<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// The latest runs, the newest first.
    Runs {
        /// How many of each flow.
        #[arg(long, default_value_t = 20)]
        most: usize,
    },
    /// One run: its books, its reason, where its rejects are.
    Run {
        /// The run's id.
        id: RunId,
    },
    /// Deliver a held run without its rejected rows.
    Release {
        /// The run's id.
        id: RunId,
    },
    /// Do not deliver a held run.
    Discard {
        /// The run's id.
        id: RunId,
    },
    /// Send what a run that was given up has not delivered.
    Replay {
        /// The run's id.
        id: RunId,
    },
    /// Ask for the status that a stage's next one waits for, when it is known to have happened.
    SupplyPredecessor {
        /// The stage, as `<event>/<stage>`; notices name it so.
        id: String,
    },
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]
async fn main() -> ExitCode {
    match obey(&Arguments::parse()).await {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(Failed::Run(Refused::Transient(fault)) | Failed::Stage(Left::Not(NotSupplied::Transient(fault)))) => {
            eprintln!("operator: {}", fault.chain());
            ExitCode::from(2)
        }
        Err(refused) => {
            eprintln!("operator: {refused}");
            ExitCode::FAILURE
        }
    }
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Run(#[from] Refused),
    #[error(transparent)]
    Stage(#[from] Left),
}

impl From<Transient> for Failed {
    fn from(fault: Transient) -> Self {
        Self::Run(fault.into())
    }
}

async fn obey(arguments: &Arguments) -> Result<String, Failed> {
    let clients = Clients::load(&Vars::from_env()).await;
    match &arguments.verb {
        Verb::Runs { most } => {
            let mut all = Vec::new();
            for flow in &arguments.flows {
                let runs = open(&clients, &arguments.stack, flow).await?.latest(*most).await?;
                all.extend(runs.into_iter().map(|run| (flow.clone(), run)));
            }
            Ok(show::list(&all))
        }
        Verb::Run { id } => {
            let (runs, run) = find(&clients, arguments, id).await?;
            Ok(show::one(&arguments.stack, &runs.flow, &run))
        }
        Verb::Release { id } => decided(find(&clients, arguments, id).await?.0.release(id).await?),
        Verb::Discard { id } => decided(find(&clients, arguments, id).await?.0.discard(id).await?),
        Verb::Replay { id } => decided(find(&clients, arguments, id).await?.0.replay(id).await?),
        Verb::SupplyPredecessor { id } => Ok(stages::supply_predecessor(&clients, &arguments.stack, id).await?),
    }
}

fn decided(run: Run) -> Result<String, Failed> {
    Ok(format!("run {} is {} now", run.id, run.state.word()))
}

/// The flow that has run `id`, and the run.
async fn find(clients: &Clients, arguments: &Arguments, id: &RunId) -> Result<(Runs, Run), Refused> {
    for flow in &arguments.flows {
        let runs = open(clients, &arguments.stack, flow).await?;
        match runs.get(id).await {
            Ok(run) => return Ok((runs, run)),
            Err(Refused::Unknown(_)) => {}
            Err(refused) => return Err(refused),
        }
    }
    Err(Refused::Unknown(id.clone()))
}

async fn open(clients: &Clients, stack: &str, flow: &str) -> Result<Runs, Transient> {
    Ok(Runs {
        flow: flow.to_owned(),
        ledger: Ledger::new(Arc::new(DynamoTable::new(clients, format!("{stack}-ledger")))),
        queue: Arc::new(SqsQueue::named(clients, &format!("{stack}-{flow}")).await?),
        clock: Arc::new(SystemClock),
    })
}
