//! The program system's calls about the devices of a program event, as the target of a file's rows: `reserveDevice` and
//! `postEventOutcome` (contracts.md §4).
//!
//! Both are harmless when they are made again. A device that is refused is the fault of its row alone; a call that is
//! refused as a whole is the fault of each of its rows, and other calls of the file go on.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::layout::RowFault;
use domain::lookups::Verdict;
use domain::participation::{self, DeviceRefusal, device_of, places_of};

use crate::file::{CallRow, CallTarget};
use crate::ledger::run::Run;
use crate::lookups::LookupBook;
use crate::ports::{Call, Method, Payload};
use crate::target::TargetClient;
use crate::trigger::Invocation;
use crate::{Failure, Rejected, Transient};

/// The lookups that reading the program system's answers needs, and choosing among several.
pub const LOOKUPS: &[&str] = &["DacsMessages", "Routing", "Targets"];

/// What the envelope of a file calls the DERMS that it comes from.
pub const DRMS_INSTANCE_ID: &str = "drms-instance-id";

/// The program system of the DERMS that a file comes from: the same one for all of it, by the lookups that it began with.
///
/// # Errors
/// [`Failure::Rejected`] when the lookups have none.
pub async fn dacs_of(dacs: &TargetClient, lookups: &LookupBook, run: &Run) -> Result<TargetClient, Failure> {
    let lookups = lookups.at(&run.lookups).await?;
    let name = lookups.dacs_of(run.envelope.get(DRMS_INSTANCE_ID).map(String::as_str));
    dacs.installation(name.map_err(|miss| Rejected::new(run.source.key.clone(), miss.to_string()))?, &lookups)
}

/// Writes the body of a call for rows of one group, whose keys end in head-end and NIC id.
///
/// # Errors
/// [`Rejected`] when the file does not say what the call needs.
pub type WriteBody = dyn Fn(&Run, &[CallRow]) -> Result<Vec<u8>, Rejected> + Send + Sync;

/// One of the two calls.
pub struct DeviceCalls {
    /// The program system.
    pub dacs: TargetClient,
    /// The lookups of [`LOOKUPS`].
    pub lookups: LookupBook,
    /// Where the call is, after the base URL.
    pub path: &'static str,
    /// Writes its body.
    pub write: Arc<WriteBody>,
}

#[async_trait]
impl CallTarget for DeviceCalls {
    async fn call(
        &self,
        run: &Run,
        rows: &[CallRow],
        invocation: &Invocation,
    ) -> Result<Vec<(usize, RowFault)>, Failure> {
        let payload = Payload::Json(Bytes::from((self.write)(run, rows)?));
        let correlation = run.correlation.clone();
        let call = Call { method: Method::Post, path: self.path.into(), payload, correlation };
        let dacs = dacs_of(&self.dacs, &self.lookups, run).await?;
        let answer = dacs.call(&call, invocation.deadline).await?;
        let lookups = self.lookups.current().await?;
        let verdict = |number: Option<u32>| lookups.dacs_messages().verdict(number);
        match participation::read_answer(answer.status, &answer.body, &verdict) {
            participation::Answer::Taken(refused) => faults(&refused, rows),
            participation::Answer::AlreadyDone => Ok(Vec::new()),
            participation::Answer::NotYet(refusal) => {
                Err(Transient::new(format!("DACS says \"not yet\": {}", participation::reason(&refusal))).into())
            }
            participation::Answer::Refused(refusal) => {
                Ok(all(rows, &format!("the program system refuses the call: {}", participation::reason(&refusal))))
            }
            participation::Answer::Unclear if (400..500).contains(&answer.status) => {
                Ok(all(rows, &answer.refusal("the program system")))
            }
            participation::Answer::Unclear => {
                Err(Transient::new(format!("DACS answered {} with something unreadable", answer.status)).into())
            }
        }
    }
}

/// The rows of the devices that are refused for good. One that is refused for now makes the call be made again: what it
/// has done already is done.
fn faults(refused: &[DeviceRefusal], rows: &[CallRow]) -> Result<Vec<(usize, RowFault)>, Failure> {
    if let Some(early) = refused.iter().find(|refusal| refusal.verdict == Verdict::NotYet) {
        return Err(Transient::new(format!("DACS says \"not yet\": {}", early.fault())).into());
    }
    let devices = rows.iter().map(|row| device_of(&row.key).unwrap_or_default());
    let places = places_of(refused, devices).map_err(|e| Transient::because("reading DACS's answer", e))?;
    Ok(places.into_iter().map(|(place, refusal)| (place, refusal.fault())).collect())
}

fn all(rows: &[CallRow], why: &str) -> Vec<(usize, RowFault)> {
    (0..rows.len()).map(|place| (place, RowFault::row(why.to_owned()))).collect()
}
