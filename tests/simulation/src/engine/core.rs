use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use jiff::Timestamp;

use super::call::{Event, Fate, Op, Port, Reply, TaskInfo};
use crate::bugs::Bug;
use crate::dice::Dice;
use crate::faults::{Coverage, Fault, Plan};
use crate::flows::FlowId;

/// Microseconds since the schedule began.
pub type Micros = u64;
/// Names a task.
pub type TaskId = u64;

/// So many seconds.
#[must_use]
pub const fn seconds(seconds: u64) -> Micros {
    seconds * 1_000_000
}

/// 2026-07-01T00:00:00Z, an instant without any meaning.
const START: i64 = 1_782_864_000_000_000;
/// A function that never ends would fill the memory with its trace.
const LONGEST_TRACE: usize = 200_000;

struct Parked {
    task: TaskId,
    /// It is on its way to a neighbour.
    at_target: bool,
    fate: Fate,
    ready: bool,
    waker: Waker,
}

/// A task that will be run.
pub type Spawned = (TaskId, Pin<Box<dyn Future<Output = ()> + Send>>);

/// The state of one schedule that everybody shares.
pub struct Core {
    /// Now.
    pub now: Micros,
    /// Chance in scheduling.
    pub dice: Dice,
    /// The faults of calls to come.
    pub plan: Plan,
    /// The faults that came.
    pub coverage: Coverage,
    /// The bug that is planted.
    pub bug: Option<Bug>,
    /// Rules that were seen broken while they were broken.
    pub violations: Vec<String>,
    /// Faults of calls by task, so that a rule can excuse whom one struck.
    pub strikes: BTreeMap<TaskId, u64>,
    /// Whether clocks differ by more than they usually do.
    pub skewed: bool,
    /// Requests on their way to a door: flow, number, body.
    pub requests: VecDeque<(FlowId, u64, Bytes)>,
    /// How much slower than usual the cloud is.
    pub sluggish: u64,
    /// The task that runs.
    pub current: TaskId,
    /// Its process dies as soon as it waits.
    pub doomed: Option<TaskId>,
    pub(super) spawned: VecDeque<Spawned>,
    pub(super) tasks: BTreeMap<TaskId, TaskInfo>,
    events: BTreeMap<(Micros, u64, u64), Event>,
    calls: BTreeMap<u64, Parked>,
    /// By request: what a door answered.
    pub replies: BTreeMap<u64, Reply>,
    next: u64,
    trace: Option<Vec<String>>,
    /// Calls that went on, a measure of the work.
    pub steps: u64,
}

/// A handle of [`Core`].
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Core>>);

impl Shared {
    /// The beginning of a schedule.
    #[must_use]
    pub fn new(mut dice: Dice, plan: Plan, bug: Option<Bug>, traced: bool) -> Self {
        let sluggish = if dice.chance(15) { 12 } else { 1 };
        Self(Arc::new(Mutex::new(Core {
            now: 0,
            dice,
            plan,
            coverage: Coverage::default(),
            bug,
            violations: Vec::new(),
            strikes: BTreeMap::new(),
            skewed: false,
            requests: VecDeque::new(),
            sluggish,
            current: 0,
            doomed: None,
            spawned: VecDeque::new(),
            tasks: BTreeMap::new(),
            events: BTreeMap::new(),
            calls: BTreeMap::new(),
            replies: BTreeMap::new(),
            next: 0,
            trace: traced.then(Vec::new),
            steps: 0,
        })))
    }

    /// The state.
    pub fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the planted bug is this one.
    #[must_use]
    pub fn has_bug(&self, bug: Bug) -> bool {
        self.lock().bug == Some(bug)
    }
}

impl Core {
    /// A number that nothing else has.
    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The instant, by a clock that is `skew` microseconds ahead.
    #[must_use]
    pub fn instant(&self, skew: i64) -> Timestamp {
        at(self.now, skew)
    }

