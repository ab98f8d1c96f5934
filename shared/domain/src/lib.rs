//! The vocabulary of demand response that every flow speaks: ids, times, file layouts and their rows,
//! wire messages and the mappings between them.
//!
//! Nothing here does I/O, reads a clock or knows AWS. What a file or a message *means* is decided here, by pure
//! functions over bytes and values; how it travels is the business of the `flow` crate.

pub mod duration;
pub mod flows;
pub mod ids;
pub mod schedule;
pub mod time;
pub mod zone;

// Files.
pub mod csv;
pub mod decimal;
pub mod device_score;
pub mod enrollment_ack_file;
pub mod enrollment_extract;
pub mod envelope;
pub mod forecast;
mod intervals;
pub mod layout;
pub mod lookups;
pub mod measurement;
pub mod network_location;
pub mod outcome;
pub mod participation;
pub mod posted_file;
pub mod reservation;
mod row;
pub mod sync_flag;

// Messages.
pub mod aggregator;
pub mod derms_message;
pub mod device_status;
pub mod enrollment_request;
pub mod enrollment_sync;
pub mod event_opt_out;
pub mod event_status;
pub mod json;
pub mod msg_ack;
pub mod period;
pub mod program_event;
pub mod program_ids;
pub mod program_rules;
pub mod stage;
pub mod sync_ack;
pub mod sync_request;
pub mod unavailability;
