use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use flow::ports::{Clock, Telemetry, UnitReport};
use jiff::SignedDuration;
use serde::Serialize;

/// The CloudWatch namespace of all metrics.
const NAMESPACE: &str = "DemandResponse";
/// The metrics and their units.
const METRICS: [Metric; 6] = [
    Metric { name: "Received", unit: "Count" },
    Metric { name: "Delivered", unit: "Count" },
    Metric { name: "Rejected", unit: "Count" },
    Metric { name: "Retried", unit: "Count" },
    Metric { name: "Lag", unit: "Milliseconds" },
    Metric { name: "Duration", unit: "Milliseconds" },
];

/// Writes each report as one line of JSON, which is at once the log's one line per unit of work and, in CloudWatch's
/// embedded metric format, its metrics by flow. The only code that writes to stdout: other log goes to stderr, and both
/// to the function's log group.
pub struct EmfTelemetry {
    clock: Arc<dyn Clock>,
    out: Mutex<Box<dyn Write + Send>>,
}

impl EmfTelemetry {
    /// Lines on stdout.
    pub fn stdout(clock: Arc<dyn Clock>) -> Self {
        Self::new(clock, Box::new(io::stdout()))
    }

    /// Lines into `out`.
    pub fn new(clock: Arc<dyn Clock>, out: Box<dyn Write + Send>) -> Self {
        Self { clock, out: Mutex::new(out) }
    }

    fn write(&self, line: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&line)?;
        out.flush()
    }
}

impl Telemetry for EmfTelemetry {
    fn unit(&self, report: &UnitReport) {
        if let Err(fault) = self.write(&Line::of(report, self.clock.now().as_millisecond())) {
            tracing::error!(flow = report.flow, unit = report.unit, %fault, "a report was lost");
        }
    }

    fn tally(&self, flow: &'static str, metric: &'static str, count: u64) {
        let directive = Directive {
            namespace: NAMESPACE,
            dimensions: [["flow"]],
            metrics: [Metric { name: metric, unit: "Count" }],
        };
        let aws = Envelope { timestamp: self.clock.now().as_millisecond(), cloud_watch_metrics: [directive] };
        let line = serde_json::json!({ "_aws": aws, "level": "INFO", "flow": flow, metric: count });
        if let Err(fault) = self.write(&line) {
            tracing::error!(flow, metric, %fault, "a count was lost");
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<const N: usize> {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    #[serde(serialize_with = "each")]
    metrics: [Metric; N],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<const N: usize> {
    timestamp: i64,
    cloud_watch_metrics: [Directive<N>; 1],
}

fn each<S: serde::Serializer, const N: usize>(metrics: &[Metric; N], to: S) -> Result<S::Ok, S::Error> {
    metrics.as_slice().serialize(to)
}

#[derive(Serialize)]
struct Line<'a> {
    _aws: Envelope<6>,
    level: &'static str,
    flow: &'static str,
    unit: &'a str,
    outcome: &'static str,
    correlation: &'a str,
    #[serde(rename = "Received")]
    received: u64,
    #[serde(rename = "Delivered")]
    delivered: u64,
    #[serde(rename = "Rejected")]
    rejected: u64,
    #[serde(rename = "Retried")]
    retried: u64,
    #[serde(rename = "Lag")]
    lag: i64,
    #[serde(rename = "Duration")]
    duration: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn of(report: &'a UnitReport, timestamp: i64) -> Self {
        let directive = Directive { namespace: NAMESPACE, dimensions: [["flow"]], metrics: METRICS };
        Self {
            _aws: Envelope { timestamp, cloud_watch_metrics: [directive] },
            level: "INFO",
            flow: report.flow,
            unit: &report.unit,
            outcome: report.outcome,
            correlation: &report.correlation,
            received: report.received,
            delivered: report.delivered,
            rejected: report.rejected,
            retried: report.retried,
            lag: millis(report.lag),
            duration: millis(report.duration),
            reason: report.reason.as_deref(),
        }
    }
}

fn millis(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for EmfTelemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmfTelemetry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::memory::ManualClock;
    use serde_json::json;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_counted_beside_units_is_one_line_with_one_metric() {
        let lines = Lines::default();
        let telemetry = EmfTelemetry::new(Arc::new(ManualClock::default()), Box::new(lines.clone()));
        telemetry.tally("dacs-derms-enrollment-sync", "MissingAcks", 3);
        let line: serde_json::Value = serde_json::from_slice(&lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            line,
            json!({
                "_aws": {"Timestamp": 1_782_907_200_000_i64, "CloudWatchMetrics": [{
                    "Namespace": "DemandResponse",
                    "Dimensions": [["flow"]],
                    "Metrics": [{"Name": "MissingAcks", "Unit": "Count"}],
                }]},
                "level": "INFO", "flow": "dacs-derms-enrollment-sync", "MissingAcks": 3,
            })
        );
    }

    #[test]
    fn a_unit_is_one_line_whose_metrics_are_its_own_numbers() {
        let lines = Lines::default();
        let telemetry = EmfTelemetry::new(Arc::new(ManualClock::default()), Box::new(lines.clone()));
        telemetry.unit(&UnitReport {
            flow: "dacs-derms-device-score",
            unit: "run-1".to_owned(),
            outcome: "delivered",
            correlation: "c-1".to_owned(),
            received: 12,
            delivered: 10,
            rejected: 2,
            retried: 1,
            lag: SignedDuration::from_millis(1500),
            duration: SignedDuration::from_millis(700),
            reason: None,
        });
        let written = lines.0.lock().unwrap().clone();
        assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1);
        let line: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(
            line,
            json!({
                "_aws": {"Timestamp": 1_782_907_200_000_i64, "CloudWatchMetrics": [{
                    "Namespace": "DemandResponse",
                    "Dimensions": [["flow"]],
                    "Metrics": [
                        {"Name": "Received", "Unit": "Count"}, {"Name": "Delivered", "Unit": "Count"},
                        {"Name": "Rejected", "Unit": "Count"}, {"Name": "Retried", "Unit": "Count"},
                        {"Name": "Lag", "Unit": "Milliseconds"}, {"Name": "Duration", "Unit": "Milliseconds"},
                    ],
                }]},
                "level": "INFO", "flow": "dacs-derms-device-score", "unit": "run-1", "outcome": "delivered",
                "correlation": "c-1", "Received": 12, "Delivered": 10, "Rejected": 2, "Retried": 1,
                "Lag": 1500, "Duration": 700,
            })
        );
    }
}
