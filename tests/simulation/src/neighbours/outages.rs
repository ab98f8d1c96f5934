use std::sync::{Mutex, PoisonError};

use crate::engine::{Micros, Shared, TaskId, seconds};

/// When a neighbour is down, and when it said that nobody should call.
pub struct Outages {
    shared: Shared,
    name: &'static str,
    down: Vec<(Micros, Micros)>,
    throttled: Mutex<Option<Throttled>>,
}

#[derive(Clone, Copy)]
struct Throttled {
    from: Micros,
    until: Micros,
    told: TaskId,
}

/// Within this time everybody hears of a pause: those who had a slot, and one write to the ledger.
const GRACE: Micros = seconds(5);
/// Clocks of instances differ by so much even on a good day.
const TOLERANCE: Micros = 150_000;

impl Outages {
    /// Those of the neighbour `name`.
    #[must_use]
    pub fn new(shared: Shared, name: &'static str, down: Vec<(Micros, Micros)>) -> Self {
        Self { shared, name, down, throttled: Mutex::new(None) }
    }

    /// Whether it is down now.
    #[must_use]
    pub fn is_down(&self) -> bool {
        let now = self.shared.lock().now;
        self.down.iter().any(|(from, until)| (*from..*until).contains(&now))
    }

    /// How long the longest outage is.
    #[must_use]
    pub fn longest(&self) -> Micros {
        self.down.iter().map(|(from, until)| until - from).max().unwrap_or(0)
    }

    /// It said 429 to the present task.
    pub fn throttle(&self, until: Micros) {
        let core = self.shared.lock();
        let throttled = Throttled { from: core.now, until, told: core.current };
        *self.throttled.lock().unwrap_or_else(PoisonError::into_inner) = Some(throttled);
    }

    /// `Retry-After` is obeyed by all (architecture.md §2.7): unless whoever heard it was struck by something else too, perhaps
    /// before he could pass it on, or clocks differ, no call begins in the pause.
    pub fn watch(&self, begun: Micros) {
        let Some(pause) = *self.throttled.lock().unwrap_or_else(PoisonError::into_inner) else { return };
        let mut core = self.shared.lock();
        // The 429 itself is one.
        let excused = core.skewed || core.strikes.get(&pause.told).is_some_and(|strikes| *strikes > 1);
        if begun > pause.from + GRACE && begun + TOLERANCE < pause.until && !excused {
            core.violated(format!("{} was called during its Retry-After", self.name));
        }
    }
}
