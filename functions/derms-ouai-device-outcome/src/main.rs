//! Wiring of `derms-ouai-device-outcome`.

use aws::{Clients, Vars, Wiring, lambda};
use derms_ouai_device_outcome::{Flow, LOOKUPS, NAME, open};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let flow: Flow = Wiring::new(NAME, &vars, &clients)?.to_file_flow(LOOKUPS, open)?;
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
