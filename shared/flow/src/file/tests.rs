//! The file pipeline over the in-memory ports.

mod acknowledge;
mod gate;
pub mod harness;
mod lanes;
mod operator;
mod order;
mod publish;
mod rest;
mod resume;
