//! Enrollment synchronizations: DACS's sync requests end as the DERMS answered, and the changes of one subscription reach
//! the DERMS in the order in which they were accepted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flow::ledger::message::{Message, MessageState};
use serde_json::json;

use super::{FlowId, Workload};
use crate::engine::{Micros, Shared, seconds, sleep_until};
use crate::neighbours::{Dacs, Enrolled, SyncState, Taken, post, post_until_taken};
use crate::schedule::Setting;

/// How the DERMS will answer, told to it in the message itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Now,
    Later,
    Hiccup,
    Malformed,
}

/// One message as it is meant; what is wrong with it can be corrected.
#[derive(Debug, Clone)]
struct Meant {
    id: String,
    subscription: String,
    manner: Manner,
    bad: bool,
    large: bool,
    pause: Micros,
    resent: bool,
    other_body: bool,
    again_unchanged: bool,
}

/// One attempt that a door took.
#[derive(Debug, Clone)]
struct Accepted {
    id: String,
    subscription: String,
    refusable: bool,
    first_begun: Micros,
    taken: Taken,
}

/// The enrollments of one schedule.
pub struct Enrollments {
    meant: Vec<Meant>,
    accepted: Arc<Mutex<Vec<Accepted>>>,
}

/// Plans at least `records` messages.
pub fn plan(setting: &mut Setting, records: usize) -> Enrollments {
    let subscriptions = setting.dice.count(3, 9);
    let accepted: Arc<Mutex<Vec<Accepted>>> = Arc::default();
    let mut by_subscription: BTreeMap<usize, Vec<Meant>> = BTreeMap::new();
    for number in 0..records {
        let of = setting.dice.count(0, subscriptions - 1);
        by_subscription.entry(of).or_default().push(meant(setting, number, of));
    }
    for messages in by_subscription.values() {
        let (shared, dacs, accepted) = (setting.shared.clone(), setting.neighbours.dacs.clone(), accepted.clone());
        let messages = messages.clone();
        setting.script("dacs", async move {
            for message in messages {
                let at = shared.lock().now + message.pause;
                sleep_until(&shared, at).await;
                send(&shared, &dacs, &message, &accepted).await;
            }
        });
    }
    Enrollments { meant: by_subscription.into_values().flatten().collect(), accepted }
}

fn meant(setting: &mut Setting, number: usize, subscription: usize) -> Meant {
    let dice = &mut setting.dice;
    Meant {
        id: format!("1{number:013}"),
        subscription: format!("S-{subscription}"),
        manner: match dice.below(20) {
            0..=10 => Manner::Now,
            11..=16 => Manner::Later,
            17..=18 => Manner::Hiccup,
            _ => Manner::Malformed,
        },
        bad: dice.chance(20),
        large: dice.below(400) == 0,
        pause: if dice.chance(30) { 0 } else { dice.below(seconds(40)) },
        resent: dice.chance(15),
        other_body: dice.chance(5),
        again_unchanged: dice.chance(30),
    }
}

/// DACS sends one message, as often as it must; what ended in Error is corrected and sent again.
async fn send(shared: &Shared, dacs: &Arc<Dacs>, message: &Meant, accepted: &Arc<Mutex<Vec<Accepted>>>) {
    dacs.send(&message.id);
    let refusable = message.bad || message.manner == Manner::Malformed;
    take(shared, message, false, refusable, accepted).await;
    if message.resent {
        // An impatient sender: the same message again, perhaps at the same time as it is worked on.
        post(shared, FlowId::EnrollmentSync, message.body(false)).await;
    }
    // While the DERMS's answer is outstanding, another body is a correction: nobody here knows whether it was negative.
    if message.other_body && message.manner == Manner::Now {
        let reply = post(shared, FlowId::EnrollmentSync, message.with_other_body()).await;
        let open = dacs.request(&message.id).is_some_and(|request| request.state != SyncState::Error);
        if open && !refusable && reply.as_ref().is_some_and(|reply| reply.status < 300) {
            shared
                .lock()
                .violated(format!("another body of message {} was taken while it was open or done", message.id));
        }
    }
    if refusable {
        let (shared, dacs, message, accepted) = (shared.clone(), dacs.clone(), message.clone(), accepted.clone());
        let again = shared.clone();
        shared.lock().script("dacs operator", async move { correct(&again, &dacs, &message, &accepted).await });
    }
}

