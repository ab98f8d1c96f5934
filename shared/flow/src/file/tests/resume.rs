//! Killed anywhere, the next attempt goes on, and the books are the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::harness::Bench;
use crate::Transient;
use crate::file::Next;
use crate::ledger::Ledger;
use crate::ledger::run::RunState;
use crate::memory::Table;
use crate::ports::{CommitError, Item, Key, ObjectRef, Store, Write};

/// A table that stops answering for good at its n-th commit: what the function did until then stands, what it would
/// have done after it never happens. With `after`, that commit itself still took effect.
pub struct Dying {
    table: Table,
    commits_left: AtomicU32,
    after: bool,
}

impl Dying {
    pub fn new(table: Table, commits: u32, after: bool) -> Self {
        Self { table, commits_left: commits.into(), after }
    }
}

#[async_trait]
impl Store for Dying {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, Transient> {
        if self.commits_left.load(Ordering::Relaxed) == 0 {
            return Err(Transient::new("killed"));
        }
        self.table.get(keys).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        let left = self.commits_left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(Transient::new("killed").into());
        }
        self.commits_left.store(left - 1, Ordering::Relaxed);
        if left > 1 || self.after {
            self.table.commit(writes).await?;
        }
        if left > 1 { Ok(()) } else { Err(Transient::new("killed").into()) }
    }

    async fn list(&self, partition: &str, after: Option<&str>, limit: u32) -> Result<Vec<Item>, Transient> {
        self.table.list(partition, after, limit).await
    }
}

/// Lets an attempt die at its n-th commit; later attempts live. How it ended, and the books.
fn killed_at(commit: u32, after: bool, to_rest: bool, file: &str) -> (Bench, ObjectRef, RunState) {
    let mut bench = Bench::new();
    let object = bench.drop_file("f.csv", file.to_owned());
    let attempt = |bench: &Bench| {
        let future = async {
            match to_rest {
                true => bench.send(&object).await,
                false => bench.publish(&object).await,
            }
        };
        future.now_or_never().unwrap()
    };
    let dying = Dying::new(bench.world.table.clone(), commit, after);
    bench.kit.ledger = Ledger::new(Arc::new(dying));
    let mut next = attempt(&bench);
    bench.kit.ledger = bench.world.ledger();
    while let Next::Again(_) = next {
        // The queue shows the message again when its visibility is over, and the lease with it.
        bench.world.clock.advance(std::time::Duration::from_secs(130));
        next = attempt(&bench);
    }
    let Next::Settled(state) = next else { panic!("{next:?}") };
    (bench, object, state)
}

#[test]
fn a_file_at_which_twenty_attempts_died_without_progress_is_given_up() {
    let mut bench = Bench::new();
    let object = bench.drop_file("f.csv", "key,value\na,1\n");
    let attempt = |bench: &Bench| bench.send(&object).now_or_never().unwrap();
    for _ in 0..20 {
        // Registered, given its turn, claimed; nothing is written after that.
        let commits = if bench.world.run(super::harness::FLOW, &object).is_some() { 2 } else { 4 };
        let dying = Dying::new(bench.world.table.clone(), commits, false);
        bench.kit.ledger = Ledger::new(Arc::new(dying));
        assert!(matches!(attempt(&bench), Next::Again(_)));
        bench.kit.ledger = bench.world.ledger();
        bench.world.clock.advance(std::time::Duration::from_secs(130));
    }
    assert_eq!(bench.run(&object).attempt, 20);
    let mut next = attempt(&bench);
    while let Next::Again(delay) = next {
        bench.world.clock.advance(delay);
        next = attempt(&bench);
    }
    let run = bench.run(&object);
    assert_eq!((run.state, run.counts.undelivered), (RunState::GivenUp, 1));
    assert!(run.reason.unwrap().contains("after 21 attempts that died without progress"));
}

const FILE: &str = "key,value\na,1\nb,x\nc,3\nd,4\ne,y\nf,6\ng,7\nh,8\nlong-key-i,9\n";

#[test]
fn killed_at_any_commit_a_file_to_rest_run_ends_with_the_same_books() {
    for commit in 1..12 {
        for after in [false, true] {
            let (bench, object, state) = killed_at(commit, after, true, FILE);
            assert_eq!(state, RunState::Delivered, "killed at commit {commit}");
            let rows = "a=1\nc=3\nd=4\nf=6\ng=7\nh=8\nlong-key-i=9\n";
            assert_eq!(bench.taken.rows(), rows, "killed at commit {commit}");
            let (rejected, _) = bench.rejects(&object);
            assert_eq!(rejected.as_deref(), Some("key,value\nb,x\ne,y\n"), "killed at commit {commit}");
            assert!(bench.counts(&object).balance());
        }
    }
}

#[test]
fn killed_at_any_commit_a_file_to_file_run_publishes_once() {
    for commit in 1..12 {
        for after in [false, true] {
            let (bench, object, state) = killed_at(commit, after, false, FILE);
            assert_eq!(state, RunState::Delivered, "killed at commit {commit}");
            let rows = "key,value\na,1\nc,3\nd,4\nf,6\ng,7\nh,8\nlong-key-i,9\n";
            assert_eq!(bench.delivered("f.csv").as_deref(), Some(rows), "killed at commit {commit}");
            assert_eq!(bench.world.objects.versions(super::harness::INBOX, "f.csv").len(), 1);
            assert!(bench.counts(&object).balance());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Rows of any kind, killed anywhere: rows in = delivered + repeated + superseded + rejected + undelivered, the
    /// target's books hold each valid row, and the reject file each invalid one.
    #[test]
    fn whatever_the_rows_and_wherever_it_is_killed_each_row_has_exactly_one_end(
        rows in proptest::collection::vec((0..30_u8, 0..4_u8), 1..60),
        commit in 1..14_u32,
        after: bool,
    ) {
        let file: String = std::iter::once("key,value\n".to_owned())
            .chain(rows.iter().map(|(key, value)| match value {
                0 => format!("k{key},bad\n"),
                value => format!("k{key},{value}\n"),
            }))
            .collect();
        let (bench, object, state) = killed_at(commit, after, true, &file);
        let counts = bench.counts(&object);
        prop_assert!(counts.balance(), "{:?}", counts);
        let (calm, calm_object, calm_state) = killed_at(1000, false, true, &file);
        prop_assert_eq!(state, calm_state);
        prop_assert_eq!(counts, calm.counts(&calm_object));
        prop_assert_eq!(bench.taken.parts(), calm.taken.parts());
        prop_assert_eq!(bench.rejects(&object), calm.rejects(&calm_object));
    }
}
