//! One schedule: everything that one seed decides, from the senders' plans to the last check.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use domain::sync_request::DacsRelease;
use flow::ledger::message::Message;
use flow::ledger::run::RunId;
use flow::memory::CONFIG;
use flow::ports::{ObjectRef, Source};
use futures_util::{FutureExt, StreamExt};

use crate::bugs::Bug;
use crate::cloud::{Cloud, Services, enqueue};
use crate::dice::Dice;
use crate::engine::{Ended, Event, Machine, Micros, Shared, TaskId, seconds, sleep_until};
use crate::faults::{Coverage, Fault, Plan};
use crate::flows::{Day, FlowId, Kind, Neighbours, Workload, check_listed, choose_flows};
use crate::neighbours::{Dacs, Derms};
use crate::operator::{self, InHand};

/// Rows and messages in each schedule, at least.
pub const RECORDS: usize = 50;

/// A schedule of a day's outage takes a sixth of this; one that takes more goes in circles.
const MOST_STEPS: u64 = 4_000_000;
/// With a planted bug that is found sooner.
const MOST_STEPS_WITH_BUG: u64 = 400_000;
/// The same for events, most of which are steps.
const MOST_EVENTS: u64 = 4 * MOST_STEPS;

/// What a schedule is about.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only this flow (and those it needs).
    pub flow: Option<FlowId>,
    /// The bug that is planted.
    pub bug: Option<Bug>,
    /// Whether a trace is kept.
    pub traced: bool,
}

/// How a schedule ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The rules that did not hold; empty when all is well.
    pub broken: Vec<String>,
    /// The faults that came.
    pub coverage: Coverage,
    /// Rows and messages.
    pub records: usize,
    /// Calls of ports.
    pub steps: u64,
    /// Instances of functions.
    pub instances: u64,
    /// How long it took, in virtual time.
    pub lasted: Micros,
    /// Who did what, if it was asked for.
    pub trace: Vec<String>,
}

/// What plans and checks have at hand.
pub struct Setting {
    /// The schedule's state.
    pub shared: Shared,
    /// Chance in planning.
    pub dice: Dice,
    /// The cloud's services.
    pub services: Services,
    /// The neighbours.
    pub neighbours: Neighbours,
    /// Whether DACS is told of single devices (25.10).
    pub tells_devices: bool,
    /// The flows.
    pub flows: Vec<FlowId>,
    /// The runs and messages that a person took in hand.
    pub in_hand: InHand,
    /// The stages that reservations and outcomes are about.
    pub day: Arc<Day>,
}

impl Setting {
    /// Whether a flow is part of the schedule.
    #[must_use]
    pub fn has(&self, flow: FlowId) -> bool {
        self.flows.contains(&flow)
    }

    /// Whether people were told of `id` under a subject that says `what`: in full, or as one of many that have one cause.
    #[must_use]
    pub fn is_told(&self, what: &str, id: &str) -> bool {
        let of_many = |text: &str| self.has(FlowId::Watch) && text.contains("that are not shown here");
        let notices = self.services.notices.all();
        let about = notices.iter().filter(|notice| notice.subject.contains(what));
        about.map(|notice| &notice.text).any(|text| text.contains(id) || of_many(text))
    }

    /// Lets a sender or a neighbour do something.
    pub fn script(&self, label: &str, work: impl Future<Output = ()> + Send + 'static) -> TaskId {
        self.shared.lock().script(label, work)
    }

