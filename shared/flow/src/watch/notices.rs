//! Kept notices: what came while the window of its cause was open is told together.

use domain::flows::{FLOWS, SERVICES};

use super::WatchKit;
use crate::Transient;
use crate::notices::tell_the_rest;
use crate::trigger::Invocation;

/// Tells what any function has kept and whose window is over.
///
/// # Errors
/// [`Transient`] when ledger or notifier do not answer; the rest is told the next time.
pub async fn tell_kept_notices(kit: &WatchKit, invocation: &Invocation) -> Result<(), Transient> {
    for function in FLOWS.iter().map(|flow| flow.name).chain(SERVICES) {
        if kit.is_out_of_time(invocation) {
            return Ok(());
        }
        tell_the_rest(&kit.ledger, function, &*kit.publisher, kit.clock.now()).await?;
    }
    Ok(())
}
