use std::sync::{Arc, Mutex};

use super::lock;
use crate::ports::{Telemetry, UnitReport};

/// Keeps the reports of units of work.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    units: Arc<Mutex<Vec<UnitReport>>>,
}

impl Reports {
    /// Everything so far, in order.
    #[must_use]
    pub fn all(&self) -> Vec<UnitReport> {
        lock(&self.units).clone()
    }
}

impl Telemetry for Reports {
    fn unit(&self, report: &UnitReport) {
        lock(&self.units).push(report.clone());
    }
}
