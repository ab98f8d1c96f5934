//! The file pipeline over the in-memory ports.

mod harness;
mod lanes;
mod operator;
mod order;
mod publish;
mod rest;
mod resume;
