//! Device outcome files (contracts.md §6): what each device did in each stage, possibly of several events, and the call
//! `postEventOutcome` that tells the program system (§4).
//!
//! The same file goes to the analytics engine as it is; only towards the program system are codes translated and texts
//! cut. Both sides reject the same rows, since both read them here.

mod code;

pub use code::{DacsOutcome, OutcomeCodes};

use serde::Serialize;

use crate::csv::Record;
use crate::ids::{
    CisServicePointId, EventId, HeadEndSystem, NicId, ProgramCode, ProgramId, RecordId, ServicePointId, StageId,
};
use crate::layout::{Column, Columns, HeaderFault, Layout, RowFault, Spelling, Unknown};
use crate::participation::{ProgramEventKey, device_of as parts_of, push_json, push_list, row_key};
use crate::row::{Fields, end_after_start, id, optional, optional_id, optional_time, some, time};
use crate::time::Instant;

/// The columns of a device outcome file [O].
pub const LAYOUT: Layout = Layout {
    file: "device-outcome",
    columns: &[
        Column::required("recordId"),
        Column::required("eventId"),
        Column::required("eventType"),
        Column::required("stageId"),
        Column::required(STAGE_START),
        Column::required(STAGE_END),
        Column::required("programId"),
        Column::required("programCode"),
        Column::required("servicePointId"),
        Column::optional("cisServicePointId"),
        Column::required("headEndSystemId"),
        Column::required("nicId"),
        Column::required("outcome"),
        Column::optional("errorMessage"),
        Column::optional(START),
        Column::optional(END),
    ],
    series: None,
    unknown: Unknown::PassThrough,
};

const COLUMNS: usize = LAYOUT.columns.len();
const STAGE_START: &str = "stageStartDateTime";
const STAGE_END: &str = "stageEndDateTime";
const START: &str = "participationStartDateTime";
const END: &str = "participationEndDateTime";

/// Where `postEventOutcome` is, after the program system's base URL.
pub const POST_EVENT_OUTCOME: &str = "/rest/apis/cross/service/programEventParticipation/postEventOutcome";

/// The longest `errorMessage` that the program system takes, in characters.
pub const LONGEST_ERROR: usize = 100;

/// A device outcome file whose header is understood.
#[derive(Debug, Clone)]
pub struct OutcomeSheet(Fields<COLUMNS>);

impl OutcomeSheet {
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

    /// Reads and checks one row, with the lookup OutcomeCode.
    ///
    /// # Errors
    ///
    /// The first rule of contracts.md §6 that the row breaks, or that its outcome is not in the lookup.
    pub fn read<'a>(&self, record: &Record<'a>, codes: &OutcomeCodes) -> Result<OutcomeRow<'a>, RowFault> {
        OutcomeRow::check(self.0.read(record)?, codes)
    }

    /// The record id of a row that is rejected, where it can be read: what the acknowledgement calls it.
    pub fn record_id<'a>(&self, record: &Record<'a>) -> Option<&'a str> {
        self.0.readable(record, 0).filter(|id| RecordId::check(id).is_ok())
    }
}

/// What one device did in one stage, borrowed from its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeRow<'a> {
    /// What the acknowledgement calls the row.
    pub record_id: &'a str,
    /// The event.
    pub event_id: &'a str,
    /// The kind of event, in the DERMS's words.
    pub event_type: &'a str,
    /// The stage of the event.
    pub stage_id: &'a str,
    /// Start of the stage.
    pub stage_start: Instant,
    /// End of the stage, exclusive.
    pub stage_end: Instant,
    /// The stage's program.
    pub program_id: &'a str,
    /// The program's short code.
    pub program_code: &'a str,
    /// The program system's metered service point.
    pub service_point_id: &'a str,
    /// The billing system's name of it; never interchanged with the one before.
    pub cis_service_point_id: Option<&'a str>,
    /// The device's head-end.
    pub head_end_system: &'a str,
    /// The device's communication id there.
    pub nic_id: &'a str,
    /// What it did.
    pub outcome: DacsOutcome,
    /// What went wrong, uncut.
    pub error_message: Option<&'a str>,
    /// From when it took part; always there if it did.
    pub start: Option<Instant>,
    /// Until when, exclusive; always there if it took part.
    pub end: Option<Instant>,
}

