//! Held runs: nobody has decided within the hold limit, so they are discarded.

use domain::flows::{Flow, Kind};

use super::WatchKit;
use crate::Transient;
use crate::file::ended_notice;
use crate::ledger::Seen;
use crate::ledger::open::{Matter, Open};
use crate::ledger::run::{Run, RunState};
use crate::operate::{self, Refused};
use crate::ports::Write;
use crate::trigger::Invocation;

/// Discards the runs that are held for longer than the limit; business recipients are told of each.
///
/// # Errors
/// [`Transient`] when ledger or notifier do not answer; the rest is done the next time.
pub async fn discard_expired_holds(kit: &WatchKit, invocation: &Invocation) -> Result<(), Transient> {
    for flow in Flow::of(Kind::Files) {
        let mut discarded = 0;
        let mut after = None;
        loop {
            let (expired, next) = kit.open(flow.name, Matter::Held, after, kit.limits.hold).await?;
            for held in &expired {
                if kit.is_out_of_time(invocation) {
                    return Ok(());
                }
                discarded += u64::from(discard(kit, flow.name, held).await?);
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        if discarded > 0 {
            kit.telemetry.tally(flow.name, "ExpiredHolds", discarded);
        }
    }
    Ok(())
}

/// Discards one run; whether it was still held.
async fn discard(kit: &WatchKit, flow: &str, held: &Seen<Open>) -> Result<bool, Transient> {
    let id = held.value.id.parse().map_err(|e| Transient::because("reading an open matter", e))?;
    let run = kit.ledger.get::<Run>(&Run::key(flow, &id)).await?;
    let Some(mut run) = run.filter(|run| run.value.state == RunState::Held) else {
        // Its run is gone, or somebody has decided meanwhile, and has closed it: should it still be there, it is of no use.
        kit.ledger.commit(&[Write::Delete { key: held.value.key(flow), seen: held.rev }]).await?;
        return Ok(false);
    };
    run.value.reason = Some(format!("it was held for {} hours, and nobody decided", kit.limits.hold.as_hours()));
    let now = kit.clock.now();
    if let Some(notice) = ended_notice(flow, &operate::discarded(run.value.clone(), now)) {
        kit.notifier.notify(&notice).await?;
    }
    match operate::discard(&kit.ledger, flow, run, now).await {
        Ok(_) => Ok(true),
        Err(Refused::Transient(fault)) => Err(fault),
        // Somebody decided at this very moment.
        Err(_) => Ok(false),
    }
}
