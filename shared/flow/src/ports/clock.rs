use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

/// So far the clocks of two machines may differ. Lambda's differ by milliseconds; waiting a minute longer where it hardly ever
/// matters is cheaper than to rely on that.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// When `until` is over for everybody, whatever their clocks say.
#[must_use]
pub fn over_for_all(until: Timestamp) -> Timestamp {
    until.saturating_add(SKEW).unwrap_or(Timestamp::MAX)
}

/// Time, as the flows see it. No other code reads a clock (held by `clippy.toml`).
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present instant, by this machine's clock. Clocks of two machines may differ.
    fn now(&self) -> Timestamp;

    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}
