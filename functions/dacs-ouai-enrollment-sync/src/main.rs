//! Wiring of `dacs-ouai-enrollment-sync`.

use aws::{Clients, Vars, Wiring, lambda};
use dacs_ouai_enrollment_sync::{Flow, LOOKUPS, NAME, to_file};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let mut kit = wiring.file_kit(LOOKUPS)?;
    kit.limits = wiring.hold_limits(kit.limits)?;
    let (inbox_bucket, inbox) = wiring.inbox()?;
    let acks = wiring.sync_request_acks(&kit.lookups)?;
    let flow = Flow { kit, to_file: to_file(inbox_bucket, inbox, acks) };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
