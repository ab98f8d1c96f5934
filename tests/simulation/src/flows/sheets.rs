//! The sheets of the flows that publish files: their columns, and rows of made-up values.

use super::FlowId;
use crate::schedule::Setting;

/// DACS's inbox.
pub const DACS_INBOX: &str = "dacs-inbox";
/// The DERMS's inbox.
pub const DERMS_INBOX: &str = "derms-inbox";
/// OUAI's inbox.
pub const OUAI_INBOX: &str = "ouai-inbox";

/// What is one flow's own.
pub struct Sheet {
    /// The flow.
    pub flow: FlowId,
    /// Where its files are dropped.
    pub outbox: &'static str,
    /// Where they are published.
    pub inbox: &'static str,
    /// What their keys begin with.
    pub key: &'static str,
    /// The lookup of the columns.
    pub columns: &'static str,
    /// The spelling of one column that the lookup's newer version allows, and its place.
    pub spelling: &'static str,
    /// See above.
    pub spelled: usize,
    /// The column that a wrong header lacks.
    pub missing: usize,
    /// The columns.
    pub header: &'static [&'static str],
    /// The values of a valid row.
    pub row: fn(&mut Setting) -> Vec<String>,
    /// What makes a row invalid: a place and a text.
    pub wrong: &'static [(usize, &'static str)],
    /// Whether the source hears of rejected rows.
    pub told: bool,
}

impl Sheet {
    /// The folder of its keys.
    #[must_use]
    pub fn folder(&self) -> &'static str {
        self.key.split_inclusive('/').next().unwrap_or_default()
    }
}

/// ouai-dacs-kwh-avoided
pub static KWH: Sheet = Sheet {
    flow: FlowId::KwhAvoided,
    outbox: "ouai-outbox",
    inbox: DACS_INBOX,
    key: "kwh-avoided/event",
    columns: "Columns-kwh-avoided",
    spelling: "ServicePoint",
    spelled: 3,
    missing: 7,
    header: &[
        "EventId",
        "EventType",
        "ProgramId",
        "SPId",
        "ActualStartTime",
        "ActualEndTime",
        "IntervalSize(Seconds)",
        "TotalKwh",
        "TotalKwhSavedForPeriod",
        "KwhSaved1",
        "KwhSaved2",
        "KwhSaved3",
        "KwhSaved4",
    ],
    row: kwh,
    wrong: &[(5, "2026-06-30T13:30:00-05:00"), (6, "7"), (8, "9999.99"), (9, ""), (11, "NaN"), (3, "")],
    told: false,
};

fn kwh(setting: &mut Setting) -> Vec<String> {
    let dice = &mut setting.dice;
    let values: Vec<u64> = (0..4).map(|_| dice.below(2000)).collect();
    let mut fields = vec![
        format!("{}", dice.between(4000, 4004)),
        "Economic".to_owned(),
        "90000001".to_owned(),
        format!("SP{:06}", dice.below(500)),
        "2026-06-30T14:30:00-05:00".to_owned(),
        "2026-06-30T15:30:00-05:00".to_owned(),
        "900".to_owned(),
        hundredths(dice.below(9000)),
        hundredths(values.iter().sum()),
    ];
    fields.extend(values.iter().map(|value| hundredths(*value)));
    fields
}

fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// derms-dacs-network-location
pub static LOCATION: Sheet = Sheet {
    flow: FlowId::Location,
    outbox: "derms-outbox",
    inbox: DACS_INBOX,
    key: "network-location/load",
    columns: "Columns-network-location",
    spelling: "XFMR",
    spelled: 1,
    missing: 3,
    header: &["servicePointId", "transformerId", "feederId", "substationId", "syncFlag", "changeDateTime"],
    row: |setting| {
        let dice = &mut setting.dice;
        let flag = if dice.chance(50) { "F1IL" } else { "F1IC" };
        let service_point = format!("SP{:06}", dice.below(500));
        let transformer = format!("TX-{}", dice.below(90));
        let rest = ["FD-12", "SUB-NORTH", flag, "2026-05-20T08:00:00-04:00"];
        [service_point, transformer].into_iter().chain(rest.map(str::to_owned)).collect()
    },
    wrong: &[(0, ""), (1, ""), (4, "FULL"), (5, "yesterday")],
    told: false,
};

