//! Wiring of `file-intake`.

use aws::{Clients, Vars, Wiring, lambda};
use file_intake::{Intake, NAME, Outbox};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let bucket = vars.text("OUTBOX_BUCKET")?;
    let intake = Intake {
        outbox: Outbox { depot: wiring.depot(&bucket), source: wiring.source(), bucket },
        rejects: wiring.depot(&vars.text("REJECTS_BUCKET")?),
        ledger: wiring.ledger(),
        telemetry: wiring.telemetry(),
        clock: wiring.clock(),
    };
    lambda::run(|trigger, invocation| intake.handle(trigger, invocation)).await
}
