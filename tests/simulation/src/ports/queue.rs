use std::time::Duration;

use async_trait::async_trait;
use flow::Transient;
use flow::memory::Fifo;
use flow::ports::{Outgoing, Queue, Receipt};

use super::Wire;
use crate::bugs::Bug;
use crate::engine::{Event, Port};
use crate::flows::FlowId;

/// A flow's own queue, as its function sees it.
#[derive(Clone)]
pub struct SimQueue {
    /// The line.
    pub wire: Wire,
    /// Whose queue it is.
    pub flow: FlowId,
    /// The queue.
    pub queue: Fifo,
}

#[async_trait]
impl Queue for SimQueue {
    async fn send(&self, message: &Outgoing) -> Result<(), Transient> {
        let op = self.wire.op(Port::Queue, "send", || format!("{} group {}", message.body, message.group));
        let (message, lost) = {
            let mut core = self.wire.shared.lock();
            let mut message = message.clone();
            if core.bug == Some(Bug::ForgetTheGroup) {
                message.group = format!("group-{}", core.fresh());
            }
            let dropped = core.bug == Some(Bug::DropTheLetter) && core.is_of(FlowId::ErrorHandler);
            (message, dropped || core.bug == Some(Bug::AcceptBeforeQueueing) && core.dice.chance(25))
        };
        let act = async {
            if !lost {
                self.queue.send(&message).await?;
            }
            let mut core = self.wire.shared.lock();
            let now = core.now;
            core.schedule(now, Event::Poll(self.flow));
            Ok(())
        };
        self.wire.through(op, act).await
    }

    async fn hand_back(&self, receipt: &Receipt, delay: Duration) -> Result<(), Transient> {
        let op = self.wire.op(Port::Queue, "hand back", || format!("for {} s", delay.as_secs()));
        let act = async {
            if self.wire.shared.has_bug(Bug::HandBackByDeleting) {
                self.queue.remove(receipt);
                return Ok(());
            }
            self.queue.hand_back(receipt, delay).await
        };
        self.wire.through(op, act).await
    }
}