/// ouai-derms-load-reduction-forecast
pub static FORECAST: Sheet = Sheet {
    flow: FlowId::Forecast,
    outbox: "ouai-outbox",
    inbox: DERMS_INBOX,
    key: "load-reduction-forecast/day",
    columns: "Columns-load-reduction-forecast",
    spelling: "ServicePoint",
    spelled: 0,
    missing: 1,
    header: &[
        "SPId",
        "ProgramId",
        "ForecastCreatedTime",
        "ForecastStartTime",
        "ForecastEndTime",
        "IntervalSize(Seconds)",
        "LoadReductionKw1",
        "LoadReductionKw2",
    ],
    row: |setting| {
        let dice = &mut setting.dice;
        let times = ["2026-06-30T20:00:00-04:00", "2026-07-01T00:00:00-04:00", "2026-07-01T02:00:00-04:00", "3600"];
        let mut fields = vec![format!("SP{:06}", dice.below(500)), "90000001".to_owned()];
        fields.extend(times.map(str::to_owned));
        fields.extend([hundredths(dice.below(300)), format!("-{}", hundredths(dice.below(90)))]);
        fields
    },
    wrong: &[(0, ""), (4, "2026-06-30T23:00:00-04:00"), (5, "0"), (6, "NaN")],
    told: false,
};

/// dacs-ouai-enrollment-sync
pub static EXTRACT: Sheet = Sheet {
    flow: FlowId::Extract,
    outbox: "dacs-outbox",
    inbox: OUAI_INBOX,
    key: "enrollment-sync/ENROLL_SYNC",
    columns: "Columns-enrollment-sync",
    spelling: "STATE",
    spelled: 5,
    missing: 2,
    header: &[
        "syncRequestId",
        "syncFlag",
        "action",
        "subscriptionId",
        "subscriptionType",
        "status",
        "programId",
        "programCode",
        "cisPersonId",
        "cisAccountId",
        "cisPremiseId",
        "cisServicePointId",
        "servicePointId",
        "startDateTime",
        "changeDateTime",
    ],
    row: |setting| {
        let number = setting.shared.lock().fresh();
        let id = format!("4{number:013}");
        setting.neighbours.dacs.send(&id);
        let ids = ["90000001", "SUMMER", "4000001", "5000001", "6000001", "7000001", "SP000001"];
        let times = ["2026-07-02T00:00:00-04:00", "2026-07-01T04:30:00-04:00"];
        let mut fields = vec![id, "F1IC".to_owned(), "ENROLL".to_owned(), format!("9{number:05}")];
        fields.extend(["DR", "ACTIVE"].into_iter().chain(ids).chain(times).map(str::to_owned));
        fields
    },
    wrong: &[(1, "F1XX"), (2, "REPLACE"), (3, ""), (13, "soon")],
    told: true,
};

/// derms-ouai-device-outcome
pub static OUTCOME: Sheet = Sheet {
    flow: FlowId::OuaiOutcome,
    outbox: "derms-outbox",
    inbox: OUAI_INBOX,
    key: "device-outcome/day",
    columns: "Columns-device-outcome",
    spelling: "NIC",
    spelled: 10,
    missing: 11,
    header: &[
        "recordId",
        "eventId",
        "eventType",
        "stageId",
        "stageStartDateTime",
        "stageEndDateTime",
        "programId",
        "programCode",
        "servicePointId",
        "headEndSystemId",
        "nicId",
        "outcome",
    ],
    row: |setting| {
        let number = setting.shared.lock().fresh();
        let outcome = *setting.dice.pick(&["NON_RESPONSIVE", "ERROR", "CANCELED"]);
        let times = ["2026-06-30T18:00:00Z", "2026-06-30T20:00:00Z", "90000001", "SUMMER"];
        let mut fields = vec![format!("r{number}"), "E-1".to_owned(), "ECONOMIC".to_owned(), "S-1".to_owned()];
        fields.extend(times.map(str::to_owned));
        fields.extend([format!("SP{number:05}"), "HES-NORTH".to_owned(), format!("nic-{number:05}")]);
        fields.push(outcome.to_owned());
        fields
    },
    wrong: &[(0, ""), (11, "ASLEEP"), (4, "noon"), (5, "2026-06-30T17:00:00Z")],
    told: false,
};
