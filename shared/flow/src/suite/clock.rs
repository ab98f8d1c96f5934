//! What every [`Clock`] does.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Kept, holds};
use crate::ports::Clock;

/// # Errors
/// When it wakes up early.
pub async fn a_sleep_is_not_shorter_than_asked(clock: &dyn Clock) -> Kept {
    let before = clock.now();
    clock.sleep(Duration::from_millis(20)).await;
    let slept = clock.now().duration_since(before);
    holds(slept >= SignedDuration::from_millis(20), "the clock moved less than it slept")
}

#[cfg(test)]
mod in_memory {
    use crate::memory::{ManualClock, RuntimeClock};

    #[tokio::test]
    async fn a_sleep_is_not_shorter_than_asked() {
        super::a_sleep_is_not_shorter_than_asked(&ManualClock::default()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_of_a_paused_runtime_is_not_shorter_than_asked() {
        super::a_sleep_is_not_shorter_than_asked(&RuntimeClock::new(jiff::Timestamp::UNIX_EPOCH)).await.unwrap();
    }
}
