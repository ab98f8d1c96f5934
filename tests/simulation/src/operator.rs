//! A person who looks at file runs now and then, releases or discards what is held, and replays what was given up.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use flow::ledger::Ledger;
use flow::ledger::run::{Run, RunState};
use flow::operate::Runs;

use crate::engine::{Event, seconds, sleep_until};
use crate::flows::FlowId;
use crate::ports::TrueClock;
use crate::schedule::Setting;

/// The runs that a person took in hand: their place in the order is the person's decision.
pub type InHand = Arc<Mutex<BTreeSet<String>>>;

/// Lets a person look at the file flows: a few times soon, and once when every outage is over.
pub fn plan(setting: &mut Setting, flows: &[FlowId]) {
    let late = setting.longest_outage() + seconds(8 * 3600);
    for flow in flows.iter().copied().filter(|flow| !flow.is_messages()) {
        for _ in 0..3 {
            let at = if setting.dice.chance(70) { setting.dice.below(seconds(3600)) } else { late };
            let (shared, dice, in_hand) = (setting.shared.clone(), setting.dice.fork(), setting.in_hand.clone());
            let Some(queue) = setting.services.queues.get(&flow).cloned() else { continue };
            let runs = Runs {
                flow: flow.name().to_owned(),
                ledger: Ledger::new(Arc::new(setting.services.table.clone())),
                queue: Arc::new(queue),
                clock: Arc::new(TrueClock(shared.clone())),
            };
            setting.script("operator", async move {
                sleep_until(&shared, at).await;
                let mut dice = dice;
                for run in runs.latest(50).await.unwrap_or_default() {
                    let done = match (run.state, dice.below(10)) {
                        (RunState::Held, 0..=4) => runs.release(&run.id).await,
                        (RunState::Held, 5..=7) => runs.discard(&run.id).await,
                        (RunState::GivenUp, 0..=7) => runs.replay(&run.id).await,
                        _ => continue,
                    };
                    if let Ok(after) = done {
                        note(&after, run.state, &in_hand, &shared, flow);
                    }
                }
            });
        }
    }
}

fn note(run: &Run, before: RunState, in_hand: &InHand, shared: &crate::engine::Shared, flow: FlowId) {
    in_hand.lock().unwrap_or_else(PoisonError::into_inner).insert(run.id.to_string());
    let mut core = shared.lock();
    core.note("operator", &format!("run {} was {}, is {}", run.id, before.word(), run.state.word()));
    let now = core.now;
    core.schedule(now, Event::Poll(flow));
}
