//! Wiring of `dacs-derms-aggregators`.

use aws::{Clients, Vars, Wiring, lambda};
use dacs_derms_aggregators::{Flow, LOOKUPS, NAME};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let kit = wiring.message_kit(LOOKUPS)?;
    let calls = wiring.sync_calls(&kit.lookups)?;
    let flow = Flow { kit, calls };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
