//! What a flow may ask of the world. Each port has a few verbs, and each verb is one statement of an IAM policy.
//!
//! Implementations: [`crate::memory`] and the `aws` crate; [`crate::suite`] holds both to the same contract.

mod clock;
mod depot;
mod notifier;
mod objects;
mod queue;
mod store;
mod target;
mod telemetry;

pub use clock::{Clock, over_for_all};
pub use depot::{Deposited, Depot, Link};
pub use notifier::{Audience, Notice, Notifier};
pub use objects::{
    ByteStream, Destination, Finished, Metadata, ObjectMeta, ObjectRef, Outlet, Part, Source, UploadEnd, UploadId,
};
pub use queue::{Outgoing, Queue, Receipt};
pub use store::{CommitError, Item, Key, Store, Write};
pub use target::{Answer, Call, FormPart, Method, Payload, Target};
pub use telemetry::{Telemetry, UnitReport};
