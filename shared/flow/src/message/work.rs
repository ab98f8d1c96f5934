//! One message on its way: to the target, and to its end in the ledger.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;

use super::worker::Progress;
use super::{Answer, Context, Forwarded, Ground, MessageCalls, MessageKit};
use crate::ledger::message::{Answered, Body, LastDelivered, Message, MessageState, REMEMBERED, keeps_order};
use crate::ledger::open::Open;
use crate::ledger::{Committed, Items, Seen};
use crate::ports::{ObjectRef, Write};
use crate::trigger::Invocation;
use crate::{Failure, Transient};

/// What follows when the target was called.
enum Step {
    /// Nothing: the message ends so, with this result.
    End(MessageState, Value),
    /// The source is told.
    Tell(Answered),
    /// Nothing yet.
    Later(Duration),
}

/// A message that is being worked on.
pub(super) struct Work<'a> {
    pub(super) kit: &'a MessageKit,
    pub(super) calls: &'a dyn MessageCalls,
    pub(super) invocation: &'a Invocation,
    attempt: String,
    pub(super) message: Message,
    rev: u64,
    pub(super) last: Option<Seen<LastDelivered>>,
    /// What was read together with the message.
    pub(super) beside: Option<&'a Items>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        kit: &'a MessageKit,
        calls: &'a dyn MessageCalls,
        invocation: &'a Invocation,
        message: Seen<Message>,
    ) -> Self {
        let attempt = format!("{}#{}", message.value.key, message.value.attempt);
        Self { kit, calls, invocation, attempt, message: message.value, rev: message.rev, last: None, beside: None }
    }

    /// Brings the message to its end while its source waits, who is told by whoever called this: the acknowledgement, or
    /// nothing if the message waits for something.
    pub(super) async fn at_once(&mut self) -> Result<Option<Value>, Transient> {
        let answered = match self.forward().await? {
            Step::End(state, result) => {
                self.end(state, Some(result.clone()), None).await?;
                return Ok(Some(result));
            }
            Step::Tell(answered) => answered,
            Step::Later(_) => return Ok(None),
        };
        self.end(answered.ends, Some(self.result(&answered)), answered.reason).await?;
        Ok(Some(answered.ack))
    }

    pub(super) async fn deliver(&mut self) -> Result<Progress, Transient> {
        if self.message.answered.is_none() {
            let step = match self.overtaken_by().map(str::to_owned) {
                Some(newer) => self.overtaken(&newer).await?,
                None => self.forward().await?,
            };
            match step {
                Step::End(state, result) => {
                    self.end(state, Some(result), None).await?;
                    return Ok(Progress::Done);
                }
                Step::Tell(answered) => self.message.answered = Some(answered),
                Step::Later(delay) => return Ok(Progress::Later(delay)),
            }
        }
        self.tell_source().await?;
        Ok(Progress::Done)
    }

    pub(super) fn context(&self) -> Context<'_> {
        let (correlation, attempt) = (self.message.correlation.as_str(), self.attempt.as_str());
        Context { flow: self.kit.flow, invocation: self.invocation, correlation, attempt, beside: self.beside }
    }

    /// It is not delivered any more, and its source hears of that as of every refusal; unless it had been taken before
    /// and was merely repeated.
    async fn overtaken(&self, newer: &str) -> Result<Step, Transient> {
        if let Some(result) = &self.message.result {
            return Ok(Step::End(MessageState::AwaitingAck, result.clone()));
        }
        let reason = format!("message {newer} of the same order was delivered after this one was first sent");
        let ack = self.calls.negative(&self.body().await?, Ground::Business, &reason).unwrap_or(Value::Null);
        Ok(Step::Tell(Answered { ack, ends: MessageState::Refused, reason: Some(reason) }))
    }

    /// The newer message of the same order that has been delivered already.
    fn overtaken_by(&self) -> Option<&str> {
        let last = &self.last.as_ref()?.value;
        let position = self.message.position.as_ref()?;
        let newer = !self.message.forced && last.message != self.message.key && last.position > *position;
        newer.then_some(last.message.as_str())
    }

    /// Forwards the message. What ends it without the target is turned into the answer that the source gets.
    async fn forward(&mut self) -> Result<Step, Transient> {
        let body = self.body().await?;
        let (ground, ends, reason) = match self.calls.forward(&body, &self.context()).await {
            Ok(Forwarded::Taken(result)) => return Ok(Step::End(MessageState::Delivered, result)),
            Ok(Forwarded::Awaited(result)) => {
                self.message.asked = Some(self.message.accepted);
                return Ok(Step::End(MessageState::AwaitingAck, result));
            }
            Ok(Forwarded::Answered(answer)) => return Ok(Step::Tell(answered(answer))),
            Ok(Forwarded::Later(delay)) => return Ok(Step::Later(delay)),
            Err(Failure::Rejected(rejected)) => (Ground::Business, MessageState::Refused, rejected.reason),
            Err(Failure::Transient(fault)) => {
                let deadline = self.calls.deadline(&body).await?;
                if !self.is_to_be_given_up() && deadline.is_none_or(|deadline| self.kit.clock.now() < deadline) {
                    return Err(fault);
                }
                (Ground::Technical, MessageState::Failed, fault.chain())
            }
        };
        let ack = self.calls.negative(&body, ground, &reason).unwrap_or(Value::Null);
        Ok(Step::Tell(Answered { ack, ends, reason: Some(reason) }))
    }

    async fn body(&self) -> Result<Vec<u8>, Transient> {
        let key = match &self.message.body {
            Body::Inline(text) => return Ok(text.as_bytes().to_vec()),
            Body::Stored(key) => key.clone(),
            Body::Gone => return Err(Transient::new("the body of a message that was delivered is asked for")),
        };
        let object = ObjectRef { bucket: self.kit.bodies.bucket.clone(), key, version: None };
        let mut stream = self.kit.bodies.source.read(&object, 0).await?;
        let mut body = Vec::new();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|e| Transient::because("reading the body", e))?;
            body.extend_from_slice(&bytes);
        }
        Ok(body)
    }

    pub(super) fn is_to_be_given_up(&self) -> bool {
        self.kit.clock.now().duration_since(self.message.accepted) > self.kit.retry_limit
    }

    /// Once its target has taken it, its order moves on, whether or not its source has been told: nothing older that comes back
    /// from the dead letters, or is sent again, is delivered over it.
    pub(super) fn moves_on(&self) -> Result<Option<Write>, Transient> {
        let answered = self.message.answered.as_ref().is_some_and(|answered| answered.ends.is_taken());
        let is_behind = |last: &Seen<LastDelivered>| self.message.position.as_ref() <= Some(&last.value.position);
        let is_taken = (answered || self.message.state.is_taken()) && keeps_order(&self.message.group);
        let last = self.last.as_ref();
        let Some(position) = self.message.position.clone().filter(|_| is_taken && !last.is_some_and(is_behind)) else {
            return Ok(None);
        };
        let (key, now) = (LastDelivered::key(self.kit.flow, &self.message.group), self.kit.clock.now());
        let fresh = LastDelivered { position, message: self.message.key.clone(), at: Some(now) };
        Write::put(key, &fresh, last.map(|last| last.rev), now.checked_add(REMEMBERED).ok()).map(Some)
    }

    /// Ends the message, in one write. A delivered one needs its body no more, and its order moves on; any other may be attempted
    /// anew, and is listed if it waits for somebody.
    pub(super) async fn end(
        &mut self,
        state: MessageState,
        result: Option<Value>,
        reason: Option<String>,
    ) -> Result<(), Transient> {
        self.message.state = state;
        self.message.result = result;
        self.message.reason = reason;
        self.message.ended = Some(self.kit.clock.now());
        if state == MessageState::Delivered {
            self.message.body = Body::Gone;
        }
        self.notify().await?;
        let mut writes = vec![self.write()?];
        writes.extend(self.moves_on()?);
        if let Some(open) = Open::of_message(&self.message) {
            writes.push(open.opening(self.kit.flow, self.message.expires())?);
        }
        self.commit(&writes).await
    }

    pub(super) fn write(&self) -> Result<Write, Transient> {
        let key = Message::key(self.kit.flow, &self.message.key);
        Write::put(key, &self.message, Some(self.rev), self.message.expires())
    }

    pub(super) async fn commit(&mut self, writes: &[Write]) -> Result<(), Transient> {
        match self.kit.ledger.commit(writes).await? {
            Committed::Yes => {
                self.rev += 1;
                Ok(())
            }
            Committed::LostRace => Err(Transient::new("another invocation worked on the same message")),
        }
    }
}

fn answered(answer: Answer) -> Answered {
    let ends = if answer.refused.is_some() { MessageState::Refused } else { MessageState::Delivered };
    Answered { ack: answer.ack, ends, reason: answer.refused }
}