    /// The content of an object.
    #[must_use]
    pub fn content(&self, object: &ObjectRef) -> Option<String> {
        let read = async {
            let mut stream = self.services.objects.read(object, 0).await.ok()?;
            let mut bytes = Vec::new();
            while let Some(Ok(chunk)) = stream.next().await {
                bytes.extend_from_slice(&chunk);
            }
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        read.now_or_never().flatten()
    }

    /// Whether a person took a message in hand.
    #[must_use]
    pub fn has_in_hand(&self, flow: FlowId, key: &str) -> bool {
        let in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        in_hand.contains(&operator::message_in_hand(flow, key))
    }

    /// Whether a person sent a message again over newer ones.
    #[must_use]
    pub fn has_forced(&self, flow: FlowId, key: &str) -> bool {
        let in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        in_hand.contains(&operator::message_forced(flow, key))
    }

    /// Whether a person took a run in hand.
    #[must_use]
    pub fn is_in_hand(&self, run: &RunId) -> bool {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner).contains(&run.to_string())
    }

    /// A message as the ledger keeps it.
    #[must_use]
    pub fn message(&self, flow: FlowId, key: &str) -> Option<Message> {
        use flow::ports::Store;
        let key = Message::key(flow.name(), key);
        let found = self.services.table.get(std::slice::from_ref(&key)).now_or_never();
        let item = found.and_then(Result::ok).and_then(|mut items| items.pop().flatten())?;
        serde_json::from_str(&item.body).ok()
    }

    /// The longest outage of a neighbour.
    #[must_use]
    pub fn longest_outage(&self) -> Micros {
        self.neighbours.dacs.outages.longest().max(self.neighbours.derms.outages.longest())
    }
}

/// Runs the schedule of `seed`.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Outcome {
    let mut dice = Dice::new(seed);
    let flows = choose_flows(&mut dice, options.flow);
    let services = flows.iter().filter(|flow| flow.kind() == Kind::Service).count();
    let number = dice.count(5, 10);
    let plan = Plan::new(&mut dice, &flows, number);
    let shared = Shared::new(dice.fork(), plan, options.bug, options.traced);
    let (neighbours, outage) = neighbours(&mut dice, &shared, &flows);
    let mut cloud = Cloud::new(&shared, neighbours.clone(), &flows);
    let tells_devices = neighbours.release >= DacsRelease::DEVICE_STATUS;
    let mut setting = Setting {
        shared: shared.clone(),
        dice,
        services: cloud.services.clone(),
        neighbours,
        tells_devices,
        flows: flows.clone(),
        in_hand: InHand::default(),
        day: Arc::default(),
    };
    if outage {
        for flow in flows.iter().filter(|flow| Fault::Outage.cannot_happen_to(**flow).is_none()) {
            shared.lock().happened(Fault::Outage, *flow);
        }
    }
    // Most flows read this one.
    setting.services.objects.put(CONFIG, "lookups/HeadEndSystem.csv", Bytes::from_static(b"key,value\n*,*\n"));
    let share = RECORDS.div_ceil((flows.len() - services).max(1));
    let workloads: Vec<Box<dyn Workload>> = flows.iter().map(|flow| flow.plan(&mut setting, share)).collect();
    change_lookups(&mut setting, &flows);
    poison(&mut setting, &flows);
    operator::plan(&mut setting, &flows);
    if services > 0 {
        operator::plan_messages(&mut setting, &flows);
        cloud.start_rounds(&flows);
    }
    let end = drive(&shared, cloud, &setting);
    let mut broken = end.broken;
    let records = workloads.iter().map(|workload| workload.records()).sum();
    if end.rested {
        for workload in &workloads {
            workload.check(&setting, &mut broken);
        }
        if services > 0 {
            check_listed(&setting, &mut broken);
        }
    }
    let mut core = shared.lock();
    broken.extend(std::mem::take(&mut core.violations));
    for line in &broken {
        core.note("CHECK", line);
    }
    Outcome {
        seed,
        broken,
        coverage: core.coverage.clone(),
        records,
        steps: core.steps,
        instances: end.instances,
        lasted: core.now,
        trace: core.take_trace(),
    }
}

