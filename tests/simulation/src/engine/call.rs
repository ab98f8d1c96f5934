use std::task::Waker;

use flow::trigger::HttpReply;

use super::core::{Micros, TaskId};
use crate::faults::Fault;
use crate::flows::FlowId;

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// The table.
    Ledger,
    /// Reading objects.
    Objects,
    /// Writing objects.
    Outlet,
    /// The flow's queue.
    Queue,
    /// Telling people.
    People,
    /// A neighbour.
    Target(&'static str),
    /// Sleeping.
    Clock,
    /// A sender's or a neighbour's own step: nothing of ours, never struck by a fault.
    Script,
}

/// One call of a port.
#[derive(Debug)]
pub struct Op {
    /// The port.
    pub port: Port,
    /// What is asked of it.
    pub verb: &'static str,
    /// With what, for the trace.
    pub about: String,
    /// Until when it takes, where that is not left to the dice.
    pub until: Option<Micros>,
}

/// How a parked call may go on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fate {
    /// What strikes it.
    pub fault: Option<Fault>,
}

/// Who makes calls.
#[derive(Debug, Clone)]
pub struct TaskInfo {
    /// For the trace.
    pub label: String,
    /// The flow; `None` for senders and neighbours.
    pub flow: Option<FlowId>,
    /// How many messages it works on.
    pub batch: usize,
    /// When the function is ended.
    pub deadline: Option<Micros>,
    /// Until when it stands still.
    pub thaw: Micros,
}

/// What happens at an instant.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// A parked call goes on.
    Ready(u64),
    /// A process dies.
    Crash(TaskId),
    /// A function's time is over; `true`: also when it stands still.
    Deadline(TaskId, bool),
    /// Somebody looks whether a flow's queue has messages.
    Poll(FlowId),
    /// The gateway stops waiting for an answer.
    Lapse(u64),
}

/// What became of a request at a door.
#[derive(Debug)]
pub enum Reply {
    /// Nothing yet.
    Waiting(Option<Waker>),
    /// An answer, or none: the function died, or took too long.
    Came(Option<HttpReply>),
}
