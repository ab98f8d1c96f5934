//! What can go wrong, where it can, and how often it did.

use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::engine::{Op, Port, TaskInfo};
use crate::flows::{FlowId, Kind};

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The process dies before a call takes effect.
    Crash,
    /// The process dies after a call took effect, before it learns of it.
    CrashAfterCall,
    /// Either of these while several messages are worked on.
    CrashInBatch,
    /// A call never returns; the function is ended at its deadline.
    FunctionTimeout,
    /// The process stands still until its lease is over, and then goes on beside its successor.
    SlowTwin,
    /// A service of the cloud refuses a call (throttle, 5xx).
    Throttle,
    /// A service of the cloud does what it was asked, and the answer is lost.
    LostAnswer,
    /// The stream of an object breaks in the middle.
    BrokenStream,
    /// Somebody else wrote first (409, 412).
    LostRace,
    /// The target answers 5xx and has not acted.
    TargetError,
    /// The target does not answer in time and has not acted.
    TargetTimeout,
    /// The target acts; its answer is lost, or is a 5xx.
    TargetActedUnheard,
    /// The target answers 429 and says when to come again.
    TargetThrottles,
    /// The target refuses our credentials.
    TargetRefusesUs,
    /// The target answers late.
    TargetSlow,
    /// The target acts and its answer breaks off.
    PartialAnswer,
    /// The target is down for hours, perhaps beyond the retry limit.
    Outage,
    /// An event, or a message, comes more than once.
    Duplicate,
    /// Events come in another order than they happened.
    Reordered,
    /// Several instances work at the same time.
    ManyInstances,
    /// An object is overwritten while its earlier version is worked on.
    Overwrite,
    /// Clocks of instances differ, by up to half a minute.
    ClockSkew,
    /// A message that nobody can read is in the queue.
    Poison,
    /// A lookup changes while it is in use.
    LookupChanged,
    /// A new version of a lookup cannot be read.
    LookupBroken,
    /// The input is compressed.
    Compressed,
}

impl Fault {
    /// All of them, in the order of the table.
    pub const ALL: &[Self] = &[
        Self::Crash,
        Self::CrashAfterCall,
        Self::CrashInBatch,
        Self::FunctionTimeout,
        Self::SlowTwin,
        Self::Throttle,
        Self::LostAnswer,
        Self::BrokenStream,
        Self::LostRace,
        Self::TargetError,
        Self::TargetTimeout,
        Self::TargetActedUnheard,
        Self::TargetThrottles,
        Self::TargetRefusesUs,
        Self::TargetSlow,
        Self::PartialAnswer,
        Self::Outage,
        Self::Duplicate,
        Self::Reordered,
        Self::ManyInstances,
        Self::Overwrite,
        Self::ClockSkew,
        Self::Poison,
        Self::LookupChanged,
        Self::LookupBroken,
        Self::Compressed,
    ];

    /// Those that strike a single call of a flow.
    const OF_CALLS: &[Self] = &[
        Self::Crash,
        Self::CrashAfterCall,
        Self::CrashInBatch,
        Self::FunctionTimeout,
        Self::SlowTwin,
        Self::Throttle,
        Self::LostAnswer,
        Self::BrokenStream,
        Self::TargetError,
        Self::TargetTimeout,
        Self::TargetActedUnheard,
        Self::TargetThrottles,
        Self::TargetRefusesUs,
        Self::TargetSlow,
        Self::PartialAnswer,
    ];

    /// Whether it needs a target that is called.
    const fn is_of_targets(self) -> bool {
        matches!(
            self,
            Self::TargetError
                | Self::TargetTimeout
                | Self::TargetActedUnheard
                | Self::TargetThrottles
                | Self::TargetRefusesUs
                | Self::TargetSlow
                | Self::PartialAnswer
                | Self::Outage
        )
    }

