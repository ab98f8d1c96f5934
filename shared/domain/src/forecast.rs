//! Load-reduction forecasts (contracts.md §6): the mean power by which each service point can be expected to go down, per
//! interval of the coming day or longer.
//!
//! The analytics engine writes them daily, the DERMS chooses by them. Rows are delivered as they are, so a row is only
//! read and checked. A negative value is snap-back: more will be used. An empty one means that there is no forecast for
//! that interval, which is not a forecast of 0. A civil day has 92, 96 or 100 quarter-hours; how many a row needs
//! follows from its own start and end.

use crate::csv::Record;
use crate::decimal;
use crate::ids::{ProgramId, ServicePointId};
use crate::intervals::{Intervals, Span};
use crate::layout::{Column, Columns, HeaderFault, Layout, RowFault, Spelling, Unknown};
use crate::row::{Fields, id, time};
use crate::time::Instant;

/// The columns of a forecast file [O].
pub const LAYOUT: Layout = Layout {
    file: "load-reduction-forecast",
    columns: &[
        Column::required("SPId"),
        Column::required("ProgramId"),
        Column::required("ForecastCreatedTime"),
        Column::required(SPAN.start),
        Column::required(SPAN.end),
        Column::required(SPAN.size),
    ],
    series: Some("LoadReductionKw"),
    unknown: Unknown::PassThrough,
};

const SPAN: Span = Span { start: "ForecastStartTime", end: "ForecastEndTime", size: "IntervalSize(Seconds)" };

/// A forecast file whose header is understood.
#[derive(Debug, Clone)]
pub struct ForecastSheet(Fields<{ LAYOUT.columns.len() }>);

impl ForecastSheet {
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

    /// Reads and checks one row, to the last of its intervals.
    ///
    /// # Errors
    ///
    /// The first rule of contracts.md §6 that the row breaks.
    pub fn read<'a>(&self, record: &Record<'a>) -> Result<ForecastRow<'a>, RowFault> {
        let text = self.columns().text(record)?;
        let intervals = Intervals::of(self.columns(), record.len())?;
        let [service_point_id, program_id, created, start, end, size] = self.0.of(&text);
        id("SPId", service_point_id, ServicePointId::check)?;
        id("ProgramId", program_id, ProgramId::check)?;
        let created = time("ForecastCreatedTime", created)?;
        let covered = SPAN.read(start, end, size)?;
        intervals.check_count(&text, covered.count, &SPAN)?;
        for index in 0..covered.count {
            let place = intervals.place(index);
            let value = text.get(place);
            if !value.is_empty() {
                decimal::parse(value).map_err(|fault| RowFault::value(intervals.name(place), value, fault))?;
            }
        }
        let (start, end, intervals) = (covered.start, covered.end, covered.count);
        Ok(ForecastRow { service_point_id, program_id, created, start, end, intervals })
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

/// One service point's forecast for one program, borrowed from its row; the values stay there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForecastRow<'a> {
    /// The program system's metered service point.
    pub service_point_id: &'a str,
    /// The program.
    pub program_id: &'a str,
    /// When the forecast was made: lets the receiver keep the newest.
    pub created: Instant,
    /// Start of the first interval.
    pub start: Instant,
    /// End of the last interval, exclusive.
    pub end: Instant,
    /// How many intervals of the same size lie between them, each with a value or empty.
    pub intervals: usize,
}

impl<'a> ForecastRow<'a> {
    /// What makes two rows the same (contracts.md §6: "forecast (SPId, ProgramId, ForecastStartTime)").
    pub fn key(&self) -> (&'a str, &'a str, Instant) {
        (self.service_point_id, self.program_id, self.start)
    }
}

#[cfg(test)]
mod tests;
