//! The order of files, for flows that take theirs one at a time (contracts.md §6, "Order").
//!
//! Every registered file of such a flow has a *ticket* at its place until it is settled. The file with the first ticket
//! may take the *turn*, one item per flow, which nobody else holds then. A file that is registered late, after a later
//! one has begun, waits for the one that runs and goes next.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::run::RunId;
use crate::ports::{Key, ObjectMeta, ObjectRef};

/// A registered file that is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its run.
    pub run: RunId,
}

impl Ticket {
    /// The partition of the tickets of `flow`, in order of arrival.
    #[must_use]
    pub fn partition(flow: &str) -> String {
        format!("{flow}#order")
    }

    /// The key of the ticket at `place`.
    #[must_use]
    pub fn key(flow: &str, place: &str) -> Key {
        Key { partition: Self::partition(flow), sort: place.into() }
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The run that is being worked on.
    pub run: Option<RunId>,
    /// The latest place that has ever begun: what begins before it is late.
    pub furthest: String,
}

impl Turn {
    /// The key of the turn of `flow`.
    #[must_use]
    pub fn key(flow: &str) -> Key {
        Key { partition: format!("{flow}#turn"), sort: "turn".into() }
    }
}

/// The newest version of one key that has been registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Its run.
    pub run: RunId,
    /// Its place.
    pub place: String,
}

impl Newest {
    /// The key of the newest version of `object`'s key.
    #[must_use]
    pub fn key(flow: &str, object: &ObjectRef) -> Key {
        let any_version = ObjectRef { version: None, ..object.clone() };
        Key { partition: format!("{flow}#newest#{}", RunId::of(flow, &any_version)), sort: "newest".into() }
    }
}

/// The place of an object in the order of arrival: last-modified, then key, then version. S3 gives last-modified in
/// whole seconds and version ids without order, so two versions of one key within a second are told apart by the
/// event's *sequencer* first, which S3 makes for this. Fits a sort key: long keys are cut, and end in the run id.
#[must_use]
pub fn place(meta: &ObjectMeta, object: &ObjectRef, sequencer: &str, run: &RunId) -> String {
    const LONGEST_KEY: usize = 700;
    let mut key = object.key.as_str();
    if key.len() > LONGEST_KEY {
        let cut = (0..=LONGEST_KEY).rev().find(|at| key.is_char_boundary(*at)).unwrap_or(0);
        key = key.get(..cut).unwrap_or_default();
    }
    // A sequencer is compared as a hexadecimal text, the shorter one padded on the right (S3 user guide).
    format!("{:020}#{key}#{sequencer:0<32}#{run}", meta.last_modified.as_second())
}

/// When the object at `place` was last modified, to the second.
#[must_use]
pub fn arrived(place: &str) -> Option<Timestamp> {
    Timestamp::from_second(place.get(..20)?.parse().ok()?).ok()
}
