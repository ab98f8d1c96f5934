//! What calling each device costs, and whether it is available: DACS's score files go to the DERMS Device Score API.
//!
//! ```text
//! dacs-outbox/device-score/SDCSE… ─▶ queue ─▶ check rows ─ POST /device_scores {scoreFileId, part, last} ─▶ DERMS
//! ```
//!
//! `scoreFileId` is the run id, a part is an upsert by its number, and the set counts when the last part has come; 200
//! or 202 is taken (contracts.md §5). Files are taken one at a time, in order of arrival.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::csv::Record;
use domain::device_score::{DERMS_HEADER, ScoreSheet};
use domain::layout::HeaderFault;
use domain::lookups::{Lookups, MapName};
use flow::file::{Batch, DeliverBatch, FileFlow, FileKit, FileToRest, Rows, serve};
use flow::ledger::run::Run;
use flow::ports::{Call, FormPart, Method, Payload};
use flow::target::TargetClient;
use flow::trigger::{Invocation, Reply, Trigger};
use flow::{Failure, Rejected, Transient};
use serde_json::json;

#[cfg(test)]
mod tests;

/// The flow's name.
pub const NAME: &str = "dacs-derms-device-score";
/// The lookups that it reads.
pub const LOOKUPS: &[&str] = &["Columns-device-score", "HeadEndSystem"];
/// The largest part: one POST up to 4 MiB (contracts.md §5).
pub const PART_SIZE: usize = 4 << 20;

/// The flow; its fields are what it may touch.
pub struct Flow {
    /// Ledger, outbox, rejects and the rest of every file flow.
    pub kit: FileKit,
    /// The DERMS.
    pub to_rest: FileToRest,
}

impl Flow {
    /// Messages of the flow's queue.
    ///
    /// # Errors
    /// [`Transient`] for a trigger that this flow does not have.
    pub async fn handle(&self, trigger: Trigger, invocation: Invocation) -> Result<Reply, Transient> {
        serve(&self.kit, &FileFlow::ToRest(&self.to_rest), trigger, &invocation).await
    }
}

/// Understands the header of a score file.
///
/// # Errors
/// [`HeaderFault`] naming every column that is missing or doubled.
pub fn open(header: &Record<'_>, lookups: &Lookups) -> Result<Rows, HeaderFault> {
    let sheet = ScoreSheet::open(header, &lookups.spelling("device-score"))?;
    let head_ends = lookups.map(MapName::HeadEndSystem);
    let encode = move |record: &Record<'_>, out: &mut Vec<u8>, key: &mut Vec<u8>| {
        let row = sheet.read(record)?;
        let head_end = head_ends.get(row.head_end_system).map_err(|miss| miss.at("headEndSystem"))?;
        let row = row.with_head_end_system(head_end);
        row.write_csv(out);
        let (head_end, nic, program) = row.key();
        for part in [head_end, "\0", nic, "\0", program] {
            key.extend_from_slice(part.as_bytes());
        }
        Ok(())
    };
    Ok(Rows { encode: Box::new(encode) })
}

/// The pipeline of score files into `scores`.
#[must_use]
pub fn to_rest(scores: DeviceScores) -> FileToRest {
    FileToRest { open, prefix: DERMS_HEADER.as_bytes(), part_size: PART_SIZE, target: Arc::new(scores) }
}

/// The Device Score API.
pub struct DeviceScores {
    /// The DERMS.
    pub derms: TargetClient,
}

#[async_trait]
impl DeliverBatch for DeviceScores {
    async fn deliver(&self, run: &Run, batch: &Batch, invocation: &Invocation) -> Result<(), Failure> {
        let about = json!({ "scoreFileId": run.id, "part": batch.part, "last": batch.last });
        let call = Call {
            method: Method::Post,
            path: "/device_scores".into(),
            payload: Payload::Form(vec![
                FormPart {
                    name: "metadata",
                    file_name: None,
                    content_type: "application/json",
                    bytes: Bytes::from(about.to_string()),
                },
                FormPart {
                    name: "file",
                    file_name: Some(format!("{}-{}.csv", run.id, batch.part)),
                    content_type: "text/csv",
                    bytes: batch.bytes.clone(),
                },
            ]),
            correlation: run.correlation.clone(),
        };
        let answer = self.derms.call(&call, invocation.deadline).await?;
        match answer.status {
            200 | 202 => Ok(()),
            400..500 => {
                let why = format!("part {}: {}", batch.part, answer.refusal("the DERMS"));
                Err(Rejected::new(run.id.to_string(), why).into())
            }
            status => Err(Transient::new(format!("the DERMS answered {status} to a part")).into()),
        }
    }
}
