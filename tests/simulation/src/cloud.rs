//! What Lambda, SQS and the gateway do: instances that start, are reused and die; queues that show messages to them,
//! again when they are not done; doors that are answered, or not.

mod services;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flow::memory::{Fifo, Notices, Objects, Reports, Table};
use flow::ports::{Item, Key, Outgoing, Queue};
use flow::trigger::{Delivery, HttpReply, HttpRequest, Invocation, Reply, Trigger};
use futures_util::FutureExt;

use crate::bugs::Bug;
use crate::engine::{Core, Ended, Event, Machine, Micros, Shared, TaskId, TaskInfo, seconds};
use crate::faults::Fault;
use crate::flows::{FlowId, Function, Neighbours};
use crate::ports::{FirstUploads, TrueClock, Wire};
use services::{Letters, Rounds};

/// As the template sets it.
const MAX_RECEIVE_COUNT: u32 = 1000;
/// The gateway answers by itself after this.
const GATEWAY_PATIENCE: Micros = seconds(29);

/// The services that all functions share.
#[derive(Clone)]
pub struct Services {
    /// All buckets.
    pub objects: Objects,
    /// The ledger's table.
    pub table: Table,
    /// By flow: its queue.
    pub queues: BTreeMap<FlowId, Fifo>,
    /// By flow: its dead letters, where somebody takes them.
    pub dead: BTreeMap<FlowId, Fifo>,
    /// Whether `watch` tells people the rest of what has one cause.
    pub is_watched: bool,
    /// What people were told.
    pub notices: Notices,
    /// What was logged.
    pub reports: Reports,
    /// For a bug: items one write ago.
    pub stale: Arc<Mutex<BTreeMap<Key, Item>>>,
    /// For a bug: the first upload of each key.
    pub first_uploads: FirstUploads,
}

struct Instance {
    flow: FlowId,
    name: String,
    skew: i64,
    function: Arc<Function>,
    busy: bool,
}

enum Job {
    Batch { instance: u64, deliveries: Vec<Delivery>, outcome: Arc<Mutex<Option<Vec<String>>>> },
    Door { instance: u64, request: u64, outcome: Arc<Mutex<Option<HttpReply>>> },
    Round { instance: u64, begun: Micros, done: Arc<Mutex<bool>> },
    Letters { instance: u64, flow: FlowId, deliveries: Vec<Delivery>, outcome: Arc<Mutex<Option<Vec<String>>>> },
}

/// The cloud of one schedule.
pub struct Cloud {
    shared: Shared,
    /// Its services.
    pub services: Services,
    neighbours: Neighbours,
    instances: BTreeMap<u64, Instance>,
    jobs: BTreeMap<TaskId, Job>,
    polls: BTreeMap<FlowId, Micros>,
    /// By flow: instances that ever started.
    pub started: BTreeMap<FlowId, u64>,
    /// How many workers of a flow may run at once.
    workers: usize,
    rounds: Rounds,
    letters: Option<Letters>,
    /// Messages that were received too often, and that nobody takes.
    pub dead_letters: Vec<(FlowId, String)>,
}

impl Cloud {
    /// A cloud without instances, for `flows`.
    #[must_use]
    pub fn new(shared: &Shared, neighbours: Neighbours, flows: &[FlowId]) -> Self {
        let clock = Arc::new(TrueClock(shared.clone()));
        let (workers, skewed, chunk) = {
            let mut core = shared.lock();
            let skewed = core.dice.chance(20);
            (core.dice.count(2, 4), skewed, core.dice.count(200, 3000))
        };
        shared.lock().skewed = skewed;
        let chunk = std::num::NonZeroUsize::new(chunk).unwrap_or(std::num::NonZeroUsize::MIN);
        let queue = |flow: &FlowId| (*flow, Fifo::new(clock.clone(), flow.visibility()));
        let handled = flows.contains(&FlowId::ErrorHandler);
        let dead = flows.iter().filter(|flow| handled && flow.may_be_letters()).map(queue).collect();
        Self {
            shared: shared.clone(),
            services: Services {
                objects: Objects::new(clock.clone()).with_chunk(chunk),
                table: Table::default(),
                queues: flows.iter().map(queue).collect(),
                dead,
                is_watched: flows.contains(&FlowId::Watch),
                notices: Notices::default(),
                reports: Reports::default(),
                stale: Arc::default(),
                first_uploads: FirstUploads::default(),
            },
            neighbours,
            instances: BTreeMap::new(),
            jobs: BTreeMap::new(),
            polls: BTreeMap::new(),
            started: BTreeMap::new(),
            workers,
            rounds: Rounds::default(),
            letters: None,
            dead_letters: Vec::new(),
        }
    }