    /// Lets `event` happen at `at`; of events at one instant the dice choose the first.
    pub fn schedule(&mut self, at: Micros, event: Event) {
        let tie = self.dice.roll();
        let order = self.fresh();
        self.events.insert((at.max(self.now), tie, order), event);
    }

    /// The next event; time moves to it.
    pub fn next_event(&mut self) -> Option<Event> {
        let ((at, _, _), event) = self.events.pop_first()?;
        self.now = at;
        Some(event)
    }

    /// When the next event happens, if there is one.
    #[must_use]
    pub fn next_event_at(&self) -> Option<Micros> {
        self.events.first_key_value().map(|((at, _, _), _)| *at)
    }

    /// Begins a task; it first runs when the present one waits.
    pub fn spawn(&mut self, info: TaskInfo, work: impl Future<Output = ()> + Send + 'static) -> TaskId {
        let task = self.fresh();
        if let Some(deadline) = info.deadline {
            self.schedule(deadline, Event::Deadline(task, false));
        }
        self.tasks.insert(task, info);
        self.spawned.push_back((task, Box::pin(work)));
        task
    }

    /// Whether the present task is an invocation of `flow`.
    #[must_use]
    pub fn is_of(&self, flow: FlowId) -> bool {
        self.tasks.get(&self.current).is_some_and(|info| info.flow == Some(flow))
    }

    /// A task of a sender or a neighbour.
    pub fn script(&mut self, label: &str, work: impl Future<Output = ()> + Send + 'static) -> TaskId {
        let info = TaskInfo { label: label.to_owned(), flow: None, batch: 0, deadline: None, thaw: 0 };
        self.spawn(info, work)
    }

    /// Parks a call of the present task.
    pub(super) fn park(&mut self, op: &Op, waker: Waker) -> u64 {
        let call = self.fresh();
        let task = self.current;
        let mut fate = Fate::default();
        let at_target = matches!(op.port, Port::Target(_));
        let latency = self.latency(op);
        let at = op.until.unwrap_or(self.now + latency);
        if let Some(info) = self.tasks.get(&task) {
            fate.fault = self.plan.strike(op, info);
        }
        match fate.fault {
            Some(fault) => self.strike(fault, task, call, at),
            None => self.schedule(at, Event::Ready(call)),
        }
        if let Some(fault @ (Fault::Crash | Fault::CrashInBatch | Fault::FunctionTimeout | Fault::SlowTwin)) =
            fate.fault
        {
            self.tell_of_call(op, &format!("   *** {fault:?}"));
        }
        self.calls.insert(call, Parked { task, at_target, fate, ready: false, waker });
        call
    }

    /// What a fault does to a call that would go on at `at`, before it takes effect.
    fn strike(&mut self, fault: Fault, task: TaskId, call: u64, at: Micros) {
        let Some(info) = self.tasks.get(&task).cloned() else { return };
        *self.strikes.entry(task).or_default() += 1;
        if let Some(flow) = info.flow {
            self.coverage.note(fault, flow);
            if matches!(fault, Fault::Crash | Fault::CrashAfterCall) && info.batch > 1 {
                self.coverage.note(Fault::CrashInBatch, flow);
            }
        }
        let deadline = info.deadline.unwrap_or(self.now);
        match fault {
            Fault::Crash | Fault::CrashInBatch => self.schedule(at, Event::Crash(task)),
            // It never goes on: the deadline ends the task.
            Fault::FunctionTimeout if info.deadline.is_some() => {}
            Fault::SlowTwin => {
                let thaw = deadline + self.dice.between(seconds(3), seconds(200));
                if let Some(info) = self.tasks.get_mut(&task) {
                    info.thaw = thaw;
                }
                self.schedule(thaw, Event::Ready(call));
                self.schedule(thaw + seconds(90), Event::Deadline(task, true));
            }
            Fault::TargetSlow => {
                let late = at + self.dice.between(seconds(2), seconds(18));
                self.schedule(late, Event::Ready(call));
            }
            _ => self.schedule(at, Event::Ready(call)),
        }
    }

