//! The door of a flow that answers with results (architecture.md §2.10): each message of a list is brought to its target
//! while its sender waits, some side by side. What is not done in time, or meets a fault, becomes a message like any other.
//!
//! ```text
//! stored ─ forward ─┬─ ended in the ledger ─────────────────────▶ its acknowledgement stands in the answer
//!                   └─ late, or a fault ─ promised ─ queued ─ 202 ─▶ worker ─▶ acknowledged by a call of its own
//! ```
//!
//! **Only a promised message is queued.** The promise is a write: a door that still works on the message finds out when it
//! wants to end it, and leaves it to the worker. So whoever sends a list again, because its answer was lost, gets each result
//! once: from the ledger if it is there, else from the worker. A message that is stored and neither ended nor promised was
//! never answered for; its sender has an error, or no answer, and sends it again.

use std::collections::HashMap;

use bytes::Bytes;
use domain::json::Problem;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::door::{Taken, take};
use super::work::Work;
use super::worker::Progress;
use super::{Identity, MessageCalls, MessageKit, Nudge, anew};
use crate::Transient;
use crate::ledger::message::{Message, MessageState};
use crate::ledger::{Committed, Seen};
use crate::ports::Write;
use crate::trigger::{HttpRequest, Invocation};

/// How often a promise or an attempt that lost a race is tried again at once.
const RACES: u32 = 5;

/// One message of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which one it is.
    pub identity: Identity,
    /// Its own body.
    pub body: Bytes,
}

/// What the sender is told of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It has ended: the acknowledgement, or the result that it had before.
    Ended(Value),
    /// It is acknowledged later.
    Later,
    /// It is not taken.
    Refused(Problem),
}

/// Takes lists of messages at the door of a flow.
pub struct AtOnce<'a> {
    /// The flow's kit.
    pub kit: &'a MessageKit,
    /// The flow's calls.
    pub calls: &'a dyn MessageCalls,
    /// Until when calls may take.
    pub invocation: &'a Invocation,
    /// Messages that are worked on at the same time, 1 at least.
    pub side_by_side: usize,
}

impl AtOnce<'_> {
    /// What is told of each message of `list`, in its order. One that stands there twice is one message; with another body,
    /// the later one is refused.
    ///
    /// # Errors
    /// [`Transient`] when one of them could neither be ended nor be stored. The list is to be sent again: those that have
    /// ended are answered as before.
    pub async fn take(&self, list: &[Listed], request: &HttpRequest) -> Result<Vec<Told>, Transient> {
        let (mut first, mut places) = (HashMap::with_capacity(list.len()), Vec::with_capacity(list.len()));
        for (place, message) in list.iter().enumerate() {
            first.entry(message.identity.key.as_str()).or_insert_with(|| {
                places.push(place);
                place
            });
        }
        let each = places.into_iter().map(|place| self.at(list, place, request));
        let told = stream::iter(each).buffered(self.side_by_side.max(1)).collect::<Vec<Result<_, Transient>>>().await;
        let told = told.into_iter().collect::<Result<HashMap<usize, Told>, Transient>>()?;
        let of = |message: &Listed| {
            let place = first.get(message.identity.key.as_str())?;
            let same_body = list.get(*place)?.identity == message.identity;
            if same_body { told.get(place).cloned() } else { Some(Told::Refused(Problem::other_body())) }
        };
        // Each of them has a first; should one have none, its sender is not left without a word.
        Ok(list.iter().map(|message| of(message).unwrap_or(Told::Later)).collect())
    }

    async fn at(&self, list: &[Listed], place: usize, request: &HttpRequest) -> Result<(usize, Told), Transient> {
        let listed = list.get(place).ok_or_else(|| Transient::new("a list has become shorter"))?;
        Ok((place, self.one(listed, request, format!("{}-{place}", request.request_id)).await?))
    }

    async fn one(&self, listed: &Listed, request: &HttpRequest, once: String) -> Result<Told, Transient> {
        for _ in 0..RACES {
            match take(self.kit, &listed.identity, &listed.body, &request.correlation).await? {
                Taken::New(message) => return self.bring(*message, once).await,
                Taken::Again(known) => {
                    if let Some(message) = self.begin_again(&known, request).await? {
                        return self.bring(message, once).await;
                    }
                }
                Taken::Open(message) => return self.promise(*message, once).await,
                Taken::Done(message) => return Ok(ended(*message)),
                Taken::OtherBody(message) => {
                    self.promise(*message, once).await?;
                    return Ok(Told::Refused(Problem::other_body()));
                }
                Taken::Refused(problem) => return Ok(Told::Refused(problem)),
            }
        }
        Err(Transient::new("attempting the message anew: others keep sending it at the same time"))
    }

    /// Its sender waits for a result, so the next attempt begins here. `None`: somebody else changed it meanwhile.
    async fn begin_again(
        &self,
        known: &Seen<Message>,
        request: &HttpRequest,
    ) -> Result<Option<Seen<Message>>, Transient> {
        let next = known.value.attempted_anew(self.kit.clock.now());
        let next = Message { correlation: request.correlation.clone(), ..next };
        anew::begin(&self.kit.ledger, self.kit.flow, known, next).await
    }

    /// Brings a message that nobody else works on to its end, if it can be done now.
    async fn bring(&self, message: Seen<Message>, once: String) -> Result<Told, Transient> {
        let started = self.kit.clock.now();
        let stored = message.clone();
        let mut work = Work::new(self.kit, self.calls, self.invocation, message);
        let done = work.at_once().await;
        let progress = done.as_ref().map(|_| &Progress::Done);
        work.report(1, started, progress);
        match done {
            Ok(Some(ack)) => Ok(Told::Ended(ack)),
            Ok(None) | Err(_) => self.promise(stored, once).await,
        }
    }

    /// Leaves an open message to the worker, who tells its source.
    async fn promise(&self, mut message: Seen<Message>, once: String) -> Result<Told, Transient> {
        let key = Message::key(self.kit.flow, &message.value.key);
        for _ in 0..RACES {
            match message.value.state {
                MessageState::Accepted => {}
                // The worker has ended it, and tells its source.
                ended if message.value.promised && ended != MessageState::Delivered => return Ok(Told::Later),
                _ => return Ok(ended(message.value)),
            }
            let promised = Message { promised: true, ..message.value.clone() };
            let write = Write::put(key.clone(), &promised, Some(message.rev), None)?;
            if message.value.promised || self.kit.ledger.commit(&[write]).await? == Committed::Yes {
                self.kit.queue.send(&Nudge::of(&promised).outgoing(&promised, once)?).await?;
                return Ok(Told::Later);
            }
            let known = self.kit.ledger.get::<Message>(&key).await?;
            message = known.ok_or_else(|| Transient::new("the message was there, and is not any more"))?;
        }
        Err(Transient::new("promising the message: others keep changing it at the same time"))
    }
}

fn ended(message: Message) -> Told {
    message.result.map_or(Told::Later, Told::Ended)
}
