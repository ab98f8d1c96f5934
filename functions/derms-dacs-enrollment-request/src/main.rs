//! Wiring of `derms-dacs-enrollment-request`.

use aws::{Clients, Vars, Wiring, lambda};
use derms_dacs_enrollment_request::{Calls, Flow, LOOKUPS, NAME};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let kit = wiring.message_kit(LOOKUPS)?;
    let (lookups, clock) = (kit.lookups.clone(), kit.clock.clone());
    let calls = Calls { dacs: wiring.dacs()?, acks: wiring.derms_acks()?, lookups, clock };
    let flow = Flow { kit, calls, side_by_side: wiring.dacs_concurrency()? };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
