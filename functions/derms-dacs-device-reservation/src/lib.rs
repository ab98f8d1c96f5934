//! The devices that the DERMS holds for one stage are reserved in DACS; the file is acknowledged when that is done.
//!
//! ```text
//! derms-outbox/device-reservation/… ─▶ queue ─▶ check rows ─▶ is the stage Scheduled? ─ reserveDevice, ≤ 500 each ─▶ DACS
//!                                                                                  └─ POST /acks ─▶ DERMS
//! ```
//!
//! The stage stands in the envelope, the object's metadata. A second file for a stage adds devices; a device that is
//! already reserved for the stage is done (contracts.md §4). The file waits until its stage is Scheduled and is given up
//! at the stage's end ([`gate`]).

pub mod gate;

use std::sync::Arc;

use domain::csv::Record;
use domain::layout::HeaderFault;
use domain::lookups::{Lookups, MapName};
use domain::participation::ProgramEventKey;
use domain::reservation::{Envelope, RESERVE_DEVICE, ReservationSheet, reserve_device};
use flow::Rejected;
use flow::derms_ack::DermsAcks;
use flow::device_calls::DeviceCalls;
use flow::file::{AckFile, CallRow, FileToCalls, NameRow, ReadRow, ToCallsFlow};
use flow::ledger::Ledger;
use flow::ledger::run::Run;
use flow::lookups::LookupBook;
use flow::ports::Clock;
use flow::target::TargetClient;

pub use gate::ScheduledStage;

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "derms-dacs-device-reservation";
/// The lookups that it reads: [`flow::device_calls::LOOKUPS`], head-ends, and how the sender spells its columns.
pub const LOOKUPS: &[&str] = &["Columns-device-reservation", "DacsMessages", "HeadEndSystem", "Routing", "Targets"];

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

/// The pipeline of reservations into `neighbours`; the ledger holds the stages.
#[must_use]
pub fn to_calls(neighbours: Neighbours, (ledger, clock): (Ledger, Arc<dyn Clock>), lookups: LookupBook) -> FileToCalls {
    let Neighbours { dacs, derms, key, calls: (rows_per_call, side_by_side) } = neighbours;
    let gate = ScheduledStage { dacs: dacs.clone(), lookups: lookups.clone(), ledger, clock };
    let write = move |run: &Run, rows: &[CallRow]| {
        let envelope = envelope(run).map_err(|fault| Rejected::new(run.source.key.clone(), fault.to_string()))?;
        Ok(reserve_device(&envelope, key, rows.iter().map(|row| row.content.as_slice())))
    };
    FileToCalls {
        open: Box::new(open),
        rows_per_call,
        side_by_side,
        target: Arc::new(DeviceCalls { dacs, lookups, path: RESERVE_DEVICE, write: Arc::new(write) }),
        gate: Some(Arc::new(gate)),
        ack: Some(AckFile { open: open_names, acks: derms }),
        is_answer: false,
    }
}

/// The stage that the file is for.
fn envelope(run: &Run) -> Result<Envelope, HeaderFault> {
    Envelope::from_metadata(&run.envelope)
}

/// Understands the header of a reservation file, and its envelope.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled, and everything that the envelope lacks.
pub fn open(header: &Record<'_>, lookups: &Lookups, run: &Run) -> Result<ReadRow, HeaderFault> {
    let envelope = envelope(run)?;
    let sheet = ReservationSheet::open(header, &lookups.spelling("device-reservation"))?;
    let head_ends = lookups.map(MapName::HeadEndSystem).reversed();
    let group = envelope.stage_id.as_str().as_bytes().to_vec();
    Ok(Box::new(move |record| {
        let row = sheet.read(record, &envelope)?;
        let head_end = head_ends.get(row.head_end_system).map_err(|miss| miss.at("headEndSystemId"))?;
        let row = row.with_head_end_system(head_end);
        let mut content = Vec::new();
        row.write_item(&mut content);
        Ok(CallRow { key: row.key_in(&envelope), group: group.clone(), content })
    }))
}

/// How the acknowledgement calls the rows of a reservation file.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open_names(header: &Record<'_>, lookups: &Lookups) -> Result<NameRow, HeaderFault> {
    let sheet = ReservationSheet::open(header, &lookups.spelling("device-reservation"))?;
    Ok(Box::new(move |record| sheet.record_id(record).map(str::to_owned)))
}
