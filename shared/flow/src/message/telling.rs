//! What others hear of a message: its source, people, and whoever reads logs and metrics.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::work::Work;
use super::worker::{Progress, tell};
use crate::ledger::message::{Answered, MessageState};
use crate::ports::{Audience, Notice, UnitReport};
use crate::{Failure, Transient};

impl Work<'_> {
    /// What its source is answered when it sends the message again after its end.
    pub(super) fn result(&self, answered: &Answered) -> Value {
        let status = || json!({ "messageKey": self.message.key, "status": answered.ends.word().to_uppercase() });
        self.calls.result(&answered.ack).unwrap_or_else(status)
    }

    /// Tells the source, then ends the message. If the source cannot be told, the target's answer is kept, so that the
    /// next attempt does not call the target again.
    pub(super) async fn tell_source(&mut self) -> Result<(), Transient> {
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

    /// A message that did not end well is somebody's work.
    pub(super) async fn notify(&self) -> Result<(), Transient> {
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
