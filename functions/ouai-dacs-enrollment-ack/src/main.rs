//! Wiring of `ouai-dacs-enrollment-ack`.

use aws::{Clients, Vars, Wiring, lambda};
use ouai_dacs_enrollment_ack::{Flow, LOOKUPS, NAME, to_calls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let mut kit = wiring.file_kit(LOOKUPS)?;
    kit.in_order = false;
    let to_calls = to_calls(wiring.sync_request_acks(&kit.lookups)?, wiring.dacs_concurrency()?);
    let flow = Flow { kit, to_calls };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
