//! What customers did: kWh Avoided and kW Drop files (contracts.md §6), told apart by their header.
//!
//! Both hold one row per event, program and service point, with one value per interval from start to end. Rows are
//! delivered as they are, so a row is only checked: that its fields can be read, and that they agree with each other.

use crate::csv::{Record, Text};
use crate::decimal;
use crate::ids::{EventId, ProgramId, ServicePointId};
use crate::intervals::{Intervals, Span};
use crate::layout::{Column, Columns, HeaderFault, HeaderProblem, Layout, RowFault, Spelling, Unknown};
use crate::row::{id, some};
use rust_decimal::Decimal;

/// The columns of a kWh Avoided file [D].
pub const KWH_AVOIDED: Layout = Layout {
    file: FILE,
    columns: &[
        EVENT_ID,
        PROGRAM_ID,
        SP_ID,
        START,
        END,
        INTERVAL,
        Column::required("EventType"),
        // The guide's table spells it `TotalkWh`, its sample `TotalKwh`: both are accepted.
        Column::required("TotalKwh").or(&["TotalkWh"]),
        Column::required("TotalKwhSavedForPeriod"),
    ],
    series: Some("KwhSaved"),
    unknown: Unknown::PassThrough,
};

/// The columns of a kW Drop file [D].
pub const KW_DROP: Layout = Layout {
    file: FILE,
    columns: &[EVENT_ID, PROGRAM_ID, SP_ID, START, END, INTERVAL, Column::required("MaxKwDrop")],
    series: Some("KwDrop"),
    unknown: Unknown::PassThrough,
};

/// Both kinds lie under one prefix of the outbox, and one lookup `Columns-kwh-avoided` spells the names of both.
const FILE: &str = "kwh-avoided";
const EVENT_ID: Column = Column::required("EventId");
const PROGRAM_ID: Column = Column::required("ProgramId");
const SP_ID: Column = Column::required("SPId");
const START: Column = Column::required("ActualStartTime");
const END: Column = Column::required("ActualEndTime");
const INTERVAL: Column = Column::required("IntervalSize(Seconds)");
const SPAN: Span = Span { start: START.name, end: END.name, size: INTERVAL.name };

/// Which of the two kinds a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Energy saved per interval, in kWh.
    KwhAvoided,
    /// Mean drop of power per interval, in kW (since 25.4 of the program system, for demand programs).
    KwDrop,
}

impl Kind {
    /// The layout of this kind of file.
    pub fn layout(self) -> &'static Layout {
        match self {
            Self::KwhAvoided => &KWH_AVOIDED,
            Self::KwDrop => &KW_DROP,
        }
    }
}

/// A measurement file whose header is understood.
#[derive(Debug, Clone)]
pub struct Measurement {
    columns: Columns,
    common: [usize; 6],
    totals: Totals,
}

/// Where the columns stand that only one kind has.
#[derive(Debug, Clone, Copy)]
enum Totals {
    KwhAvoided { event_type: usize, total: usize, saved: usize },
    KwDrop { max: usize },
}

impl Measurement {
    /// Understands a header, as this sender spells it: kWh Avoided when all its columns are there, kW Drop when all
    /// of those are.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the header, held against the kind of file it is nearer to.
    pub fn open(header: &Record<'_>, spelling: &Spelling) -> Result<Self, HeaderFault> {
        let kwh = KWH_AVOIDED.resolve(header, spelling);
        let kw = KW_DROP.resolve(header, spelling);
        match (kwh, kw) {
            (Ok(_), Ok(_)) => {
                let kinds = "KwhSaved1… (kWh Avoided) and KwDrop1… (kW Drop)".to_owned();
                Err(HeaderFault(vec![HeaderProblem::Ambiguous { kinds }]))
            }
            (Ok(columns), Err(_)) => Self::located(Kind::KwhAvoided, columns),
            (Err(_), Ok(columns)) => Self::located(Kind::KwDrop, columns),
            (Err(kwh), Err(kw)) => Err(if kw.0.len() < kwh.0.len() { kw } else { kwh }),
        }
    }

    /// Both layouts begin with the six common columns, all required.
    fn located(kind: Kind, columns: Columns) -> Result<Self, HeaderFault> {
        let columns_of_kind = kind.layout().columns;
        let place = |index: usize| {
            let column = columns_of_kind.get(index).map_or("", |column| column.name).to_owned();
            let missing = HeaderProblem::Missing { column, spelled: None, found: None };
            columns.place(index).ok_or_else(|| HeaderFault(vec![missing]))
        };
        let common = [place(0)?, place(1)?, place(2)?, place(3)?, place(4)?, place(5)?];
        let totals = match kind {
            Kind::KwhAvoided => Totals::KwhAvoided { event_type: place(6)?, total: place(7)?, saved: place(8)? },
            Kind::KwDrop => Totals::KwDrop { max: place(6)? },
        };
        Ok(Self { columns, common, totals })
    }

