//! Virtual time and who acts in it: a small executor of its own, in which one seed decides who goes on.
//!
//! ```text
//! flow code ── port call ─▶ parked until an instant (latency by dice) ──▶ takes effect, returns ──▶ next port call …
//!                              └ or its task crashes there, stands still, or the call fails
//! ```
//!
//! Every call of a port waits at a [`Gate`]. The machine takes the earliest parked call, moves time to it and lets its
//! task go on: so interleavings come from latencies, and latencies from the seed. Between two port calls a task runs
//! undisturbed, as between two awaits of one thread.

mod call;
mod core;
mod gate;
mod machine;

pub use self::core::{Core, Micros, Shared, TaskId, at, seconds};
pub use call::{Event, Fate, Op, Port, Reply, TaskInfo};
pub use gate::{Gate, await_reply, sleep_until};
pub use machine::{Ended, Machine};
