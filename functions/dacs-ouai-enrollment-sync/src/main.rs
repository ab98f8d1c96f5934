//! Wiring of `dacs-ouai-enrollment-sync`.

use aws::{Clients, Vars, Wiring, lambda};
use dacs_ouai_enrollment_sync::{Flow, LOOKUPS, NAME, open, tell};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let mut flow: Flow = wiring.to_file_flow(LOOKUPS, open)?;
    flow.to_file.tell = Some(tell(wiring.sync_request_acks(&flow.kit.lookups)?));
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
