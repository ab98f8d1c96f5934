use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::call::Reply;
use super::core::{Shared, TaskId};

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    Done,
    /// Its process died.
    Crashed,
    /// The function's time was over.
    TimedOut,
    /// The function's time was over while it stood still: it will go on, and nobody waits for it.
    Abandoned,
}

struct Running {
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
    waker: Waker,
}

type ReadyList = Arc<Mutex<Vec<TaskId>>>;

struct TaskWaker {
    task: TaskId,
    ready: ReadyList,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(self.task);
    }
}

/// The tasks of a schedule, and what makes them go on.
pub struct Machine {
    shared: Shared,
    running: BTreeMap<TaskId, Running>,
    ready: ReadyList,
    ended: Vec<(TaskId, Ended)>,
}

impl Machine {
    /// A machine without tasks.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self { shared, running: BTreeMap::new(), ready: ReadyList::default(), ended: Vec::new() }
    }

    /// Lets a parked call go on.
    pub fn call_ready(&mut self, call: u64) {
        self.shared.lock().make_ready(call);
        self.run();
    }

    /// The gateway has waited long enough.
    pub fn lapse(&mut self, request: u64) {
        self.answer(request, None);
        self.run();
    }

    /// Gives an answer to whoever waits for `request`.
    pub fn answer(&mut self, request: u64, reply: Option<flow::trigger::HttpReply>) {
        let mut core = self.shared.lock();
        if let Some(Reply::Waiting(waker)) = core.replies.get_mut(&request) {
            if let Some(waker) = waker.take() {
                waker.wake();
            }
            core.replies.insert(request, Reply::Came(reply));
        }
    }

    /// Ends a task wherever it is.
    pub fn kill(&mut self, task: TaskId, how: Ended) {
        if self.running.remove(&task).is_some() {
            self.shared.lock().tasks.remove(&task);
            self.ended.push((task, how));
        }
        self.run();
    }

    /// The time of a function is over. One that stands still is abandoned, and goes on later.
    pub fn deadline(&mut self, task: TaskId, even_frozen: bool) {
        if !self.running.contains_key(&task) {
            return;
        }
        let frozen = {
            let core = self.shared.lock();
            core.tasks.get(&task).is_some_and(|info| info.thaw > core.now)
        };
        if frozen && !even_frozen {
            self.ended.push((task, Ended::Abandoned));
        } else {
            self.kill(task, Ended::TimedOut);
        }
    }

    /// The tasks that ended since this was asked last.
    pub fn take_ended(&mut self) -> Vec<(TaskId, Ended)> {
        std::mem::take(&mut self.ended)
    }

    /// Runs every task that can run until each waits.
    pub fn run(&mut self) {
        loop {
            while let Some((task, work)) = { self.shared.lock().spawned.pop_front() } {
                let waker = Waker::from(Arc::new(TaskWaker { task, ready: self.ready.clone() }));
                self.running.insert(task, Running { work, waker });
                self.poll(task);
            }
            let ready = std::mem::take(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner));
            if ready.is_empty() && self.shared.lock().spawned.is_empty() {
                return;
            }
            for task in ready {
                self.poll(task);
            }
        }
    }

    fn poll(&mut self, task: TaskId) {
        let Some(running) = self.running.get_mut(&task) else { return };
        self.shared.lock().current = task;
        let mut context = Context::from_waker(&running.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| running.work.as_mut().poll(&mut context)));
        let doomed = {
            let mut core = self.shared.lock();
            core.doomed.take_if(|doomed| *doomed == task).is_some()
        };
        let how = match polled {
            Err(_) => {
                self.shared.lock().violated("a function panicked");
                Ended::Crashed
            }
            _ if doomed => Ended::Crashed,
            Ok(Poll::Ready(())) => Ended::Done,
            Ok(Poll::Pending) => return,
        };
        self.running.remove(&task);
        self.shared.lock().tasks.remove(&task);
        self.ended.push((task, how));
    }
}
