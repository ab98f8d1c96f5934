//! The worker: brings messages to their target, in order within a group, and tells their source.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Context, Forwarded, Ground, MessageCalls, MessageKit, Nudge};
use crate::ledger::message::{Answered, Body, LastDelivered, Message, MessageState, REMEMBERED};
use crate::ledger::open::Open;
use crate::ledger::{Committed, Seen};
use crate::ports::{Audience, Notice, ObjectRef, UnitReport, Write};
use crate::trigger::{Delivery, Invocation};
use crate::{Failure, Transient};

/// Works on a batch of the flow's queue. Groups go side by side; within one, the first message that fails keeps the
/// rest behind it, so that their order holds.
///
/// Returns the queue ids of the messages that must be shown again.
pub async fn work(
    kit: &MessageKit,
    calls: &dyn MessageCalls,
    deliveries: &[Delivery],
    invocation: &Invocation,
) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        let group = delivery.group.as_deref().unwrap_or(&delivery.message_id);
        groups.entry(group).or_default().push(delivery);
    }
    let groups = groups.into_values().map(|group| in_order(kit, calls, group, invocation));
    join_all(groups).await.into_iter().flatten().collect()
}

async fn in_order(
    kit: &MessageKit,
    calls: &dyn MessageCalls,
    group: Vec<&Delivery>,
    invocation: &Invocation,
) -> Vec<String> {
    let mut waiting = group.into_iter();
    for delivery in waiting.by_ref() {
        let delay = match one(kit, calls, delivery, invocation).await {
            Ok(Progress::Done) => continue,
            Ok(Progress::Later(delay)) => delay,
            Err(fault) => {
                tracing::warn!(flow = kit.flow, message = delivery.message_id, fault = fault.chain(), "handed back");
                backoff(delivery.receive_count)
            }
        };
        let mut failed = Vec::new();
        for delivery in std::iter::once(delivery).chain(waiting) {
            hand_back(kit, delivery, delay).await;
            failed.push(delivery.message_id.clone());
        }
        return failed;
    }
    Vec::new()
}

async fn hand_back(kit: &MessageKit, delivery: &Delivery, delay: Duration) {
    let Some(receipt) = &delivery.receipt else { return };
    // Should this fail, the message comes back when its visibility timeout ends.
    if let Err(fault) = kit.queue.hand_back(receipt, delay).await {
        tracing::warn!(flow = kit.flow, fault = fault.chain(), "the message comes back after its timeout");
    }
}

/// How far a message was brought.
pub(super) enum Progress {
    /// Nothing more is to be done for this delivery.
    Done,
    /// It waits for something, and is looked at again after this time.
    Later(Duration),
}

