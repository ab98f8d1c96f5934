//! Requests by operation.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::locked;

/// How often each operation was asked for, such as `DynamoDB.PutItem`.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    pub(super) fn add(&self, operation: &str, number: u64) {
        let mut counts = locked(&self.0);
        match counts.get_mut(operation) {
            Some(count) => *count += number,
            None => {
                counts.insert(operation.to_owned(), number);
            }
        }
    }

    /// The counts since they were taken last.
    pub fn take(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut locked(&self.0))
    }
}
