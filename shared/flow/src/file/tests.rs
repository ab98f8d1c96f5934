//! The file pipeline over the in-memory ports.

mod harness;
mod order;
mod publish;
mod rest;
mod resume;
