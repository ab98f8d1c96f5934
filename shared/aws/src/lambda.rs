//! What a function's `main.rs` needs, and nothing that it could get wrong.
//!
//! ```text
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), lambda::Error> {
//!     let vars = Vars::from_env();
//!     lambda::log(&vars)?;
//!     let clients = Clients::load(&vars).await;
//!     let flow = Flow::from_vars(&vars, &clients)?;
//!     lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
//! }
//! ```

mod event;
mod reply;

#[cfg(test)]
mod tests;

use std::io;

use flow::Transient;
use flow::dead_letters::DeadLetter;
use flow::ports::Clock;
use flow::trigger::{Invocation, Reply, Trigger};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{BadVar, SystemClock, Vars};

pub use event::Malformed;
/// What `main` returns: any error, printed by Lambda as the reason why the function did not start.
pub use lambda_runtime::Error;
use reply::Wire;

/// Why an invocation failed, as Lambda reports it: a name to filter by, and a sentence.
#[derive(Debug)]
pub struct Failed {
    name: &'static str,
    why: String,
}

impl From<Transient> for Failed {
    fn from(fault: Transient) -> Self {
        Self { name: "Transient", why: fault.chain() }
    }
}

impl From<Malformed> for Failed {
    fn from(fault: Malformed) -> Self {
        Self { name: "MalformedEvent", why: fault.to_string() }
    }
}

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Self {
        Self { error_type: failed.name.to_owned(), error_message: failed.why }
    }
}

/// Sends the log to stderr as lines of JSON: level, target, message and fields, without a time, which CloudWatch adds.
/// `LOG_LEVEL` may hold another level than `info`, also by target: `info,flow=debug`.
///
/// # Errors
/// [`BadVar`] when `LOG_LEVEL` is malformed.
pub fn log(vars: &Vars) -> Result<(), BadVar> {
    let wanted = "a level such as info, or info,flow=debug";
    let levels: Targets = vars
        .optional("LOG_LEVEL")
        .unwrap_or("info")
        .parse()
        .map_err(|_| BadVar::Malformed { name: "LOG_LEVEL", wanted })?;
    let lines = tracing_subscriber::fmt::layer().json().without_time().with_writer(io::stderr);
    tracing_subscriber::registry().with(levels).with(lines).init();
    Ok(())
}

/// Serves invocations one after the other, for as long as Lambda keeps the process.
///
/// # Errors
/// When the runtime API is lost; an invocation that fails is reported and does not end the loop.
pub async fn run<Handle, Handled>(handle: Handle) -> Result<(), Error>
where
    Handle: Fn(Trigger, Invocation) -> Handled,
    Handled: Future<Output = Result<Reply, Transient>>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        answer(handle, &event.payload, &event.context).await.inspect_err(|failed| {
            tracing::error!(name = failed.name, why = failed.why, "the invocation failed");
        })
    }))
    .await
}

/// Serves the dead-letter queues of all flows: each batch comes from one of them.
///
/// # Errors
/// As [`run`].
pub async fn run_dead_letters<Handle, Handled>(handle: Handle) -> Result<(), Error>
where
    Handle: Fn(Vec<DeadLetter>, Invocation) -> Handled,
    Handled: Future<Output = Result<Reply, Transient>>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        dead_letters(handle, &event.payload, &event.context).await.inspect_err(|failed| {
            tracing::error!(name = failed.name, why = failed.why, "the invocation failed");
        })
    }))
    .await
}

async fn dead_letters<Handle, Handled>(handle: &Handle, event: &RawValue, context: &Context) -> Result<Wire, Failed>
where
    Handle: Fn(Vec<DeadLetter>, Invocation) -> Handled,
    Handled: Future<Output = Result<Reply, Transient>>,
{
    let letters = event::dead_letters(event.get())?;
    let invocation = invocation(None, context)?;
    let correlation = invocation.correlation.clone();
    Ok(reply::wire(handle(letters, invocation).await?, &correlation)?)
}

/// Serves a schedule: what it sends says nothing that the function would need.
///
/// # Errors
/// As [`run`].
pub async fn run_scheduled<Handle, Handled>(handle: Handle) -> Result<(), Error>
where
    Handle: Fn(Invocation) -> Handled,
    Handled: Future<Output = Result<(), Transient>>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| async move {
        let done = match invocation(None, &event.context) {
            Ok(invocation) => handle(invocation).await.map_err(Failed::from),
            Err(fault) => Err(fault.into()),
        };
        done.inspect_err(|failed| tracing::error!(name = failed.name, why = failed.why, "the invocation failed"))
    }))
    .await
}

async fn answer<Handle, Handled>(handle: &Handle, event: &RawValue, context: &Context) -> Result<Wire, Failed>
where
    Handle: Fn(Trigger, Invocation) -> Handled,
    Handled: Future<Output = Result<Reply, Transient>>,
{
    let trigger = event::read(event.get(), &context.request_id, SystemClock.now())?;
    let bare = event::is_bare(&trigger);
    let invocation = invocation(Some(&trigger), context)?;
    let correlation = invocation.correlation.clone();
    let reply = handle(trigger, invocation).await?;
    if bare && matches!(&reply, Reply::Batch { failed } if !failed.is_empty()) {
        // Nobody reads a list of failures here; a failed invocation is repeated.
        return Err(Transient::new("the event is not done yet").into());
    }
    Ok(reply::wire(reply, &correlation)?)
}

fn invocation(trigger: Option<&Trigger>, context: &Context) -> Result<Invocation, Malformed> {
    let deadline = deadline(context.deadline, SystemClock.now()).ok_or(Malformed("the invocation has no deadline"))?;
    let correlation = match trigger {
        Some(Trigger::Http(request)) => request.correlation.clone(),
        Some(Trigger::Queue(_)) | None => context.request_id.clone(),
    };
    Ok(Invocation { deadline, owner: context.request_id.clone(), correlation })
}

/// No invocation of Lambda lives longer.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// When the invocation ends, in milliseconds since 1970. `cargo lambda watch` gives how long it may take instead
/// (600,000), which as an instant would be long past.
fn deadline(millis: u64, now: Timestamp) -> Option<Timestamp> {
    let given = Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
    let length = given.duration_since(Timestamp::UNIX_EPOCH);
    if length <= LONGEST { now.checked_add(length).ok() } else { Some(given) }
}
