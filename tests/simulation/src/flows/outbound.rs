//! Messages of DACS to the DERMS: each ends as the DERMS answered, DACS hears of it where the contract has an answer, and
//! those of one order reach the DERMS in the order in which they were accepted.

mod check;
mod sheets;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::day::Stage;
use super::{FlowId, Workload};
use crate::engine::{Micros, Shared, seconds, sleep_until};
use crate::neighbours::{Dacs, SyncState, Taken, post, post_until_taken};
use crate::schedule::Setting;

pub use check::check_told;
pub use sheets::{AGGREGATORS, ENROLLMENTS, OPT_OUTS, RULES, STATUS_CHECKS, UNAVAILABILITIES};
use sheets::{Sheet, Told, Words};

/// How the DERMS will answer, told to it in the message itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Now,
    Later,
    Silent,
    Hiccup,
    Malformed,
}

/// One message as it is meant; what is wrong with it can be corrected.
#[derive(Debug, Clone)]
struct Meant {
    id: String,
    /// Messages of one order are delivered in the order in which they were accepted.
    order: String,
    /// The stage that it is about, if it is about one.
    stage: Option<Stage>,
    sheet: &'static Sheet,
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
    flow: FlowId,
    id: String,
    /// As the ledger calls it.
    key: String,
    order: String,
    refusable: bool,
    /// Its sender posted it more than once.
    twice: bool,
    first_begun: Micros,
    taken: Taken,
}

/// The messages of one flow.
pub struct Outbound {
    sheet: &'static Sheet,
    meant: Vec<Meant>,
    accepted: Arc<Mutex<Vec<Accepted>>>,
}

/// Plans at least `records` messages of a sheet.
pub fn plan(setting: &mut Setting, records: usize, sheet: &'static Sheet) -> Outbound {
    let orders = setting.dice.count(3, 9);
    let accepted: Arc<Mutex<Vec<Accepted>>> = Arc::default();
    let mut by_order: BTreeMap<usize, Vec<Meant>> = BTreeMap::new();
    for number in 0..records {
        let of = setting.dice.count(0, orders - 1);
        by_order.entry(of).or_default().push(meant(setting, sheet, (number, of)));
    }
    for messages in by_order.values() {
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
    Outbound { sheet, meant: by_order.into_values().flatten().collect(), accepted }
}

fn meant(setting: &mut Setting, sheet: &'static Sheet, (number, order): (usize, usize)) -> Meant {
    let stages = setting.day.stages.clone();
    // Who does not hear is told by `watch`.
    let silent = setting.has(FlowId::Watch) && sheet.told != Told::Nobody && setting.dice.chance(8);
    let dice = &mut setting.dice;
    Meant {
        id: format!("{}{number:012}", sheet.prefix),
        order: format!("S-{order}"),
        stage: (sheet.flow == FlowId::OptOut).then(|| dice.pick(&stages).clone()),
        sheet,
        manner: match dice.below(20) {
            _ if silent => Manner::Silent,
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
    ask(dacs, message);
    let refusable = message.bad || message.manner == Manner::Malformed;
    take(shared, message, false, refusable, accepted).await;
    if message.resent {
        // An impatient sender: the same message again, perhaps at the same time as it is worked on.
        post(shared, message.sheet.flow, message.body(false)).await;
    }
    // While the DERMS's answer is outstanding, another body is a correction: nobody here knows whether it was negative.
    let is_decided = message.manner == Manner::Now && message.sheet.told != Told::StatusCheck;
    if message.other_body && is_decided {
        let taken = post_until_taken(shared, message.sheet.flow, message.with_other_body()).await;
        let open = message.sheet.told == Told::Nobody || !is_negative(dacs, message);
        if open && !refusable && taken.status < 300 {
            shared
                .lock()
                .violated(format!("another body of message {} was taken while it was open or done", message.id));
        }
    }
    if refusable && message.sheet.told != Told::Nobody {
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
        if !is_negative(dacs, message) {
            continue;
        }
        if message.again_unchanged {
            // First tried again as it was: it keeps its place, and may be told that a newer one was delivered.
            ask(dacs, message);
            let again = take(shared, message, false, true, accepted).await;
            if again.status < 300 {
                let mut waits = 0;
                while waits < 400 && !is_negative(dacs, message) {
                    let at = shared.lock().now + seconds(20);
                    sleep_until(shared, at).await;
                    waits += 1;
                }
            }
        }
        ask(dacs, message);
        take(shared, message, true, false, accepted).await;
        return;
    }
}

/// DACS waits for an answer, for the first time or again.
fn ask(dacs: &Dacs, message: &Meant) {
    match message.sheet.told {
        Told::SyncRequest => dacs.send(&message.id),
        Told::StatusCheck => dacs.checks.ask(&message.id),
        Told::Nobody => {}
    }
}

/// Whether DACS has heard that it did not go well.
fn is_negative(dacs: &Dacs, message: &Meant) -> bool {
    match message.sheet.told {
        Told::SyncRequest => dacs.request(&message.id).is_some_and(|request| request.state == SyncState::Error),
        Told::StatusCheck => dacs.checks.answers(&message.id).last() == Some(&false),
        Told::Nobody => false,
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
        let taken = post_until_taken(shared, message.sheet.flow, message.body(corrected)).await;
        // While the worker still writes down the end of the last attempt, another body is refused; later it is not.
        if taken.status == 422 && corrected && taken.at < first_begun + seconds(4000) {
            sleep_until(shared, taken.at + seconds(15)).await;
            continue;
        }
        if taken.status < 300 {
            accepted.lock().unwrap_or_else(PoisonError::into_inner).push(Accepted {
                flow: message.sheet.flow,
                id: message.id.clone(),
                key: message.key(),
                order: message.order.clone(),
                refusable,
                twice: message.resent || taken.begun > first_begun,
                first_begun,
                taken,
            });
        }
        return taken;
    }
}

impl Meant {
    fn key(&self) -> String {
        format!("{}{}", self.id, self.sheet.suffix)
    }

    fn body(&self, corrected: bool) -> Bytes {
        let manner = match self.manner {
            Manner::Now => "NOW",
            Manner::Later => "LATER",
            Manner::Silent => "SILENT",
            Manner::Hiccup => "HICCUP",
            Manner::Malformed if corrected => "NOW",
            Manner::Malformed => "MALFORMED",
        };
        self.json(Words { manner, unknown: self.bad && !corrected, other: false })
    }

    fn with_other_body(&self) -> Bytes {
        self.json(Words { manner: "NOW", unknown: false, other: true })
    }

    fn json(&self, words: Words) -> Bytes {
        Bytes::from((self.sheet.body)(self, words).to_string())
    }
}

impl Workload for Outbound {
    fn records(&self) -> usize {
        self.meant.len()
    }

    fn check(&self, setting: &Setting, broken: &mut Vec<String>) {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let calls = setting.neighbours.derms.heard(self.sheet.flow);
        for message in &self.meant {
            check::check_message(setting, message, &accepted, &calls, broken);
        }
        check::check_order(setting, (&accepted, &calls), broken);
    }
}
