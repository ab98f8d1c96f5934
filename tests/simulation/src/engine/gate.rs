use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use flow::trigger::HttpReply;

use super::call::{Fate, Op, Port, Reply};
use super::core::{Micros, Shared};

/// Where every call of a port waits until the machine lets it go on.
pub struct Gate {
    shared: Shared,
    op: Op,
    call: Option<u64>,
}

impl Gate {
    /// A call that has not been made yet.
    #[must_use]
    pub fn new(shared: Shared, op: Op) -> Self {
        Self { shared, op, call: None }
    }
}

impl Future for Gate {
    type Output = Fate;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Fate> {
        let shared = self.shared.clone();
        let mut core = shared.lock();
        match self.call {
            None => {
                self.call = Some(core.park(&self.op, context.waker().clone()));
                Poll::Pending
            }
            Some(call) => match core.collect(call, context.waker()) {
                None => Poll::Pending,
                Some(fate) => {
                    self.call = None;
                    Poll::Ready(fate)
                }
            },
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.shared.lock().forget(call);
        }
    }
}

/// Lets a sender or a neighbour wait until `at`.
pub async fn sleep_until(shared: &Shared, at: Micros) {
    let op = Op { port: Port::Script, verb: "wait", about: String::new(), until: Some(at) };
    Gate::new(shared.clone(), op).await;
}

/// Waits for what the door answers to `request`; `None` when there is no answer.
pub async fn await_reply(shared: &Shared, request: u64) -> Option<HttpReply> {
    std::future::poll_fn(|context| {
        let mut core = shared.lock();
        match core.replies.get_mut(&request) {
            Some(Reply::Waiting(waker)) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            Some(Reply::Came(reply)) => {
                let reply = reply.take();
                core.replies.remove(&request);
                Poll::Ready(reply)
            }
            None => Poll::Ready(None),
        }
    })
    .await
}
