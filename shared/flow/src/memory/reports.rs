use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::lock;
use crate::ports::{Telemetry, UnitReport};

/// Keeps the reports of units of work.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    units: Arc<Mutex<Vec<UnitReport>>>,
    tallies: Arc<Mutex<BTreeMap<(&'static str, &'static str), u64>>>,
}

impl Reports {
    /// Everything so far, in order.
    #[must_use]
    pub fn all(&self) -> Vec<UnitReport> {
        lock(&self.units).clone()
    }

    /// The sum of `metric` of `flow`.
    #[must_use]
    pub fn tallied(&self, flow: &'static str, metric: &'static str) -> u64 {
        lock(&self.tallies).get(&(flow, metric)).copied().unwrap_or(0)
    }
}

impl Telemetry for Reports {
    fn unit(&self, report: &UnitReport) {
        lock(&self.units).push(report.clone());
    }

    fn tally(&self, flow: &'static str, metric: &'static str, count: u64) {
        *lock(&self.tallies).entry((flow, metric)).or_default() += count;
    }
}
