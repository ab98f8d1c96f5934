//! The file pipeline over the in-memory ports.

mod acknowledge;
mod calls;
mod gate;
pub mod harness;
mod ids;
mod operator;
mod order;
mod publish;
mod rest;
mod resume;
mod same_books;