/// "Correct and resend is the operators' cure": once the sync request is in Error.
async fn correct(shared: &Shared, dacs: &Dacs, message: &Meant, accepted: &Mutex<Vec<Accepted>>) {
    for _ in 0..200 {
        let at = shared.lock().now + seconds(20);
        sleep_until(shared, at).await;
        if dacs.request(&message.id).is_none_or(|request| request.state != SyncState::Error) {
            continue;
        }
        if message.again_unchanged {
            // First tried again as it was: it keeps its place, and may be told that a newer one was delivered.
            dacs.send(&message.id);
            let again = take(shared, message, false, true, accepted).await;
            if again.status < 300 {
                let mut waits = 0;
                while waits < 400 && dacs.request(&message.id).is_some_and(|request| request.state != SyncState::Error)
                {
                    let at = shared.lock().now + seconds(20);
                    sleep_until(shared, at).await;
                    waits += 1;
                }
            }
        }
        dacs.send(&message.id);
        take(shared, message, true, false, accepted).await;
        return;
    }
}

async fn take(
    shared: &Shared,
    message: &Meant,
    corrected: bool,
    refusable: bool,
    accepted: &Mutex<Vec<Accepted>>,
) -> Taken {
    let first_begun = shared.lock().now;
    loop {
        let taken = post_until_taken(shared, FlowId::EnrollmentSync, message.body(corrected)).await;
        // While the worker still writes down the end of the last attempt, another body is refused; later it is not.
        if taken.status == 422 && corrected && taken.at < first_begun + seconds(4000) {
            sleep_until(shared, taken.at + seconds(15)).await;
            continue;
        }
        if taken.status < 300 {
            accepted.lock().unwrap_or_else(PoisonError::into_inner).push(Accepted {
                id: message.id.clone(),
                subscription: message.subscription.clone(),
                refusable,
                first_begun,
                taken,
            });
        }
        return taken;
    }
}

impl Meant {
    fn body(&self, corrected: bool) -> Bytes {
        let manner = match self.manner {
            Manner::Now => "NOW",
            Manner::Later => "LATER",
            Manner::Hiccup => "HICCUP",
            Manner::Malformed if corrected => "NOW",
            Manner::Malformed => "MALFORMED",
        };
        let service_point = if self.bad && !corrected { "SP-UNKNOWN-1" } else { "SP-2001" };
        self.json(manner, service_point)
    }

    fn with_other_body(&self) -> Bytes {
        self.json("NOW", "SP-2002")
    }

    fn json(&self, manner: &str, service_point: &str) -> Bytes {
        let devices: Vec<serde_json::Value> = (0..if self.large { 450 } else { 1 })
            .map(|number| {
                json!({
                    "deviceId": format!("D{number:05}"), "deviceType": "THERMOSTAT", "specification": "ECO-T100",
                    "headEndSystem": "HES-NORTH", "nicId": format!("nic-{}-{number}", self.subscription),
                    "serialNumber": format!("SN-{number}"), "status": "ACTIVE",
                    "startDateTime": "2026-06-01T00:00:00-05:00",
                })
            })
            .collect();
        let body = json!({ "sendDetails": {
            "syncRequestId": self.id,
            "subscriptionInfo": {
                "subscriptionId": self.subscription, "subscriptionType": manner, "status": "ACTIVE",
                "programId": "90000001", "programCode": "SUMMER-T", "programExternalIdentifier": "PRG-SUMMER-T",
                "startDateTime": "2026-06-01T00:00:00-05:00",
            },
            "locationInfo": { "division": "NORTH", "servicePointId": service_point, "controllableDevices": devices },
        } });
        Bytes::from(body.to_string())
    }
}

impl Workload for Enrollments {
    fn records(&self) -> usize {
        self.meant.len()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let calls = setting.neighbours.derms.enrolled();
        for message in &self.meant {
            check_message(setting, message, &accepted, &calls, broken);
        }
        check_order(&accepted, &calls, broken);
    }
}

