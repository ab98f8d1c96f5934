//! The door: validates, stores, queues, and only then says 202. What it has accepted is never lost.

use bytes::Bytes;
use domain::json::{BODY_LIMIT, Problem};

use super::{Identify, Identity, MessageKit, Nudge, anew, newer_delivered};
use crate::Transient;
use crate::ledger::message::{Body, LastDelivered, Message, MessageState, group, group_of_one};
use crate::ledger::{Committed, Seen};
use crate::ports::{Destination, Metadata, Write};
use crate::trigger::{HttpReply, HttpRequest};

/// Bodies over this size are kept in the bodies bucket.
const LARGEST_INLINE: usize = 100 * 1024;
/// How often a registration that lost a race is tried again at once.
const RACES: u32 = 5;

/// What the ledger makes of a message that is sent.
pub(super) enum Taken {
    /// It is new, or attempted anew.
    New(Box<Seen<Message>>),
    /// It is open, with the same body.
    Open(Box<Seen<Message>>),
    /// It has ended otherwise than well, and is sent again with the same body. Nothing is written yet.
    Again(Box<Seen<Message>>),
    /// It ended well, with the same body.
    Done(Box<Message>),
    /// It is not taken: another body is known under its key, and open. Perhaps that was stored and could not be queued, and
    /// its sender was told so and has changed it since: it is to be brought to its end, or it would refuse every correction
    /// for ever.
    OtherBody(Box<Seen<Message>>),
    /// It is not taken.
    Refused(Problem),
}

/// Takes a message from its sender (architecture.md §2.9 and §2.10).
pub async fn accept(kit: &MessageKit, identify: Identify, request: &HttpRequest) -> HttpReply {
    if request.body.len() > BODY_LIMIT {
        return HttpReply::problem(&Problem::too_large(BODY_LIMIT));
    }
    let identity = match identify(&request.body) {
        Ok(identity) => identity,
        Err(refused) => return HttpReply::problem(&refused),
    };
    match take_and_queue(kit, &identity, request).await {
        Ok(reply) => reply,
        Err(fault) => {
            tracing::warn!(flow = kit.flow, correlation = request.correlation, fault = fault.chain(), "not accepted");
            HttpReply::unavailable(&request.correlation)
        }
    }
}

async fn take_and_queue(kit: &MessageKit, identity: &Identity, request: &HttpRequest) -> Result<HttpReply, Transient> {
    let beside = &identity.beside;
    match take(kit, identity, &request.body, &request.correlation).await? {
        Taken::New(message) | Taken::Open(message) => {
            queue(kit, &message.value, Nudge::of(&message.value).beside(beside), request).await
        }
        // The worker begins the next attempt. The sender may have a 202 of its first post, and be content with that: so
        // nothing is written here that would wait for it to come again.
        Taken::Again(message) => queue(kit, &message.value, Nudge::again(&message.value).beside(beside), request).await,
        Taken::Done(message) => Ok(first_result(&message)),
        Taken::OtherBody(message) => {
            queue(kit, &message.value, Nudge::of(&message.value), request).await?;
            Ok(HttpReply::problem(&Problem::other_body()))
        }
        Taken::Refused(problem) => Ok(HttpReply::problem(&problem)),
    }
}

/// Stores a message, or finds what is known of it (contracts.md §8, "the same key again").
pub(super) async fn take(
    kit: &MessageKit,
    identity: &Identity,
    body: &Bytes,
    correlation: &str,
) -> Result<Taken, Transient> {
    let key = Message::key(kit.flow, &identity.key);
    let fresh = new_message(kit, identity, body, correlation).await?;
    // Nearly every message is new: it is written without a look, and read only when it was there.
    if kit.ledger.commit(&[Write::put(key.clone(), &fresh, None, None)?]).await? == Committed::Yes {
        return Ok(Taken::New(Box::new(Seen { value: fresh, rev: 1 })));
    }
    for _ in 0..RACES {
        let known = kit.ledger.get::<Message>(&key).await?;
        let Some(known) = known else {
            return Err(Transient::new("the message was there, and is not any more"));
        };
        let same_body = known.value.body_hash == identity.body_hash;
        match known.value.state {
            MessageState::Accepted if same_body => return Ok(Taken::Open(Box::new(known))),
            MessageState::Delivered if same_body => return Ok(Taken::Done(Box::new(known.value))),
            MessageState::Accepted => return Ok(Taken::OtherBody(Box::new(known))),
            MessageState::Delivered => return Ok(Taken::Refused(Problem::other_body())),
            MessageState::AwaitingAck | MessageState::Refused | MessageState::Failed | MessageState::Discarded => {
                if let Some(taken) = attempt_anew(kit, &known, &fresh).await? {
                    return Ok(taken);
                }
            }
        }
    }
    Err(Transient::new("taking the message: others keep sending it at the same time"))
}

