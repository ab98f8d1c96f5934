//! The flows of the platform, for functions that serve all of them (contracts.md §2). A flow that is not deployed is
//! listed all the same: nothing is found of it.

/// What starts a flow, and so what its ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Files: it has runs.
    Files,
    /// Requests: it has messages.
    Messages,
}

/// Who waits for what becomes of a message or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A sync request of the program system, whose id is the message's key (flows 2, 3 and 5).
    SyncRequest,
    /// A status check of the program system, whose id is the message's key (flow 18).
    StatusCheck,
    /// The DERMS, by `/acks` (flows 4, 9, 11 and 12).
    Derms,
}

/// A flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Its one name.
    pub name: &'static str,
    /// What starts it.
    pub kind: Kind,
    /// The flow that brings its answers, where the target may answer later. The answer of a message is recognised in its
    /// ledger, as the last message that it delivered in the order of the message's key: acknowledgements are keyed by
    /// (`dacsMessageId`, body) and ordered by `dacsMessageId`. Those of a file are the rows that it delivered.
    pub answered_by: Option<&'static str>,
}

impl Flow {
    /// The flow of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FLOWS.iter().find(|flow| flow.name == name)
    }

    /// The flow whose messages this one answers; itself if it answers none.
    #[must_use]
    pub fn answers(name: &str) -> &str {
        FLOWS.iter().find(|flow| flow.answered_by == Some(name)).map_or(name, |flow| flow.name)
    }

    /// Who hears that something of this flow was given up, where the contract has a negative acknowledgement
    /// (contracts.md §8).
    #[must_use]
    pub fn gives_up_to(&self) -> Option<Source> {
        match self.name {
            "dacs-derms-program-rules" | "dacs-derms-aggregators" | "dacs-derms-enrollment-sync" => {
                Some(Source::SyncRequest)
            }
            "dacs-derms-device-status-check" => Some(Source::StatusCheck),
            "derms-dacs-enrollment-request"
            | "derms-dacs-event-status"
            | "derms-dacs-device-reservation"
            | "derms-dacs-device-outcome" => Some(Source::Derms),
            _ => None,
        }
    }

    /// The flows of one kind.
    pub fn of(kind: Kind) -> impl Iterator<Item = &'static Self> {
        FLOWS.iter().filter(move |flow| flow.kind == kind)
    }
}

const fn files(name: &'static str) -> Flow {
    Flow { name, kind: Kind::Files, answered_by: None }
}

const fn acknowledged_files(name: &'static str, flow: &'static str) -> Flow {
    Flow { name, kind: Kind::Files, answered_by: Some(flow) }
}

const fn messages(name: &'static str) -> Flow {
    Flow { name, kind: Kind::Messages, answered_by: None }
}

const fn acknowledged(name: &'static str, flow: &'static str) -> Flow {
    Flow { name, kind: Kind::Messages, answered_by: Some(flow) }
}

/// All of them, in the order of contracts.md §2.
pub const FLOWS: [Flow; 21] = [
    files("derms-dacs-network-location"),
    acknowledged("dacs-derms-program-rules", "derms-dacs-program-rules-ack"),
    acknowledged("dacs-derms-aggregators", "derms-dacs-aggregators-ack"),
    messages("derms-dacs-enrollment-request"),
    acknowledged("dacs-derms-enrollment-sync", "derms-dacs-enrollment-ack"),
    messages("derms-dacs-enrollment-ack"),
    acknowledged_files("dacs-ouai-enrollment-sync", "ouai-dacs-enrollment-ack"),
    files("ouai-dacs-enrollment-ack"),
    messages("derms-dacs-event-status"),
    files("dacs-derms-device-score"),
    files("derms-dacs-device-reservation"),
    files("derms-dacs-device-outcome"),
    files("derms-ouai-device-outcome"),
    files("ouai-derms-load-reduction-forecast"),
    files("ouai-dacs-kwh-avoided"),
    messages("derms-dacs-program-rules-ack"),
    messages("derms-dacs-aggregators-ack"),
    acknowledged("dacs-derms-device-status-check", "derms-dacs-device-status-ack"),
    messages("derms-dacs-device-status-ack"),
    messages("dacs-derms-event-opt-out"),
    messages("dacs-derms-customer-unavailability"),
];

/// The functions that serve all flows.
pub const SERVICES: [&str; 3] = ["error-handler", "file-intake", "watch"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flow_stands_once_and_messages_are_answered_by_messages_and_files_by_files() {
        for (place, flow) in FLOWS.iter().enumerate() {
            assert_eq!(FLOWS.iter().position(|other| other.name == flow.name), Some(place), "{}", flow.name);
            let Some(by) = flow.answered_by else { continue };
            assert_eq!(Flow::named(by).map(|by| by.kind), Some(flow.kind), "{}", flow.name);
        }
    }
}
