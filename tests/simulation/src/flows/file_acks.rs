//! Acknowledgements of files: what the DERMS hears of those that it sent.

use flow::ledger::run::RunState;

use super::files::Settled;
use crate::engine::seconds;
use crate::schedule::Setting;

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
