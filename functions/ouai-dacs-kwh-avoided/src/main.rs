//! Wiring of `ouai-dacs-kwh-avoided`.

use aws::{Clients, Vars, Wiring, lambda};
use ouai_dacs_kwh_avoided::{Flow, LOOKUPS, NAME, open};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let flow: Flow = Wiring::new(NAME, &vars, &clients)?.to_file_flow(LOOKUPS, open)?;
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
