//! What holds in the repository, without a platform.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot read its files has failed"
)]

mod contract;
mod dependencies;
mod file_examples;
mod file_world;
mod intake_examples;
mod message_examples;
mod message_world;
mod names;
mod services;
mod sizes;
mod template;
