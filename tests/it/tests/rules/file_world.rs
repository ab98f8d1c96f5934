//! The file flows as they are deployed, over the in-memory ports.

use bytes::Bytes;
use dacs_derms_device_score::DeviceScores;
use domain::json::Document;
use domain::participation::ProgramEventKey;
use domain::reservation::Envelope;
use domain::sync_request::ExceptionCode;
use flow::derms_ack::DermsAcks;
use flow::ledger::run::{Run, RunState};
use flow::memory::{REJECTS, Targets, World};
use flow::ports::{Destination, Metadata, ObjectRef, Outlet, Payload};
use flow::sync_ack::SyncRequestAcks;
use flow::trigger::{Reply, Trigger};
use it::repo;
use serde_json::Value;

/// The inbox of the file → file flow.
const INBOX: &str = "dacs-inbox";

/// A file flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// File → REST.
    Scores,
    /// File → file, of two kinds.
    KwhAvoided,
    /// File → file.
    Locations,
    /// File → file.
    Forecast,
    /// File → file, whose rejected rows are told to their source.
    Extract,
    /// File → REST, one call per record.
    Acks,
    /// File → REST, many records in a call.
    Reservations,
    /// File → REST, many records in a call.
    Outcomes,
    /// File → file, of the same file.
    OutcomesToOuai,
}

/// A line of `reasons.csv`: line, column, reason.
pub type Reason = (String, String, String);

/// What became of a file.
#[derive(Debug)]
pub struct Outcome {
    /// Its run, settled.
    pub run: Run,
    /// What was delivered: the rows that were sent, or the file in the inbox.
    pub delivered: Option<Bytes>,
    /// The rows that were rejected, droppable again.
    pub rows: Option<Bytes>,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl Flow {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scores => dacs_derms_device_score::NAME,
            Self::KwhAvoided => ouai_dacs_kwh_avoided::NAME,
            Self::Locations => derms_dacs_network_location::NAME,
            Self::Forecast => ouai_derms_load_reduction_forecast::NAME,
            Self::Extract => dacs_ouai_enrollment_sync::NAME,
            Self::Acks => ouai_dacs_enrollment_ack::NAME,
            Self::Reservations => derms_dacs_device_reservation::NAME,
            Self::Outcomes => derms_dacs_device_outcome::NAME,
            Self::OutcomesToOuai => derms_ouai_device_outcome::NAME,
        }
    }

    /// Drops a file into an empty world and lets the flow work until its run is settled.
    pub async fn drop_file(self, name: &str, bytes: impl Into<Bytes>) -> Outcome {
        let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
        let derms = Targets::answering(202, "");
        let subject = self.name().splitn(3, '-').nth(2).unwrap();
        let to = Destination { key: format!("{subject}/{name}"), metadata: self.envelope() };
        world.objects.outlet("outbox").put(&to, bytes.into()).await.unwrap();
        let object = world.objects.versions("outbox", &to.key).pop().unwrap();
        let trigger = Trigger::Queue(vec![world.notification(&object)]);
        let invocation = world.invocation("one");
        let reply = match self {
            Self::Scores => {
                let to_rest =
                    dacs_derms_device_score::to_rest(DeviceScores { derms: world.target("derms", derms.clone()) });
                let kit = world.file_kit(self.name(), dacs_derms_device_score::LOOKUPS);
                dacs_derms_device_score::Flow { kit, to_rest }.handle(trigger, invocation).await
            }
            Self::KwhAvoided => {
                let (lookups, open) = (ouai_dacs_kwh_avoided::LOOKUPS, ouai_dacs_kwh_avoided::open);
                world.to_file_flow(self.name(), lookups, open, INBOX).handle(trigger, invocation).await
            }
            Self::Locations => {
                let (lookups, open) = (derms_dacs_network_location::LOOKUPS, derms_dacs_network_location::open);
                world.to_file_flow(self.name(), lookups, open, INBOX).handle(trigger, invocation).await
            }
            Self::Forecast => {
                let open = ouai_derms_load_reduction_forecast::open;
                let lookups = ouai_derms_load_reduction_forecast::LOOKUPS;
                world.to_file_flow(self.name(), lookups, open, INBOX).handle(trigger, invocation).await
            }
            Self::Extract => {
                let (lookups, open) = (dacs_ouai_enrollment_sync::LOOKUPS, dacs_ouai_enrollment_sync::open);
                let mut flow = world.to_file_flow(self.name(), lookups, open, INBOX);
                flow.to_file.tell = Some(dacs_ouai_enrollment_sync::tell(sync_request_acks(&world, &derms)));
                flow.handle(trigger, invocation).await
            }
            Self::Acks => {
                let to_calls = ouai_dacs_enrollment_ack::to_calls(sync_request_acks(&world, &derms), 4);
                let mut kit = world.file_kit(self.name(), ouai_dacs_enrollment_ack::LOOKUPS);
                kit.in_order = false;
                ouai_dacs_enrollment_ack::Flow { kit, to_calls }.handle(trigger, invocation).await
            }
            Self::Reservations => reservations(&world, &derms).handle(trigger, invocation).await,
            Self::Outcomes => outcomes(&world, &derms).handle(trigger, invocation).await,
            Self::OutcomesToOuai => {
                let (lookups, open) = (derms_ouai_device_outcome::LOOKUPS, derms_ouai_device_outcome::open);
                world.to_file_flow(self.name(), lookups, open, INBOX).handle(trigger, invocation).await
            }
        };
        assert_eq!(reply.unwrap(), Reply::Batch { failed: vec![] }, "{name} is not done in one attempt");
        let sent = sent(&derms);
        self.outcome(&world, &object, sent)
    }

    /// The metadata of the examples: the flow's `envelope.json`, if it has one.
    fn envelope(self) -> Metadata {
        let envelope = match self {
            Self::Reservations => repo::text(format!("events/{}/envelope.json", self.name())),
            _ => return Metadata::new(),
        };
        let document = Document::parse(envelope.as_bytes()).unwrap();
        Envelope::from_json(&document).unwrap().to_metadata()
    }

    fn outcome(self, world: &World, object: &ObjectRef, sent: Option<Bytes>) -> Outcome {
        let run = world.run(self.name(), object).unwrap();
        assert!(run.counts.balance(), "{}: {:?}", object.key, run.counts);
        assert_eq!(world.objects.unfinished(INBOX), 0, "{}: an upload is open", object.key);
        let reject = |kind: &str| {
            let key = format!("{}/{}.{}.{kind}.csv", self.name(), run.file_name(), run.id);
            world.objects.bytes(REJECTS, &key)
        };
        let (rows, reasons) = (reject("rows"), reject("reasons"));
        let delivered = match self {
            Self::Scores | Self::Acks | Self::Reservations | Self::Outcomes => sent,
            Self::KwhAvoided | Self::Locations | Self::Forecast | Self::Extract | Self::OutcomesToOuai => {
                let keys = world.objects.keys(INBOX);
                assert!(keys.len() <= 1, "{keys:?}");
                let key = keys.first();
                let expected = object.key.trim_end_matches(".gz").trim_end_matches(".zip");
                assert!(key.is_none_or(|key| key == expected), "{keys:?}");
                key.and_then(|key| world.objects.bytes(INBOX, key))
            }
        };
        Outcome { run, delivered, rows, reasons: reasons.map(|bytes| read(&bytes)).unwrap_or_default() }
    }
}