/// The message ended, its sync request as the DERMS answered, and the DERMS has what it took.
fn check_message(
    setting: &Setting,
    message: &Meant,
    accepted: &[Accepted],
    calls: &[Enrolled],
    broken: &mut Vec<String>,
) {
    let Some(last) = accepted.iter().rfind(|accepted| accepted.id == message.id) else { return };
    let about = format!("message {} of {}", message.id, message.subscription);
    let Some(kept) = setting.message(FlowId::EnrollmentSync, &message.id) else {
        broken.push(format!("{about}: accepted and not in the ledger"));
        return;
    };
    let state = setting.neighbours.dacs.request(&message.id).map(|request| request.state);
    let reached = calls.iter().any(|call| call.id == message.id && call.taken);
    let expected = match kept.state {
        MessageState::Accepted => {
            broken.push(format!("{about}: accepted and never ended"));
            return;
        }
        MessageState::Discarded => {
            broken.push(format!("{about}: dropped, and no person did that"));
            return;
        }
        MessageState::Delivered | MessageState::AwaitingAck if !reached => {
            broken.push(format!("{about}: delivered, and the DERMS has never taken it"));
            return;
        }
        // The acknowledgement was given up: it is in the operator's hands, as its own flow's check says.
        MessageState::AwaitingAck if setting.longest_outage() > seconds(20 * 3600) => return,
        MessageState::AwaitingAck if last.refusable => SyncState::Error,
        MessageState::Delivered | MessageState::AwaitingAck => SyncState::Synchronized,
        MessageState::Refused => SyncState::Error,
        MessageState::Failed => {
            let longest = setting.longest_outage();
            if longest < seconds(20 * 3600) {
                broken.push(format!("{about}: given up without an outage: {:?}", kept.reason));
            }
            check_told(setting, &kept, broken);
            return;
        }
    };
    if state != Some(expected) && !(last.refusable && state == Some(SyncState::Error)) {
        let why = kept.reason.clone().unwrap_or_default();
        broken.push(format!(
            "{about}: {:?} ({why}), but its sync request is {state:?}; expected {expected:?}",
            kept.state
        ));
    }
    if kept.state == MessageState::Refused {
        check_told(setting, &kept, broken);
    }
}

/// People hear of every message that did not end well.
pub fn check_told(setting: &Setting, message: &Message, broken: &mut Vec<String>) {
    let told = setting.services.notices.all().iter().any(|notice| notice.text.contains(&message.key));
    if !told {
        broken.push(format!("message {} ended as {:?}, and nobody was told", message.key, message.state));
    }
}

/// Of two attempts of one subscription, one accepted before the other was first sent: the DERMS hears of the first one
/// first, and of neither again once it has heard of the second.
fn check_order(accepted: &[Accepted], calls: &[Enrolled], broken: &mut Vec<String>) {
    let service_point = |body: &str| !body.contains("SP-UNKNOWN") && !body.contains("MALFORMED");
    for (index, later) in accepted.iter().enumerate() {
        // An attempt made again unchanged has the calls of the first one, and its place.
        if accepted.iter().take(index).any(|it| it.id == later.id && it.refusable == later.refusable) {
            continue;
        }
        let begun = calls
            .iter()
            .find(|call| call.id == later.id && service_point(&call.body) != later.refusable)
            .map(|call| call.at);
        let Some(begun) = begun else { continue };
        for earlier in accepted.iter().filter(|it| it.subscription == later.subscription && it.id != later.id) {
            if earlier.taken.at >= later.first_begun {
                continue;
            }
            // An attempt that was made again unchanged keeps its place; only its first calls are of that place.
            let again = accepted.iter().any(|it| it.id == earlier.id && it.first_begun > earlier.first_begun);
            // A later one that the DERMS refused changed nothing: what it has already may be repeated after it.
            let after = calls.iter().find(|call| {
                call.id == earlier.id
                    && service_point(&call.body) != earlier.refusable
                    && call.at > begun
                    && !(call.repeat && later.refusable)
            });
            if let Some(after) = after
                && !again
            {
                broken.push(format!(
                    "message {} of {} was sent at {} s, after {} which was accepted later, at {} s",
                    earlier.id,
                    earlier.subscription,
                    after.at / seconds(1),
                    later.id,
                    later.taken.at / seconds(1),
                ));
            }
        }
    }
}