async fn one(
    kit: &MessageKit,
    calls: &dyn MessageCalls,
    delivery: &Delivery,
    invocation: &Invocation,
) -> Result<Progress, Transient> {
    let started = kit.clock.now();
    let Some(nudge) = Nudge::read(&delivery.body) else {
        tell(kit, Audience::Technical, "a queue message that names no message", &delivery.message_id).await?;
        return Ok(Progress::Done);
    };
    let group = delivery.group.as_deref().unwrap_or_default();
    let (message, last) = kit
        .ledger
        .get_two::<Message, LastDelivered>(&Message::key(kit.flow, &nudge.key), &LastDelivered::key(kit.flow, group))
        .await?;
    let Some(message) = message else {
        tell(kit, Audience::Technical, "a message that the ledger does not know", &nudge.key).await?;
        return Ok(Progress::Done);
    };
    let Some(message) = nudge.open(&kit.ledger, kit.flow, message, started).await? else {
        return Ok(Progress::Done);
    };
    let mut work = Work::new(kit, calls, invocation, message);
    work.last = last;
    work.is_alone = delivery.group.is_some();
    if work.message.position.is_none() {
        work.message.position.clone_from(&delivery.sequence);
    }
    let progress = work.deliver().await;
    work.report(delivery.receive_count, started, progress.as_ref());
    progress
}

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
    kit: &'a MessageKit,
    calls: &'a dyn MessageCalls,
    invocation: &'a Invocation,
    attempt: String,
    message: Message,
    rev: u64,
    last: Option<Seen<LastDelivered>>,
    /// A group of a FIFO queue has one instance at a time; of a standard queue two may have the same message.
    is_alone: bool,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        kit: &'a MessageKit,
        calls: &'a dyn MessageCalls,
        invocation: &'a Invocation,
        message: Seen<Message>,
    ) -> Self {
        let attempt = format!("{}#{}", message.value.key, message.value.attempt);
        Self { kit, calls, invocation, attempt, message: message.value, rev: message.rev, last: None, is_alone: true }
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

    /// What its source is answered when it sends the message again after its end.
    fn result(&self, answered: &Answered) -> Value {
        let status = || json!({ "messageKey": self.message.key, "status": answered.ends.word().to_uppercase() });
        self.calls.result(&answered.ack).unwrap_or_else(status)
    }

    async fn deliver(&mut self) -> Result<Progress, Transient> {
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
                Step::Tell(answered) => self.keep_before_telling(answered).await?,
                Step::Later(delay) => return Ok(Progress::Later(delay)),
            }
        }
        self.tell_source().await?;
        Ok(Progress::Done)
    }

    fn context(&self) -> Context<'_> {
        let (correlation, attempt) = (self.message.correlation.as_str(), self.attempt.as_str());
        Context { flow: self.kit.flow, invocation: self.invocation, correlation, attempt }
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

    /// Where two instances may have the message, and may have found different answers, the first one to write it down has
    /// it told; the other one finds it changed.
    async fn keep_before_telling(&mut self, answered: Answered) -> Result<(), Transient> {
        self.message.answered = Some(answered);
        if self.is_alone {
            return Ok(());
        }
        let write = self.write()?;
        self.commit(&[write]).await
    }

    /// Tells the source, then ends the message. If the source cannot be told, the target's answer is kept, so that the
    /// next attempt does not call the target again.
    async fn tell_source(&mut self) -> Result<(), Transient> {
        let Some(answered) = self.message.answered.take() else { return Ok(()) };
        if !answered.ack.is_null() {
            match self.calls.answer(&answered.ack, &self.context()).await {
                Ok(()) => {}
                Err(Failure::Rejected(rejected)) => {
                    let what = format!("the source did not take the answer: {}", rejected.reason);
                    tell(self.kit, Audience::Technical, &what, &self.message.key).await?;
                }
                Err(Failure::Transient(fault)) => return self.keep_answer(answered, fault).await,
            }
        }
        self.end(answered.ends, Some(self.result(&answered)), answered.reason).await
    }

    /// The source cannot be told now: the answer is kept, and after the limit it is people's to carry it.
    async fn keep_answer(&mut self, answered: Answered, fault: Transient) -> Result<(), Transient> {
        self.message.answered = Some(answered);
        if self.is_to_be_given_up() {
            let reason = format!("the target answered, and the source could not be told: {}", fault.chain());
            return self.end(MessageState::Failed, None, Some(reason)).await;
        }
        let mut writes = vec![self.write()?];
        writes.extend(self.moves_on()?);
        self.commit(&writes).await?;
        Err(fault)
    }

    async fn body(&self) -> Result<Vec<u8>, Transient> {
        let key = match &self.message.body {
            Body::Inline(text) => return Ok(text.as_bytes().to_vec()),
            Body::Stored(key) => key.clone(),
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

    fn is_to_be_given_up(&self) -> bool {
        self.kit.clock.now().duration_since(self.message.accepted) > self.kit.retry_limit
    }

    /// Once its target has taken it, its order moves on, whether or not its source has been told: nothing older that comes back
    /// from the dead letters, or is sent again, is delivered over it.
    fn moves_on(&self) -> Result<Option<Write>, Transient> {
        let answered = self.message.answered.as_ref().is_some_and(|answered| answered.ends.is_taken());
        let is_behind = |last: &Seen<LastDelivered>| self.message.position.as_ref() <= Some(&last.value.position);
        let (is_taken, last) = (answered || self.message.state.is_taken(), self.last.as_ref());
        let Some(position) = self.message.position.clone().filter(|_| is_taken && !last.is_some_and(is_behind)) else {
            return Ok(None);
        };
        let (key, now) = (LastDelivered::key(self.kit.flow, &self.message.group), self.kit.clock.now());
        let fresh = LastDelivered { position, message: self.message.key.clone(), at: Some(now) };
        Write::put(key, &fresh, last.map(|last| last.rev), now.checked_add(REMEMBERED).ok()).map(Some)
    }

    /// Ends the message. With a delivered one its order moves on, and one that waits for somebody is listed: one write.
    async fn end(
        &mut self,
        state: MessageState,
        result: Option<Value>,
        reason: Option<String>,
    ) -> Result<(), Transient> {
        self.message.state = state;
        self.message.result = result;
        self.message.reason = reason;
        self.message.ended = Some(self.kit.clock.now());
        self.notify().await?;
        let mut writes = vec![self.write()?];
        writes.extend(self.moves_on()?);
        if let Some(open) = Open::of_message(&self.message) {
            writes.push(open.opening(self.kit.flow, self.message.expires())?);
        }
        self.commit(&writes).await
    }

    fn write(&self) -> Result<Write, Transient> {
        let key = Message::key(self.kit.flow, &self.message.key);
        Write::put(key, &self.message, Some(self.rev), self.message.expires())
    }

    async fn commit(&mut self, writes: &[Write]) -> Result<(), Transient> {
        match self.kit.ledger.commit(writes).await? {
            Committed::Yes => {
                self.rev += 1;
                Ok(())
            }
            Committed::LostRace => Err(Transient::new("another invocation worked on the same message")),
        }
    }

    /// A message that did not end well is somebody's work.
    async fn notify(&self) -> Result<(), Transient> {
        let audience = match self.message.state {
            MessageState::Refused => Audience::Business,
            MessageState::Failed => Audience::Technical,
            MessageState::Delivered | MessageState::AwaitingAck => return Ok(()),
            MessageState::Accepted | MessageState::Discarded => return Ok(()),
        };
        let what = format!("a message was {}", self.message.state.word());
        let subject = format!("{}: {what}", self.kit.flow);
        let text = format!(
            "Flow: {}\nMessage: {}\nCorrelation: {}\nReason: {}\nCorrect it at its source and send it again; or, as it is: make resend ID=…\n",
            self.kit.flow,
            self.message.key,
            self.message.correlation,
            self.message.reason.as_deref().unwrap_or("-"),
        );
        self.kit.notifier.notify(&Notice { audience, subject, text }).await
    }

    /// One line and the metrics of an attempt, which was the how-manieth delivery.
    pub(super) fn report(&self, deliveries: u32, started: Timestamp, progress: Result<&Progress, &Transient>) {
        let now = self.kit.clock.now();
        let state = self.message.state;
        let fault = progress.err();
        let outcome = match progress {
            Ok(Progress::Done) => state.word(),
            Ok(Progress::Later(_)) => "waiting",
            Err(_) => "handed-back",
        };
        self.kit.telemetry.unit(&UnitReport {
            flow: self.kit.flow,
            unit: self.message.key.clone(),
            outcome,
            correlation: self.message.correlation.clone(),
            received: 1,
            delivered: u64::from(fault.is_none() && state.is_taken()),
            rejected: u64::from(fault.is_none() && state == MessageState::Refused),
            retried: u64::from(deliveries.saturating_sub(1)),
            lag: now.duration_since(self.message.accepted),
            duration: now.duration_since(started),
            reason: fault.map(Transient::chain).or_else(|| self.message.reason.clone()),
        });
    }
}

fn answered(answer: Answer) -> Answered {
    let ends = if answer.refused.is_some() { MessageState::Refused } else { MessageState::Delivered };
    Answered { ack: answer.ack, ends, reason: answer.refused }
}

async fn tell(kit: &MessageKit, audience: Audience, what: &str, subject: &str) -> Result<(), Transient> {
    let text = format!("Flow: {}\nMessage: {subject}\nWhat: {what}\n", kit.flow);
    let subject = format!("{}: a message needs attention", kit.flow);
    kit.notifier.notify(&Notice { audience, subject, text }).await
}

/// 2, 4, 8 … seconds, at most five minutes.
pub(crate) fn backoff(receive_count: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(receive_count.min(8)).unwrap_or(256)).min(Duration::from_secs(300))
}
