//! What the tests of the whole have in common: where things are in the repository, and the template as data.
//!
//! ```text
//! tests/rules      structure, template, examples: needs nothing but the repository
//! tests/platform   the deployed template on the emulator: needs `.local/platform.json`
//! ```

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot read the repository has failed")]

pub mod examples;
pub mod repo;
pub mod template;
