use std::sync::Arc;

use async_trait::async_trait;
use domain::csv::Record;
use domain::layout::{HeaderFault, RowFault, Spelling};
use domain::lookups::Lookups;
use serde_json::Value;

use super::harness::{Bench, LAYOUT};
use crate::derms_ack::DermsAcks;
use crate::file::{AckFile, CallRow, CallTarget, FileFlow, FileToCalls, NameRow, Next, ReadRow, handle};
use crate::ledger::run::{Run, RunState};
use crate::memory::Targets;
use crate::ports::{Answer, ObjectRef, Payload};
use crate::trigger::Invocation;
use crate::{Failure, Transient};

fn open(header: &Record<'_>, _: &Lookups, _: &Run) -> Result<ReadRow, HeaderFault> {
    let columns = LAYOUT.resolve(header, &Spelling::default())?;
    Ok(Box::new(move |row| {
        columns.check_width(row.len())?;
        let field = |place: usize| row.get(place).unwrap().to_vec();
        match field(1).as_slice() {
            b"bad" => Err(RowFault::at("value", "is bad")),
            content => Ok(CallRow { key: field(0), group: Vec::new(), content: content.to_vec() }),
        }
    }))
}

fn open_names(header: &Record<'_>, _: &Lookups) -> Result<NameRow, HeaderFault> {
    LAYOUT.resolve(header, &Spelling::default())?;
    Ok(Box::new(|row| row.get(0).map(|name| String::from_utf8_lossy(name).into_owned())))
}

/// A target that refuses `no`, and does not answer at all for `down`.
struct Picky;

#[async_trait]
impl CallTarget for Picky {
    async fn call(&self, _: &Run, rows: &[CallRow], _: &Invocation) -> Result<Vec<(usize, RowFault)>, Failure> {
        if rows.iter().any(|row| row.content == b"down") {
            return Err(Transient::new("the target is down").into());
        }
        let refused = rows.iter().enumerate().filter(|(_, row)| row.content == b"no");
        Ok(refused.map(|(place, _)| (place, RowFault::row("refused by the target"))).collect())
    }
}

fn flow(bench: &Bench, derms: &Targets) -> FileToCalls {
    let acks = DermsAcks { derms: bench.world.target("derms", derms.clone()) };
    FileToCalls {
        open: Box::new(open),
        rows_per_call: 100,
        side_by_side: 2,
        target: Arc::new(Picky),
        gate: None,
        ack: Some(AckFile { open: open_names, acks }),
        is_answer: false,
    }
}

/// Brings a file to its end against a DERMS that takes acknowledgements; all of those.
async fn acknowledged(bench: &Bench, object: &ObjectRef) -> (RunState, Vec<Value>) {
    let derms = Targets::answering(200, "{}");
    let flow = flow(bench, &derms);
    loop {
        let delivery = bench.world.notification(object);
        match handle(&bench.kit, &FileFlow::ToCalls(&flow), &delivery, &bench.invocation()).await {
            Next::Again(wait) => bench.world.clock.advance(wait.max(std::time::Duration::from_secs(1800))),
            Next::Settled(state) => return (state, bodies(&derms)),
            Next::Nothing => panic!("no run"),
        }
    }
}

fn bodies(derms: &Targets) -> Vec<Value> {
    let json = |payload: &Payload| match payload {
        Payload::Json(body) => serde_json::from_slice::<Value>(body).unwrap()["MsgAck"].clone(),
        other => panic!("{other:?}"),
    };
    derms.calls().iter().map(|call| json(&call.payload)).collect()
}

/// (id, value, code) of every response.
fn responses(ack: &Value) -> Vec<(String, String, String)> {
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let list = ack["responses"]["response"].as_array().unwrap();
    list.iter().map(|it| (text(it, "id"), text(it, "value"), text(it, "responseCode"))).collect()
}

fn response(id: &str, value: &str, code: &str) -> (String, String, String) {
    (id.into(), value.into(), code.into())
}

#[tokio::test]
async fn a_small_file_is_acknowledged_record_by_record_and_is_an_error_when_one_failed() {
    let bench = Bench::new();
    let object = bench.drop_file("f.csv", "key,value\nr1,1\nr2,no\nr3,bad\nr4,4\n");
    let (_, acks) = acknowledged(&bench, &object).await;
    let id = bench.run(&object).id.to_string();
    assert_eq!((acks.len(), acks[0]["ackType"].as_str()), (1, Some("ERROR")));
    let wanted = [
        response(&id, "delivered=2;failed=2", "ERROR"),
        response("r1", "DELIVERED", "SUCCESS"),
        response("r2", "refused by the target", "ERROR"),
        response("r3", "value: is bad", "ERROR"),
        response("r4", "DELIVERED", "SUCCESS"),
    ];
    assert_eq!(responses(&acks[0]), wanted);
}

