use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::lock;
use crate::ports::Clock;

/// A clock that stands still until it is moved.
///
/// Sleeping moves it: [`Clock::sleep`] notes when it would wake up, lets other futures of the task run once, and then
/// moves the clock forward to that instant. So a test never waits, and futures that sleep side by side overlap as they
/// would in real time, instead of adding up. It never goes back but by [`ManualClock::set`].
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { now: Arc::new(Mutex::new(start)) }
    }

    /// Makes it show `instant`, which may be earlier than before.
    pub fn set(&self, instant: Timestamp) {
        *lock(&self.now) = instant;
    }

    /// Moves it forward by `duration`.
    pub fn advance(&self, duration: Duration) {
        let mut now = lock(&self.now);
        *now = later(*now, duration);
    }
}

impl Default for ManualClock {
    /// Shows 2026-07-01T12:00:00Z, an instant without any meaning.
    fn default() -> Self {
        Self::new(Timestamp::constant(1_782_907_200, 0))
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.now)
    }

    async fn sleep(&self, duration: Duration) {
        let wake = later(self.now(), duration);
        let mut others_ran = false;
        poll_fn(|context| {
            if others_ran {
                return Poll::Ready(());
            }
            others_ran = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let mut now = lock(&self.now);
        *now = wake.max(*now);
    }
}

/// The time of the tokio runtime. Where that is paused (`start_paused`), time stands still while anybody has something to
/// do, and then jumps to whoever wakes up next: many sleepers wake up in their order, each at its millisecond.
#[derive(Debug, Clone)]
pub struct RuntimeClock {
    start: Timestamp,
    origin: tokio::time::Instant,
}

impl RuntimeClock {
    /// A clock that shows `start` now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a clock reads the time")]
    pub fn new(start: Timestamp) -> Self {
        Self { start, origin: tokio::time::Instant::now() }
    }
}

#[async_trait]
impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        later(self.start, self.origin.elapsed())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// `instant` plus `duration`, at most the end of the calendar.
pub(super) fn later(instant: Timestamp, duration: Duration) -> Timestamp {
    instant.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleeping_moves_the_clock_and_takes_no_time() {
        let clock = ManualClock::default();
        let start = clock.now();
        clock.sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now(), later(start, Duration::from_secs(3600)));
    }

    #[tokio::test]
    async fn sleeps_side_by_side_overlap() {
        let clock = ManualClock::default();
        let start = clock.now();
        tokio::join!(clock.sleep(Duration::from_secs(5)), clock.sleep(Duration::from_secs(2)));
        assert_eq!(clock.now(), later(start, Duration::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn sleepers_of_a_paused_runtime_wake_up_in_their_order() {
        let clock = RuntimeClock::new(Timestamp::UNIX_EPOCH);
        let awake = |millis: u64| {
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_millis(millis)).await;
                clock.now().as_millisecond()
            }
        };
        assert_eq!(tokio::join!(awake(5000), awake(3), awake(20)), (5000, 3, 20));
    }

    #[test]
    fn the_default_instant_is_the_one_documented() {
        assert_eq!(ManualClock::default().now().to_string(), "2026-07-01T12:00:00Z");
    }
}
