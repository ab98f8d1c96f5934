//! The reject files of the DERMS's runs: an acknowledgement with more failures than it can list names this route instead.

use std::time::Duration;

use domain::json::{FieldFault, Problem};
use domain::posted_file::Subject;
use flow::Transient;
use flow::file::RejectFile;
use flow::ledger::run::{Run, RunId};
use flow::ports::Link;
use flow::trigger::HttpRequest;

use crate::answer::not_found;
use crate::{Intake, Refused};

/// How long a download may be begun.
const DOWNLOAD_VALID: Duration = Duration::from_secs(5 * 60);

impl Intake {
    /// A link to a reject file of a run: `reasons.csv`, or with `?file=rows` the rows.
    pub(crate) async fn reject_link(&self, run: &str, request: &HttpRequest) -> Result<Link, Refused> {
        let file = match request.query.get("file").map(String::as_str) {
            None | Some("reasons") => RejectFile::Reasons,
            Some("rows") => RejectFile::Rows,
            Some(_) => {
                let reason = "is neither reasons nor rows".into();
                return Err(Problem::invalid(vec![FieldFault { pointer: "/file".into(), reason }]).into());
            }
        };
        let Some((flow, run)) = self.find(run).await? else {
            return Err(not_found("No run of the DERMS's files has this id, or none of the last 30 days").into());
        };
        if !run.state.is_settled() {
            return Err(not_found("The run goes on; its reject files come with its end").into());
        }
        if run.pieces.count == 0 {
            return Err(not_found("No row of this run was rejected").into());
        }
        Ok(self.rejects.download_link(&file.key(flow, &run), DOWNLOAD_VALID).await?)
    }

    /// The run of this id, and its flow.
    async fn find(&self, run: &str) -> Result<Option<(&'static str, Run)>, Transient> {
        let Ok(id) = run.parse::<RunId>() else { return Ok(None) };
        for flow in Subject::ALL.map(Subject::flow) {
            if let Some(run) = self.ledger.get::<Run>(&Run::key(flow, &id)).await? {
                return Ok(Some((flow, run.value)));
            }
        }
        Ok(None)
    }
}
