//! What each device did in each stage goes to DACS; the file is acknowledged when all its records are processed.
//!
//! ```text
//! derms-outbox/device-outcome/… ─▶ topic ─┬▶ queue ─▶ check rows ─▶ is the stage final? ─ postEventOutcome ─▶ DACS
//!                                         │                                          └─ POST /acks ─▶ DERMS
//!                                         └▶ derms-ouai-device-outcome
//! ```
//!
//! A file may have several events and stages; a call has one stage, so that one refusal spares the others. An outcome is
//! an upsert by (stage, head-end, nic). The file waits, where it stands, until the stage that comes next is final
//! ([`gate`]).

pub mod gate;

use std::sync::Arc;

use domain::csv::Record;
use domain::envelope::FileEnvelope;
use domain::layout::HeaderFault;
use domain::lookups::{Lookups, MapName};
use domain::outcome::{OutcomeCodes, OutcomeSheet, POST_EVENT_OUTCOME, post_event_outcome};
use domain::participation::ProgramEventKey;
use flow::derms_ack::DermsAcks;
use flow::device_calls::DeviceCalls;
use flow::file::{AckFile, CallRow, FileToCalls, NameRow, ReadRow, ToCallsFlow};
use flow::ledger::run::Run;
use flow::lookups::LookupBook;
use flow::target::TargetClient;

pub use gate::FinalStage;

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-device-outcome";
/// The lookups that it reads: [`flow::device_calls::LOOKUPS`], codes, and how the sender spells its columns.
pub const LOOKUPS: &[&str] =
    &["Columns-device-outcome", "DacsMessages", "HeadEndSystem", "OutcomeCode", "Routing", "Targets"];

/// The flow; its fields are what it may touch.
pub type Flow = ToCallsFlow;

/// What the flow calls.
pub struct Neighbours {
    /// The program system.
    pub dacs: TargetClient,
    /// The event system, for acknowledgements.
    pub derms: DermsAcks,
    /// By which id the program system knows a stage.
    pub key: ProgramEventKey,
    /// Devices in one call, and calls side by side.
    pub calls: (usize, usize),
}

/// The pipeline of outcomes into `neighbours`, when `gate` lets them pass.
#[must_use]
pub fn to_calls(neighbours: Neighbours, gate: FinalStage, lookups: LookupBook) -> FileToCalls {
    let Neighbours { dacs, derms, key, calls: (rows_per_call, side_by_side) } = neighbours;
    let write = |_: &Run, rows: &[CallRow]| Ok(post_event_outcome(rows.iter().map(|row| row.content.as_slice())));
    FileToCalls {
        open: Box::new(move |header, lookups, run| open(header, lookups, run, key)),
        rows_per_call,
        side_by_side,
        target: Arc::new(DeviceCalls { dacs, lookups, path: POST_EVENT_OUTCOME, write: Arc::new(write) }),
        gate: Some(Arc::new(gate)),
        ack: Some(AckFile { open: open_names, acks: derms }),
        is_answer: false,
    }
}

/// Understands the header of an outcome file, and its envelope, if it has one.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled, and what is wrong with the envelope.
pub fn open(header: &Record<'_>, lookups: &Lookups, run: &Run, key: ProgramEventKey) -> Result<ReadRow, HeaderFault> {
    FileEnvelope::from_metadata(&run.envelope)?;
    let sheet = OutcomeSheet::open(header, &lookups.spelling("device-outcome"))?;
    let codes = OutcomeCodes::new(lookups.map(MapName::OutcomeCode));
    let head_ends = lookups.map(MapName::HeadEndSystem).reversed();
    Ok(Box::new(move |record| {
        let row = sheet.read(record, &codes)?;
        let head_end = head_ends.get(row.head_end_system).map_err(|miss| miss.at("headEndSystemId"))?;
        let row = row.with_head_end_system(head_end);
        let mut content = Vec::new();
        row.write_item(key, &mut content);
        Ok(CallRow { key: row.key_bytes(), group: row.stage(), content })
    }))
}

/// How the acknowledgement calls the rows of an outcome file.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open_names(header: &Record<'_>, lookups: &Lookups) -> Result<NameRow, HeaderFault> {
    let sheet = OutcomeSheet::open(header, &lookups.spelling("device-outcome"))?;
    Ok(Box::new(move |record| sheet.record_id(record).map(str::to_owned)))
}