impl<'a> OutcomeRow<'a> {
    fn check(fields: [&'a str; COLUMNS], codes: &OutcomeCodes) -> Result<Self, RowFault> {
        let [record_id, event_id, event_type, stage_id, stage_start, stage_end, rest @ ..] = fields;
        let [program_id, program_code, service_point_id, cis_service_point_id, rest @ ..] = rest;
        let [head_end_system, nic_id, outcome, error_message, start, end] = rest;
        id("recordId", record_id, RecordId::check)?;
        id("eventId", event_id, EventId::check)?;
        some("eventType", event_type)?;
        id("stageId", stage_id, StageId::check)?;
        let (stage_start, stage_end) = (time(STAGE_START, stage_start)?, time(STAGE_END, stage_end)?);
        end_after_start((STAGE_START, Some(stage_start)), (STAGE_END, Some(stage_end)))?;
        id("programId", program_id, ProgramId::check)?;
        id("programCode", program_code, ProgramCode::check)?;
        id("servicePointId", service_point_id, ServicePointId::check)?;
        let cis_service_point_id = optional_id("cisServicePointId", cis_service_point_id, CisServicePointId::check)?;
        id("headEndSystemId", head_end_system, HeadEndSystem::check)?;
        id("nicId", nic_id, NicId::check)?;
        let code = codes.get(outcome)?;
        let (start, end) = (optional_time(START, start)?, optional_time(END, end)?);
        for (column, time) in [(START, start), (END, end)] {
            if code.took_part() && time.is_none() {
                return Err(RowFault::at(column, format!("is empty, though the outcome is {outcome}")));
            }
        }
        end_after_start((START, start), (END, end))?;
        Ok(Self {
            record_id,
            event_id,
            event_type,
            stage_id,
            stage_start,
            stage_end,
            program_id,
            program_code,
            service_point_id,
            cis_service_point_id,
            head_end_system,
            nic_id,
            outcome: code,
            error_message: optional(error_message),
            start,
            end,
        })
    }

    /// The same row with the head-end's code in the program system (lookup HeadEndSystem).
    #[must_use]
    pub fn with_head_end_system(self, code: &'a str) -> Self {
        Self { head_end_system: code, ..self }
    }

    /// What makes two rows the same (contracts.md §6: "outcome (event, stage, head-end, nic)").
    pub fn key(&self) -> [&'a str; 4] {
        [self.event_id, self.stage_id, self.head_end_system, self.nic_id]
    }

    /// The key as bytes.
    #[must_use]
    pub fn key_bytes(&self) -> Vec<u8> {
        row_key(&self.key())
    }

    /// What rows of one call have in common: "one stage … per call, so that one refusal spares the others".
    #[must_use]
    pub fn stage(&self) -> Vec<u8> {
        row_key(&[self.event_id, self.stage_id])
    }

    /// Appends the row as an item of `postEventOutcome`: the error cut to [`LONGEST_ERROR`] characters, and absent on
    /// success.
    pub fn write_item(&self, key: ProgramEventKey, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Item<'a> {
            event_external_identifier: &'a str,
            head_end_system: &'a str,
            nic_id: &'a str,
            outcome: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            error_message: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            participation_start_date_time: Option<Instant>,
            #[serde(skip_serializing_if = "Option::is_none")]
            participation_end_date_time: Option<Instant>,
        }
        let error_message = self.error_message.filter(|_| self.outcome != DacsOutcome::Success);
        let item = Item {
            event_external_identifier: key.choose(self.event_id, self.stage_id),
            head_end_system: self.head_end_system,
            nic_id: self.nic_id,
            outcome: self.outcome.as_str(),
            error_message: error_message.map(shortened),
            participation_start_date_time: self.start,
            participation_end_date_time: self.end,
        };
        push_json(out, &item);
    }
}

/// Event and stage of rows that have [`OutcomeRow::stage`] in common.
#[must_use]
pub fn event_and_stage(in_common: &[u8]) -> Option<(EventId, StageId)> {
    let (event, stage) = parts_of(in_common)?;
    Some((event.parse().ok()?, stage.parse().ok()?))
}

/// The first [`LONGEST_ERROR`] characters.
fn shortened(text: &str) -> &str {
    let end = text.char_indices().nth(LONGEST_ERROR).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text)
}

/// The body of `postEventOutcome` for these items of one stage, each written by [`OutcomeRow::write_item`].
#[must_use]
pub fn post_event_outcome<'i>(items: impl IntoIterator<Item = &'i [u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    push_list(&mut body, items);
    body
}

#[cfg(test)]
mod tests;
