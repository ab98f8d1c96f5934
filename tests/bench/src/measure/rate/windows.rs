//! What arrivals say of a rate.

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// The most arrivals in any second: of all windows those that begin with an arrival are enough. `arrivals` are in order.
pub(super) fn most_in_a_second(arrivals: &[Duration]) -> u64 {
    let mut end = 0;
    let mut most = 0;
    for (start, first) in arrivals.iter().enumerate() {
        while arrivals.get(end).is_some_and(|next| *next < *first + SECOND) {
            end += 1;
        }
        most = most.max(end - start);
    }
    u64::try_from(most).unwrap_or(u64::MAX)
}

/// Thousandths of an arrival a second, on average from `warm` after the first one up to the last one.
pub(super) fn mean_after(arrivals: &[Duration], warm: Duration) -> u64 {
    let (Some(first), Some(last)) = (arrivals.first(), arrivals.last()) else { return 0 };
    let from = *first + warm;
    let counted = arrivals.iter().filter(|at| **at >= from).count();
    let millis = last.saturating_sub(from).as_millis();
    let counted = u128::try_from(counted).unwrap_or(0);
    (counted * 1_000_000).checked_div(millis).and_then(|mean| u64::try_from(mean).ok()).unwrap_or(0)
}

/// How long after `from` the first second begins that has at least `enough` arrivals.
pub(super) fn until_back(arrivals: &[Duration], from: Duration, enough: u64) -> Option<Duration> {
    let enough = usize::try_from(enough).ok()?.max(1);
    let after: Vec<Duration> = arrivals.iter().copied().filter(|at| *at >= from).collect();
    let full = after.windows(enough).find(|window| match (window.first(), window.last()) {
        (Some(first), Some(last)) => *last < *first + SECOND,
        _ => false,
    })?;
    full.first().map(|first| first.saturating_sub(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(millis: u64, count: u64) -> Vec<Duration> {
        (0..count).map(|number| Duration::from_millis(number * millis)).collect()
    }

    #[test]
    fn a_second_is_counted_wherever_it_begins() {
        let mut arrivals = every(100, 20);
        assert_eq!(most_in_a_second(&arrivals), 10);
        arrivals.insert(11, Duration::from_millis(1050));
        assert_eq!(most_in_a_second(&arrivals), 11);
    }

    #[test]
    fn the_mean_leaves_out_the_beginning() {
        let slow = every(1000, 10);
        let mut arrivals = slow.clone();
        arrivals.extend((0..=1000).map(|number| Duration::from_millis(10_000 + number * 10)));
        assert_eq!(mean_after(&arrivals, Duration::from_secs(10)), 100_100);
        assert_eq!(mean_after(&[], Duration::ZERO), 0);
    }

    #[test]
    fn it_is_back_when_a_full_second_begins() {
        let mut arrivals = every(500, 10);
        arrivals.extend((0..50).map(|number| Duration::from_millis(6000 + number * 10)));
        let back = until_back(&arrivals, Duration::from_secs(2), 40);
        assert_eq!(back, Some(Duration::from_millis(4000)));
        assert_eq!(until_back(&arrivals, Duration::from_secs(2), 60), None);
    }
}