    /// Requests that arrived at doors get instances.
    pub fn open_doors(&mut self, machine: &mut Machine) {
        loop {
            let next = self.shared.lock().requests.pop_front();
            let Some((flow, request, body)) = next else { return };
            let instance = self.instance(flow);
            let (function, invocation, info) = self.invocation(instance, flow, 1);
            let http = HttpRequest {
                body,
                content_type: Some("application/json".into()),
                request_id: invocation.owner.clone(),
                correlation: invocation.owner.clone(),
                path: format!("/v1/{}", flow.name()),
                query: BTreeMap::new(),
                claims: BTreeMap::new(),
            };
            let outcome = Arc::new(Mutex::new(None));
            let kept = outcome.clone();
            let mut core = self.shared.lock();
            core.note(&info.label, "<- request at the door");
            let lapse = core.now + GATEWAY_PATIENCE;
            core.schedule(lapse, Event::Lapse(request));
            let task = core.spawn(info, async move {
                if let Ok(Reply::Http(reply)) = function.handle(Trigger::Http(http), invocation).await {
                    *kept.lock().expect("nobody panics here") = Some(reply);
                }
            });
            drop(core);
            self.jobs.insert(task, Job::Door { instance, request, outcome });
            machine.run();
        }
    }

    /// Shows a flow's messages to its workers, as far as there are any.
    pub fn poll(&mut self, flow: FlowId, machine: &mut Machine) {
        match flow {
            FlowId::Watch => return self.round(machine),
            FlowId::ErrorHandler => return self.show_letters(machine),
            _ => {}
        }
        let now = self.shared.lock().now;
        if self.polls.get(&flow).is_some_and(|at| *at <= now) {
            self.polls.remove(&flow);
        }
        while self.busy_workers(flow) < self.workers {
            let most = if flow.is_messages() { self.shared.lock().dice.count(1, 10) } else { 1 };
            let Some(queue) = self.services.queues.get(&flow) else { return };
            let taken = queue.take(most);
            let deliveries = self.without_dead(flow, taken);
            if deliveries.is_empty() {
                break;
            }
            self.start(flow, deliveries, machine);
        }
        self.look_again(flow);
    }

    /// Starts a worker with a batch.
    fn start(&mut self, flow: FlowId, deliveries: Vec<Delivery>, machine: &mut Machine) {
        if self.shared.has_bug(Bug::AckTooEarly) {
            self.delete(flow, &deliveries, &[]);
        }
        if self.busy_workers(flow) > 0 {
            self.shared.lock().happened(Fault::ManyInstances, flow);
        }
        let instance = self.instance(flow);
        let (function, invocation, info) = self.invocation(instance, flow, deliveries.len());
        let outcome = Arc::new(Mutex::new(None));
        let (kept, trigger) = (outcome.clone(), Trigger::Queue(deliveries.clone()));
        let mut core = self.shared.lock();
        if core.is_traced() {
            let ids: Vec<&str> = deliveries.iter().map(|delivery| delivery.message_id.as_str()).collect();
            core.note(&info.label, &format!("<- {}", ids.join(" ")));
        }
        let task = core.spawn(info, async move {
            if let Ok(Reply::Batch { failed }) = function.handle(trigger, invocation).await {
                *kept.lock().expect("nobody panics here") = Some(failed);
            }
        });
        drop(core);
        self.jobs.insert(task, Job::Batch { instance, deliveries, outcome });
        machine.run();
    }

