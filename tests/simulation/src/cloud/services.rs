//! The functions that serve all flows: `watch`, started by the clock, and `error-handler`, which takes what queues gave up.

use std::sync::{Arc, Mutex};

use flow::dead_letters::DeadLetter;
use flow::memory::Fifo;
use flow::ports::{Outgoing, Queue};
use flow::trigger::{Delivery, Reply};
use futures_util::FutureExt;

use super::{Cloud, Job};
use crate::engine::{Event, Machine, Micros, seconds};
use crate::faults::Fault;
use crate::flows::{FlowId, next_due};

/// As the template sets it.
const EVERY: Micros = seconds(300);
/// So long dead letters wait where nobody takes them at once: longer than the flows would have tried.
const UNTAKEN: Micros = seconds(27 * 3600);

/// When `watch` runs, and whether it has to run again.
#[derive(Default)]
pub(super) struct Rounds {
    /// When the last round began that came to its end.
    done: Option<Micros>,
    /// When anything last happened beside the rounds.
    disturbed: Micros,
}

/// What dead-letter queues are like in a schedule.
pub(super) struct Letters {
    /// After how many receives a queue gives a message up: a few stand for a thousand.
    pub(super) most: u32,
    /// Before this nobody takes them.
    from: Micros,
    polled: Option<Micros>,
}

impl Letters {
    /// Whether they are taken at once, so that none is past its limit.
    pub(super) fn go_back(&self) -> bool {
        self.from == 0
    }
}

impl Cloud {
    /// The first round of `watch`, if it is in the schedule.
    pub fn start_rounds(&mut self, flows: &[FlowId]) {
        if flows.contains(&FlowId::Watch) {
            let mut core = self.shared.lock();
            let at = core.dice.below(EVERY);
            core.schedule(at, Event::Poll(FlowId::Watch));
        }
        if flows.contains(&FlowId::ErrorHandler) {
            let mut core = self.shared.lock();
            let from = if core.dice.chance(50) { UNTAKEN } else { 0 };
            let most = u32::try_from(core.dice.between(2, 6)).unwrap_or(2);
            drop(core);
            self.letters = Some(Letters { most, from, polled: None });
        }
    }