    /// Why it cannot happen to `flow`; `None` when it can.
    #[must_use]
    pub fn cannot_happen_to(self, flow: FlowId) -> Option<&'static str> {
        match (self, flow.kind()) {
            (fault, Kind::Service) if fault.is_of_targets() && flow == FlowId::Watch => Some("it calls no target"),
            (Self::Outage, Kind::Service) => Some("letters wait for a day; a neighbour that is down is TargetError"),
            (Self::CrashInBatch, Kind::Service) if flow == FlowId::Watch => Some("it is started by the clock"),
            (Self::Reordered, Kind::Service) => Some("what it takes has no order of its own"),
            (Self::Overwrite | Self::Compressed | Self::Poison, Kind::Service) => Some("nothing is sent to it"),
            (fault, Kind::Published) if fault.is_of_targets() && flow != FlowId::Extract => {
                Some("file to file: no target is called")
            }
            (Self::PartialAnswer, Kind::Parts) => Some("the status says all; no body is read"),
            (Self::PartialAnswer, _)
                if matches!(
                    flow,
                    FlowId::EventStatus
                        | FlowId::EnrollmentAck
                        | FlowId::RulesAck
                        | FlowId::AggregatorsAck
                        | FlowId::StatusAck
                        | FlowId::AckFile
                        | FlowId::Extract
                        | FlowId::ErrorHandler
                ) =>
            {
                Some("the body of a 2xx is not read")
            }
            (Self::CrashInBatch, Kind::Parts | Kind::Published | Kind::Calls) => Some("batch size 1"),
            (Self::Reordered, Kind::Messages) if flow != FlowId::EventStatus => Some("a FIFO group keeps its order"),
            (Self::Overwrite, Kind::Messages) => Some("a message is no object; see Duplicate"),
            (Self::Compressed, Kind::Messages) => Some("bodies are not compressed"),
            _ => None,
        }
    }

    /// Whether this call of this task can be struck by it.
    fn can_strike(self, op: &Op, task: &TaskInfo) -> bool {
        let at_target = matches!(op.port, Port::Target(_));
        match self {
            Self::Crash | Self::FunctionTimeout => true,
            Self::CrashInBatch => task.batch > 1,
            // The in-flight call of a process that stands still is not ours to stop: see `ports::target`.
            Self::SlowTwin => !at_target && op.port != Port::Clock && task.deadline.is_some(),
            Self::CrashAfterCall => op.port != Port::Clock,
            Self::Throttle | Self::LostAnswer => !at_target && op.port != Port::Clock && op.verb != "chunk",
            Self::BrokenStream => op.verb == "chunk",
            Self::PartialAnswer => at_target && HAVE_BODIES.contains(&op.verb),
            _ => at_target,
        }
    }
}

/// Calls whose answers are read.
const HAVE_BODIES: &[&str] = &[
    "POST /enroll",
    "PUT program",
    "PUT aggregator",
    "POST /status_check",
    "POST /event_opt_out",
    "POST /device_unavailability",
    "POST programEnrollments",
    "POST reserveDevice",
    "POST postEventOutcome",
];

/// A fault that is to strike the n-th call that it can.
#[derive(Debug, Clone)]
struct Planned {
    fault: Fault,
    flow: FlowId,
    skip: u64,
}

/// The faults of calls that one schedule has in store.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    planned: Vec<Planned>,
}

impl Plan {
    /// Rolls out `number` faults over `flows`. The first three come early enough to come for certain. What serves all flows has
    /// three more of its own.
    pub fn new(dice: &mut Dice, flows: &[FlowId], number: usize) -> Self {
        const CERTAIN: &[Fault] = &[Fault::Crash, Fault::CrashAfterCall, Fault::Throttle, Fault::LostAnswer];
        let services: Vec<FlowId> = flows.iter().copied().filter(|flow| flow.kind() == Kind::Service).collect();
        let most = number + 3 * services.len();
        let mut planned = Vec::with_capacity(most);
        while planned.len() < most {
            let flow = *dice.pick(if planned.len() < number { flows } else { &services });
            let certain = planned.len() < 3;
            let fault = *dice.pick(if certain { CERTAIN } else { Fault::OF_CALLS });
            // It may have nothing to do.
            let is_idle = certain && flow == FlowId::ErrorHandler;
            if fault.cannot_happen_to(flow).is_some() || is_idle {
                continue;
            }
            let reach = match fault {
                _ if certain => 25,
                Fault::BrokenStream if !flow.is_files() => 2,
                Fault::BrokenStream => 8,
                Fault::CrashInBatch if flow == FlowId::Request => 1,
                Fault::CrashInBatch => 3,
                Fault::Crash | Fault::CrashAfterCall | Fault::Throttle | Fault::LostAnswer => 100,
                Fault::FunctionTimeout | Fault::SlowTwin => 80,
                // Flows that make few calls.
                _ if flow.kind() == Kind::Parts || matches!(flow, FlowId::Extract | FlowId::ErrorHandler) => 4,
                _ => 12,
            };
            planned.push(Planned { fault, flow, skip: dice.below(reach) });
        }
        Self { planned }
    }

