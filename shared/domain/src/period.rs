//! Spans of calendar days, as the program system gives them for programs, rules and aggregators.

use serde::Serialize;

use crate::json::Object;
use crate::time::CivilDate;

/// From the day `start` to the day `end`, both included; without `end` until further notice. Never ends before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// The first day.
    pub start: CivilDate,
    /// The last day.
    pub end: Option<CivilDate>,
}

impl Days {
    /// Reads `start`, which must be there, and `end`.
    pub(crate) fn read(object: &Object<'_, '_>, start: &'static str, end: &'static str) -> Option<Self> {
        let (from, to) = (object.required::<CivilDate>(start), object.optional::<CivilDate>(end));
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            object.fault(end, format!("is before {start}"));
        }
        Some(Self { start: from?, end: to })
    }
}

/// As `effectiveDate` and `expirationDate`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Effective {
    effective_date: CivilDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<CivilDate>,
}

impl From<Days> for Effective {
    fn from(days: Days) -> Self {
        Self { effective_date: days.start, expiration_date: days.end }
    }
}