fn first_result(known: &Message) -> HttpReply {
    match &known.result {
        Some(result) => HttpReply::json(200, result),
        None => HttpReply { status: 200, ..HttpReply::accepted(&known.key, &known.correlation) },
    }
}

/// Correct and resend is the operators' cure (contracts.md §8). A corrected body is a new statement and goes to the end
/// of its order; the same body keeps its place, and is refused when a newer message of its order has been delivered.
///
/// A message that awaits its acknowledgement is attempted anew too, because only its source knows whether that came and
/// was negative. If its source merely repeats itself, the target hears the same once more, or, when a newer message of
/// its order has been delivered, nothing.
///
/// `None`: somebody else changed it meanwhile; look again.
async fn attempt_anew(kit: &MessageKit, known: &Seen<Message>, fresh: &Message) -> Result<Option<Taken>, Transient> {
    if known.value.body_hash == fresh.body_hash && known.value.group == fresh.group {
        if let Some(newer) = newer_delivered(&kit.ledger, kit.flow, &known.value).await? {
            let is_taken = known.value.state == MessageState::AwaitingAck;
            let done = || Taken::Done(Box::new(known.value.clone()));
            return Ok(Some(if is_taken { done() } else { Taken::Refused(overtaken(&newer)) }));
        }
        return Ok(Some(Taken::Again(Box::new(known.clone()))));
    }
    let corrected = Message { attempt: known.value.attempt.saturating_add(1), ..fresh.clone() };
    let begun = anew::begin(&kit.ledger, kit.flow, known, corrected).await?;
    Ok(begun.map(|begun| Taken::New(Box::new(begun))))
}

async fn new_message(
    kit: &MessageKit,
    identity: &Identity,
    body: &Bytes,
    correlation: &str,
) -> Result<Message, Transient> {
    Ok(Message {
        key: identity.key.clone(),
        group: identity.ordering.as_deref().map_or_else(|| group_of_one(&identity.key), group),
        body_hash: identity.body_hash.clone(),
        body: store_body(kit, identity, body).await?,
        correlation: correlation.to_owned(),
        accepted: kit.clock.now(),
        attempt: 1,
        position: None,
        forced: false,
        promised: false,
        state: MessageState::Accepted,
        answered: None,
        result: None,
        asked: None,
        reason: None,
        ended: None,
    })
}

/// The name of a stored body is its hash: storing it twice is harmless.
async fn store_body(kit: &MessageKit, identity: &Identity, body: &Bytes) -> Result<Body, Transient> {
    if body.len() <= LARGEST_INLINE {
        let text = std::str::from_utf8(body).map_err(|e| Transient::because("keeping the body", e))?;
        return Ok(Body::Inline(text.to_owned()));
    }
    let key = format!("{}/{}.json", kit.flow, identity.body_hash);
    let to = Destination { key: key.clone(), metadata: Metadata::new() };
    kit.bodies.outlet.put(&to, body.clone()).await?;
    Ok(Body::Stored(key))
}

async fn queue(
    kit: &MessageKit,
    message: &Message,
    nudge: Nudge,
    request: &HttpRequest,
) -> Result<HttpReply, Transient> {
    // A request is queued once; the same message sent again is queued again, and that is harmless.
    kit.queue.send(&nudge.outgoing(message, request.request_id.clone())?).await?;
    Ok(HttpReply::accepted(&message.key, &message.correlation))
}

fn overtaken(newer: &LastDelivered) -> Problem {
    Problem {
        kind: "about:blank",
        title: "A newer message has been delivered",
        status: 409,
        detail: format!(
            "message {} of the same order was delivered after this one was first sent; correct this message and send \
             it again, or have an operator force it",
            newer.message
        )
        .into(),
        errors: Vec::new(),
    }
}
