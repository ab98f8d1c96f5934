//! Wiring of `error-handler`.

use aws::{Clients, Vars, Wiring, lambda};
use error_handler::{ErrorHandler, LOOKUPS, NAME};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let handler = ErrorHandler { kit: wiring.dead_letter_kit(LOOKUPS)? };
    lambda::run_dead_letters(|letters, invocation| handler.handle(letters, invocation)).await
}
