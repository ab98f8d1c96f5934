//! Stages as `derms-dacs-event-status` would bring them through their life: in DACS first, then in the ledger. And what
//! flows that depend on them have in common: their acknowledgements.

use std::sync::Arc;

use domain::stage::{StageStatus, Terms};
use flow::ledger::run::RunState;
use flow::ledger::stage::Stage;
use flow::ledger::{Committed, Ledger};
use flow::ports::Write;
use jiff::Timestamp;

use super::files::Settled;
use crate::engine::{Micros, Shared, seconds, sleep_until};
use crate::neighbours::EventState;
use crate::schedule::Setting;

/// The event of every stage.
pub const EVENT: &str = "E-1";

/// A stage of a schedule.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// Whether the ledger has it.
    pub in_ledger: bool,
}

impl Told {
    /// A stage `number` that ends `lasts` after the schedule's start.
    pub fn new(setting: &Setting, prefix: &str, number: usize, lasts: Micros) -> Self {
        let core = setting.shared.lock();
        let at = |micros: Micros| core.instant(i64::try_from(micros).unwrap_or(0));
        let (start, end) = (at(lasts.saturating_sub(seconds(600))), at(lasts));
        Self { id: format!("{prefix}-{number}"), start, end, in_ledger: false }
    }

    /// The ledger learns of the stage at once; nothing is applied.
    pub async fn write(&self, ledger: &Ledger, applied: Option<StageStatus>) {
        let stage = Stage {
            applied,
            ..Stage::new(
                EVENT.parse().expect("an id"),
                self.id.parse().expect("an id"),
                Terms {
                    program_code: "SUMMER".parse().expect("a code"),
                    category: "X1EC".into(),
                    start: self.start,
                    end: self.end,
                },
            )
        };
        let key = Stage::key(&stage.event_id, &stage.stage_id);
        loop {
            let seen = ledger.get::<Stage>(&key).await.expect("memory does not fail");
            let mut fresh = stage.clone();
            fresh.reserving = seen.as_ref().and_then(|seen| seen.value.reserving.clone());
            let write = Write::put(key.clone(), &fresh, seen.map(|seen| seen.rev), None).expect("it can be written");
            if ledger.commit(&[write]).await.expect("memory does not fail") == Committed::Yes {
                return;
            }
        }
    }

    /// Until when a reservation runs for it, by the ledger.
    async fn reserved_until(&self, ledger: &Ledger) -> Option<Timestamp> {
        let key = Stage::key(&EVENT.parse().expect("an id"), &self.id.parse().expect("an id"));
        let stage = ledger.get::<Stage>(&key).await.expect("memory does not fail")?;
        stage.value.reserving.map(|reserving| reserving.until)
    }
}

/// The ledger, as scripts write it: without faults.
pub fn ledger(setting: &Setting) -> Ledger {
    Ledger::new(Arc::new(setting.services.table.clone()))
}

/// Moves `stage` to `state` and `status` at `at`; IN_PROGRESS waits for a reservation that runs, at most a minute.
pub fn move_on(setting: &Setting, stage: &Told, (at, state, status): (Micros, EventState, StageStatus)) {
    let (shared, ledger, stage) = (setting.shared.clone(), ledger(setting), stage.clone());
    let dacs = setting.neighbours.dacs.clone();
    setting.script("event-status", async move {
        sleep_until(&shared, at).await;
        if status == StageStatus::InProgress {
            wait_for_reservation(&shared, &ledger, &stage).await;
        }
        dacs.events.set(&stage.id, state);
        let pause = shared.lock().dice.below(seconds(5));
        let now = shared.lock().now;
        sleep_until(&shared, now + pause).await;
        if stage.in_ledger {
            stage.write(&ledger, Some(status)).await;
        }
        shared.lock().note("event-status", &format!("stage {} is {status}", stage.id));
    });
}

async fn wait_for_reservation(shared: &Shared, ledger: &Ledger, stage: &Told) {
    let since = shared.lock().now;
    loop {
        let (now, instant) = {
            let core = shared.lock();
            (core.now, core.instant(0))
        };
        let running = stage.reserved_until(ledger).await.is_some_and(|until| until > instant);
        if !running || now - since > seconds(60) {
            return;
        }
        sleep_until(shared, now + seconds(5)).await;
    }
}

/// Every run but a superseded one is acknowledged, in the end by what its books say.
pub fn check_ack(setting: &Setting, settled: &Settled<'_>, broken: &mut Vec<String>) {
    let (run, file) = (&settled.run, settled.file);
    if run.state == RunState::Superseded || setting.is_in_hand(&run.id) {
        return;
    }
    let about = format!("run {} of {} ({:?})", run.id, file.key, run.state);
    let id = run.envelope.get("message-id").cloned().unwrap_or_else(|| run.id.to_string());
    let Some(ack) = setting.neighbours.derms.acks(&id).pop() else {
        if setting.longest_outage() < seconds(20 * 3600) {
            broken.push(format!("{about}: was never acknowledged"));
        }
        return;
    };
    let told = run.reason.as_deref().is_some_and(|reason| reason.contains("could not be told"));
    let delivered = run.counts.delivered + run.counts.repeated;
    let value = format!("delivered={delivered};failed={}", run.counts.rows.saturating_sub(delivered));
    let said = ack.pointer("/MsgAck/responses/response/0/value").and_then(serde_json::Value::as_str);
    if said != Some(&value) && !told {
        broken.push(format!("{about}: acknowledged as {said:?}, its books say {value}"));
    }
    let code = ack.pointer("/MsgAck/ackType").and_then(serde_json::Value::as_str).unwrap_or_default();
    let wanted: &[&str] = match run.state {
        RunState::Delivered if run.counts.rejected == 0 && run.reason.is_none() => &["SUCCESS"],
        RunState::Delivered => &["ERROR"],
        RunState::GivenUp => &["FAILURE"],
        _ => &["ERROR", "FAILURE"],
    };
    if !wanted.contains(&code) && !told {
        broken.push(format!("{about}: acknowledged as {code}"));
    }
}