impl Outcome {
    /// Whether nothing of the file was delivered.
    pub fn is_rejected_whole(&self) -> bool {
        self.run.state == RunState::Rejected && self.delivered.is_none()
    }
}

fn sync_request_acks(world: &World, dacs: &Targets) -> SyncRequestAcks {
    SyncRequestAcks {
        dacs: world.target("dacs", dacs.clone()),
        release: "25.4".parse().unwrap(),
        exception: ExceptionCode::new(90_000, 1).unwrap(),
        lookups: world.lookups(ouai_dacs_enrollment_ack::NAME, ouai_dacs_enrollment_ack::LOOKUPS),
    }
}

fn reservations(world: &World, target: &Targets) -> derms_dacs_device_reservation::Flow {
    let mut kit = world.file_kit(derms_dacs_device_reservation::NAME, derms_dacs_device_reservation::LOOKUPS);
    kit.in_order = false;
    let neighbours = derms_dacs_device_reservation::Neighbours {
        dacs: world.target("dacs", target.clone()),
        derms: DermsAcks { derms: world.target("derms", target.clone()) },
        key: ProgramEventKey::Stage,
        calls: (500, 1),
    };
    let ports = (kit.ledger.clone(), kit.clock.clone());
    let to_calls = derms_dacs_device_reservation::to_calls(neighbours, ports, kit.lookups.clone());
    derms_dacs_device_reservation::Flow { kit, to_calls }
}

fn outcomes(world: &World, target: &Targets) -> derms_dacs_device_outcome::Flow {
    let mut kit = world.file_kit(derms_dacs_device_outcome::NAME, derms_dacs_device_outcome::LOOKUPS);
    kit.in_order = false;
    let neighbours = derms_dacs_device_outcome::Neighbours {
        dacs: world.target("dacs", target.clone()),
        derms: DermsAcks { derms: world.target("derms", target.clone()) },
        key: ProgramEventKey::Stage,
        calls: (500, 1),
    };
    let (ledger, clock) = (kit.ledger.clone(), kit.clock.clone());
    let gate = derms_dacs_device_outcome::FinalStage { ledger, clock, limit: kit.limits.retry };
    let to_calls = derms_dacs_device_outcome::to_calls(neighbours, gate, kit.lookups.clone());
    derms_dacs_device_outcome::Flow { kit, to_calls }
}

/// What the target was sent: the CSV of a form, or the path of each call, a line for each of its devices below a header.
fn sent(target: &Targets) -> Option<Bytes> {
    let mut all = Vec::new();
    for call in target.calls() {
        match call.payload {
            Payload::Form(parts) => {
                all.extend_from_slice(&parts.iter().find(|part| part.content_type == "text/csv").unwrap().bytes);
            }
            Payload::Json(_) if call.path == "/acks" => {}
            Payload::Json(body) => {
                if all.is_empty() {
                    all.extend_from_slice(b"path\n");
                }
                let body: Value = serde_json::from_slice(&body).unwrap();
                let devices = body["deviceList"].as_array().or(body.as_array()).map_or(1, Vec::len);
                all.extend_from_slice(format!("{}\n", call.path).repeat(devices).as_bytes());
            }
            Payload::Empty => {}
        }
    }
    (!all.is_empty()).then(|| all.into())
}

fn read(reasons: &[u8]) -> Vec<Reason> {
    let mut reader = csv::Reader::from_reader(reasons);
    assert_eq!(reader.headers().unwrap(), ["line", "column", "reason"].as_slice());
    let lines = reader.into_records().map(Result::unwrap);
    lines.map(|line| (line[0].to_owned(), line[1].to_owned(), line[2].to_owned())).collect()
}
