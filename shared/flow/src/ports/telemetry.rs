use jiff::SignedDuration;

/// One unit of work, a run or a message, as it ended: at once the log line and the metrics (one struct, so that the two
/// cannot disagree). Holds ids and counts, never a customer's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitReport {
    /// The flow's name.
    pub flow: &'static str,
    /// The run id or message key.
    pub unit: String,
    /// How it ended, in one word: `delivered`, `rejected`, `held`, `handed-back`, …
    pub outcome: &'static str,
    /// The correlation id.
    pub correlation: String,
    /// Rows or messages that came in.
    pub received: u64,
    /// … that took effect at the target.
    pub delivered: u64,
    /// … that were rejected, here or there.
    pub rejected: u64,
    /// Attempts made again.
    pub retried: u64,
    /// From arrival to this end.
    pub lag: SignedDuration,
    /// The time that this invocation worked on it.
    pub duration: SignedDuration,
    /// Why, when it did not end well.
    pub reason: Option<String>,
}

/// Where reports go.
pub trait Telemetry: Send + Sync {
    /// Records `report`.
    fn unit(&self, report: &UnitReport);

    /// Adds `count` to `metric` of `flow`: what is counted beside units of work.
    fn tally(&self, flow: &'static str, metric: &'static str, count: u64);
}
