//! File → REST: one acknowledgement per file to its source, where the contract has one (contracts.md §3), sent while
//! the run is settled. It may be sent again after a crash, with the same id.
//!
//! | rows of the file | what follows the envelope's own response |
//! | --- | --- |
//! | at most 1,000 | every record |
//! | more | the records that failed |
//! | of which failed more than 10,000 | the path of the reject file |
//!
//! A run that did not end well says its reason first, and lists failures only.

use std::collections::BTreeMap;

use domain::csv::Record;
use domain::layout::HeaderFault;
use domain::lookups::Lookups;
use domain::msg_ack::{Envelope, MsgAck, Response, ResponseCode};
use domain::time::Instant;

use super::attempt::Attempt;
use super::decode::ReadFault;
use super::halt::Halt;
use super::head;
use super::reader::Line;
use super::rejects::{self, RejectedRecord};
use crate::Failure;
use crate::derms_ack::DermsAcks;
use crate::device_calls::DRMS_INSTANCE_ID;
use crate::ledger::run::{Run, RunState};

/// Up to so many rows, every record is in the acknowledgement.
const ALL_RECORDS: u64 = 1_000;
/// Up to so many failures, each is in the acknowledgement.
const ALL_FAILURES: usize = 10_000;
/// The metadata that names the message; without it, it is the run.
const MESSAGE_ID: &str = "message-id";

/// What the sender calls a row, if that can be read.
pub type NameRow = Box<dyn Fn(&Record<'_>) -> Option<String> + Send + Sync>;

/// Understands a header: how its rows are called.
pub type OpenNames = fn(&Record<'_>, &Lookups) -> Result<NameRow, HeaderFault>;

/// How the source of a file hears what became of it.
pub struct AckFile {
    /// Understands the header.
    pub open: OpenNames,
    /// The source.
    pub acks: DermsAcks,
}

/// Acknowledges the run that ends in `state`.
pub(super) async fn acknowledge(attempt: &mut Attempt<'_>, ack: &AckFile, state: RunState) -> Result<(), Halt> {
    let Some(code) = code(&attempt.run, state) else { return Ok(()) };
    let message = message(attempt, ack, (state, code)).await?;
    let (source, lookups) = (attempt.run.envelope.get(DRMS_INSTANCE_ID), attempt.lookups().await?);
    let sent = match ack.acks.of(source.map(String::as_str), &lookups) {
        Ok(acks) => acks.send(&message, &attempt.run.correlation, attempt.invocation()).await,
        Err(failure) => Err(failure),
    };
    match sent {
        Ok(()) => Ok(()),
        Err(Failure::Rejected(refused)) => {
            attempt.run.reason = Some(format!("its source does not take the acknowledgement: {}", refused.reason));
            Ok(())
        }
        Err(Failure::Transient(fault)) if attempt.may_give_up_telling() => {
            attempt.run.reason = Some(format!("its source could not be told: {}", fault.chain()));
            Ok(())
        }
        Err(failure) => Err(failure.into()),
    }
}

/// How the file as a whole fared, or `None` when its source is not told: a newer version of the same file is, when that
/// one ends. FAILURE is the machinery's, and a file of which nothing could be read (contracts.md §3 and §8).
fn code(run: &Run, state: RunState) -> Option<ResponseCode> {
    match state {
        RunState::Delivered if run.counts.rejected == 0 && run.reason.is_none() => Some(ResponseCode::Success),
        RunState::Delivered => Some(ResponseCode::Error),
        RunState::Rejected if run.counts.rejected > 0 || run.counts.delivered > 0 => Some(ResponseCode::Error),
        RunState::Rejected | RunState::GivenUp => Some(ResponseCode::Failure),
        RunState::Waiting | RunState::Working | RunState::Held => None,
        RunState::Superseded | RunState::Discarded => None,
    }
}

async fn message(
    attempt: &Attempt<'_>,
    ack: &AckFile,
    (state, code): (RunState, ResponseCode),
) -> Result<MsgAck, Halt> {
    let (run, kit) = (&attempt.run, attempt.kit);
    let now = Instant::from(kit.clock.now());
    let id = message_id(run);
    let response = |id: String, value: String, response_code| Response {
        id: Some(id),
        value: Some(value),
        response_code,
        response_time: Some(now),
        dacs_message_id: None,
    };
    let mut responses = Vec::new();
    if let Some(reason) = &run.reason {
        responses.push(response(id.clone(), reason.clone(), code));
    }
    match rejects::records(&kit.rejects, kit.flow, run, ALL_FAILURES).await? {
        None => {
            let path = format!("/v1/derms/rejects/{}", run.id);
            responses.push(response(id.clone(), path, ResponseCode::Error));
        }
        Some(failed) if state == RunState::Delivered && run.counts.rows <= ALL_RECORDS => {
            for (name, fault) in all_records(attempt, ack, failed).await? {
                responses.push(match fault {
                    Some(reason) => response(name, reason, ResponseCode::Error),
                    None => response(name, "DELIVERED".into(), ResponseCode::Success),
                });
            }
        }
        Some(failed) => {
            let failed = failed.into_iter();
            responses.extend(failed.map(|record| response(name_of(&record), record.reason, ResponseCode::Error)));
        }
    }
    let delivered = run.counts.delivered + run.counts.repeated;
    let failed = run.counts.rows.saturating_sub(delivered);
    let envelope = Envelope { message_id: &id, dacs_message_id: None, ack_type: code, delivered, failed };
    Ok(MsgAck::new(envelope, now, responses))
}

/// What the source calls the file.
pub(crate) fn message_id(run: &Run) -> String {
    let said = run.envelope.get(MESSAGE_ID).filter(|id| !id.trim().is_empty());
    said.cloned().unwrap_or_else(|| run.id.to_string())
}

fn name_of(record: &RejectedRecord) -> String {
    record.record.clone().unwrap_or_else(|| format!("line {}", record.line))
}

/// All records of a small file, in file order, those in `failed` with their reason.
async fn all_records(
    attempt: &Attempt<'_>,
    ack: &AckFile,
    failed: Vec<RejectedRecord>,
) -> Result<Vec<(String, Option<String>)>, Halt> {
    let mut failed: BTreeMap<u64, RejectedRecord> = failed.into_iter().map(|record| (record.line, record)).collect();
    let Some(head) = attempt.run.head.clone() else { return Ok(Vec::new()) };
    let lookups = attempt.lookups().await?;
    let name = head::understand(attempt, &head, |header| (ack.open)(header, &lookups))?;
    let mut reader = head::rows(attempt, &head, head.rows_at).await?;
    let mut records = Vec::new();
    loop {
        match reader.next() {
            Line::Record(record, at) => records.push(match failed.remove(&at.line) {
                Some(rejected) => (name_of(&rejected), Some(rejected.reason)),
                None => (name(&record).unwrap_or_else(|| format!("line {}", at.line)), None),
            }),
            Line::TooLong { .. } | Line::Nothing => {}
            Line::End => break,
            // Where the file breaks off, what was rejected there follows below.
            Line::More => match reader.fill().await {
                Ok(()) => {}
                Err(ReadFault::Broken(_)) => break,
                Err(fault) => return Err(head::halt(&attempt.run, fault)),
            },
        }
    }
    records.extend(failed.into_values().map(|rejected| (name_of(&rejected), Some(rejected.reason))));
    Ok(records)
}
