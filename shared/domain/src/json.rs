//! Reading a JSON message strictly: every fault is collected, each with its place and a reason that can be sent back.
//!
//! ```text
//! bytes ──Document::parse──▶ Document ──read(|object| …)──▶ typed message
//!            │ 413, 400                     │ 400
//!            └──────────▶ Problem ◀─────────┘   (RFC 9457; errors[] = pointer + reason)
//! ```
//!
//! What is refused: a body over [`BODY_LIMIT`], an empty or truncated one, anything that is not JSON, nesting deeper than
//! [`DEPTH_LIMIT`], a known member that occurs twice, wrong types, missing, empty and over-long texts, unknown codes.
//! What is not: members the contract does not know are ignored, wherever they stand, and the order of members means
//! nothing. A leading byte order mark is ignored (RFC 8259 §8.1).
//!
//! Reasons never repeat what the sender wrote (a day that does not exist apart), so that a problem document can be logged
//! and mailed; pointers consist of the contract's own member names and of positions.

mod object;
mod outline;
mod problem;
mod tree;

#[cfg(test)]
mod tests;

pub use object::Object;
pub use outline::{Grammar, Shape, Text, Told, outline};
pub use problem::{FieldFault, Problem};
pub use tree::{BodyHash, Document};

/// The largest JSON body taken, in bytes (architecture.md §2.9: "JSON up to 900 KB").
pub const BODY_LIMIT: usize = 900 * 1024;

/// How deep lists and objects may nest. The messages of the contract need seven levels; `serde_json` itself stops at 128.
pub const DEPTH_LIMIT: usize = 32;

/// How many faults one problem document lists. A body of 900 KB can hold half a million wrong items, and an answer may
/// have 6 MB; beyond this number `detail` says how many there are.
pub const FAULT_LIMIT: usize = 10_000;
