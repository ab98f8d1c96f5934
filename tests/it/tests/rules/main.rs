//! What holds in the repository, without a platform.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read its files has failed"
)]

mod dependencies;
mod names;
mod sizes;
mod template;
