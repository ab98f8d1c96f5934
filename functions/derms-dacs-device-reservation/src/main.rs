//! Wiring of `derms-dacs-device-reservation`.

use aws::{Clients, Vars, Wiring, lambda};
use derms_dacs_device_reservation::{Flow, LOOKUPS, NAME, Neighbours, to_calls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let mut kit = wiring.file_kit(LOOKUPS)?;
    kit.in_order = false;
    let neighbours = Neighbours {
        dacs: wiring.dacs()?,
        derms: wiring.derms_acks()?,
        key: wiring.program_event_key()?,
        calls: (wiring.devices_per_call()?, wiring.dacs_concurrency()?),
    };
    let to_calls = to_calls(neighbours, (kit.ledger.clone(), kit.clock.clone()), kit.lookups.clone());
    let flow = Flow { kit, to_calls };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