    /// Which kind of file it is.
    pub fn kind(&self) -> Kind {
        match self.totals {
            Totals::KwhAvoided { .. } => Kind::KwhAvoided,
            Totals::KwDrop { .. } => Kind::KwDrop,
        }
    }

    /// Where the columns stand in this file.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Checks one row, to the last rule across its columns.
    ///
    /// # Errors
    ///
    /// The first rule of contracts.md §6 that the row breaks.
    pub fn check(&self, record: &Record<'_>) -> Result<(), RowFault> {
        let text = self.columns.text(record)?;
        let intervals = Intervals::of(&self.columns, record.len())?;
        let [event, program, service_point, start, end, interval] = self.common.map(|place| text.get(place));
        id(EVENT_ID.name, event, EventId::check)?;
        id(PROGRAM_ID.name, program, ProgramId::check)?;
        id(SP_ID.name, service_point, ServicePointId::check)?;
        let expected = SPAN.read(start, end, interval)?.count;
        intervals.check_count(&text, expected, &SPAN)?;
        match self.totals {
            Totals::KwhAvoided { event_type, total, saved } => {
                some("EventType", text.get(event_type))?;
                number("TotalKwh", text.get(total))?;
                check_sum(&intervals, &text, expected, number("TotalKwhSavedForPeriod", text.get(saved))?)
            }
            Totals::KwDrop { max } => check_max(&intervals, &text, expected, text.get(max)),
        }
    }
}

/// `TotalKwhSavedForPeriod` = Σ `KwhSaved` "within (n+1) × half a unit of the last printed digit".
///
/// **Interpretation:** the last printed digit of each number: n values and one total were each rounded by at most
/// half a unit of their own last digit. Where all are printed alike, that is the contract's formula.
fn check_sum(intervals: &Intervals<'_>, text: &Text<'_>, n: usize, total: Decimal) -> Result<(), RowFault> {
    const TOTAL: &str = "TotalKwhSavedForPeriod";
    let mut sum = Sum::starting_with(total);
    for index in 0..n {
        let place = intervals.place(index);
        let value = text.get(place);
        if value.is_empty() {
            let reason = format!("is empty; kWh Avoided needs a value for each of the {n} intervals");
            return Err(RowFault::at(intervals.name(place), reason));
        }
        let value = decimal::parse(value).map_err(|fault| RowFault::value(intervals.name(place), value, fault))?;
        sum.add(value).ok_or_else(|| RowFault::at(TOTAL, "the sum of the intervals has more than 28 digits"))?;
    }
    if sum.agrees(total) {
        return Ok(());
    }
    Err(RowFault::at(TOTAL, format!("is {total}, but the {n} intervals sum to {}", sum.of_values)))
}

/// A sum, and by how much rounding may have moved it.
struct Sum {
    of_values: Decimal,
    /// One unit of the last printed digit of every number: twice the tolerance.
    units: Decimal,
}

impl Sum {
    fn starting_with(total: Decimal) -> Self {
        Self { of_values: Decimal::ZERO, units: Decimal::new(1, total.scale()) }
    }

    fn add(&mut self, value: Decimal) -> Option<()> {
        self.of_values = self.of_values.checked_add(value)?;
        self.units = self.units.checked_add(Decimal::new(1, value.scale()))?;
        Some(())
    }

    fn agrees(&self, total: Decimal) -> bool {
        let difference = total.checked_sub(self.of_values).map(|difference| difference.abs());
        let doubled = difference.and_then(|difference| difference.checked_add(difference));
        doubled.is_some_and(|doubled| doubled <= self.units)
    }
}

/// `MaxKwDrop` is the largest `KwDrop`, and says that there is no data when every interval is empty.
///
/// **Interpretation:** of "`MaxKwDrop` = max, and "no data" when all intervals are empty": the column is then empty
/// or holds the words `no data`; a number would be made up.
fn check_max(intervals: &Intervals<'_>, text: &Text<'_>, n: usize, max: &str) -> Result<(), RowFault> {
    const MAX: &str = "MaxKwDrop";
    let mut largest: Option<Decimal> = None;
    for index in 0..n {
        let place = intervals.place(index);
        let value = text.get(place);
        if value.is_empty() {
            continue;
        }
        let value = decimal::parse(value).map_err(|fault| RowFault::value(intervals.name(place), value, fault))?;
        largest = Some(largest.map_or(value, |largest| largest.max(value)));
    }
    let no_data = max.is_empty() || max.eq_ignore_ascii_case("no data");
    match largest {
        None if no_data => Ok(()),
        None => Err(RowFault::value(MAX, max, "is given though no interval has data")),
        Some(largest) if no_data => {
            Err(RowFault::at(MAX, format!("says that there is no data, but the largest interval is {largest}")))
        }
        Some(largest) if number(MAX, max)? == largest => Ok(()),
        Some(largest) => Err(RowFault::at(MAX, format!("is {max}, but the largest interval is {largest}"))),
    }
}

fn number(column: &'static str, value: &str) -> Result<Decimal, RowFault> {
    decimal::parse(value).map_err(|fault| RowFault::value(column, value, fault))
}

#[cfg(test)]
mod tests;