fn neighbours(dice: &mut Dice, shared: &Shared, flows: &[FlowId]) -> (Neighbours, bool) {
    // Where a queue gives up after a few receives, a long outage would be all that happens: there are more short ones.
    let (of, most) = if flows.contains(&FlowId::ErrorHandler) { (120, seconds(900)) } else { (600, Micros::MAX) };
    let mut down = || -> Vec<(Micros, Micros)> {
        let from = dice.below(seconds(300));
        let lasts = match dice.below(of) {
            0 => seconds(26 * 3600),
            1..=2 => seconds(5 * 3600),
            3..=9 => seconds(2 * 3600),
            10..=60 => dice.between(seconds(20), seconds(900)),
            _ => return Vec::new(),
        };
        vec![(from, from + lasts.min(most))]
    };
    let (dacs, derms) = (down(), down());
    let outage = !dacs.is_empty() || !derms.is_empty();
    let release = if dice.chance(50) { "25.4" } else { "25.10" };
    let neighbours = Neighbours {
        dacs: Arc::new(Dacs::new(shared.clone(), dacs)),
        derms: Arc::new(Derms::new(shared.clone(), derms)),
        release: release.parse().expect("a release"),
    };
    (neighbours, outage)
}

/// As it is shipped, and one number more.
const DACS_MESSAGES: &str = "messageNumber,verdict,meaning\n10589,ALREADY_DONE,\n20001,ALREADY_DONE,\n20002,ALREADY_DONE,\n\
    20003,ALREADY_DONE,\n20004,ALREADY_DONE,\n20011,NOT_YET,\n20012,NOT_YET,\n20013,NOT_YET,\n20090,REFUSED,unknown\n";
/// As it is shipped, and one reason more.
const UNENROLL_REASONS: &str = "key,value\nLSSL,LSSL\nCUSTOMEROPTOUT,CUSTOMEROPTOUT\nINACTIVESERVICE,INACTIVESERVICE\n\
    INELIGIBLERATE,INELIGIBLERATE\nMOVED,LSSL\n";
/// As it is shipped, and one type more.
const EVENT_TYPES: &str = "key,value\nECONOMIC,X1EC\nEMERGENCY,X1EM\nRELIABILITY,X1RE\nDEVICE_TEST,X1DT\nDRILL,X1DT\n";

/// Another row.
const EXPECTED_FILES: &str = "flow,cron,timeZone,grace,minimumRows\n\
    ouai-derms-load-reduction-forecast,0 2 * * *,UTC,PT30M,1\n";

/// New versions of lookups while they are in use: some better, some that nobody can read.
fn change_lookups(setting: &mut Setting, flows: &[FlowId]) {
    for flow in flows.iter().copied() {
        let (name, good) = match flow {
            FlowId::DeviceScore => ("Columns-device-score", "column,spelling\nscore,SCORE_VALUE\n"),
            FlowId::KwhAvoided => ("Columns-kwh-avoided", "column,spelling\nSPId,ServicePoint\n"),
            FlowId::Request => ("UnenrollReason", UNENROLL_REASONS),
            FlowId::Rules => ("CycleFrequency", "key,value\nWEEKLY,WEEKLY\nMONTHLY,MONTHLY\nDAILY,DAILY\n"),
            FlowId::EnrollmentSync
            | FlowId::Aggregators
            | FlowId::StatusCheck
            | FlowId::OptOut
            | FlowId::Unavailability => ("HeadEndSystem", "key,value\n*,*\nHES-WEST,HES-1\n"),
            FlowId::EventStatus => ("EventType", EVENT_TYPES),
            FlowId::Location => ("Columns-network-location", "column,spelling\ntransformerId,XFMR\n"),
            FlowId::Forecast => ("Columns-load-reduction-forecast", "column,spelling\nSPId,ServicePoint\n"),
            FlowId::Extract => ("Columns-enrollment-sync", "column,spelling\nstatus,STATE\n"),
            FlowId::OuaiOutcome => ("Columns-device-outcome", "column,spelling\nnicId,NIC\n"),
            FlowId::AckFile => ("Columns-enrollment-ack", "column,spelling\nstatus,Outcome\n"),
            FlowId::Reservation => ("Columns-device-reservation", "column,spelling\nnicId,NIC\n"),
            FlowId::Outcome => ("Columns-device-outcome", "column,spelling\nnicId,NIC\n"),
            FlowId::Watch => ("ExpectedFiles", EXPECTED_FILES),
            FlowId::EnrollmentAck
            | FlowId::RulesAck
            | FlowId::AggregatorsAck
            | FlowId::StatusAck
            | FlowId::ErrorHandler => ("DacsMessages", DACS_MESSAGES),
        };
        for (chance, fault, content) in [(40, Fault::LookupChanged, good), (15, Fault::LookupBroken, "\"no lookup")] {
            if !setting.dice.chance(chance) {
                continue;
            }
            let (shared, services, at) =
                (setting.shared.clone(), setting.services.clone(), setting.dice.below(seconds(240)));
            setting.script("operator", async move {
                sleep_until(&shared, at).await;
                services.objects.put(CONFIG, &format!("lookups/{name}.csv"), Bytes::from_static(content.as_bytes()));
                let mut core = shared.lock();
                core.happened(fault, flow);
                core.note("operator", &format!("a new version of {name}: {fault:?}"));
            });
        }
    }
}

