//! The negative acknowledgement of what is given up without its flow, where the contract has one (contracts.md §8).

use domain::device_status::{DeviceStatus, DeviceStatusAck};
use domain::flows::{Flow, Source};
use domain::msg_ack::{Envelope, MsgAck, Response, ResponseCode};
use domain::sync_ack::SyncAck;
use domain::time::Instant;
use serde::Deserialize;

use super::DeadLetterKit;
use crate::device_calls::DRMS_INSTANCE_ID;
use crate::file::message_id;
use crate::ledger::message::{Body, Message};
use crate::ledger::run::Run;
use crate::message::Context;
use crate::trigger::Invocation;
use crate::{Failure, Transient};

/// Why the source was not told, if it will not hear it.
type Untold = Option<String>;

/// Tells the source of `message` that it is given up.
pub(super) async fn of_message(
    kit: &DeadLetterKit,
    (flow, message): (&Flow, &Message),
    reason: &str,
    invocation: &Invocation,
) -> Result<Untold, Transient> {
    let context =
        Context { flow: flow.name, invocation, correlation: &message.correlation, attempt: &message.key, beside: None };
    let no_id = || Ok(Some("its key is no id that its source knows".to_owned()));
    match flow.gives_up_to() {
        None => Ok(None),
        Some(Source::SyncRequest) => {
            let Ok(id) = message.key.parse() else { return no_id() };
            let ack = SyncAck::given_up(id, reason.to_owned());
            untold(kit.acks.acknowledge(&ack, &context).await.map(|_| ()))
        }
        Some(Source::StatusCheck) => {
            let Ok(dacs_message_id) = message.key.parse() else { return no_id() };
            let ack = DeviceStatusAck { dacs_message_id, response_code: DeviceStatus::Failure };
            untold(kit.checks.send(&ack, &context).await.map(|_| ()))
        }
        Some(Source::Derms) => {
            let ack = failure(kit, &message.key, (0, 1), reason);
            untold(to_derms(kit, &ack, addressee(message).as_deref(), &context).await)
        }
    }
}

/// Tells the source of the file of `run` that the rest of it is given up.
pub(super) async fn of_file(
    kit: &DeadLetterKit,
    (flow, run): (&Flow, &Run),
    reason: &str,
    invocation: &Invocation,
) -> Result<Untold, Transient> {
    if flow.gives_up_to() != Some(Source::Derms) {
        return Ok(None);
    }
    let id = message_id(run);
    let context = Context { flow: flow.name, invocation, correlation: &run.correlation, attempt: &id, beside: None };
    let delivered = run.counts.delivered.saturating_add(run.counts.repeated);
    let ack = failure(kit, &id, (delivered, run.counts.rows.saturating_sub(delivered)), reason);
    let addressee = run.envelope.get(DRMS_INSTANCE_ID).map(String::as_str);
    untold(to_derms(kit, &ack, addressee, &context).await)
}

async fn to_derms(
    kit: &DeadLetterKit,
    ack: &MsgAck,
    addressee: Option<&str>,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let lookups = kit.acks.lookups.current().await?;
    kit.derms.of(addressee, &lookups)?.send(ack, context.correlation, context.invocation).await
}

/// FAILURE as a whole, and why: "a file that did not end well says its reason in a second response with the same `id`"
/// (contracts.md §3), and so does a message.
fn failure(kit: &DeadLetterKit, id: &str, (delivered, failed): (u64, u64), reason: &str) -> MsgAck {
    let when = Instant::from(kit.clock.now());
    let ack_type = ResponseCode::Failure;
    let response = Response {
        id: Some(id.to_owned()),
        value: Some(reason.to_owned()),
        response_code: ack_type,
        response_time: Some(when),
        dacs_message_id: None,
    };
    MsgAck::new(Envelope { message_id: id, dacs_message_id: None, ack_type, delivered, failed }, when, vec![response])
}

/// What the DERMS that sent `message` calls itself. A body over 100 KB is not at hand here: its acknowledgement goes to the
/// default.
fn addressee(message: &Message) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sender {
        drms_instance_id: Option<String>,
    }
    let Body::Inline(text) = &message.body else { return None };
    serde_json::from_str::<Sender>(text).ok()?.drms_instance_id
}

fn untold(told: Result<(), Failure>) -> Result<Untold, Transient> {
    match told {
        Ok(()) => Ok(None),
        Err(Failure::Rejected(refused)) => Ok(Some(refused.reason)),
        Err(Failure::Transient(fault)) => Err(fault),
    }
}
