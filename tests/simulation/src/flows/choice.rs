//! Which flows a schedule has.

use super::FlowId;
use crate::dice::Dice;

/// The flows by which the answers to others come.
const ANSWERS: [(FlowId, FlowId); 4] = [
    (FlowId::EnrollmentSync, FlowId::EnrollmentAck),
    (FlowId::Rules, FlowId::RulesAck),
    (FlowId::Aggregators, FlowId::AggregatorsAck),
    (FlowId::StatusCheck, FlowId::StatusAck),
];

/// The flows from DACS to the DERMS.
const OUTBOUND: [FlowId; 6] = [
    FlowId::EnrollmentSync,
    FlowId::Rules,
    FlowId::Aggregators,
    FlowId::StatusCheck,
    FlowId::OptOut,
    FlowId::Unavailability,
];

/// Some of them, or `only` one; and those without which they would have nothing to do.
pub fn choose_flows(dice: &mut Dice, only: Option<FlowId>) -> Vec<FlowId> {
    let mut flows: Vec<FlowId> = match only {
        Some(service) if FlowId::SERVICES.contains(&service) => served(dice, service),
        Some(flow) => vec![flow],
        None => FlowId::ALL.iter().copied().filter(|_| dice.chance(12)).collect(),
    };
    if flows.is_empty() {
        flows.push(*dice.pick(FlowId::ALL));
    }
    // Stages are what the DERMS says they are.
    if flows.iter().any(|flow| matches!(flow, FlowId::Reservation | FlowId::Outcome | FlowId::OptOut))
        && !flows.contains(&FlowId::EventStatus)
    {
        flows.insert(0, FlowId::EventStatus);
    }
    // What the DERMS answers later comes through the other flow's door.
    for (flow, answers) in ANSWERS {
        if flows.contains(&flow) && !flows.contains(&answers) {
            flows.push(answers);
        }
    }
    flows
}

/// A service with flows that it serves: some from DACS to the DERMS, and now and then others; now and then both services.
fn served(dice: &mut Dice, service: FlowId) -> Vec<FlowId> {
    let others = FlowId::ALL.iter().copied().filter(|flow| flow.is_files() || *flow == FlowId::Request);
    let mut flows: Vec<FlowId> = others.filter(|_| dice.chance(8)).collect();
    flows.extend(OUTBOUND.iter().filter(|_| dice.chance(12)));
    if !flows.iter().any(|flow| flow.is_outbound()) {
        flows.push(*dice.pick(&OUTBOUND));
    }
    flows.push(service);
    flows.extend(FlowId::SERVICES.iter().filter(|other| **other != service && dice.chance(30)));
    flows
}