    /// What follows when invocations have ended.
    pub fn settle(&mut self, machine: &mut Machine) {
        for (task, how) in machine.take_ended() {
            let job = self.jobs.remove(&task);
            let alive = how == Ended::Done;
            match job {
                None => {}
                Some(Job::Door { instance, request, outcome }) => {
                    let reply = outcome.lock().expect("nobody panics here").take().filter(|_| alive);
                    self.release(instance, alive);
                    machine.answer(request, reply);
                    machine.run();
                }
                Some(Job::Round { instance, begun, done }) => {
                    let done = *done.lock().expect("nobody panics here") && alive;
                    self.release(instance, alive);
                    self.end_round(begun, done);
                }
                Some(Job::Letters { instance, flow, deliveries, outcome }) => {
                    let failed = outcome.lock().expect("nobody panics here").take().filter(|_| alive);
                    self.release(instance, alive);
                    self.end_letters(flow, &deliveries, failed);
                }
                Some(Job::Batch { instance, deliveries, outcome }) => {
                    let flow = self.instances.get(&instance).map(|instance| instance.flow);
                    let failed = outcome.lock().expect("nobody panics here").take().filter(|_| alive);
                    self.release(instance, alive);
                    let Some(flow) = flow else { continue };
                    if let Some(failed) = failed {
                        let forgets = self.shared.has_bug(Bug::AckTheWholeBatch);
                        self.delete(flow, &deliveries, if forgets { &[] } else { &failed });
                    } else {
                        self.tell_of_death(&deliveries, how);
                    }
                    let mut core = self.shared.lock();
                    let now = core.now;
                    core.schedule(now, Event::Poll(flow));
                }
            }
        }
    }

    fn tell_of_death(&self, deliveries: &[Delivery], how: Ended) {
        let mut core = self.shared.lock();
        if core.is_traced() {
            let ids: Vec<&str> = deliveries.iter().map(|delivery| delivery.message_id.as_str()).collect();
            core.note("lambda", &format!("{how:?}, comes back: {}", ids.join(" ")));
        }
    }

    /// Deletes the messages that are done. Now and then a deletion is lost: at least once, not exactly once.
    fn delete(&self, flow: FlowId, deliveries: &[Delivery], failed: &[String]) {
        let Some(queue) = self.services.queues.get(&flow) else { return };
        for delivery in deliveries.iter().filter(|delivery| !failed.contains(&delivery.message_id)) {
            let mut core = self.shared.lock();
            if core.dice.chance(2) {
                core.happened(Fault::Duplicate, flow);
                core.note("sqs", &format!("{} is done, and will come again", delivery.message_id));
                continue;
            }
            drop(core);
            if let Some(receipt) = &delivery.receipt {
                queue.remove(receipt);
            }
        }
    }

    /// Messages received too often go to the dead-letter queue.
    fn without_dead(&mut self, flow: FlowId, taken: Vec<Delivery>) -> Vec<Delivery> {
        let is_given_up_to = |letters: &&Letters| flow.is_outbound() || letters.go_back();
        let letters = self.letters.as_ref().filter(is_given_up_to).filter(|_| self.services.dead.contains_key(&flow));
        let most = letters.map_or(MAX_RECEIVE_COUNT, |letters| letters.most);
        let (alive, dead): (Vec<_>, Vec<_>) = taken.into_iter().partition(|delivery| delivery.receive_count <= most);
        for delivery in dead {
            if let (Some(queue), Some(receipt)) = (self.services.queues.get(&flow), &delivery.receipt) {
                queue.remove(receipt);
            }
            self.shared.lock().note("sqs", &format!("{} goes to the dead letters", delivery.message_id));
            self.bury(flow, delivery);
        }
        alive
    }