    fn latency(&mut self, op: &Op) -> Micros {
        let scale = self.sluggish;
        let usual = match op.port {
            Port::Clock | Port::Script => return 0,
            Port::Target(_) => self.dice.between(5_000, 200_000),
            _ if op.verb == "chunk" => self.dice.between(200, 8_000),
            _ => self.dice.between(2_000, 15_000),
        };
        let unlucky = match self.dice.below(100) {
            0 => 100,
            1..=5 => 12,
            _ => 1,
        };
        (usual * scale * unlucky).min(seconds(if matches!(op.port, Port::Target(_)) { 12 } else { 3 }))
    }

    /// Whether a parked call may go on, and how.
    pub(super) fn collect(&mut self, call: u64, waker: &Waker) -> Option<Fate> {
        let parked = self.calls.get_mut(&call)?;
        if !parked.ready {
            parked.waker.clone_from(waker);
            return None;
        }
        let fate = parked.fate;
        self.calls.remove(&call);
        self.steps += 1;
        Some(fate)
    }

    /// Forgets a call whose task is gone.
    pub(super) fn forget(&mut self, call: u64) {
        self.calls.remove(&call);
    }

    /// Lets a parked call go on, unless its task stands still or is gone.
    pub(super) fn make_ready(&mut self, call: u64) {
        let Some(parked) = self.calls.get_mut(&call) else { return };
        let thaw = self.tasks.get(&parked.task).map_or(0, |task| task.thaw);
        if thaw > self.now {
            // Not simulated: a call that takes effect after its caller's lease. One that was on its way has timed out.
            if parked.at_target {
                parked.fate.fault = Some(Fault::TargetTimeout);
            }
            self.schedule(thaw, Event::Ready(call));
            return;
        }
        parked.ready = true;
        parked.waker.wake_by_ref();
    }

    /// Notes that `fault` happened to `flow`.
    pub fn happened(&mut self, fault: Fault, flow: FlowId) {
        self.coverage.note(fault, flow);
    }

    /// Whether the trace is kept.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// Adds a line to the trace.
    pub fn note(&mut self, who: &str, what: &str) {
        let now = self.now;
        if let Some(trace) = &mut self.trace
            && trace.len() < LONGEST_TRACE
        {
            trace.push(format!("{}  {who:<26} {what}", clock_face(now)));
        }
    }

    /// Adds a line about the present task.
    pub fn note_here(&mut self, what: &str) {
        if self.is_traced() {
            let who = self.tasks.get(&self.current).map_or_else(String::new, |task| task.label.clone());
            self.note(&who, what);
        }
    }

    /// Adds a line about a call of the present task.
    pub fn tell_of_call(&mut self, op: &Op, outcome: &str) {
        if self.is_traced() {
            let port = match op.port {
                Port::Target(name) => name.to_owned(),
                port => format!("{port:?}").to_lowercase(),
            };
            self.note_here(&format!("{port} {} {}{outcome}", op.verb, op.about));
        }
    }

    /// The trace so far.
    #[must_use]
    pub fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }

    /// Notes a rule that was just broken.
    pub fn violated(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.note_here(&format!("!!! {what}"));
        self.violations.push(what);
    }
}

/// The instant `now` microseconds after the beginning, by a clock that is `skew` microseconds ahead.
#[must_use]
pub fn at(now: Micros, skew: i64) -> Timestamp {
    let now = i64::try_from(now).unwrap_or(i64::MAX).saturating_add(START).saturating_add(skew);
    Timestamp::from_microsecond(now).unwrap_or(Timestamp::MAX)
}

/// Hours, minutes, seconds and milliseconds.
fn clock_face(now: Micros) -> String {
    let millis = now / 1000;
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", millis % 1000)
}
