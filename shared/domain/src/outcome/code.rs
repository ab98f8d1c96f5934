//! What a device did, in the program system's codes.

use crate::layout::{RowFault, excerpt};
use crate::lookups::ValueMap;

/// The program system's `outcome` (contracts.md §4 [D]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DacsOutcome {
    /// `D1SP`: took part to the end.
    Success,
    /// `D1IO`: took part until somebody overrode it by hand.
    Override,
    /// `D1ND`: gave no answer.
    NonResponsive,
    /// `D1ER`: failed, or its head-end rejected it.
    Error,
    /// `D1CN`: was cancelled.
    Cancelled,
}

impl DacsOutcome {
    const ALL: [Self; 5] = [Self::Success, Self::Override, Self::NonResponsive, Self::Error, Self::Cancelled];

    /// As it travels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "D1SP",
            Self::Override => "D1IO",
            Self::NonResponsive => "D1ND",
            Self::Error => "D1ER",
            Self::Cancelled => "D1CN",
        }
    }

    /// Whether there was a participation, whose times are needed then (contracts.md §6: "SUCCESS, OVERRIDE (both need
    /// participation times)").
    #[must_use]
    pub fn took_part(self) -> bool {
        matches!(self, Self::Success | Self::Override)
    }
}

/// The lookup OutcomeCode: what a device did, as the DERMS says it → the program system's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeCodes(ValueMap);

impl OutcomeCodes {
    /// Reads outcomes with this version of the lookup.
    #[must_use]
    pub fn new(lookup: ValueMap) -> Self {
        Self(lookup)
    }

    /// Translates the value of the column `outcome`.
    ///
    /// # Errors
    ///
    /// The lookup doesn't have it, or has something for it that is no code of the program system.
    pub fn get(&self, value: &str) -> Result<DacsOutcome, RowFault> {
        const COLUMN: &str = "outcome";
        if value.is_empty() {
            return Err(RowFault::at(COLUMN, "is empty"));
        }
        let code = self.0.get(value).map_err(|miss| miss.at(COLUMN))?;
        DacsOutcome::ALL.into_iter().find(|known| known.as_str() == code).ok_or_else(|| {
            let (value, code) = (excerpt(value), excerpt(code));
            RowFault::at(COLUMN, format!("lookup OutcomeCode has {code} for {value}, which is no outcome code"))
        })
    }
}
