use std::time::Duration;

use async_trait::async_trait;
use flow::ports::Clock;
use jiff::Timestamp;

use super::Wire;
use crate::engine::{Op, Port, Shared, sleep_until};

/// The clock of one instance, which may differ from others.
#[derive(Clone)]
pub struct LocalClock(pub Wire);

#[async_trait]
impl Clock for LocalClock {
    fn now(&self) -> Timestamp {
        self.0.shared.lock().instant(self.0.skew)
    }

    async fn sleep(&self, duration: Duration) {
        let now = self.0.shared.lock().now;
        let until = now.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        let op = Op { port: Port::Clock, verb: "sleep", about: String::new(), until: Some(until) };
        self.0.gate(op).await;
    }
}

/// The cloud's own clock: when objects are written, when messages come in sight.
#[derive(Clone)]
pub struct TrueClock(pub Shared);

#[async_trait]
impl Clock for TrueClock {
    fn now(&self) -> Timestamp {
        self.0.lock().instant(0)
    }

    async fn sleep(&self, duration: Duration) {
        let now = self.0.lock().now;
        sleep_until(&self.0, now.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))).await;
    }
}
