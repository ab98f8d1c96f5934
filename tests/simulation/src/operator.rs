//! A person who looks now and then at what is open: releases or discards runs that are held, replays what was given up;
//! sends messages again, some over newer ones, or drops them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use flow::ledger::Ledger;
use flow::ledger::open::Matter;
use flow::ledger::run::{Run, RunState};
use flow::operate::{Messages, Runs, open};

use crate::dice::Dice;
use crate::engine::{Event, seconds, sleep_until};
use crate::flows::FlowId;
use crate::ports::TrueClock;
use crate::schedule::Setting;

/// The runs and messages that a person took in hand: their place in the order is the person's decision.
pub type InHand = Arc<Mutex<BTreeSet<String>>>;

/// Lets a person look at the file flows: a few times soon, and once when every outage is over.
pub fn plan(setting: &mut Setting, flows: &[FlowId]) {
    let late = setting.longest_outage() + seconds(8 * 3600);
    for flow in flows.iter().copied().filter(|flow| flow.is_files()) {
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

/// As [`InHand`] has a message.
#[must_use]
pub fn message_in_hand(flow: FlowId, key: &str) -> String {
    format!("{}/{key}", flow.name())
}

/// As [`InHand`] has a message that was sent again over newer ones.
#[must_use]
pub fn message_forced(flow: FlowId, key: &str) -> String {
    format!("{}/{key} over newer ones", flow.name())
}

/// What a person does with a message.
#[derive(Debug, Clone, Copy)]
enum Decision {
    Resend { force: bool },
    Drop,
}

impl Decision {
    /// By dice. Those of the DERMS are dropped only: what they say may be over by now.
    fn of(dice: &mut Dice, flow: FlowId, matter: Matter) -> Option<Self> {
        let may_resend = !matches!(flow, FlowId::EventStatus | FlowId::Request);
        let (resent, dropped) = match matter {
            Matter::AwaitingAck => (10, 5),
            Matter::Overdue => (30, 20),
            Matter::Failed => (60, 20),
            Matter::Refused => (20, 20),
            Matter::GivenUp | Matter::Held => (0, 0),
        };
        match dice.below(100) {
            rolled if rolled < resent && may_resend => Some(Self::Resend { force: dice.chance(20) }),
            rolled if rolled < resent => None,
            rolled if rolled < resent + dropped => Some(Self::Drop),
            _ => None,
        }
    }
}

/// Lets a person look at what messages have left open: soon, and when everything should be over.
pub fn plan_messages(setting: &mut Setting, flows: &[FlowId]) {
    let late = setting.longest_outage() + seconds(8 * 3600);
    for flow in flows.iter().copied().filter(|flow| flow.is_messages()) {
        for look in 0..3 {
            let at = if look < 2 { setting.dice.below(seconds(7200)) } else { late };
            let at = if setting.has(FlowId::ErrorHandler) && look == 2 { seconds(28 * 3600) } else { at };
            let is_rare = setting.dice.chance(60);
            let Some(queue) = setting.services.queues.get(&flow).cloned().filter(|_| !is_rare) else { continue };
            let (shared, mut dice, in_hand) = (setting.shared.clone(), setting.dice.fork(), setting.in_hand.clone());
            let desk = Messages {
                flow: flow.name().to_owned(),
                ledger: Ledger::new(Arc::new(setting.services.table.clone())),
                queue: Arc::new(queue),
                clock: Arc::new(TrueClock(shared.clone())),
            };
            setting.script("operator", async move {
                sleep_until(&shared, at).await;
                for open in open(&desk.ledger, flow.name()).await.unwrap_or_default() {
                    let Some(decision) = Decision::of(&mut dice, flow, open.matter) else { continue };
                    let done = match decision {
                        Decision::Resend { force } => desk.resend(&open.id, force).await,
                        Decision::Drop => desk.discard(&open.id).await,
                    };
                    if done.is_ok() {
                        let mut in_hand = in_hand.lock().unwrap_or_else(PoisonError::into_inner);
                        in_hand.insert(message_in_hand(flow, &open.id));
                        if matches!(decision, Decision::Resend { force: true }) {
                            in_hand.insert(message_forced(flow, &open.id));
                        }
                        let mut core = shared.lock();
                        core.note("operator", &format!("message {}: {decision:?}", open.id));
                        let now = core.now;
                        core.schedule(now, Event::Poll(flow));
                    }
                }
            });
        }
    }
}
