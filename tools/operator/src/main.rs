//! `operator`: file runs as a person sees them, and what a person decides about them.
//!
//! It works on the ledger and the queues of one stack, with the credentials of whoever calls it: locally
//! (`eval "$(make -s env)"`), or in a real account.

mod show;

use std::process::ExitCode;
use std::sync::Arc;

use aws::{Clients, DynamoTable, SqsQueue, SystemClock, Vars};
use clap::{Parser, Subcommand};
use flow::Transient;
use flow::ledger::Ledger;
use flow::ledger::run::{Run, RunId};
use flow::operate::{Refused, Runs};

/// File runs of the demand-response platform: list them, look at one, decide about one.
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
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]
async fn main() -> ExitCode {
    match obey(&Arguments::parse()).await {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(Refused::Transient(fault)) => {
            eprintln!("operator: {}", fault.chain());
            ExitCode::from(2)
        }
        Err(refused) => {
            eprintln!("operator: {refused}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(arguments: &Arguments) -> Result<String, Refused> {
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
    }
}

fn decided(run: Run) -> Result<String, Refused> {
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
