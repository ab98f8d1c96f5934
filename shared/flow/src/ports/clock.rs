use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Time, as the flows see it. No other code reads a clock (held by `clippy.toml`).
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present instant, by this machine's clock. Clocks of two machines may differ.
    fn now(&self) -> Timestamp;

    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}
