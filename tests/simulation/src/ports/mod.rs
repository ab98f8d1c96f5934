//! The ports as the flows see them: the in-memory ones behind a gate at which each call waits, fails, or takes its
//! process with it. Planted bugs sit here too.

mod clock;
mod objects;
mod people;
mod queue;
mod store;
mod target;

use std::future::{Future, pending};

use flow::Transient;

pub use clock::{LocalClock, TrueClock};
pub use objects::{FirstUploads, SimOutlet, SimSource};
pub use people::{SimNotifier, SimTelemetry};
pub use queue::SimQueue;
pub use store::SimStore;
pub use target::{Neighbour, SimTarget, plain};

use crate::engine::{Fate, Gate, Op, Port, Shared};
use crate::faults::Fault;

/// One instance's line to the world.
#[derive(Clone)]
pub struct Wire {
    /// The schedule.
    pub shared: Shared,
    /// By how many microseconds its clock is ahead.
    pub skew: i64,
}

impl Wire {
    /// A call; `about` is asked for when there is a trace.
    pub fn op(&self, port: Port, verb: &'static str, about: impl FnOnce() -> String) -> Op {
        let about = if self.shared.lock().is_traced() { about() } else { String::new() };
        Op { port, verb, about, until: None }
    }

    /// Waits at the gate.
    pub async fn gate(&self, op: Op) -> Fate {
        Gate::new(self.shared.clone(), op).await
    }

    /// Makes a call of a cloud service: `act` is what it does.
    pub async fn through<T, E: From<Transient> + std::fmt::Display>(
        &self,
        op: Op,
        act: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let told = Op { port: op.port, verb: op.verb, about: op.about.clone(), until: None };
        let fate = self.gate(op).await;
        let (result, outcome) = match fate.fault {
            Some(Fault::Throttle) => (Err(Transient::new("throttled").into()), "   *** throttled".to_owned()),
            Some(Fault::LostAnswer) => match act.await {
                Ok(_) => (Err(Transient::new("the answer was lost").into()), "   *** done, answer lost".to_owned()),
                Err(fault) => (Err(fault), "   *** failed, answer lost".to_owned()),
            },
            Some(Fault::CrashAfterCall) => {
                let done = act.await.is_ok();
                self.shared.lock().tell_of_call(&told, if done { "   *** done, then crash" } else { "   *** crash" });
                self.die().await
            }
            _ => match act.await {
                Ok(value) => (Ok(value), String::new()),
                Err(fault) => {
                    let outcome = format!("   -> {fault}");
                    (Err(fault), outcome)
                }
            },
        };
        self.shared.lock().tell_of_call(&told, &outcome);
        result
    }

    /// The process dies here.
    pub async fn die<T>(&self) -> T {
        {
            let mut core = self.shared.lock();
            core.doomed = Some(core.current);
        }
        pending().await
    }
}
