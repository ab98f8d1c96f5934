//! The DERMS passes on which customers want to be enrolled, or enrolled no more; DACS takes each of these requests, and says
//! which enrollment it has become.
//!
//! ```text
//! DERMS ─ POST /v1/derms/enrollment-request ─▶ door ─ enroll, unenroll, some side by side ─▶ DACS
//!   ▲ ▲                                         │ │
//!   │ └── 200: what became of each, in order ◀──┘ │ not in time, or a fault
//!   │                                             ▼
//!   └──────────── POST /acks, one each ◀─ worker ◀─ queue
//! ```
//!
//! Message key: each request's `messageId`, by which DACS knows it too (`transactionId`), so that a call that is made twice
//! is harmless. No order. What is wrong with one request, here or at DACS, is that request's own response.

mod answer;
mod calls;

use std::time::Duration;

use bytes::Bytes;
use domain::enrollment_request::{EnrollmentRequest, Listed};
use flow::Transient;
use flow::message::{self, AtOnce, Identity, MessageKit, Told, work};
use flow::trigger::{HttpReply, HttpRequest, Invocation, Reply, Trigger};
use jiff::SignedDuration;

pub use calls::Calls;

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-enrollment-request";

/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &[
    "AssetSpec",
    "AssetType",
    "DacsMessages",
    "EnrollmentSource",
    "HeadEndSystem",
    "Routing",
    "Targets",
    "UnenrollReason",
];

/// A request is answered within 25 s (architecture.md §2.10). Calls are over by then, and there is time left to queue what is
/// not done.
const CALLS_END: SignedDuration = SignedDuration::from_secs(22);
/// While somebody waits, a call ends after this: one that takes longer is for the worker.
const HURRIED: Duration = Duration::from_secs(8);

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, queue and the rest of every message flow.
    pub kit: MessageKit,
    /// DACS and DERMS.
    pub calls: Calls,
    /// Calls to DACS that one list makes side by side at most.
    pub side_by_side: usize,
}

impl Flow {
    /// A list of requests at the door, or single ones of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] never; faults are in the reply.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        match trigger {
            Trigger::Http(request) => Ok(Reply::Http(self.door(&request, &invocation).await)),
            Trigger::Queue(deliveries) => {
                Ok(Reply::Batch { failed: work(&self.kit, &self.calls, &deliveries, &invocation).await })
            }
        }
    }

    async fn door(&self, request: &HttpRequest, invocation: &Invocation) -> HttpReply {
        let list = match EnrollmentRequest::parse_list(&request.body) {
            Ok(list) => list,
            Err(problem) => return HttpReply::problem(&problem),
        };
        match self.bring(&list, request, invocation).await {
            Ok(told) => answer::reply(&list, told, &request.correlation, self.kit.clock.now()),
            Err(fault) => {
                tracing::warn!(flow = NAME, correlation = request.correlation, fault = fault.chain(), "not accepted");
                HttpReply::unavailable(&request.correlation)
            }
        }
    }

    /// What is told of each request that can be read, in their order.
    async fn bring(
        &self,
        list: &[Listed],
        request: &HttpRequest,
        invocation: &Invocation,
    ) -> Result<Vec<Told>, Transient> {
        let calls = self.calls.within(HURRIED);
        let end = self.kit.clock.now().saturating_add(CALLS_END).unwrap_or(invocation.deadline);
        let invocation = Invocation { deadline: end.min(invocation.deadline), ..invocation.clone() };
        let at_once =
            AtOnce { kit: &self.kit, calls: &calls, invocation: &invocation, side_by_side: self.side_by_side };
        let readable: Vec<_> = list.iter().filter(|listed| listed.request.is_ok()).map(as_message).collect();
        at_once.take(&readable, request).await
    }
}

/// A request as a message of its own: they have no order.
fn as_message(listed: &Listed) -> message::Listed {
    let identity = Identity::alone(listed.message_id.to_string(), listed.hash.to_string());
    message::Listed { identity, body: Bytes::from(listed.body.clone()) }
}
