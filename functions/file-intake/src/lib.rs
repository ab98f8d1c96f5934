//! The HTTP door for the DERMS's files: what it posts or uploads here is stored in its outbox, once, and goes through the
//! same flows as a file that is dropped there.
//!
//! ```text
//! POST /v1/derms/<subject>          form: envelope + file ─▶ derms-outbox/<subject>/<messageId>.csv ─▶ its flows
//! POST /v1/derms/<subject>/uploads  envelope ─▶ link ─ PUT by the DERMS itself ─▶ the same, up to 5 GB
//! GET  /v1/derms/rejects/{run}      ─▶ link to the rows that were rejected, or to the reasons
//! ```
//!
//! Key: the `messageId`. S3 keeps an object's key from being written twice, so nothing else needs to be remembered. What a
//! file means is judged by its flow; here only its envelope is.

mod answer;
mod form;
mod outbox;
mod rejects;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use answer::{Answered, not_found};
use domain::json::Problem;
use domain::posted_file::{PostedFile, Subject};
use flow::Transient;
use flow::ledger::Ledger;
use flow::ports::{Clock, Depot, Telemetry, UnitReport};
use flow::trigger::{HttpRequest, Invocation, Reply, Trigger};
use jiff::SignedDuration;

pub use outbox::Outbox;

/// The function's name.
pub const NAME: &str = "file-intake";

/// The largest form taken, in bytes. Above it Lambda's own limit is near, since the gateway sends a form as base64.
pub const FORM_LIMIT: usize = 4 << 20;

/// Why a request came to nothing.
enum Refused {
    /// It will never come to anything as it is.
    For(Box<Problem>),
    /// The machinery failed.
    ByFault(Transient),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::For(Box::new(problem))
    }
}

impl From<Transient> for Refused {
    fn from(fault: Transient) -> Self {
        Self::ByFault(fault)
    }
}

/// The function; its fields are what it may touch.
pub struct Intake {
    /// The DERMS's outbox.
    pub outbox: Outbox,
    /// Links to reject files.
    pub rejects: Arc<dyn Depot>,
    /// The runs of the DERMS's flows, to read.
    pub ledger: Ledger,
    /// Log line and metrics.
    pub telemetry: Arc<dyn Telemetry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Intake {
    /// Answers a request.
    ///
    /// # Errors
    /// [`Transient`] for messages of a queue: there is none.
    pub async fn handle(&self, trigger: Trigger, _: Invocation) -> Result<Reply, Transient> {
        let Trigger::Http(request) = trigger else {
            return Err(Transient::new("the file intake takes requests only"));
        };
        let started = self.clock.now();
        let answered = match self.route(&request).await {
            Ok(answered) => answered,
            Err(Refused::For(problem)) => Answered::refused(&problem),
            Err(Refused::ByFault(fault)) => Answered::failed(&fault, &request),
        };
        self.report(&answered, &request, self.clock.now().duration_since(started));
        Ok(Reply::Http(answered.reply))
    }

    async fn route(&self, request: &HttpRequest) -> Result<Answered, Refused> {
        let segments: Vec<_> = request.path.split('/').skip(1).collect();
        match *segments.as_slice() {
            ["v1", "derms", "rejects", run] => {
                let link = self.reject_link(run, request).await?;
                Ok(Answered::shown(run, &link))
            }
            ["v1", "derms", subject] => self.store(known(subject)?, request).await,
            ["v1", "derms", subject, "uploads"] => self.prepare_upload(known(subject)?, request).await,
            _ => Err(not_found("The file intake has no such route").into()),
        }
    }

    /// A form with envelope and file.
    async fn store(&self, subject: Subject, request: &HttpRequest) -> Result<Answered, Refused> {
        if request.body.len() > FORM_LIMIT {
            return Err(form::too_large(subject).into());
        }
        let (file, content) = form::read(subject, request).await?;
        let key = file.message_key(&content);
        let outcome = self.outbox.store(&file, &key, content, &request.correlation).await?;
        Ok(Answered::stored(key, outcome, request))
    }

    /// An envelope, whose file follows by itself.
    async fn prepare_upload(&self, subject: Subject, request: &HttpRequest) -> Result<Answered, Refused> {
        let file = PostedFile::to_upload(subject, &request.body)?;
        let key = file.message_key(&[]);
        match self.outbox.prepare_upload(&file, &key, &request.correlation).await? {
            Some(link) => Ok(Answered::offered(key, &link, request)),
            None => Ok(Answered::stored(key, "repeated", request)),
        }
    }

    fn report(&self, answered: &Answered, request: &HttpRequest, duration: SignedDuration) {
        let status = answered.reply.status;
        self.telemetry.unit(&UnitReport {
            flow: NAME,
            unit: answered.unit.clone(),
            outcome: answered.outcome,
            correlation: request.correlation.clone(),
            received: 1,
            delivered: u64::from(status < 400),
            rejected: u64::from((400..500).contains(&status)),
            retried: 0,
            lag: duration,
            duration,
            reason: answered.reason.clone(),
        });
    }
}

fn known(subject: &str) -> Result<Subject, Problem> {
    subject.parse().map_err(|_| not_found("No file of this name can be brought over HTTP"))
}
