//! Messages: send one again as it is, or leave it at that.

use std::sync::Arc;

use super::Refused;
use crate::ledger::message::{Message, MessageState};
use crate::ledger::open::Open;
use crate::ledger::{Committed, Ledger, Seen};
use crate::message::{Nudge, newer_delivered};
use crate::ports::{Clock, Queue, Write};

/// A person's access to the messages of one flow.
pub struct Messages {
    /// The flow's name.
    pub flow: String,
    /// The ledger.
    pub ledger: Ledger,
    /// The flow's own queue, by which a message is taken up again.
    pub queue: Arc<dyn Queue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Messages {
    /// One message.
    ///
    /// # Errors
    /// [`Refused::Unknown`]
    pub async fn get(&self, key: &str) -> Result<Message, Refused> {
        Ok(self.seen(key).await?.value)
    }

    /// A message that did not end well, or whose answer does not come, is attempted anew with the body that it has: as if
    /// its source had sent it again. If its target had answered, and only its source could not be told, the target is not
    /// called again. One that is open already is queued again.
    ///
    /// It is refused when a newer message of its order was delivered since, unless `force` says otherwise.
    ///
    /// # Errors
    /// [`Refused`] when it was delivered, or overtaken.
    pub async fn resend(&self, key: &str, force: bool) -> Result<Message, Refused> {
        let seen = self.seen(key).await?;
        if seen.value.state == MessageState::Accepted {
            return self.queue_again(seen, force).await;
        }
        if !seen.value.state.may_be_attempted_anew() {
            let wanted = "only one that did not end well can be sent again";
            return Err(Refused::state(named(key), seen.value.state.word(), wanted));
        }
        if !force && let Some(newer) = newer_delivered(&self.ledger, &self.flow, &seen.value).await? {
            return Err(Refused::Overtaken { key: key.to_owned(), newer: newer.message });
        }
        let (answered, promised) = (seen.value.answered.clone(), seen.value.promised);
        let anew = seen.value.attempted_anew(self.clock.now());
        let fresh = Message { forced: force, answered, promised, ..anew };
        self.change(&seen, &fresh).await?;
        self.nudge(&fresh).await?;
        Ok(fresh)
    }

    /// A message that did not end well, or whose answer does not come, is left at that, and not listed any more. Its
    /// source may still send it again.
    ///
    /// # Errors
    /// [`Refused`] when it is open, or ended well.
    pub async fn discard(&self, key: &str) -> Result<Message, Refused> {
        let seen = self.seen(key).await?;
        if !matches!(seen.value.state, MessageState::AwaitingAck | MessageState::Refused | MessageState::Failed) {
            let wanted = "only one that did not end well, or whose answer does not come, can be dropped";
            return Err(Refused::state(named(key), seen.value.state.word(), wanted));
        }
        let discarded = Message { state: MessageState::Discarded, ..seen.value.clone() };
        self.change(&seen, &discarded).await?;
        Ok(discarded)
    }

    async fn queue_again(&self, seen: Seen<Message>, force: bool) -> Result<Message, Refused> {
        let message = Message { forced: force || seen.value.forced, ..seen.value.clone() };
        if message.forced != seen.value.forced {
            self.change(&seen, &message).await?;
        }
        self.nudge(&message).await?;
        Ok(message)
    }

    async fn seen(&self, key: &str) -> Result<Seen<Message>, Refused> {
        let message = self.ledger.get::<Message>(&Message::key(&self.flow, key)).await?;
        message.ok_or_else(|| Refused::Unknown(named(key)))
    }

    /// Writes `to` over what was seen; the matter that this left open is closed with it.
    async fn change(&self, seen: &Seen<Message>, to: &Message) -> Result<(), Refused> {
        let key = Message::key(&self.flow, &to.key);
        let mut writes = vec![Write::put(key, to, Some(seen.rev), to.expires())?];
        if let Some(open) = Open::of_message(&seen.value) {
            writes.extend(open.closing(&self.ledger, &self.flow).await?);
        }
        match self.ledger.commit(&writes).await? {
            Committed::Yes => Ok(()),
            Committed::LostRace => Err(Refused::Changed(named(&to.key))),
        }
    }

    async fn nudge(&self, message: &Message) -> Result<(), Refused> {
        let now = self.clock.now().as_millisecond();
        let once = format!("{}-{}-operator-{now}", message.key, message.attempt);
        Ok(self.queue.send(&Nudge::of(message).outgoing(message, once)?).await?)
    }
}

fn named(key: &str) -> String {
    format!("message {key}")
}
