//! Acknowledging a message or a file to the DERMS: `POST /acks` with a `MsgAck` (contracts.md §3 and §5).

use bytes::Bytes;
use domain::msg_ack::MsgAck;

use crate::ports::{Call, Method, Payload};
use crate::target::TargetClient;
use crate::trigger::Invocation;
use crate::{Failure, Rejected, Transient};

/// Where the DERMS takes acknowledgements, after its base URL.
const PATH: &str = "/acks";

/// Sends acknowledgements to the DERMS.
#[derive(Clone)]
pub struct DermsAcks {
    /// The DERMS.
    pub derms: TargetClient,
}

impl DermsAcks {
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
