//! Whether a row belongs to the initial load of a file's data or to what changed since (contracts.md §6).

use crate::layout::RowFault;

/// The column `syncFlag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncFlag {
    /// `F1IL`: everything, once, at set-up.
    Initial,
    /// `F1IC`: an addition or a change.
    Incremental,
}

impl SyncFlag {
    /// The name of its column.
    pub const COLUMN: &'static str = "syncFlag";

    /// Reads the value of the column.
    ///
    /// # Errors
    ///
    /// The value is neither of the two codes.
    pub fn parse(value: &str) -> Result<Self, RowFault> {
        match value {
            "F1IL" => Ok(Self::Initial),
            "F1IC" => Ok(Self::Incremental),
            "" => Err(RowFault::at(Self::COLUMN, "is empty; it must be F1IL or F1IC")),
            other => Err(RowFault::value(Self::COLUMN, other, "is neither F1IL nor F1IC")),
        }
    }
}