    /// A round of `watch`, now and then two at once; and the next one, as long as there is something to look after.
    pub(super) fn round(&mut self, machine: &mut Machine) {
        let (twice, next, now, instant) = {
            let mut core = self.shared.lock();
            (core.dice.chance(10), core.next_event_at(), core.now, core.instant(0))
        };
        if next.is_some() {
            self.rounds.disturbed = now;
        }
        let due = next_due(&self.services.table, self.rounds.done).map(|due| {
            let wait = due.as_microsecond() - instant.as_microsecond();
            now + u64::try_from(wait).unwrap_or(0)
        });
        let is_over = self.rounds.done.is_some_and(|done| done > self.rounds.disturbed);
        let awaited = match (next, due) {
            (Some(next), Some(due)) => next.min(due),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) if is_over => return,
            (None, None) => now,
        };
        for _ in 0..=usize::from(twice) {
            self.start_round(machine);
        }
        // Rounds of which nothing could come are left out.
        let rounds = awaited.saturating_sub(now).div_ceil(EVERY).max(1);
        self.shared.lock().schedule(now + rounds * EVERY, Event::Poll(FlowId::Watch));
    }

    fn start_round(&mut self, machine: &mut Machine) {
        if self.jobs.values().any(|job| matches!(job, Job::Round { .. })) {
            let mut core = self.shared.lock();
            core.happened(Fault::ManyInstances, FlowId::Watch);
            core.happened(Fault::Duplicate, FlowId::Watch);
        }
        let instance = self.instance(FlowId::Watch);
        let (function, invocation, info) = self.invocation(instance, FlowId::Watch, 1);
        let done = Arc::new(Mutex::new(false));
        let kept = done.clone();
        let mut core = self.shared.lock();
        let begun = core.now;
        let task = core.spawn(info, async move {
            if function.watch(invocation).await.is_ok() {
                *kept.lock().expect("nobody panics here") = true;
            }
        });
        drop(core);
        self.jobs.insert(task, Job::Round { instance, begun, done });
        machine.run();
    }

    /// A round has ended; whether it came to its end.
    pub(super) fn end_round(&mut self, begun: Micros, done: bool) {
        if done {
            self.rounds.done = Some(self.rounds.done.unwrap_or(0).max(begun));
        }
    }

    /// A queue gives a message up.
    pub(super) fn bury(&mut self, flow: FlowId, delivery: Delivery) {
        let (Some(queue), Some(letters)) = (self.services.dead.get(&flow), &self.letters) else {
            self.dead_letters.push((flow, delivery.message_id));
            return;
        };
        let group = delivery.group.unwrap_or_else(|| delivery.message_id.clone());
        let letter = Outgoing { body: delivery.body, group, deduplication: delivery.message_id };
        queue.send(&letter).now_or_never().expect("memory does not wait").expect("memory does not fail");
        let mut core = self.shared.lock();
        let at = core.now.max(letters.from);
        core.schedule(at, Event::Poll(FlowId::ErrorHandler));
    }

    /// Shows dead letters to `error-handler`.
    pub(super) fn show_letters(&mut self, machine: &mut Machine) {
        let now = self.shared.lock().now;
        let Some(letters) = &mut self.letters else { return };
        if now < letters.from {
            return;
        }
        letters.polled = letters.polled.filter(|at| *at > now);
        while self.busy_workers(FlowId::ErrorHandler) < 2 {
            let queues: Vec<(FlowId, Fifo)> = self.services.dead.iter().map(|(flow, it)| (*flow, it.clone())).collect();
            let taken = queues.into_iter().find_map(|(flow, queue)| {
                let most = self.shared.lock().dice.count(1, 10);
                Some((flow, queue.take(most))).filter(|(_, taken)| !taken.is_empty())
            });
            let Some((flow, deliveries)) = taken else { break };
            self.start_handler(flow, deliveries, machine);
        }
        self.look_for_letters();
    }

    fn start_handler(&mut self, flow: FlowId, deliveries: Vec<Delivery>, machine: &mut Machine) {
        if self.busy_workers(FlowId::ErrorHandler) > 0 {
            self.shared.lock().happened(Fault::ManyInstances, FlowId::ErrorHandler);
        }
        let instance = self.instance(FlowId::ErrorHandler);
        let (function, invocation, info) = self.invocation(instance, FlowId::ErrorHandler, deliveries.len());
        let queue = format!("prod-{}.fifo", flow.name());
        let letters = deliveries.iter().map(|it| DeadLetter { queue: queue.clone(), delivery: it.clone() }).collect();
        let outcome = Arc::new(Mutex::new(None));
        let kept = outcome.clone();
        let mut core = self.shared.lock();
        core.note(&info.label, &format!("<- {} dead letters of {}", deliveries.len(), flow.short()));
        let task = core.spawn(info, async move {
            if let Ok(Reply::Batch { failed }) = function.deal_with(letters, invocation).await {
                *kept.lock().expect("nobody panics here") = Some(failed);
            }
        });
        drop(core);
        self.jobs.insert(task, Job::Letters { instance, flow, deliveries, outcome });
        machine.run();
    }

    /// `error-handler` has ended: what it dealt with is deleted, what failed comes again.
    pub(super) fn end_letters(&mut self, flow: FlowId, deliveries: &[Delivery], failed: Option<Vec<String>>) {
        if let (Some(failed), Some(queue)) = (failed, self.services.dead.get(&flow)) {
            for delivery in deliveries.iter().filter(|delivery| !failed.contains(&delivery.message_id)) {
                if self.shared.lock().dice.chance(2) {
                    self.shared.lock().happened(Fault::Duplicate, FlowId::ErrorHandler);
                } else if let Some(receipt) = &delivery.receipt {
                    queue.remove(receipt);
                }
            }
        }
        let mut core = self.shared.lock();
        let now = core.now;
        core.schedule(now, Event::Poll(FlowId::ErrorHandler));
    }

    /// Makes sure that somebody looks when the next letter comes in sight.
    fn look_for_letters(&mut self) {
        let Some(visible) = self.services.dead.values().filter_map(Fifo::next_visible).min() else { return };
        let mut core = self.shared.lock();
        let visible = visible.as_microsecond() - core.instant(0).as_microsecond();
        let at = core.now + u64::try_from(visible).unwrap_or(0).max(seconds(1));
        let Some(letters) = &mut self.letters else { return };
        if letters.polled.is_none_or(|planned| planned > at) {
            letters.polled = Some(at);
            core.schedule(at, Event::Poll(FlowId::ErrorHandler));
        }
    }
}
