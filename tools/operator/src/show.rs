use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use flow::ledger::message::{Body, Message};
use flow::ledger::open::Open;
use flow::ledger::run::Run;
use jiff::Timestamp;

/// Runs as a table, one a line.
pub fn runs(runs: &[(String, Run)]) -> String {
    if runs.is_empty() {
        return "There are no runs.".into();
    }
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "run",
        "flow",
        "file",
        "state",
        "rows",
        "delivered",
        "rejected",
    ]);
    for (flow, run) in runs {
        table.add_row([
            run.id.to_string(),
            flow.clone(),
            run.source.key.clone(),
            run.state.word().to_owned(),
            run.counts.rows.to_string(),
            run.counts.delivered.to_string(),
            run.counts.rejected.to_string(),
        ]);
    }
    table.to_string()
}

/// One run with all that a person wants to know of it.
pub fn run(stack: &str, flow: &str, run: &Run) -> String {
    let counts = run.counts;
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let rejects = (counts.rejected > 0 || run.reason.is_some()).then(|| {
        format!("the rejects bucket of {stack}: {flow}/{}.{}.reasons.csv and .rows.csv", run.file_name(), run.id)
    });
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    for (name, value) in [
        ("run", run.id.to_string()),
        ("flow", flow.to_owned()),
        ("file", format!("s3://{}/{}", run.source.bucket, run.source.key)),
        ("version", text(run.source.version.clone())),
        ("state", run.state.word().to_owned()),
        ("reason", text(run.reason.clone())),
        ("registered", run.registered.to_string()),
        ("ended", text(run.ended.map(|ended| ended.to_string()))),
        ("late", if run.late { "yes".into() } else { "no".into() }),
        ("attempts", run.attempt.to_string()),
        ("read up to", format!("line {}, byte {}", run.position.line, run.position.offset)),
        ("rows", counts.rows.to_string()),
        ("delivered", counts.delivered.to_string()),
        ("repeated", counts.repeated.to_string()),
        ("superseded", counts.superseded.to_string()),
        ("rejected", counts.rejected.to_string()),
        ("undelivered", counts.undelivered.to_string()),
        ("rejects", text(rejects)),
        ("corrects run", text(run.parent.as_ref().map(ToString::to_string))),
        ("superseded by", text(run.superseded_by.as_ref().map(ToString::to_string))),
        ("correlation", run.correlation.clone()),
    ] {
        table.add_row([name.to_owned(), value]);
    }
    table.to_string()
}

/// What waits for somebody, one a line.
pub fn open(open: &[(String, Open)]) -> String {
    if open.is_empty() {
        return "Nothing waits for anybody.".into();
    }
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(["run or message", "flow", "is", "since", "reason"]);
    for (flow, open) in open {
        let reason = open.reason.clone().unwrap_or_else(|| "-".into());
        table.add_row([open.id.clone(), flow.clone(), open.matter.word().to_owned(), time(open.since), reason]);
    }
    table.to_string()
}

/// One message with all that a person wants to know of it, but its body, which is a customer's.
pub fn message(flow: &str, message: &Message) -> String {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let body = match &message.body {
        Body::Inline(body) => format!("{} bytes, in the ledger", body.len()),
        Body::Stored(key) => format!("in the bodies bucket: {key}"),
        Body::Gone => "delivered, and kept no longer".to_owned(),
    };
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    for (name, value) in [
        ("message", message.key.clone()),
        ("flow", flow.to_owned()),
        ("state", message.state.word().to_owned()),
        ("reason", text(message.reason.clone())),
        ("accepted", time(message.accepted)),
        ("attempt", message.attempt.to_string()),
        ("ended", text(message.ended.map(time))),
        ("order", message.group.clone()),
        ("place in it", text(message.position.clone())),
        ("forced", if message.forced { "yes".into() } else { "no".into() }),
        ("result", text(message.result.as_ref().map(ToString::to_string))),
        ("body", body),
        ("correlation", message.correlation.clone()),
    ] {
        table.add_row([name.to_owned(), value]);
    }
    table.to_string()
}

fn time(instant: Timestamp) -> String {
    instant.strftime("%F %TZ").to_string()
}
