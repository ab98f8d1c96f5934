//! The ports of the flow kit over AWS and HTTP, and the Lambda glue. No other crate names an AWS SDK.
//!
//! ```text
//! Clients         built once per process; each connects when it is first used
//! DynamoTable     Store      one item per key, one condition: the revision that was seen
//! S3Source        Source     reads versions
//! S3Outlet        Outlet     writes one bucket
//! S3Depot         Depot      takes objects once, and signs requests for others
//! SqsQueue        Queue      the flow's own queue
//! SnsNotifier     Notifier   two topics
//! HttpTarget      Target     a neighbour's API, with credentials from Secrets Manager
//! EmfTelemetry    Telemetry  one line on stdout per unit of work, which is also its metrics
//! SystemClock     Clock      this machine's
//! lambda          the runtime: variables, log, triggers, replies
//! ```

mod clients;
mod clock;
mod depot;
mod inbox;
pub mod lambda;
mod metadata;
#[cfg(test)]
mod neighbour;
mod notifier;
mod outlet;
mod queue;
mod source;
mod store;
mod target;
mod telemetry;
mod vars;
mod wiring;

pub use clients::Clients;
pub use clock::SystemClock;
pub use depot::S3Depot;
pub use inbox::SqsInbox;
pub use notifier::SnsNotifier;
pub use outlet::S3Outlet;
pub use queue::SqsQueue;
pub use source::S3Source;
pub use store::DynamoTable;
pub use target::{BaseUrl, Credentials, HttpTarget, NotABaseUrl, SecretVault, Vault, Web};
pub use telemetry::EmfTelemetry;
pub use vars::{BadVar, Vars};
pub use wiring::Wiring;
