//! Ten thousand bad days: a seeded, deterministic simulation of the platform, in one process, over the real flows.
//!
//! ```text
//! dice       one seed decides everything
//! engine     virtual time, tasks, the gate at which every port call waits
//! ports      the in-memory ports behind that gate: calls fail, are lost, take their process with them
//! cloud      instances that start and die, queues that show messages again, doors that are answered or not
//! operator   a person who releases, discards and replays
//! neighbours DACS and DERMS as small models
//! flows      what is sent into each flow, and what must have become of it
//! faults     what can go wrong, where, and how often it did
//! bugs       deliberate bugs, to prove that the checks bite
//! schedule   one seed from plan to verdict
//! campaign   many seeds
//! ```
//!
//! See `docs/simulation.md`.

#![expect(clippy::expect_used, reason = "a simulation that contradicts itself has to stop")]

pub mod bugs;
pub mod campaign;
pub mod cloud;
pub mod dice;
pub mod engine;
pub mod faults;
pub mod flows;
pub mod neighbours;
pub mod operator;
pub mod ports;
pub mod schedule;
