//! Device score files (contracts.md §6): what calling each device costs, and whether it is available.
//!
//! The program system publishes them; the DERMS chooses devices by them. A row is read borrowed, checked, and written
//! as it was read, with our column names in our order.

use crate::csv::{Record, write_record};
use crate::decimal;
use crate::ids::{DeviceId, HeadEndSystem, NicId, ProgramCode, ServicePointId, SubscriptionId};
use crate::layout::{Column, Columns, HeaderFault, Layout, RowFault, Spelling, Unknown};
use crate::row::{Fields, end_after_start, id, optional_id, optional_time, time};
use crate::time::Instant;
use rust_decimal::Decimal;

/// The columns of a device score file [O].
pub const LAYOUT: Layout = Layout {
    file: "device-score",
    columns: &[
        Column::required("deviceId"),
        Column::required("headEndSystem"),
        Column::required("nicId"),
        Column::required("programCode"),
        Column::required("score"),
        Column::required("available"),
        Column::required("scoreDateTime"),
        Column::optional("subscriptionId"),
        Column::optional("servicePointId"),
        Column::optional("availableFrom"),
        Column::optional("availableTo"),
        Column::optional("unavailableReason"),
    ],
    series: None,
    unknown: Unknown::PassThrough,
};

/// The header that the DERMS gets: every column of [`LAYOUT`], in its order, and none else.
pub const DERMS_HEADER: &str = "deviceId,headEndSystem,nicId,programCode,score,available,scoreDateTime,\
subscriptionId,servicePointId,availableFrom,availableTo,unavailableReason\n";

const COLUMNS: usize = LAYOUT.columns.len();

/// A device score file whose header is understood.
#[derive(Debug, Clone)]
pub struct ScoreSheet(Fields<COLUMNS>);

impl ScoreSheet {
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

    /// Reads and checks one row.
    ///
    /// # Errors
    ///
    /// The first rule of contracts.md §6 that the row breaks.
    pub fn read<'a>(&self, record: &Record<'a>) -> Result<ScoreRow<'a>, RowFault> {
        ScoreRow::check(self.0.read(record)?)
    }
}

/// One device's score for one program, borrowed from its row. The texts are as they stand in the file.
#[derive(Debug, Clone, Copy)]
pub struct ScoreRow<'a> {
    /// The program system's own id of the device.
    pub device_id: &'a str,
    /// The device's head-end; with `nic_id` it is what all systems know the device by.
    pub head_end_system: &'a str,
    /// The device's communication id at its head-end.
    pub nic_id: &'a str,
    /// The program the score holds for.
    pub program_code: &'a str,
    /// The score; may be negative. **Interpretation:** an unavailable device may have none, or keep one.
    pub score: Option<Decimal>,
    /// Whether the device can be chosen at all.
    pub available: bool,
    /// When the score was computed: lets the target keep the newest.
    pub score_date_time: Instant,
    /// From when `available` holds.
    pub available_from: Option<Instant>,
    /// Until when `available` holds, exclusive; after `available_from`.
    pub available_to: Option<Instant>,
    /// All columns in the order of [`LAYOUT`].
    text: [&'a str; COLUMNS],
}

impl<'a> ScoreRow<'a> {
    fn check(text: [&'a str; COLUMNS]) -> Result<Self, RowFault> {
        let [device_id, head_end_system, nic_id, program_code, score, available, scored, rest @ ..] = text;
        let [subscription_id, service_point_id, from, to, _reason] = rest;
        id("deviceId", device_id, DeviceId::check)?;
        id("headEndSystem", head_end_system, HeadEndSystem::check)?;
        id("nicId", nic_id, NicId::check)?;
        id("programCode", program_code, ProgramCode::check)?;
        optional_id("subscriptionId", subscription_id, SubscriptionId::check)?;
        optional_id("servicePointId", service_point_id, ServicePointId::check)?;
        let available = match available {
            "Y" => true,
            "N" => false,
            "" => return Err(RowFault::at("available", "is empty; it must be Y or N")),
            other => return Err(RowFault::value("available", other, "is neither Y nor N")),
        };
        let score = match score {
            "" if available => {
                return Err(RowFault::at("score", "is empty though the device is available"));
            }
            "" => None,
            score => Some(decimal::parse(score).map_err(|fault| RowFault::value("score", score, fault))?),
        };
        let score_date_time = time("scoreDateTime", scored)?;
        let available_from = optional_time("availableFrom", from)?;
        let available_to = optional_time("availableTo", to)?;
        end_after_start(("availableFrom", available_from), ("availableTo", available_to))?;
        Ok(Self {
            device_id,
            head_end_system,
            nic_id,
            program_code,
            score,
            available,
            score_date_time,
            available_from,
            available_to,
            text,
        })
    }

    /// What makes two rows the same (contracts.md §6: "score (head-end, nic, program)").
    pub fn key(&self) -> (&'a str, &'a str, &'a str) {
        (self.head_end_system, self.nic_id, self.program_code)
    }

    /// The same row with the head-end's code in the target's system (lookup HeadEndSystem).
    #[must_use]
    pub fn with_head_end_system(mut self, code: &'a str) -> Self {
        let [_, head_end, ..] = &mut self.text;
        *head_end = code;
        Self { head_end_system: code, ..self }
    }

    /// Appends the row under [`DERMS_HEADER`], each value as it stood in the file.
    pub fn write_csv(&self, out: &mut Vec<u8>) {
        write_record(out, self.text.iter().map(|field| field.as_bytes()));
    }
}

#[cfg(test)]
mod tests;
