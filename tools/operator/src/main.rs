//! `operator`: file runs and messages as a person sees them, and what a person decides about them and about stages of
//! events.
//!
//! It works on the ledger and the queues of one stack, with the credentials of whoever calls it: locally
//! (`eval "$(make -s env)"`), or in a real account.

mod show;
mod stack;
mod stages;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use domain::flows::Kind;
use flow::Transient;
use flow::ledger::message::Message;
use flow::ledger::run::{Run, RunId};
use flow::operate::Refused;
use flow::stage::NotSupplied;

use crate::stack::Stack;
use crate::stages::Left;

/// File runs, messages and stages of the demand-response platform: list, look, decide.
#[derive(Parser)]
#[command(name = "operator", version)]
struct Arguments {
    /// The stack, whose name begins the names of its ledger and queues.
    #[arg(long, env = "STACK")]
    stack: String,
    /// The flows to look at, separated by commas; all of them if none is named.
    #[arg(long = "flow", env = "FLOWS", value_delimiter = ',')]
    flows: Vec<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// All that waits for a person or for an answer, runs and messages, the oldest of each kind first.
    Open,
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
    /// Do not deliver a held run; leave one that was given up at that.
    Discard {
        /// The run's id.
        id: RunId,
    },
    /// Send what a run that was given up has not delivered.
    Replay {
        /// The run's id.
        id: RunId,
    },
    /// Leave a delivered file whose acknowledgements do not come at that.
    DropAnswers {
        /// The run's id.
        id: RunId,
    },
    /// The messages that were refused, have failed, or wait for their answer.
    Messages,
    /// One message: its state, its reason, its order. Its body is not shown.
    Message {
        /// The message's key.
        #[arg(value_parser = key)]
        id: String,
    },
    /// Send a message again that did not end well, or whose answer does not come, with the body that it has.
    Resend {
        /// The message's key.
        #[arg(value_parser = key)]
        id: String,
        /// Also if a newer message of the same order has been delivered since.
        #[arg(long)]
        force: bool,
    },
    /// Leave a message that did not end well, or whose answer does not come, at that.
    DropMessage {
        /// The message's key.
        #[arg(value_parser = key)]
        id: String,
    },
    /// Ask for the status that a stage's next one waits for, when it is known to have happened.
    SupplyPredecessor {
        /// The stage, as `<event>/<stage>`; notices name it so.
        id: String,
    },
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// It was asked for in a way that makes no sense.
    #[error("{0}")]
    Asked(String),
    /// It cannot be done to this run or message.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot be done to this stage.
    #[error(transparent)]
    Stage(#[from] Left),
}

impl From<Transient> for Failed {
    fn from(fault: Transient) -> Self {
        Self::Refused(fault.into())
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]
async fn main() -> ExitCode {
    match obey(&Arguments::parse()).await {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(Failed::Refused(Refused::Transient(fault)) | Failed::Stage(Left::Not(NotSupplied::Transient(fault)))) => {
            eprintln!("operator: {}", fault.chain());
            ExitCode::from(2)
        }
        Err(refused) => {
            eprintln!("operator: {refused}");
            ExitCode::FAILURE
        }
    }
}

async fn obey(arguments: &Arguments) -> Result<String, Failed> {
    let flows: Vec<String> = arguments.flows.iter().filter(|flow| !flow.is_empty()).cloned().collect();
    let stack = Stack::of(&arguments.stack, flows).await;
    match &arguments.verb {
        Verb::Open => Ok(show::open(&stack.open(&[Kind::Files, Kind::Messages]).await?)),
        Verb::Runs { most } => Ok(show::runs(&stack.latest(*most).await?)),
        Verb::Run { id } => {
            let (runs, run) = stack.run(id).await?;
            Ok(show::run(&arguments.stack, &runs.flow, &run))
        }
        Verb::Release { id } => Ok(run_is(&stack.run(id).await?.0.release(id).await?)),
        Verb::Discard { id } => Ok(run_is(&stack.run(id).await?.0.discard(id).await?)),
        Verb::Replay { id } => Ok(run_is(&stack.run(id).await?.0.replay(id).await?)),
        Verb::DropAnswers { id } => Ok(is_left(&stack.run(id).await?.0.drop_answers(id).await?)),
        Verb::Messages => Ok(show::open(&stack.open(&[Kind::Messages]).await?)),
        Verb::Message { id } => {
            let (messages, message) = stack.message(id).await?;
            Ok(show::message(&messages.flow, &message))
        }
        Verb::Resend { id, force } => Ok(message_is(&stack.message(id).await?.0.resend(id, *force).await?)),
        Verb::DropMessage { id } => Ok(message_is(&stack.message(id).await?.0.discard(id).await?)),
        Verb::SupplyPredecessor { id } => Ok(stages::supply_predecessor(&stack, id).await?),
    }
}

fn run_is(run: &Run) -> String {
    format!("run {} is {} now", run.id, run.state.word())
}

fn is_left(run: &Run) -> String {
    format!("run {} waits for no acknowledgements any more", run.id)
}

fn message_is(message: &Message) -> String {
    format!("message {} is {} now, attempt {}", message.key, message.state.word(), message.attempt)
}

/// A key of a message is any text, but not none.
fn key(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        Err("a message is named by its key, as `make messages` and notices show it")
    } else {
        Ok(text.to_owned())
    }
}
