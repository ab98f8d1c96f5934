//! The examples of `events/<flow>/examples` are what they are named for: each valid one is taken, each invalid one refused
//! at exactly the places, and for exactly the reasons, that `expected.csv` lists.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot read its files has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use domain::aggregator::Aggregator;
use domain::derms_message::DermsMessage;
use domain::device_status::{DeviceStatusAck, StatusCheck};
use domain::enrollment_sync::EnrollmentSync;
use domain::event_opt_out::EventOptOut;
use domain::event_status::EventStatus;
use domain::json::{Document, Problem};
use domain::program_rules::ProgramRules;
use domain::sync_ack::SyncAck;
use domain::unavailability::Unavailability;

/// Pointer and reason of every fault, by file.
type Faults = BTreeMap<String, Vec<(String, String)>>;

fn examples(flow: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(flow).join("examples")
}

fn expected(flow: &str) -> Faults {
    let mut faults = Faults::new();
    let mut lines = csv::Reader::from_path(examples(flow).join("expected.csv")).unwrap();
    for line in lines.records() {
        let line = line.unwrap();
        faults.entry(line[0].to_owned()).or_default().push((line[1].to_owned(), line[2].to_owned()));
    }
    faults
}

fn refused(flow: &str, parse: &Check) -> Faults {
    let mut faults = Faults::new();
    let mut taken = 0;
    for file in fs::read_dir(examples(flow)).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".json") {
            continue;
        }
        match parse(&fs::read(&path).unwrap()) {
            Ok(()) => {
                assert!(name.starts_with("valid-"), "{name} was taken");
                taken += 1;
            }
            Err(problem) => {
                assert!(name.starts_with("invalid-"), "{name}: {problem}");
                let listed = problem.errors.into_iter().map(|fault| (fault.pointer, fault.reason.into_owned()));
                faults.insert(name, listed.collect());
            }
        }
    }
    assert!(taken > 0, "{flow} has no valid example");
    faults
}

/// Reads a body only to say what is wrong with it.
type Check = fn(&[u8]) -> Result<(), Problem>;

fn message<M: DermsMessage>(body: &[u8]) -> Result<(), Problem> {
    M::parse(body).map(drop)
}

const FLOWS: &[(&str, Check)] = &[
    ("dacs-derms-enrollment-sync", message::<EnrollmentSync>),
    ("dacs-derms-program-rules", message::<ProgramRules>),
    ("dacs-derms-aggregators", message::<Aggregator>),
    ("dacs-derms-device-status-check", message::<StatusCheck>),
    ("dacs-derms-event-opt-out", message::<EventOptOut>),
    ("dacs-derms-customer-unavailability", message::<Unavailability>),
    ("derms-dacs-device-status-ack", |body| DeviceStatusAck::from_document(&Document::parse(body)?).map(drop)),
    ("derms-dacs-enrollment-ack", |body| SyncAck::parse(body).map(drop)),
    ("derms-dacs-program-rules-ack", |body| SyncAck::from_document(&Document::parse(body)?).map(drop)),
    ("derms-dacs-event-status", |body| EventStatus::parse(body).map(drop)),
    ("derms-dacs-aggregators-ack", |body| SyncAck::from_document(&Document::parse(body)?).map(drop)),
];

#[test]
fn every_example_is_what_its_name_says() {
    for (flow, check) in FLOWS {
        assert_eq!(refused(flow, check), expected(flow), "{flow}");
    }
}
