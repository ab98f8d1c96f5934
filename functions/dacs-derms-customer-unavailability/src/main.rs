//! Wiring of `dacs-derms-customer-unavailability`.

use aws::{Clients, Vars, Wiring, lambda};
use dacs_derms_customer_unavailability::{Flow, LOOKUPS, NAME};
use flow::to_derms::OneWayCalls;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let kit = wiring.message_kit(LOOKUPS)?;
    let calls = OneWayCalls::new(wiring.to_derms(&kit.lookups)?);
    let flow = Flow { kit, calls };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
