//! The shipped binaries, measured against compiled stubs of Lambda's runtime API and of AWS, and held to the bars of
//! architecture.md §6.
//!
//! ```text
//! bench ──▶ runtime stub ──▶ function binary ──▶ AWS stub (S3, DynamoDB, SQS, SNS, Secrets Manager)
//!   │                            └────────────▶ sandbox, or a stub of DERMS and DACS that costs nothing
//!   └── reads the binary's CPU time and memory from /proc, and the stub's counts of requests
//! ```
//!
//! All of it is one process on 127.0.0.1, so that nothing but the binary is measured. CPU time is compared, hardly ever
//! wall time: it stays the same on a machine that does other things too.

pub mod aws;
pub mod clock;
pub mod content;
pub mod events;
pub mod function;
pub mod machine;
pub mod measure;
pub mod price;
pub mod report;
pub mod runtime;
pub mod server;
pub mod targets;
pub mod usage;

/// Whatever went wrong: a measurement that fails is shown, never handled.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
