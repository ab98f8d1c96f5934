//! Wiring of `derms-dacs-aggregators-ack`.

use aws::{Clients, Vars, Wiring, lambda};
use derms_dacs_aggregators_ack::{Flow, LOOKUPS, NAME, READ};
use flow::sync_ack::AckCalls;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let kit = wiring.message_kit(LOOKUPS)?;
    let calls = AckCalls { acks: wiring.sync_request_acks(&kit.lookups)?, read: READ };
    let flow = Flow { kit, calls };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
