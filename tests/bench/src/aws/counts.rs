//! Requests by operation, and how many of them had to wait for one another.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use super::locked;

/// How often each operation was asked for, such as `DynamoDB.PutItem`.
#[derive(Debug, Default)]
pub struct Counts {
    counts: Mutex<BTreeMap<String, u64>>,
    /// From when to when each was worked on.
    spans: Mutex<Vec<(Instant, Instant)>>,
}

impl Counts {
    pub(super) fn add(&self, operation: &str, number: u64) {
        let mut counts = locked(&self.counts);
        match counts.get_mut(operation) {
            Some(count) => *count += number,
            None => {
                counts.insert(operation.to_owned(), number);
            }
        }
    }

    /// A request that was worked on from when to when.
    pub(super) fn span(&self, from: Instant, to: Instant) {
        locked(&self.spans).push((from, to));
    }

    /// The counts since they were taken last.
    pub fn take(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut locked(&self.counts))
    }

    /// How many requests came one after the other since this was taken last: those that were under way at the same time
    /// count as one.
    pub fn take_in_sequence(&self) -> u64 {
        let spans: Vec<(Instant, Instant)> = std::mem::take(&mut locked(&self.spans));
        in_sequence(spans)
    }
}

/// The most of `spans` of which none begins before another one's end.
fn in_sequence<T: Ord + Copy>(mut spans: Vec<(T, T)>) -> u64 {
    spans.sort_by_key(|(_, to)| *to);
    let (mut count, mut end) = (0, None);
    for (from, to) in spans {
        if end.is_none_or(|end| from >= end) {
            (count, end) = (count + 1, Some(to));
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::in_sequence;

    #[test]
    fn requests_that_are_under_way_at_the_same_time_are_one_in_the_sequence() {
        assert_eq!(in_sequence(vec![(0, 8), (1, 9), (10, 18), (20, 28)]), 3);
        assert_eq!(in_sequence(vec![(0, 30), (1, 9), (10, 18)]), 2, "two of them in the shadow of a long one");
        assert_eq!(in_sequence::<u64>(Vec::new()), 0);
    }
}