/// Messages that nobody can read.
fn poison(setting: &mut Setting, flows: &[FlowId]) {
    for flow in flows.iter().copied().filter(|flow| flow.kind() != Kind::Service) {
        if !setting.dice.chance(15) {
            continue;
        }
        let body =
            (*setting.dice.pick(&["", "{}", "{\"Records\":[{}]}", "not json", "{\"key\":\"nobody\"}"])).to_owned();
        let (shared, services, at) =
            (setting.shared.clone(), setting.services.clone(), setting.dice.below(seconds(240)));
        setting.script("stranger", async move {
            sleep_until(&shared, at).await;
            shared.lock().happened(Fault::Poison, flow);
            enqueue(&shared, &services, flow, body, Some("stranger"));
        });
    }
}

struct End {
    rested: bool,
    instances: u64,
    broken: Vec<String>,
}

/// Lets time pass until nothing is left to happen, or too long.
fn drive(shared: &Shared, mut cloud: Cloud, setting: &Setting) -> End {
    let limit = setting.longest_outage() + seconds(40 * 3600);
    let mut machine = Machine::new(shared.clone());
    machine.run();
    let mut events: u64 = 0;
    loop {
        cloud.open_doors(&mut machine);
        cloud.settle(&mut machine);
        if !shared.lock().requests.is_empty() {
            continue;
        }
        let (event, now) = {
            let mut core = shared.lock();
            (core.next_event(), core.now)
        };
        let Some(event) = event else { break };
        events += 1;
        let most_steps = if shared.lock().bug.is_some() { MOST_STEPS_WITH_BUG } else { MOST_STEPS };
        if now > limit || shared.lock().steps > most_steps || events > MOST_EVENTS {
            let hours = now / seconds(3600);
            let broken = vec![format!("not at rest after {hours} h: {} messages wait", cloud.waiting())];
            return End { rested: false, instances: cloud.started.values().sum(), broken };
        }
        match event {
            Event::Ready(call) => machine.call_ready(call),
            Event::Crash(task) => machine.kill(task, Ended::Crashed),
            Event::Deadline(task, even_frozen) => machine.deadline(task, even_frozen),
            Event::Poll(flow) => cloud.poll(flow, &mut machine),
            Event::Lapse(request) => machine.lapse(request),
        }
    }
    let mut broken = Vec::new();
    if cloud.waiting() > 0 {
        broken.push(format!("at rest, and {} messages wait", cloud.waiting()));
    }
    for (flow, message) in &cloud.dead_letters {
        broken.push(format!("{}: {message} ended in the dead letters", flow.short()));
    }
    End { rested: true, instances: cloud.started.values().sum(), broken }
}