    /// The fault that strikes this call, if one does.
    pub fn strike(&mut self, op: &Op, task: &TaskInfo) -> Option<Fault> {
        let flow = task.flow?;
        let mut struck = None;
        for (index, planned) in self.planned.iter_mut().enumerate() {
            if planned.flow != flow || !planned.fault.can_strike(op, task) {
                continue;
            }
            if planned.skip > 0 {
                planned.skip -= 1;
            } else if struck.is_none() {
                struck = Some(index);
            }
        }
        struck.map(|index| self.planned.swap_remove(index).fault)
    }
}

/// How often each fault happened to each flow.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    counts: BTreeMap<(Fault, FlowId), u64>,
}

impl Coverage {
    /// Notes that `fault` happened to `flow`.
    pub fn note(&mut self, fault: Fault, flow: FlowId) {
        *self.counts.entry((fault, flow)).or_default() += 1;
    }

    /// How often `fault` happened to `flow`.
    #[must_use]
    pub fn of(&self, fault: Fault, flow: FlowId) -> u64 {
        self.counts.get(&(fault, flow)).copied().unwrap_or(0)
    }

    /// All faults together, without what is no fault in itself: several instances and their races, compressed input.
    #[must_use]
    pub fn faults(&self) -> u64 {
        let mild = |fault: &Fault| {
            matches!(fault, Fault::ManyInstances | Fault::Compressed | Fault::CrashInBatch | Fault::LostRace)
        };
        self.counts.iter().filter(|((fault, _), _)| !mild(fault)).map(|(_, count)| count).sum()
    }

    /// Adds the counts of another schedule.
    pub fn add(&mut self, other: &Self) {
        for (of, count) in &other.counts {
            *self.counts.entry(*of).or_default() += count;
        }
    }

    /// Applicable pairs that happened fewer than `least` times.
    #[must_use]
    pub fn thin(&self, flows: &[FlowId], least: u64) -> Vec<(Fault, FlowId, u64)> {
        let pairs = Fault::ALL.iter().flat_map(|fault| flows.iter().map(move |flow| (*fault, *flow)));
        pairs
            .filter(|(fault, flow)| fault.cannot_happen_to(*flow).is_none())
            .map(|(fault, flow)| (fault, flow, self.of(fault, flow)))
            .filter(|(_, _, count)| *count < least)
            .collect()
    }

    /// The table fault × flow, with the reasons under it.
    #[must_use]
    pub fn table(&self, flows: &[FlowId]) -> String {
        let mut table = format!("{:<20}", "fault");
        for flow in flows {
            table.push_str(&format!("{:>16}", flow.short()));
        }
        table.push('\n');
        let mut reasons: Vec<&str> = Vec::new();
        for fault in Fault::ALL {
            table.push_str(&format!("{:<20}", format!("{fault:?}")));
            for flow in flows {
                let cell = match fault.cannot_happen_to(*flow) {
                    None => self.of(*fault, *flow).to_string(),
                    Some(reason) => {
                        let known = reasons.iter().position(|known| *known == reason);
                        let number = known.unwrap_or_else(|| {
                            reasons.push(reason);
                            reasons.len() - 1
                        });
                        format!("- [{}]", number + 1)
                    }
                };
                table.push_str(&format!("{cell:>16}"));
            }
            table.push('\n');
        }
        for (number, reason) in (1..).zip(reasons) {
            table.push_str(&format!("[{number}] cannot occur: {reason}\n"));
        }
        table
    }
}
