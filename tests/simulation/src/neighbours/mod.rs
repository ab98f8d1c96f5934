//! DACS and DERMS as small models: what they keep, how they answer, and what they do when a call comes again
//! (contracts.md §4, "On repeat"). They read the calls by themselves, with none of the code that made them.

mod dacs;
mod derms;
mod outages;
mod participation;
mod program_enrollments;
mod program_events;
mod status_checks;

pub use dacs::{Dacs, SyncState};
pub use derms::{Derms, Heard, ScoreSet};
pub use outages::Outages;
pub use participation::{Participation, UNKNOWN};
pub use program_enrollments::{Enrollments, REFUSED_ASSET};
pub use program_events::{ProgramEvent, ProgramEvents, UNSTOPPABLE};
pub use status_checks::StatusChecks;

use bytes::Bytes;
use flow::trigger::HttpReply;

use crate::engine::{Micros, Reply, Shared, await_reply, seconds, sleep_until};
use crate::flows::FlowId;

/// Posts `body` at a flow's door; `None` when no answer came.
pub async fn post(shared: &Shared, flow: FlowId, body: Bytes) -> Option<HttpReply> {
    let request = {
        let mut core = shared.lock();
        let request = core.fresh();
        core.replies.insert(request, Reply::Waiting(None));
        core.requests.push_back((flow, request, body));
        request
    };
    await_reply(shared, request).await
}

/// How a door took a message in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The status that ended it: below 500.
    pub status: u16,
    /// When the last try, the one that was answered, began.
    pub begun: Micros,
    /// When it was answered.
    pub at: Micros,
}

/// Posts `body` until it is answered with less than 500, as every sender has to.
pub async fn post_until_taken(shared: &Shared, flow: FlowId, body: Bytes) -> Taken {
    loop {
        let begun = shared.lock().now;
        let reply = post(shared, flow, body.clone()).await;
        let (now, pause) = {
            let mut core = shared.lock();
            (core.now, core.dice.between(seconds(2), seconds(40)))
        };
        match reply {
            Some(reply) if reply.status < 500 => return Taken { status: reply.status, begun, at: now },
            _ => sleep_until(shared, now + pause).await,
        }
    }
}
