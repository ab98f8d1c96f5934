//! Wiring of `dacs-derms-device-status-check`.

use aws::{Clients, Vars, Wiring, lambda};
use dacs_derms_device_status_check::{Calls, Flow, LOOKUPS, NAME};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let kit = wiring.message_kit(LOOKUPS)?;
    let calls = Calls { derms: wiring.to_derms(&kit.lookups)?, answers: wiring.status_answers(&kit.lookups)? };
    let flow = Flow { kit, calls };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
