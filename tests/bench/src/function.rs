//! A function as Lambda runs it: the binary, its environment from the template, its runtime API.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::runtime::{Answer, Runtime};
use crate::{Fault, clock, usage};

/// File flows of each kind.
pub const FILE_FLOWS: [&str; 6] = [SCORES, MEASUREMENTS, EXTRACTS, ACK_FILES, RESERVATIONS, OUTCOMES];
/// The message flows, all of them.
pub const MESSAGE_FLOWS: [&str; 12] = [
    ENROLLMENTS,
    ACKNOWLEDGEMENTS,
    EVENT_STATUS,
    PROGRAM_RULES,
    PROGRAM_RULES_ACKS,
    AGGREGATORS,
    AGGREGATOR_ACKS,
    STATUS_CHECKS,
    STATUS_ANSWERS,
    OPT_OUTS,
    UNAVAILABILITIES,
    ENROLLMENT_REQUESTS,
];

/// The functions that are measured: these flows, and `watch`, which runs though nothing happens.
pub fn all() -> impl Iterator<Item = &'static str> {
    FILE_FLOWS.into_iter().chain(MESSAGE_FLOWS).chain([WATCH])
}

/// File → REST.
pub const SCORES: &str = "dacs-derms-device-score";
/// File → file.
pub const MEASUREMENTS: &str = "ouai-dacs-kwh-avoided";
/// File → many calls to DACS.
pub const ACK_FILES: &str = "ouai-dacs-enrollment-ack";
/// File → file, whose rows are acknowledged.
pub const EXTRACTS: &str = "dacs-ouai-enrollment-sync";
/// File → calls of many devices each, of one stage.
pub const RESERVATIONS: &str = "derms-dacs-device-reservation";
/// File → calls of many devices each.
pub const OUTCOMES: &str = "derms-dacs-device-outcome";
/// Messages about stages, to DACS, acknowledged to DERMS.
pub const EVENT_STATUS: &str = "derms-dacs-event-status";
/// Scheduled.
pub const WATCH: &str = "watch";
/// Messages to DERMS, whose answer goes to DACS.
pub const ENROLLMENTS: &str = "dacs-derms-enrollment-sync";
/// Messages to DACS.
pub const ACKNOWLEDGEMENTS: &str = "derms-dacs-enrollment-ack";

/// The same, of programs and their rules.
pub const PROGRAM_RULES: &str = "dacs-derms-program-rules";
/// Their acknowledgements.
pub const PROGRAM_RULES_ACKS: &str = "derms-dacs-program-rules-ack";
/// The same, of aggregators.
pub const AGGREGATORS: &str = "dacs-derms-aggregators";
/// Their acknowledgements.
pub const AGGREGATOR_ACKS: &str = "derms-dacs-aggregators-ack";
/// Questions to DERMS, which answers later.
pub const STATUS_CHECKS: &str = "dacs-derms-device-status-check";
/// Its answers.
pub const STATUS_ANSWERS: &str = "derms-dacs-device-status-ack";
/// Messages to DERMS of which nobody is told.
pub const OPT_OUTS: &str = "dacs-derms-event-opt-out";
/// The same.
pub const UNAVAILABILITIES: &str = "dacs-derms-customer-unavailability";
/// Messages to DACS whose sender waits for what becomes of them.
pub const ENROLLMENT_REQUESTS: &str = "derms-dacs-enrollment-request";

/// What a function is given to talk to.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The stub of AWS.
    pub aws: String,
    /// DERMS's base URL.
    pub derms: String,
    /// DACS's base URL.
    pub dacs: String,
    /// Calls per second to either.
    pub rate: u32,
    /// Calls to DACS that one instance of a file flow makes side by side at most.
    pub calls: u32,
}