#[tokio::test]
async fn a_file_without_a_fault_is_a_success() {
    let bench = Bench::new();
    let object = bench.drop_file("f.csv", "key,value\nr1,1\n");
    let (state, acks) = acknowledged(&bench, &object).await;
    assert_eq!((state, acks[0]["ackType"].as_str()), (RunState::Delivered, Some("SUCCESS")));
}

#[tokio::test]
async fn above_a_thousand_records_only_failures_follow_and_above_ten_thousand_failures_their_path() {
    let bench = Bench::new();
    let rows = |good: usize, bad: usize| -> String {
        let good = (0..good).map(|n| format!("g{n},1\n"));
        let bad = (0..bad).map(|n| format!("b{n},bad\n"));
        format!("key,value\n{}", good.chain(bad).collect::<String>())
    };
    let (_, acks) = acknowledged(&bench, &bench.drop_file("f.csv", rows(1_000, 2))).await;
    let list = responses(&acks[0]);
    assert_eq!((list.len(), list[1].0.as_str(), list[2].0.as_str()), (3, "b0", "b1"));
    let object = bench.drop_file("g.csv", rows(1, 10_001));
    let (_, acks) = acknowledged(&bench, &object).await;
    let run = bench.run(&object).id;
    let wanted = [
        response(&run.to_string(), "delivered=1;failed=10001", "ERROR"),
        response(&run.to_string(), &format!("/v1/derms/rejects/{run}"), "ERROR"),
    ];
    assert_eq!(responses(&acks[0]), wanted);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_or_is_given_up_is_a_failure_with_its_reason_and_bad_rows_alone_are_an_error() {
    let bench = Bench::new();
    for (name, text, wanted, state) in [
        ("empty.csv", "", "FAILURE", RunState::Rejected),
        ("header.csv", "key,other\na,1\n", "FAILURE", RunState::Rejected),
        ("rows.csv", "key,value\na,bad\n", "ERROR", RunState::Rejected),
        ("down.csv", "key,value\na,down\n", "FAILURE", RunState::GivenUp),
    ] {
        let object = bench.drop_file(name, text);
        let (ended, acks) = acknowledged(&bench, &object).await;
        assert_eq!((ended, acks.len()), (state, 1), "{name}");
        assert_eq!(acks[0]["ackType"].as_str(), Some(wanted), "{name}");
        let list = responses(&acks[0]);
        assert_eq!(Some(&list[1].1), bench.run(&object).reason.as_ref(), "{name}");
    }
}

#[tokio::test]
async fn an_acknowledgement_whose_answer_was_lost_is_sent_again_with_the_same_id_and_no_row_is() {
    let bench = Bench::new();
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let derms = Targets::new(move |_| match tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0..5 => Err(Transient::new("the answer was lost")),
        _ => Ok(Answer { status: 200, retry_after: None, body: "{}".into() }),
    });
    let flow = flow(&bench, &derms);
    let object = bench.drop_file("f.csv", "key,value\nr1,1\n");
    let delivery = bench.world.notification(&object);
    let first = handle(&bench.kit, &FileFlow::ToCalls(&flow), &delivery, &bench.invocation()).await;
    assert!(matches!(first, Next::Again(_)), "{first:?}");
    bench.world.clock.advance(std::time::Duration::from_secs(600));
    let second = handle(&bench.kit, &FileFlow::ToCalls(&flow), &delivery, &bench.invocation()).await;
    assert_eq!(second, Next::Settled(RunState::Delivered));
    let ids: std::collections::BTreeSet<String> =
        bodies(&derms).iter().map(|ack| responses(ack)[0].0.clone()).collect();
    assert_eq!((ids.len(), bench.counts(&object).delivered), (1, 1));
}

#[tokio::test]
async fn a_source_that_will_not_hear_is_peoples_to_tell_and_the_run_ends_all_the_same() {
    let bench = Bench::new();
    let derms = Targets::answering(400, r#"{"detail": "no such message"}"#);
    let flow = flow(&bench, &derms);
    let object = bench.drop_file("f.csv", "key,value\nr1,1\n");
    let delivery = bench.world.notification(&object);
    let ended = handle(&bench.kit, &FileFlow::ToCalls(&flow), &delivery, &bench.invocation()).await;
    assert_eq!(ended, Next::Settled(RunState::Delivered));
    let notices = bench.world.notices.all();
    assert!(notices[0].text.contains("does not take the acknowledgement"), "{notices:?}");
}
