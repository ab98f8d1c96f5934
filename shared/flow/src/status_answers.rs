//! Telling the program system whether a device can be reached: the answer to its status check, whether it comes by a flow of
//! its own, or is a failure that is known at once.

use bytes::Bytes;
use domain::device_status::{DeviceStatusAck, RESPONSE_PATH};

use crate::lookups::LookupBook;
use crate::message::Context;
use crate::ports::{Call, Method, Payload};
use crate::sync_ack::{Acknowledged, dacs_of, tell};
use crate::target::TargetClient;
use crate::{Failure, Transient};

/// Answers status checks of DACS.
pub struct StatusAnswers {
    /// DACS.
    pub dacs: TargetClient,
    /// The lookups DacsMessages, Routing and Targets.
    pub lookups: LookupBook,
}

impl StatusAnswers {
    /// Brings `ack` to DACS. One that DACS has taken before is done (contracts.md §4, "On repeat").
    ///
    /// # Errors
    /// [`Failure::Rejected`] when DACS refuses it for good; "not yet" is transient.
    pub async fn send(&self, ack: &DeviceStatusAck, context: &Context<'_>) -> Result<Acknowledged, Failure> {
        let body = serde_json::to_vec(&ack.response()).map_err(|e| Transient::because("writing the answer", e))?;
        let payload = Payload::Json(Bytes::from(body));
        let correlation = context.correlation.to_owned();
        let call = Call { method: Method::Post, path: RESPONSE_PATH.into(), payload, correlation };
        let id = ack.dacs_message_id.as_str();
        let dacs = dacs_of(&self.dacs, &self.lookups, (id, context)).await?;
        tell(&dacs, &self.lookups, (id, &call), context.invocation).await
    }
}
