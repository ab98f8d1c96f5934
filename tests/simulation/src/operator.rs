//! A person who looks now and then at what is open: releases or discards runs that are held, replays what was given up;
//! sends messages again, some over newer ones, or drops them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use flow::ledger::Ledger;
use flow::ledger::open::Matter;
use flow::ledger::run::RunState;
use flow::operate::{Messages, Runs, open};
use flow::ports::Clock;

use crate::dice::Dice;
use crate::engine::{Event, Shared, seconds, sleep_until};
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
            let person = Person::at(setting, flow);
            let Some(queue) = setting.services.queues.get(&flow).cloned() else { continue };
            let (ledger, clock) = person.reads(setting);
            let runs = Runs { flow: flow.name().to_owned(), ledger, queue: Arc::new(queue), clock };
            setting.script("operator", async move {
                sleep_until(&person.shared, at).await;
                person.look_at_runs(&runs).await;
            });
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
            let person = Person::at(setting, flow);
            let (ledger, clock) = person.reads(setting);
            let desk = Messages { flow: flow.name().to_owned(), ledger, queue: Arc::new(queue), clock };
            setting.script("operator", async move {
                sleep_until(&person.shared, at).await;
                person.look_at_messages(&desk).await;
            });
        }
    }
}

/// A person who looks at one flow.
struct Person {
    flow: FlowId,
    shared: Shared,
    dice: Dice,
    in_hand: InHand,
}

impl Person {
    fn at(setting: &mut Setting, flow: FlowId) -> Self {
        Self { flow, shared: setting.shared.clone(), dice: setting.dice.fork(), in_hand: setting.in_hand.clone() }
    }

    fn reads(&self, setting: &Setting) -> (Ledger, Arc<dyn Clock>) {
        let ledger = Ledger::new(Arc::new(setting.services.table.clone()));
        (ledger, Arc::new(TrueClock(self.shared.clone())))
    }

    async fn look_at_runs(mut self, runs: &Runs) {
        for run in runs.latest(50).await.unwrap_or_default() {
            let done = match (run.state, self.dice.below(10)) {
                (RunState::Held, 0..=4) => runs.release(&run.id).await,
                (RunState::Held, 5..=7) => runs.discard(&run.id).await,
                (RunState::GivenUp, 0..=7) => runs.replay(&run.id).await,
                _ => continue,
            };
            if let Ok(after) = done {
                let what = format!("run {} was {}, is {}", after.id, run.state.word(), after.state.word());
                self.took([after.id.to_string()], &what);
            }
        }
    }

    async fn look_at_messages(mut self, desk: &Messages) {
        for open in open(&desk.ledger, self.flow.name()).await.unwrap_or_default() {
            let Some(decision) = Decision::of(&mut self.dice, self.flow, open.matter) else { continue };
            let (done, is_forced) = match decision {
                Decision::Resend { force } => (desk.resend(&open.id, force).await, force),
                Decision::Drop => (desk.discard(&open.id).await, false),
            };
            if done.is_ok() {
                let forced = is_forced.then(|| message_forced(self.flow, &open.id));
                let subjects = [message_in_hand(self.flow, &open.id)].into_iter().chain(forced);
                self.took(subjects, &format!("message {}: {decision:?}", open.id));
            }
        }
    }

    /// What was taken in hand goes on at once.
    fn took(&self, subjects: impl IntoIterator<Item = String>, what: &str) {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner).extend(subjects);
        let mut core = self.shared.lock();
        core.note("operator", what);
        let now = core.now;
        core.schedule(now, Event::Poll(self.flow));
    }
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
