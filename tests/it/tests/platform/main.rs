//! The deployed template on the emulator, with the sandbox as its neighbours. `make test` brings a platform of its own;
//! by hand: `make up`, `eval "$(make -s env)"`, `cargo test -p it --test platform`.
//!
//! Tests run side by side on one platform: each has names and ids of its own, and what one may not disturb is held by
//! the locks in [`support`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail where it stands"
)]

mod device_messages;
mod devices;
mod enrollment_requests;
mod files;
mod gateway;
mod intake;
mod journeys;
mod kill;
mod kwh;
mod lookups;
mod message_faults;
mod messages;
mod missing_acks;
mod neighbours;
mod ports;
mod roles;
mod routing;
mod scores;
mod stages;
mod support;
mod synchronizations;
