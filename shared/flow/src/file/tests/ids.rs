//! The lists of ids that `watch` compares.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::harness::{Bench, Ticking, open_answered};
use crate::file::Next;
use crate::file::ids::{Ids, piece_keys};
use crate::ledger::open::Matter;
use crate::ledger::run::{Pieces, RunState};
use crate::memory::REJECTS;
use crate::ports::ObjectRef;

const FLOW: &str = "dacs-ouai-enrollment-sync";

fn bench() -> Bench {
    let mut bench = Bench::of(FLOW);
    bench.to_file.open = open_answered;
    bench
}

/// The ids that are listed of a run, in order.
fn listed(bench: &Bench, object: &ObjectRef) -> Vec<String> {
    let run = bench.run(object);
    let piece = |key: String| bench.world.objects.bytes(REJECTS, &key).unwrap();
    let text: Vec<u8> = piece_keys(bench.kit.flow, &run).flat_map(|key| piece(key).to_vec()).collect();
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_ids_of_the_rows_that_are_delivered_are_listed_and_no_others() {
    let bench = bench();
    for (name, rows) in [("clean.csv", "a,1\n,2\nb,3\n"), ("bad.csv", "a,1\nx,bad\nb,3\n,4\n")] {
        let object = bench.drop_file(name, format!("key,value\n{rows}"));
        assert_eq!(bench.publish(&object).await, Next::Settled(RunState::Delivered));
        assert_eq!(listed(&bench, &object), ["a", "b"], "{name}");
    }
}

#[tokio::test]
async fn a_file_without_ids_has_no_list_and_waits_for_nobody() {
    let bench = bench();
    let object = bench.drop_file("initial-load.csv", "key,value\n,1\n,2\n");
    assert_eq!(bench.publish(&object).await, Next::Settled(RunState::Delivered));
    assert_eq!((bench.run(&object).ids, bench.world.open(FLOW)), (Pieces::default(), vec![]));
}

#[tokio::test]
async fn files_of_a_flow_that_nobody_answers_wait_for_nobody() {
    let mut bench = Bench::of("ouai-dacs-kwh-avoided");
    bench.to_file.open = open_answered;
    let object = bench.drop_file("f.csv", "key,value\na,1\n");
    assert_eq!(bench.publish(&object).await, Next::Settled(RunState::Delivered));
    assert_eq!(bench.world.open("ouai-dacs-kwh-avoided"), []);
}

#[tokio::test]
async fn every_id_of_a_file_that_took_several_attempts_is_listed_once() {
    let mut bench = bench();
    bench.kit.clock = Arc::new(Ticking(bench.world.clock.clone(), Duration::from_secs(1)));
    let rows: String = (0..40_000).map(|n| format!("id-{n:011},{}\n", "1".repeat(200))).collect();
    let object = bench.drop_file("f.csv", format!("key,value\n{rows}"));
    while let Next::Again(delay) = bench.publish(&object).await {
        bench.world.clock.advance(delay);
    }
    let run = bench.run(&object);
    assert!(run.state == RunState::Delivered && run.attempt > 1, "{run:?}");
    let wanted: Vec<String> = (0..40_000).map(|n| format!("id-{n:011}")).collect();
    assert!(listed(&bench, &object) == wanted);
    assert_eq!(bench.world.open(FLOW), [(Matter::AwaitingAck, run.id.to_string())]);
}

proptest! {
    /// Whatever is noted before a checkpoint is in the pieces that the checkpoint names, though attempts die anywhere, and
    /// though the one before wakes up and goes on writing.
    #[test]
    fn no_id_of_a_checkpoint_is_lost_whoever_writes_beside_it(
        attempts in prop::collection::vec((0..4_usize, any::<bool>()), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = bench();
            let object = bench.drop_file("f.csv", "key,value\na,1\n");
            bench.publish(&object).await;
            let mut run = bench.run(&object);
            (run.ids, run.attempt) = (Pieces::default(), 0);
            let (mut committed, mut wanted) = (Pieces::default(), Vec::new());
            let mut before: Option<(Ids, Pieces, u32)> = None;
            for (number, (checkpoints, wakes)) in attempts.into_iter().enumerate() {
                let attempt = u32::try_from(number).unwrap() + 1;
                let (mut ids, mut pieces) = (Ids::new(bench.kit.rejects.clone(), FLOW), committed.clone());
                for checkpoint in 0..checkpoints {
                    let id = format!("{attempt}-{checkpoint}");
                    ids.note(id.as_bytes());
                    ids.flush(&run.id, &mut pieces, attempt).await.unwrap();
                    (committed, _) = (pieces.clone(), wanted.push(id));
                }
                if let Some((twin, pieces, attempt)) = before.as_mut().filter(|_| wakes) {
                    twin.note(b"late");
                    twin.flush(&run.id, pieces, *attempt).await.unwrap();
                }
                // It dies with an id that no checkpoint names.
                ids.note(b"lost");
                ids.flush(&run.id, &mut pieces, attempt).await.unwrap();
                before = Some((ids, pieces, attempt));
            }
            run.ids = committed;
            let read = |key: String| bench.world.objects.bytes(REJECTS, &key).unwrap().to_vec();
            let text: Vec<u8> = piece_keys(FLOW, &run).flat_map(read).collect();
            let mut listed: Vec<String> = String::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
            listed.retain(|id| id != "late" && id != "lost");
            assert_eq!(listed, wanted);
        });
    }
}