    /// Makes sure that somebody looks when the next message comes in sight.
    fn look_again(&mut self, flow: FlowId) {
        let Some(visible) = self.services.queues.get(&flow).and_then(Fifo::next_visible) else { return };
        let mut core = self.shared.lock();
        let visible = visible.as_microsecond() - core.instant(0).as_microsecond();
        let wait = u64::try_from(visible).unwrap_or(0).max(seconds(1));
        let at = core.now + wait;
        if self.polls.get(&flow).is_none_or(|planned| *planned > at) {
            self.polls.insert(flow, at);
            core.schedule(at, Event::Poll(flow));
        }
    }

    fn busy_workers(&self, flow: FlowId) -> usize {
        let batch = |job: &&Job| match job {
            Job::Batch { instance, .. } | Job::Letters { instance, .. } => {
                self.instances.get(instance).is_some_and(|it| it.flow == flow)
            }
            Job::Door { .. } | Job::Round { .. } => false,
        };
        self.jobs.values().filter(batch).count()
    }

    /// An idle instance, or a new one: never only one of a flow.
    fn instance(&mut self, flow: FlowId) -> u64 {
        let started = self.started.entry(flow).or_default();
        let idle = self.instances.iter().find(|(_, instance)| instance.flow == flow && !instance.busy);
        if let Some((id, _)) = idle
            && *started > 1
            && !self.shared.lock().dice.chance(10)
        {
            return *id;
        }
        *started += 1;
        let (id, skew) = {
            let mut core = self.shared.lock();
            let widest = if core.skewed { seconds(30) } else { 50_000 };
            let skew = i64::try_from(core.dice.below(2 * widest)).unwrap_or(0) - i64::try_from(widest).unwrap_or(0);
            if core.skewed {
                core.happened(Fault::ClockSkew, flow);
            }
            (core.fresh(), skew)
        };
        let wire = Wire { shared: self.shared.clone(), skew };
        let name = format!("{}@{id}", flow.short());
        let function = Arc::new(Function::new(flow, &wire, &self.services, &self.neighbours, &name));
        self.instances.insert(id, Instance { flow, name, skew, function, busy: false });
        id
    }

    fn invocation(&mut self, id: u64, flow: FlowId, batch: usize) -> (Arc<Function>, Invocation, TaskInfo) {
        let instance = self.instances.get_mut(&id).expect("an instance that was just chosen");
        instance.busy = true;
        let mut core = self.shared.lock();
        let number = core.fresh();
        let timeout = flow.timeout();
        let deadline = core.now + timeout;
        let invocation = Invocation {
            // Lambda's deadline is by Lambda's clock, whatever the instance's own says.
            deadline: Core::instant(&core, i64::try_from(timeout).unwrap_or(0)),
            owner: format!("request-{number}"),
            correlation: format!("request-{number}"),
        };
        let label = format!("{}#{number}", instance.name);
        core.note(&label, &format!("starts, clock {:+} ms", instance.skew / 1000));
        let info = TaskInfo { label, flow: Some(flow), batch, deadline: Some(deadline), thaw: 0 };
        (instance.function.clone(), invocation, info)
    }

    /// An instance whose process died is gone; what it had in memory too.
    fn release(&mut self, id: u64, alive: bool) {
        if !alive {
            self.instances.remove(&id);
        } else if let Some(instance) = self.instances.get_mut(&id) {
            instance.busy = false;
        }
    }

    /// Messages that are not deleted yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.services.queues.values().chain(self.services.dead.values()).map(Fifo::waiting).sum()
    }
}

/// Puts a message into a flow's queue, as S3 or a stranger does.
pub fn enqueue(shared: &Shared, services: &Services, flow: FlowId, body: String, group: Option<&str>) {
    let number = shared.lock().fresh();
    let unique = format!("unique-{number}");
    let group = group.map_or_else(|| unique.clone(), str::to_owned);
    let message = Outgoing { body, group, deduplication: unique };
    if let Some(queue) = services.queues.get(&flow) {
        queue.send(&message).now_or_never().expect("memory does not wait").expect("memory does not fail");
    }
    let mut core = shared.lock();
    let now = core.now;
    core.schedule(now, Event::Poll(flow));
}

/// As a duration.
#[must_use]
pub const fn duration(micros: Micros) -> Duration {
    Duration::from_micros(micros)
}
