//! Wiring of `watch`.

use aws::{Clients, Vars, Wiring, lambda};
use watch::{LOOKUPS, NAME, Watch};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let watch = Watch { kit: wiring.watch_kit(LOOKUPS)? };
    lambda::run_scheduled(|invocation| watch.handle(invocation)).await
}
