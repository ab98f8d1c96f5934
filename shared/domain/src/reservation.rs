//! Device reservation files (contracts.md §6, documented by the vendor): the devices that the DERMS holds for exactly one
//! stage, and the call `reserveDevice` that tells the program system (§4).
//!
//! The stage stands in the [`Envelope`], not in the rows. A second file for a stage adds devices.

mod envelope;

pub use envelope::Envelope;

use serde::Serialize;

use crate::csv::Record;
use crate::ids::{HeadEndSystem, NicId, RecordId};
use crate::layout::{Column, Columns, HeaderFault, Layout, RowFault, Spelling, Unknown};
use crate::participation::{ProgramEventKey, push_json, push_list, row_key};
use crate::row::{Fields, end_after_start, id, optional_time};
use crate::time::Instant;

/// The columns of a device reservation file [D].
pub const LAYOUT: Layout = Layout {
    file: "device-reservation",
    columns: &[
        Column::required("recordId"),
        Column::required("nicId"),
        Column::required("headEndSystemId"),
        Column::optional(START),
        Column::optional(END),
    ],
    series: None,
    unknown: Unknown::PassThrough,
};

const START: &str = "reservationStartDateTime";
const END: &str = "reservationEndDateTime";

/// Where `reserveDevice` is, after the program system's base URL.
pub const RESERVE_DEVICE: &str = "/rest/apis/cross/service/programEventParticipation/reserveDevice";

/// A device reservation file whose header is understood.
#[derive(Debug, Clone)]
pub struct ReservationSheet(Fields<{ LAYOUT.columns.len() }>);

impl ReservationSheet {
    /// Understands a header, as this sender spells it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the header.
    pub fn open(header: &Record<'_>, spelling: &Spelling) -> Result<Self, HeaderFault> {
        Fields::open(&LAYOUT, header, spelling).map(Self)
    }

    /// Where the columns stand in this file.
    pub fn columns(&self) -> &Columns {
        self.0.columns()
    }

    /// Reads and checks one row of the file that came with `envelope`.
    ///
    /// **Interpretation:** "missing times = the event's" holds for each of the two by itself, so with one of them missing
    /// the other is held against the stage's. A reservation that reaches beyond its stage breaks no rule.
    ///
    /// # Errors
    ///
    /// The first rule of contracts.md §6 that the row breaks.
    pub fn read<'a>(&self, record: &Record<'a>, envelope: &Envelope) -> Result<ReservationRow<'a>, RowFault> {
        let [record_id, nic_id, head_end_system, start, end] = self.0.read(record)?;
        id("recordId", record_id, RecordId::check)?;
        id("nicId", nic_id, NicId::check)?;
        id("headEndSystemId", head_end_system, HeadEndSystem::check)?;
        let (start, end) = (optional_time(START, start)?, optional_time(END, end)?);
        match (start, end) {
            (None, None) => {}
            (Some(_), Some(_)) => end_after_start((START, start), (END, end))?,
            (Some(start), None) if envelope.end <= start => {
                return Err(RowFault::at(START, "is not before the end of the stage"));
            }
            (None, Some(end)) if end <= envelope.start => {
                return Err(RowFault::at(END, "is not after the start of the stage"));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        Ok(ReservationRow { record_id, nic_id, head_end_system, start, end })
    }

    /// The record id of a row that is rejected, where it can be read: what the acknowledgement calls it.
    pub fn record_id<'a>(&self, record: &Record<'a>) -> Option<&'a str> {
        self.0.readable(record, 0).filter(|id| RecordId::check(id).is_ok())
    }
}

/// One device held for the stage, borrowed from its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservationRow<'a> {
    /// What the acknowledgement calls the row.
    pub record_id: &'a str,
    /// The device's communication id at its head-end.
    pub nic_id: &'a str,
    /// The device's head-end.
    pub head_end_system: &'a str,
    /// From when it is held; the stage's start if nothing.
    pub start: Option<Instant>,
    /// Until when, exclusive; the stage's end if nothing.
    pub end: Option<Instant>,
}

impl<'a> ReservationRow<'a> {
    /// The same row with the head-end's code in the program system (lookup HeadEndSystem).
    #[must_use]
    pub fn with_head_end_system(self, code: &'a str) -> Self {
        Self { head_end_system: code, ..self }
    }

    /// What makes two rows the same (contracts.md §6: "reservation (stage, head-end, nic)"); the stage is the file's.
    pub fn key(&self) -> (&'a str, &'a str) {
        (self.head_end_system, self.nic_id)
    }

    /// The whole key as bytes.
    #[must_use]
    pub fn key_in(&self, envelope: &Envelope) -> Vec<u8> {
        row_key(&[envelope.stage_id.as_str(), self.head_end_system, self.nic_id])
    }

    /// Appends the row as an item of `deviceList`.
    pub fn write_item(&self, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Item<'a> {
            head_end_system: &'a str,
            nic_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            reservation_start_date_time: Option<Instant>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reservation_end_date_time: Option<Instant>,
        }
        let item = Item {
            head_end_system: self.head_end_system,
            nic_id: self.nic_id,
            reservation_start_date_time: self.start,
            reservation_end_date_time: self.end,
        };
        push_json(out, &item);
    }
}

/// The body of `reserveDevice` for these items, each written by [`ReservationRow::write_item`].
#[must_use]
pub fn reserve_device<'i>(
    envelope: &Envelope,
    key: ProgramEventKey,
    items: impl IntoIterator<Item = &'i [u8]>,
) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Head<'a> {
        event_external_identifier: &'a str,
        event_start_date_time: Instant,
        event_end_date_time: Instant,
    }
    let head = Head {
        event_external_identifier: key.choose(envelope.event_id.as_str(), envelope.stage_id.as_str()),
        event_start_date_time: envelope.start,
        event_end_date_time: envelope.end,
    };
    let mut body = Vec::new();
    push_json(&mut body, &head);
    body.pop(); // The object goes on.
    body.extend_from_slice(b",\"deviceList\":");
    push_list(&mut body, items);
    body.push(b'}');
    body
}

#[cfg(test)]
mod tests;
