//! Enrollment extracts (contracts.md §6): completed enrollments and unenrollments, for the analytics engine.
//!
//! The layout is an allow-list. The analytics engine must never learn of devices, so a column that is not listed here
//! rejects the file, whatever it is called: nobody has to guess which names could hide a device. Rows are delivered as
//! they are. A row that is not delivered leaves a sync request of the program system without an answer, which is why
//! [`ExtractSheet::sync_request`] gets its id out of it where that can be read.

use crate::csv::Record;
use crate::ids::{
    CisAccountId, CisPersonId, CisPremiseId, CisServicePointId, Division, ProgramCode, ProgramId, ServicePointId,
    SubscriptionId, SyncRequestId,
};
use crate::layout::{Column, Columns, HeaderFault, Layout, RowFault, Spelling, Unknown};
use crate::row::{Fields, end_after_start, id, optional, optional_id, optional_time, some, time};
use crate::sync_flag::SyncFlag;
use crate::time::Instant;

/// The columns of an enrollment extract [O], and all that it may have.
pub const LAYOUT: Layout = Layout {
    file: "enrollment-sync",
    columns: &[
        Column::required("syncRequestId"),
        Column::required(SyncFlag::COLUMN),
        Column::required("action"),
        Column::required("subscriptionId"),
        Column::required("subscriptionType"),
        Column::required("status"),
        Column::required("programId"),
        Column::required("programCode"),
        Column::required("cisPersonId"),
        Column::required("cisAccountId"),
        Column::required("cisPremiseId"),
        Column::required("cisServicePointId"),
        Column::required("servicePointId"),
        Column::optional("division"),
        Column::optional("timeZone"),
        Column::required("startDateTime"),
        Column::optional("endDateTime"),
        Column::required("changeDateTime"),
    ],
    series: None,
    unknown: Unknown::Reject,
};

const COLUMNS: usize = LAYOUT.columns.len();

/// An enrollment extract whose header is understood.
#[derive(Debug, Clone)]
pub struct ExtractSheet(Fields<COLUMNS>);

impl ExtractSheet {
    /// Understands a header, as this sender spells it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the header, each column that is not listed by its name.
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
    pub fn read<'a>(&self, record: &Record<'a>) -> Result<ExtractRow<'a>, RowFault> {
        ExtractRow::check(self.0.read(record)?)
    }

    /// Checks one row.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn check(&self, record: &Record<'_>) -> Result<(), RowFault> {
        self.read(record).map(|_| ())
    }

    /// The sync request of a valid row, by which it is acknowledged; nothing in an initial load.
    pub fn id<'a>(&self, record: &Record<'a>) -> Option<&'a str> {
        optional(self.0.readable(record, 0)?)
    }

    /// The sync request that a rejected row leaves without an answer, where its id can be read (contracts.md §8: "it
    /// will never reach OUAI: its sync request → Error with the reason").
    ///
    /// **Interpretation:** in a row of another width than its header only the first field is in place for sure. A wrong
    /// sync request in Error is worse than one that is reported as never acknowledged.
    pub fn sync_request(&self, record: &Record<'_>) -> Option<SyncRequestId> {
        self.0.readable(record, 0)?.parse().ok()
    }
}

/// What happened to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `ENROLL`: it is active.
    Enroll,
    /// `UNENROLL`: it has ended.
    Unenroll,
}

