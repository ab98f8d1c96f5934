use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flow::ports::Answer;
use serde_json::Value;

use crate::ports::plain;

/// One question whether a device can be reached.
#[derive(Default)]
struct Check {
    /// Since it was asked last.
    answer: Option<bool>,
    /// All answers, repeats left out.
    answers: Vec<bool>,
}

/// DACS's questions whether devices can be reached.
#[derive(Default)]
pub struct StatusChecks {
    checks: Mutex<BTreeMap<String, Check>>,
}

impl StatusChecks {
    fn checks(&self) -> MutexGuard<'_, BTreeMap<String, Check>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It asks, for the first time or again.
    pub fn ask(&self, id: &str) {
        self.checks().entry(id.to_owned()).or_default().answer = None;
    }

    /// The answer that holds; `None` while it waits.
    #[must_use]
    pub fn answer(&self, id: &str) -> Option<bool> {
        self.checks().get(id)?.answer
    }

    /// All answers, in order, repeats left out.
    #[must_use]
    pub fn answers(&self, id: &str) -> Vec<bool> {
        self.checks().get(id).map(|check| check.answers.clone()).unwrap_or_default()
    }

    /// `controllableDeviceStatus/response`: "device status → done" on repeat.
    pub(super) fn respond(&self, body: &Value) -> Answer {
        let text = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let reached = text("/responseDetail/result/status") == "SUCCESS";
        let mut checks = self.checks();
        let Some(check) = checks.get_mut(text("/responseDetail/transactionID")) else {
            return plain(400, r#"{"messageNumber":20021,"message":"no such status check"}"#);
        };
        check.answer = Some(reached);
        if check.answers.last() != Some(&reached) {
            check.answers.push(reached);
        }
        plain(200, "{}")
    }
}
