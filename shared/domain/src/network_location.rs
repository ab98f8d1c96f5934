//! Network location files (contracts.md §6): which transformer, feeder and substation nominally (as designed) feed each
//! service point.
//!
//! The DERMS extracts them, once in full and then only changes; the program system attaches them to its service points,
//! effective-dated. Rows are delivered as they are, so a row is only read and checked. An initial load that omits a
//! service point deletes nothing, so nothing is ever concluded from a row that isn't there.

use crate::csv::Record;
use crate::ids::{CisServicePointId, FeederId, ServicePointId, SubstationId, TransformerId};
use crate::layout::{Column, Columns, HeaderFault, Layout, RowFault, Spelling, Unknown};
use crate::row::{Fields, id, optional, optional_id, optional_time, time};
use crate::sync_flag::SyncFlag;
use crate::time::Instant;

/// The columns of a network location file [O].
pub const LAYOUT: Layout = Layout {
    file: "network-location",
    columns: &[
        Column::required("servicePointId"),
        Column::optional("cisServicePointId"),
        Column::required("transformerId"),
        Column::required("feederId"),
        Column::required("substationId"),
        Column::optional("phase"),
        Column::optional("effectiveDateTime"),
        Column::required(SyncFlag::COLUMN),
        Column::required("changeDateTime"),
    ],
    series: None,
    unknown: Unknown::PassThrough,
};

/// A network location file whose header is understood.
#[derive(Debug, Clone)]
pub struct LocationSheet(Fields<{ LAYOUT.columns.len() }>);

impl LocationSheet {
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
    pub fn read<'a>(&self, record: &Record<'a>) -> Result<LocationRow<'a>, RowFault> {
        let [service_point, cis_service_point, rest @ ..] = self.0.read(record)?;
        let [transformer, feeder, substation, phase, effective, flag, changed] = rest;
        id("servicePointId", service_point, ServicePointId::check)?;
        id("transformerId", transformer, TransformerId::check)?;
        id("feederId", feeder, FeederId::check)?;
        id("substationId", substation, SubstationId::check)?;
        Ok(LocationRow {
            service_point_id: service_point,
            cis_service_point_id: optional_id("cisServicePointId", cis_service_point, CisServicePointId::check)?,
            transformer_id: transformer,
            feeder_id: feeder,
            substation_id: substation,
            phase: optional(phase),
            effective_date_time: optional_time("effectiveDateTime", effective)?,
            sync_flag: SyncFlag::parse(flag)?,
            change_date_time: time("changeDateTime", changed)?,
        })
    }

    /// Checks one row.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn check(&self, record: &Record<'_>) -> Result<(), RowFault> {
        self.read(record).map(|_| ())
    }
}

/// What feeds one service point, borrowed from its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocationRow<'a> {
    /// The program system's metered service point.
    pub service_point_id: &'a str,
    /// The billing system's name of it; never interchanged with the one before.
    pub cis_service_point_id: Option<&'a str>,
    /// The transformer that feeds it by design.
    pub transformer_id: &'a str,
    /// The feeder of the transformer.
    pub feeder_id: &'a str,
    /// The substation of the feeder.
    pub substation_id: &'a str,
    /// The phase, as the network model names it.
    pub phase: Option<&'a str>,
    /// Since when, or from when on, it is fed so.
    pub effective_date_time: Option<Instant>,
    /// Initial load or change.
    pub sync_flag: SyncFlag,
    /// When the network model changed: lets the receiver keep the newest.
    pub change_date_time: Instant,
}

impl<'a> LocationRow<'a> {
    /// What makes two rows the same (contracts.md §6: "network (service point, changeDateTime)").
    pub fn key(&self) -> (&'a str, Instant) {
        (self.service_point_id, self.change_date_time)
    }
}

#[cfg(test)]
mod tests;
