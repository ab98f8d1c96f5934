//! What is a flow's own: its messages, and who hears of them.

use serde_json::{Value, json};

use super::Meant;
use crate::flows::FlowId;

/// Who waits in DACS for what becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// A sync request.
    SyncRequest,
    /// A status check.
    StatusCheck,
    /// Nobody: a refusal is a notification.
    Nobody,
}

/// What the DERMS's model reads in a message: how to answer it.
pub(super) struct Words {
    pub(super) manner: &'static str,
    pub(super) unknown: bool,
    pub(super) other: bool,
}

impl Words {
    /// As one text.
    fn text(&self) -> String {
        let unknown = if self.unknown { " UNKNOWN" } else { "" };
        format!("{}{unknown}{}", self.manner, if self.other { " another" } else { "" })
    }
}

/// One flow from DACS to the DERMS.
#[derive(Debug)]
pub struct Sheet {
    /// The flow.
    pub flow: FlowId,
    /// What the ids of its messages begin with.
    pub(super) prefix: &'static str,
    /// Who waits.
    pub(super) told: Told,
    /// What the ledger calls a message after its id.
    pub(super) suffix: &'static str,
    /// A message.
    pub(super) body: fn(&Meant, Words) -> Value,
}

/// dacs-derms-enrollment-sync
pub static ENROLLMENTS: Sheet = Sheet {
    flow: FlowId::EnrollmentSync,
    prefix: "10",
    told: Told::SyncRequest,
    suffix: "",
    body: |meant, words| {
        let service_point = match (words.unknown, words.other) {
            (true, _) => "SP-UNKNOWN-1",
            (false, true) => "SP-2002",
            (false, false) => "SP-2001",
        };
        let devices: Vec<Value> = (0..if meant.large { 450 } else { 1 })
            .map(|number| {
                json!({
                    "deviceId": format!("D{number:05}"), "deviceType": "THERMOSTAT", "specification": "ECO-T100",
                    "headEndSystem": "HES-NORTH", "nicId": format!("nic-{}-{number}", meant.order),
                    "serialNumber": format!("SN-{number}"), "status": "ACTIVE",
                    "startDateTime": "2026-06-01T00:00:00-05:00",
                })
            })
            .collect();
        json!({ "sendDetails": {
            "syncRequestId": meant.id,
            "subscriptionInfo": {
                "subscriptionId": meant.order, "subscriptionType": words.manner, "status": "ACTIVE",
                "programId": "90000001", "programCode": "SUMMER-T", "programExternalIdentifier": "PRG-SUMMER-T",
                "startDateTime": "2026-06-01T00:00:00-05:00",
            },
            "locationInfo": { "division": "NORTH", "servicePointId": service_point, "controllableDevices": devices },
        } })
    },
};

/// dacs-derms-program-rules
pub static RULES: Sheet = Sheet {
    flow: FlowId::Rules,
    prefix: "50",
    told: Told::SyncRequest,
    suffix: "",
    body: |meant, words| {
        let rules: Vec<Value> = (0..if meant.large { 420 } else { 1 })
            .map(|number| {
                json!({
                    "ruleId": format!("R-{number}"), "ruleType": "PARTICIPATION", "effectiveDate": "2026-05-01",
                    "cycleFrequency": "WEEKLY", "weekStart": "MONDAY", "allowedEventDays": ["MONDAY", "FRIDAY"],
                    "participationLimit": 3, "participationDuration": "PT12H", "eventCategories": ["X1EC"],
                })
            })
            .collect();
        json!({
            "syncRequestId": meant.id, "programId": meant.order, "programCode": format!("P-{}", meant.order),
            "programExternalIdentifier": format!("PRG-{}", meant.order), "programName": words.text(),
            "timeZone": "America/Chicago", "status": "ACTIVE", "startDate": "2026-05-01",
            "changeDateTime": "2026-04-20T09:00:00-05:00", "rules": rules,
        })
    },
};

/// dacs-derms-aggregators
pub static AGGREGATORS: Sheet = Sheet {
    flow: FlowId::Aggregators,
    prefix: "70",
    told: Told::SyncRequest,
    suffix: "",
    body: |meant, words| {
        json!({
            "syncRequestId": meant.id, "action": "UPDATE", "aggregatorId": meant.order, "name": words.text(),
            "headEndSystem": "HES-NORTH", "status": "ACTIVE", "effectiveDate": "2026-05-01",
            "changeDateTime": "2026-04-20T09:00:00-05:00",
        })
    },
};

/// dacs-derms-device-status-check
pub static STATUS_CHECKS: Sheet = Sheet {
    flow: FlowId::StatusCheck,
    prefix: "C-",
    told: Told::StatusCheck,
    suffix: "",
    body: |meant, words| {
        json!({ "sendDetails": {
            "communicationId": meant.id,
            "deviceInfo": {
                "deviceType": words.text(), "headEndSystem": "HES-NORTH", "nicid": format!("nic-{}", meant.order),
            },
        } })
    },
};

/// dacs-derms-event-opt-out
pub static OPT_OUTS: Sheet = Sheet {
    flow: FlowId::OptOut,
    prefix: "O-",
    told: Told::Nobody,
    suffix: "",
    body: |meant, words| {
        let (event, stage) =
            meant.stage.as_ref().map(|stage| (stage.event.clone(), stage.id.clone())).unwrap_or_default();
        json!({
            "communicationId": meant.id, "eventExternalIdentifier": event, "externalIdentifier": stage,
            "headEndSystem": "HES-NORTH", "nicId": format!("nic-{}", meant.order),
            "optOutDateTime": "2026-07-01T00:00:00Z", "reason": words.text(),
        })
    },
};

/// dacs-derms-customer-unavailability
pub static UNAVAILABILITIES: Sheet = Sheet {
    flow: FlowId::Unavailability,
    prefix: "U-",
    told: Told::Nobody,
    suffix: "#ADD",
    body: |meant, words| {
        json!({
            "communicationId": meant.id, "unavailabilityId": format!("U-{}", meant.order), "action": "ADD",
            "headEndSystem": "HES-NORTH", "nicId": format!("nic-{}", meant.order),
            "startDateTime": "2026-07-10T00:00:00-05:00", "endDateTime": "2026-07-20T00:00:00-05:00",
            "reason": words.text(),
        })
    },
};
