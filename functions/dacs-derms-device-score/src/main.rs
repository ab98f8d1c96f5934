//! Wiring of `dacs-derms-device-score`.

use aws::{Clients, Vars, Wiring, lambda};
use dacs_derms_device_score::{DeviceScores, Flow, LOOKUPS, NAME, to_rest};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let target = DeviceScores { derms: wiring.derms()? };
    let flow = Flow { kit: wiring.file_kit(LOOKUPS)?, to_rest: to_rest(target) };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
