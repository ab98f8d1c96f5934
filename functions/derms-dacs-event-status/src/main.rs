//! Wiring of `derms-dacs-event-status`.

use aws::{Clients, Vars, Wiring, lambda};
use derms_dacs_event_status::{Calls, Flow, LOOKUPS, NAME};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let vars = Vars::from_env();
    lambda::log(&vars)?;
    let clients = Clients::load(&vars).await;
    let wiring = Wiring::new(NAME, &vars, &clients)?;
    let kit = wiring.message_kit(LOOKUPS)?;
    let acks = wiring.derms_acks()?;
    let calls = Calls {
        stages: wiring.stages(&kit.lookups)?.told_next(acks.derms.clone()),
        acks,
        lookups: kit.lookups.clone(),
        refusal: wiring.event_status_refusal()?,
        side_by_side: wiring.dacs_concurrency()?,
    };
    let flow = Flow { kit, calls };
    lambda::run(|trigger, invocation| flow.handle(trigger, invocation)).await
}
