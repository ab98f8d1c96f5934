//! What the messages of the program system for the DERMS have in common: each is known by a key, stands in an order, and
//! becomes one call.

use serde::{Serialize, Serializer};

use crate::ids::{HeadEndSystem, NicId, SyncRequestId};
use crate::json::{Document, Problem};
use crate::lookups::{Lookups, Miss};
use crate::sync_ack::Asked;
use crate::time::Instant;

/// A message of the program system for the DERMS.
pub trait DermsMessage: Sized {
    /// What the DERMS is sent.
    type Body<'a>: Serialize
    where
        Self: 'a;

    /// Checks a body that is parsed already (its hash is needed too).
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    fn from_document(document: &Document<'_>) -> Result<Self, Problem>;

    /// Parses and checks a body.
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        Self::from_document(&Document::parse(body)?)
    }

    /// What makes two messages the same (contracts.md §2).
    fn message_key(&self) -> String;

    /// What is kept in order (contracts.md §2).
    fn ordering_key(&self) -> String;

    /// Which of several DERMS it is for (contracts.md §7).
    fn destination(&self) -> Destination<'_> {
        Destination::Default
    }

    /// The call to the DERMS, in its codes.
    ///
    /// # Errors
    /// A [`Miss`], which is the reason of a business error.
    fn request<'a>(&'a self, lookups: &'a Lookups) -> Result<DermsRequest<Self::Body<'a>>, Miss>;
}

/// Which of several DERMS a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'a> {
    /// The one of this part of the utility, by lookup Routing.
    Division(Option<&'a str>),
    /// Each of them.
    Every,
    /// The one that the stack's parameters describe.
    Default,
}

/// A message whose acknowledgement is told to a sync request (flows 2, 3 and 5).
pub trait Synchronization: DermsMessage {
    /// The sync request; the DERMS's `dacsMessageId`.
    fn sync_request_id(&self) -> &SyncRequestId;

    /// The devices that its acknowledgement may tell of.
    fn devices(&self) -> Vec<Asked<'_>> {
        Vec::new()
    }
}

/// A call to the DERMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DermsRequest<B> {
    /// How.
    pub method: Method,
    /// Where, after its base URL; percent-encoded.
    pub path: String,
    /// With what.
    pub body: B,
}

/// The method of a [`DermsRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Hand over.
    Post,
    /// Create or replace.
    Put,
}

/// The ordering key of messages about one device. No id has a line break in it, so no two devices share one.
pub(crate) fn device_order(head_end: &HeadEndSystem, nic: &NicId) -> String {
    format!("{head_end}\n{nic}")
}

/// A time as the DERMS sees every one: real UTC to the millisecond, whatever offset the program system writes.
pub(crate) fn utc_millis<S: Serializer>(time: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.iso_millis())
}

/// The same, where there may be none.
pub(crate) fn utc_millis_of_some<S: Serializer>(time: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(Instant::iso_millis).serialize(serializer)
}
