//! Enrollment ack files (contracts.md §6): what the analytics engine says of the enrollments it got, row by row, each
//! answering one sync request of the program system.

use crate::csv::Record;
use crate::ids::{SubscriptionId, SyncRequestId};
use crate::layout::{Column, Columns, HeaderFault, Layout, RowFault, Spelling, Unknown};
use crate::row::{Fields, optional, optional_id, optional_time};
use crate::sync_request::{self, DacsCall, ExceptionCode};
use crate::time::Instant;

/// The columns of an enrollment ack file [O].
pub const LAYOUT: Layout = Layout {
    file: "enrollment-ack",
    columns: &[
        Column::required(SyncRequestId::FIELD),
        Column::required("status"),
        Column::optional("messageCategory"),
        Column::optional("messageNumber"),
        Column::optional("comments"),
        Column::optional("subscriptionId"),
        Column::optional("processedDateTime"),
        Column::optional("sourceFile"),
    ],
    series: None,
    unknown: Unknown::PassThrough,
};

/// The reason of a negative row that gives none.
const NO_REASON: &str = "The analytics engine refused the enrollment without a reason";

/// An enrollment ack file whose header is understood.
#[derive(Debug, Clone)]
pub struct AckSheet(Fields<{ LAYOUT.columns.len() }>);

impl AckSheet {
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
    pub fn read<'a>(&self, record: &Record<'a>) -> Result<AckRow<'a>, RowFault> {
        let [id, status, category, number, comments, subscription, processed, source_file] = self.0.read(record)?;
        let sync_request_id = id.parse().map_err(|fault| RowFault::value(SyncRequestId::FIELD, id, fault))?;
        let status = match status {
            "SUCCESS" => Status::Success,
            "ERROR" => Status::Error,
            "" => return Err(RowFault::at("status", "is empty; it must be SUCCESS or ERROR")),
            other => return Err(RowFault::value("status", other, "is neither SUCCESS nor ERROR")),
        };
        Ok(AckRow {
            sync_request_id,
            status,
            message_category: message_code("messageCategory", category)?,
            message_number: message_code("messageNumber", number)?,
            comments: optional(comments),
            subscription_id: optional_id("subscriptionId", subscription, SubscriptionId::check)?,
            processed_date_time: optional_time("processedDateTime", processed)?,
            source_file: optional(source_file),
        })
    }
}

/// How an enrollment fared at the analytics engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// `SUCCESS`: taken.
    Success,
    /// `ERROR`: refused.
    Error,
}

/// The answer to one sync request. Its texts are borrowed from the row; the id travels on into the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckRow<'a> {
    /// The sync request that it answers.
    pub sync_request_id: SyncRequestId,
    /// Taken or refused.
    pub status: Status,
    /// The category of the reason, within ±99999.
    pub message_category: Option<i32>,
    /// The number of the reason, within ±99999.
    pub message_number: Option<i32>,
    /// The reason in words.
    pub comments: Option<&'a str>,
    /// The subscription, for people who look into the file.
    pub subscription_id: Option<&'a str>,
    /// When the analytics engine looked at it.
    pub processed_date_time: Option<Instant>,
    /// The extract that it came in.
    pub source_file: Option<&'a str>,
}

impl AckRow<'_> {
    /// What makes two rows the same (contracts.md §6: "extract and ack (syncRequestId)").
    pub fn key(&self) -> &str {
        self.sync_request_id.as_str()
    }

    /// The call that tells the program system: Synchronized, or Error with the reason.
    ///
    /// **Interpretation:** "an ERROR without number gets the configured default", which is a category and a number: a
    /// category alone says nothing. A number without category is one of the default's category. What a SUCCESS says
    /// beyond that stays in the file: an exception would bring the sync request to Error.
    #[must_use]
    pub fn acknowledge(&self, default: ExceptionCode) -> DacsCall {
        let error = match self.status {
            Status::Success => None,
            Status::Error => Some((self.exception_code(default), self.comments.unwrap_or(NO_REASON))),
        };
        sync_request::patch(&self.sync_request_id, error)
    }

    fn exception_code(&self, default: ExceptionCode) -> ExceptionCode {
        let Some(number) = self.message_number else { return default };
        // Both are within bounds: they were read so.
        ExceptionCode::new(self.message_category.unwrap_or(default.category()), number).unwrap_or(default)
    }
}

/// A whole number within ±99999 (contracts.md §4), or nothing.
fn message_code(column: &'static str, value: &str) -> Result<Option<i32>, RowFault> {
    if value.is_empty() {
        return Ok(None);
    }
    let number = value.parse().ok().filter(|number| ExceptionCode::new(*number, *number).is_ok());
    number.map(Some).ok_or_else(|| RowFault::value(column, value, "is not a whole number between -99999 and 99999"))
}

#[cfg(test)]
mod tests;