impl Surroundings {
    /// The environment that the template sets for `flow`, and what Lambda adds to it.
    #[must_use]
    pub fn environment(&self, flow: &str, runtime: &str) -> Vec<(&'static str, String)> {
        let rate = self.rate.to_string();
        let text = str::to_owned;
        vec![
            ("AWS_LAMBDA_RUNTIME_API", text(runtime)),
            ("AWS_LAMBDA_FUNCTION_NAME", text(flow)),
            ("AWS_LAMBDA_FUNCTION_VERSION", text("1")),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", text("256")),
            ("AWS_LAMBDA_LOG_GROUP_NAME", text("bench")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", text("bench")),
            ("AWS_ENDPOINT_URL", self.aws.clone()),
            ("AWS_REGION", text("us-east-1")),
            ("AWS_ACCESS_KEY_ID", text("bench")),
            ("AWS_SECRET_ACCESS_KEY", text("bench")),
            ("AWS_SESSION_TOKEN", text("bench")),
            ("LEDGER_TABLE", text("ledger")),
            ("CONFIG_BUCKET", text("config")),
            ("REJECTS_BUCKET", text("rejects")),
            ("BODIES_BUCKET", text("bodies")),
            ("INBOX_BUCKET", text("dacs-inbox")),
            ("QUEUE_URL", queue(flow)),
            ("NOTICE_WINDOW_MINUTES", text("15")),
            ("TECHNICAL_TOPIC_ARN", text("arn:aws:sns:us-east-1:000000000000:technical")),
            ("BUSINESS_TOPIC_ARN", text("arn:aws:sns:us-east-1:000000000000:business")),
            ("DACS_URL", self.dacs.clone()),
            ("DACS_SECRET", text("dacs")),
            ("DACS_RATE", rate.clone()),
            ("DACS_CALLS", self.calls.to_string()),
            ("DEVICES_PER_CALL", text("500")),
            ("PROGRAM_EVENT_KEY", text("stage")),
            ("STATUS_HOLD_SECONDS", text("600")),
            ("RESERVATION_WAIT_SECONDS", text("60")),
            ("SUPPLY_PREDECESSOR", text("false")),
            ("EVENT_STATUS_REFUSAL", text("ERROR")),
            ("DERMS_ACK_LIMIT_MINUTES", text("60")),
            ("OUAI_ACK_LIMIT_MINUTES", text("1440")),
            ("DERMS_URL", self.derms.clone()),
            ("DERMS_SECRET", text("derms")),
            ("DERMS_RATE", rate),
            ("DACS_RELEASE", text("25.4")),
            ("DACS_EXCEPTION_CATEGORY", text("90000")),
            ("DACS_EXCEPTION_NUMBER", text("1")),
            ("RETRY_LIMIT_HOURS", text("24")),
            ("HOLD_LIMIT_HOURS", text("120")),
            ("HOLD_PERCENT", text("5")),
            ("HOLD_ROWS", text("100")),
        ]
    }
}

/// A flow's own queue, as the template has it: those of messages are FIFO queues.
#[must_use]
pub fn queue(flow: &str) -> String {
    let ending = if MESSAGE_FLOWS.contains(&flow) { ".fifo" } else { "" };
    format!("https://sqs.us-east-1.amazonaws.com/000000000000/{flow}{ending}")
}

/// The binaries of one build profile.
#[derive(Debug, Clone)]
pub struct Binaries(pub PathBuf);

impl Binaries {
    /// The binary of a flow.
    #[must_use]
    pub fn of(&self, flow: &str) -> PathBuf {
        self.0.join(flow)
    }
}

/// A running function. It is killed when this is dropped.
pub struct Function {
    /// Its runtime API.
    pub runtime: Runtime,
    /// When it was started.
    pub started: Instant,
    child: Child,
    process: u32,
}

impl Function {
    /// Starts the binary of `flow`. What it prints goes into a file beside it, `<flow>.log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(binaries: &Binaries, flow: &str, surroundings: &Surroundings) -> Result<Self, Fault> {
        let runtime = Runtime::start().await?;
        let log = log(&binaries.0, flow)?;
        let mut command = Command::new(binaries.of(flow));
        command.env_clear().envs(surroundings.environment(flow, runtime.address()));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let started = clock::instant();
        let child = command.spawn().map_err(|fault| format!("starting {flow}: {fault}"))?;
        let process = child.id().ok_or("the function ended at once")?;
        Ok(Self { runtime, started, child, process })
    }

    /// Lets it handle an event, and fails when it reports an error or ends.
    ///
    /// # Errors
    /// When it did not answer with a response.
    pub async fn invoke(&mut self, event: String, timeout: Duration) -> Result<Answer, Fault> {
        let id = self.runtime.request_id();
        tokio::select! {
            answer = self.runtime.invoke(id, event, timeout) => succeeded(answer?),
            ended = self.child.wait() => Err(format!("the function ended: {}", ended?).into()),
            () = tokio::time::sleep(timeout) => Err("the function did not answer in time".into()),
        }
    }

    /// CPU time so far.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        usage::cpu(self.process)
    }

    /// CPU time in the program and in the kernel.
    #[must_use]
    pub fn user_and_system(&self) -> (Duration, Duration) {
        usage::user_and_system(self.process)
    }

    /// The most memory that it has had resident, in bytes.
    #[must_use]
    pub fn high_water(&self) -> u64 {
        usage::high_water(self.process)
    }

    /// Its process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<(), Fault> {
        self.child.kill().await?;
        self.runtime.forget();
        Ok(())
    }
}

/// The answer of a function that did not fail.
///
/// # Errors
/// What it reported.
pub fn succeeded(answer: Answer) -> Result<Answer, Fault> {
    match &answer.body {
        Ok(_) => Ok(answer),
        Err(reported) => Err(format!("the function failed: {}", String::from_utf8_lossy(reported)).into()),
    }
}

fn log(beside: &Path, flow: &str) -> Result<File, Fault> {
    let folder = beside.join("bench-logs");
    fs::create_dir_all(&folder)?;
    Ok(File::options().create(true).append(true).open(folder.join(format!("{flow}.log")))?)
}

#[cfg(test)]
mod tests {
    use it::template::Template;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flow_has_a_queue_that_keeps_order_if_the_template_says_so() {
        let template = Template::read();
        for flow in all() {
            let queue_of_it = |name: &str| name.trim_end_matches(".fifo").ends_with(&format!("}}-{flow}"));
            let mut queues = template.of_kind("AWS::SQS::Queue");
            let queue_of_it = queues.find(|queue| queue.text("QueueName").is_some_and(queue_of_it));
            let keeps_order = queue_of_it.is_some_and(|queue| *queue.property("FifoQueue") == json!(true));
            assert_eq!(queue(flow).ends_with(".fifo"), keeps_order, "{flow}");
        }
    }
}
