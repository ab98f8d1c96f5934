//! The calls to the program system.

use bytes::Bytes;
use domain::ids::{DrmsInstanceId, ProgramCode};
use domain::lookups::Lookups;
use domain::participation;
use domain::program_event::{Action, Answer, CREATE, Create, LIFECYCLE, Lifecycle, is_there, read_answer};
use domain::stage::{Ground, Refused, StageStatus};
use domain::sync_request::DacsRelease;
use serde::Serialize;

use super::bring::Due;
use super::note::Told;
use crate::ledger::stage::{EventCanceled, Stage};
use crate::lookups::LookupBook;
use crate::message::Context;
use crate::ports::{self, Call, Method, Payload};
use crate::target::{Routed, TargetClient};
use crate::trigger::Invocation;
use crate::{Failure, Rejected, Transient};

/// The program events of DACS.
pub struct ProgramEvents {
    /// DACS.
    pub dacs: TargetClient,
    /// Its release, which decides how a stage is named.
    pub release: DacsRelease,
    /// The lookups of [`ProgramEvents::LOOKUPS`].
    pub lookups: LookupBook,
}

impl ProgramEvents {
    /// The lookups that it reads.
    pub const LOOKUPS: &[&str] = &["DacsMessages", "Program", "Routing", "Targets"];

    /// Makes ready for a call that [`ProgramEvents::tell`] comes to.
    pub(super) async fn make_ready(&self, invocation: &Invocation) {
        self.dacs.make_ready(&self.lookups, invocation.deadline).await;
    }

    /// Brings the program event of `stage` to the status that is due.
    pub(super) async fn tell(
        &self,
        stage: &Stage,
        due: &Due,
        canceled: Option<&EventCanceled>,
        context: &Context<'_>,
    ) -> Result<Told, Transient> {
        let lookups = self.lookups.current().await?;
        let dacs = match self.dacs_of(stage, &lookups).await {
            Ok(dacs) => dacs,
            Err(Failure::Rejected(Rejected { reason, .. })) => {
                return Ok(Told::Refused(Refused { reason, ground: Ground::Unlisted }));
            }
            Err(Failure::Transient(fault)) => return Err(fault),
        };
        if due.status == StageStatus::Scheduled {
            let program = match external_id(&lookups, &stage.terms.program_code) {
                Ok(program) => program,
                Err(reason) => return Ok(Told::Refused(Refused { reason, ground: Ground::Unlisted })),
            };
            let create = Create::new(program, (&stage.event_id, &stage.stage_id), &stage.terms);
            return self.create((&dacs, stage), &create, (due, &lookups), context).await;
        }
        let of_event = canceled.and_then(|canceled| canceled.reason.as_deref());
        let reason = stage.cancel_reason.as_deref().or(of_event);
        let lifecycle = Lifecycle::new(due.status.into(), &stage.stage_id, reason, self.release);
        let (answer, _) = post(&dacs, LIFECYCLE, &lifecycle, context).await?;
        match read(due.status, &answer, &lookups)? {
            Told::Refused(_) if is_there(&answer.body, due.status) == Some(true) => Ok(Told::Done),
            told => Ok(told),
        }
    }

    /// A refusal of a create that was made before may only mean that it is there. Its lifecycle knows: asked to be Scheduled,
    /// it says where it is.
    async fn create(
        &self,
        (dacs, stage): (&TargetClient, &Stage),
        create: &Create<'_>,
        (due, lookups): (&Due, &Lookups),
        context: &Context<'_>,
    ) -> Result<Told, Transient> {
        let (answer, again) = post(dacs, CREATE, create, context).await?;
        let told = read(due.status, &answer, lookups)?;
        if !matches!(told, Told::Refused(_)) || !(again || due.repeated) {
            return Ok(told);
        }
        let probe = Lifecycle::new(Action::Schedule, &stage.stage_id, None, self.release);
        let (probed, _) = post(dacs, LIFECYCLE, &probe, context).await?;
        let is_there = read(due.status, &probed, lookups)? == Told::Done
            || StageStatus::ALL.into_iter().any(|status| is_there(&probed.body, status) == Some(true));
        Ok(if is_there { Told::Done } else { told })
    }

    /// The DACS of the DERMS that the stage comes from: the same one for all its life.
    async fn dacs_of(&self, stage: &Stage, lookups: &Lookups) -> Result<TargetClient, Failure> {
        let key = format!("{}#{}", stage.event_id, stage.stage_id);
        let drms = stage.drms_instance_id.as_ref().map(DrmsInstanceId::as_str);
        let routed = Routed { flow: "stage", key: &key, attempt: "1" };
        self.dacs.routed(routed, lookups, |lookups| lookups.dacs_of(drms)).await
    }
}

async fn post(
    dacs: &TargetClient,
    path: &str,
    body: &impl Serialize,
    context: &Context<'_>,
) -> Result<(ports::Answer, bool), Transient> {
    let body = serde_json::to_vec(body).map_err(|e| Transient::because("writing a call to DACS", e))?;
    let (path, correlation) = (path.to_owned(), context.correlation.to_owned());
    let call = Call { method: Method::Post, path, payload: Payload::Json(Bytes::from(body)), correlation };
    dacs.call_repeatedly(&call, context.invocation.deadline).await
}

/// What an answer means for `status`. Any other status than those that the contract has: of 4xx the program system will say
/// the same again, the rest passes.
fn read(status: StageStatus, answer: &ports::Answer, lookups: &Lookups) -> Result<Told, Transient> {
    let verdict = |number: Option<u32>| lookups.dacs_messages().verdict(number);
    let refused = |why: &str| {
        let reason = format!("DACS refuses {status}: {why}");
        Told::Refused(Refused { reason, ground: Ground::ProgramSystem })
    };
    match read_answer(answer.status, &answer.body, &verdict) {
        Answer::Done | Answer::AlreadyDone => Ok(Told::Done),
        Answer::NotYet(refusal) => {
            Ok(Told::NotYet(format!("DACS does not take {status} yet: {}", participation::reason(&refusal))))
        }
        Answer::Refused(refusal) => Ok(refused(&participation::reason(&refusal))),
        Answer::Unclear if (400..500).contains(&answer.status) => Ok(refused(&format!("status {}", answer.status))),
        Answer::Unclear => Err(Transient::new(format!("DACS answered {} about a program event", answer.status))),
    }
}

/// The program's third name, by which program events are created.
fn external_id<'a>(lookups: &'a Lookups, code: &ProgramCode) -> Result<&'a str, String> {
    let program = lookups.programs().by_code(code.as_str()).map_err(|miss| miss.to_string())?;
    if program.external_id.is_empty() {
        return Err(format!("lookup Program has no programExternalIdentifier for \"{code}\""));
    }
    Ok(&program.external_id)
}
