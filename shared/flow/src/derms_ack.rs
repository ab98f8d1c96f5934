//! Acknowledging a message or a file to the DERMS: `POST /acks` with a `MsgAck` (contracts.md §3 and §5).

use bytes::Bytes;
use domain::ids::DrmsInstanceId;
use domain::lookups::Lookups;
use domain::msg_ack::MsgAck;
use serde_json::Value;

use crate::message::Context;
use crate::ports::{Call, Method, Payload};
use crate::target::TargetClient;
use crate::trigger::Invocation;
use crate::{Failure, Rejected, Transient};

/// Where the DERMS takes acknowledgements, after its base URL.
const PATH: &str = "/acks";

/// The member of a kept acknowledgement that says which DERMS it is for.
const ADDRESSEE: &str = "drmsInstanceId";

/// `ack` as a message keeps it until it is sent, for the DERMS that calls itself `drms_instance_id`.
///
/// # Errors
/// [`Transient`] when it cannot be written.
pub fn kept(ack: &MsgAck, drms_instance_id: Option<&DrmsInstanceId>) -> Result<Value, Transient> {
    let mut kept = serde_json::to_value(ack).map_err(|e| Transient::because("writing the acknowledgement", e))?;
    if let (Some(members), Some(id)) = (kept.as_object_mut(), drms_instance_id) {
        members.insert(ADDRESSEE.to_owned(), id.as_str().into());
    }
    Ok(kept)
}

/// Sends acknowledgements to the DERMS.
#[derive(Clone)]
pub struct DermsAcks {
    /// The DERMS.
    pub derms: TargetClient,
}

impl DermsAcks {
    /// The same, to the DERMS that calls itself so (contracts.md §7).
    ///
    /// # Errors
    /// [`Transient`] when it cannot be called from here.
    pub fn of(&self, drms_instance_id: Option<&str>, lookups: &Lookups) -> Result<Self, Failure> {
        Ok(Self { derms: self.derms.installation(lookups.derms_called(drms_instance_id), lookups)? })
    }

    /// Sends an acknowledgement that was [`kept`].
    ///
    /// # Errors
    /// As [`DermsAcks::send`].
    pub async fn send_kept(&self, kept: &Value, lookups: &Lookups, context: &Context<'_>) -> Result<(), Failure> {
        let unreadable = |_| Transient::new("reading the kept acknowledgement");
        let ack = MsgAck::parse(kept.to_string().as_bytes()).map_err(unreadable)?;
        let addressee = kept.get(ADDRESSEE).and_then(Value::as_str);
        self.of(addressee, lookups)?.send(&ack, context.correlation, context.invocation).await
    }

    /// Sends `ack`. Sending it twice is harmless: the DERMS knows it by the id of its first response.
    ///
    /// # Errors
    /// [`Failure::Rejected`] when the DERMS will not have it.
    pub async fn send(&self, ack: &MsgAck, correlation: &str, invocation: &Invocation) -> Result<(), Failure> {
        let body = serde_json::to_vec(ack).map_err(|e| Transient::because("writing an acknowledgement", e))?;
        let payload = Payload::Json(Bytes::from(body));
        let call = Call { method: Method::Post, path: PATH.into(), payload, correlation: correlation.into() };
        let answer = self.derms.call(&call, invocation.deadline).await?;
        match answer.status {
            200..300 => Ok(()),
            400..500 => Err(Rejected::new(PATH, answer.refusal("the DERMS")).into()),
            status => Err(Transient::new(format!("the DERMS answered {status} to {PATH}")).into()),
        }
    }
}