/// One completed enrollment or unenrollment, borrowed from its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtractRow<'a> {
    /// The sync request to be acknowledged; nothing in an initial load.
    pub sync_request_id: Option<&'a str>,
    /// Initial load or change.
    pub sync_flag: SyncFlag,
    /// Enrollment or unenrollment.
    pub action: Action,
    /// The subscription.
    pub subscription_id: &'a str,
    /// Its type, in the program system's words.
    pub subscription_type: &'a str,
    /// Its status, in the program system's words.
    pub status: &'a str,
    /// The program, by the program system's own id.
    pub program_id: &'a str,
    /// The program's short code.
    pub program_code: &'a str,
    /// The billing system's person.
    pub cis_person_id: &'a str,
    /// The billing system's account.
    pub cis_account_id: &'a str,
    /// The billing system's premise.
    pub cis_premise_id: &'a str,
    /// The billing system's service point; never interchanged with the one after.
    pub cis_service_point_id: &'a str,
    /// The program system's metered service point.
    pub service_point_id: &'a str,
    /// The part of the utility.
    pub division: Option<&'a str>,
    /// The time zone of the service point.
    pub time_zone: Option<&'a str>,
    /// From when it takes part.
    pub start_date_time: Instant,
    /// Until when, exclusive; after the start.
    pub end_date_time: Option<Instant>,
    /// When it changed: lets the receiver keep the newest.
    pub change_date_time: Instant,
}

impl<'a> ExtractRow<'a> {
    fn check(fields: [&'a str; COLUMNS]) -> Result<Self, RowFault> {
        let [sync_request_id, flag, action, subscription_id, subscription_type, status, rest @ ..] = fields;
        let [program_id, program_code, cis_person_id, cis_account_id, rest @ ..] = rest;
        let [cis_premise_id, cis_service_point_id, service_point_id, division, time_zone, start, end, changed] = rest;
        let sync_flag = SyncFlag::parse(flag)?;
        let sync_request_id = sync_request(sync_flag, sync_request_id)?;
        let action = match action {
            "ENROLL" => Action::Enroll,
            "UNENROLL" => Action::Unenroll,
            "" => return Err(RowFault::at("action", "is empty; it must be ENROLL or UNENROLL")),
            other => return Err(RowFault::value("action", other, "is neither ENROLL nor UNENROLL")),
        };
        id("subscriptionId", subscription_id, SubscriptionId::check)?;
        some("subscriptionType", subscription_type)?;
        some("status", status)?;
        id("programId", program_id, ProgramId::check)?;
        id("programCode", program_code, ProgramCode::check)?;
        id("cisPersonId", cis_person_id, CisPersonId::check)?;
        id("cisAccountId", cis_account_id, CisAccountId::check)?;
        id("cisPremiseId", cis_premise_id, CisPremiseId::check)?;
        id("cisServicePointId", cis_service_point_id, CisServicePointId::check)?;
        id("servicePointId", service_point_id, ServicePointId::check)?;
        let division = optional_id("division", division, Division::check)?;
        let time_zone = optional(time_zone);
        let start_date_time = time("startDateTime", start)?;
        let end_date_time = optional_time("endDateTime", end)?;
        end_after_start(("startDateTime", Some(start_date_time)), ("endDateTime", end_date_time))?;
        Ok(Self {
            sync_request_id,
            sync_flag,
            action,
            subscription_id,
            subscription_type,
            status,
            program_id,
            program_code,
            cis_person_id,
            cis_account_id,
            cis_premise_id,
            cis_service_point_id,
            service_point_id,
            division,
            time_zone,
            start_date_time,
            end_date_time,
            change_date_time: time("changeDateTime", changed)?,
        })
    }

    /// What makes two rows the same (contracts.md §6: "extract and ack (syncRequestId)"); rows of an initial load have
    /// none.
    pub fn key(&self) -> Option<&'a str> {
        self.sync_request_id
    }
}

/// "`F1IL` rows have no `syncRequestId` and get no ack".
fn sync_request(flag: SyncFlag, id: &str) -> Result<Option<&str>, RowFault> {
    const COLUMN: &str = "syncRequestId";
    match (flag, id) {
        (SyncFlag::Initial, "") => Ok(None),
        (SyncFlag::Initial, id) => Err(RowFault::value(
            COLUMN,
            id,
            "is given in a row of an initial load (F1IL), which gets no acknowledgement",
        )),
        (SyncFlag::Incremental, id) => optional_id(COLUMN, id, SyncRequestId::check)?
            .map(Some)
            .ok_or_else(|| RowFault::at(COLUMN, "is empty in a row that is not of an initial load")),
    }
}

#[cfg(test)]
mod tests;
