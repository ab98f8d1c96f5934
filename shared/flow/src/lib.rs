//! The flow kit: what every flow shares, and nothing that only one flow needs.
//!
//! ```text
//! ports      what a flow may ask of the world, a few verbs each
//! memory     the same ports over plain maps: real implementations, used by tests and the simulation
//! suite      one contract suite that both they and the AWS ones pass
//! ledger     runs and messages: who works on what, how far it got, how it ended
//! lookups    the domain value maps, re-read at run time, the last good version kept
//! stage      bringing a stage through its life in DACS, whatever the order of messages
//! sync_ack   telling DACS what became of its sync request
//! device_calls  telling DACS of devices in a program event
//! dead_letters  what no flow has dealt with
//! derms_ack  telling the DERMS what became of its message or file
//! status_answers   telling DACS whether a device can be reached
//! to_derms   messages of DACS to the DERMS, and what it says of them
//! target     calls to a neighbour: rate, retry, deadline
//! trigger    what starts a flow, as plain data
//! file       the file pipeline: file → file and file → REST
//! message    the message pipeline: door and worker
//! notices    one notice per cause and window
//! operate    what a person may do with a run: look, release, discard, replay
//! watch      what nobody starts: expired holds, missing answers, expected files
//! ```
//!
//! A flow is a layout or a message, a mapping and a target call; it passes these to one of the two pipelines.

pub mod dead_letters;
pub mod derms_ack;
pub mod device_calls;
pub mod error;
pub mod file;
pub mod ledger;
pub mod lookups;
pub mod memory;
pub mod message;
pub mod notices;
pub mod operate;
pub mod ports;
pub mod stage;
pub mod status_answers;
pub mod suite;
pub mod sync_ack;
pub mod target;
pub mod to_derms;
pub mod trigger;
pub mod watch;

pub use error::{Failure, Rejected, Transient};
