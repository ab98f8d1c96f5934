//! However the same rows come, the books are the same: compressed or not, with commas or tabs, announced in any order and
//! again, cut into segments anywhere, and killed anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::harness::{Bench, Ticking};
use super::resume::Dying;
use crate::file::Next;
use crate::ledger::Ledger;
use crate::ledger::run::{Counts, RunState};
use crate::ports::ObjectRef;

/// Key and value of each row; a value of 0 is not valid.
type Content = Vec<(u8, u8)>;

#[derive(Debug, Clone, Copy)]
enum Packing {
    Plain,
    Gzip,
    TwoMembers,
}

/// How the files of a schedule come, and what happens on the way.
#[derive(Debug, Clone)]
struct Weather {
    /// Of each file: how it is packed, and whether with tabs.
    looks: Vec<(Packing, bool)>,
    /// Which file is announced next; all are again in the end.
    events: Vec<usize>,
    /// Whoever looks at the clock finds it so much later, in ms: a checkpoint after 10 s, the end of the invocation after 120 s.
    tick: u64,
    /// At which event the function dies, at its how-manieth commit from there, and whether that took effect.
    death: (usize, u32, bool),
}

/// What is left of a schedule: of each file how its run ended, its counts, what the inbox has, its reject files.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    runs: Vec<(RunState, Counts)>,
    inbox: Vec<Option<String>>,
    rejects: Vec<(Option<String>, Option<String>)>,
    /// By file and key, the value that the target was told last.
    target: BTreeMap<String, String>,
}

fn file(number: usize, content: &Content, tab: bool) -> String {
    let rows = content.iter().map(|(key, value)| match value {
        0 => format!("f{number}k{key},bad\n"),
        value => format!("f{number}k{key},{value}\n"),
    });
    let text: String = std::iter::once("key,value\n".to_owned()).chain(rows).collect();
    if tab { text.replace(',', "\t") } else { text }
}

fn packed(text: &str, packing: Packing) -> (Vec<u8>, &'static str) {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    match packing {
        Packing::Plain => (text.as_bytes().to_vec(), ""),
        Packing::Gzip => (gzip(text.as_bytes()), ".gz"),
        Packing::TwoMembers => ([gzip(first), gzip(second)].concat(), ".gz"),
    }
}

fn play(files: &[Content], weather: &Weather, to_rest: bool) -> Books {
    let mut bench = Bench::new();
    // Files of this flow have keys of their own: they need no order.
    bench.kit.in_order = false;
    bench.kit.clock = Arc::new(Ticking(bench.world.clock.clone(), Duration::from_millis(weather.tick)));
    let objects: Vec<_> = files
        .iter()
        .zip(&weather.looks)
        .enumerate()
        .map(|(number, (content, (packing, tab)))| {
            let (bytes, suffix) = packed(&file(number, content, *tab), *packing);
            bench.drop_file(&format!("f{number}.csv{suffix}"), bytes)
        })
        .collect();
    let attempt = |bench: &Bench, object: &ObjectRef| {
        let future = async { if to_rest { bench.send(object).await } else { bench.publish(object).await } };
        future.now_or_never().unwrap()
    };
    let (dies_at, commit, after) = weather.death;
    for (turn, event) in weather.events.iter().enumerate() {
        if turn == dies_at {
            bench.kit.ledger = Ledger::new(Arc::new(Dying::new(bench.world.table.clone(), commit, after)));
        }
        attempt(&bench, &objects[event % objects.len()]);
        bench.kit.ledger = bench.world.ledger();
    }
    for object in &objects {
        bench.world.clock.advance(Duration::from_secs(130));
        while let Next::Again(_) = attempt(&bench, object) {
            bench.world.clock.advance(Duration::from_secs(130));
        }
    }
    books(&bench, &objects)
}

fn books(bench: &Bench, objects: &[ObjectRef]) -> Books {
    let told = bench.taken.batches.lock().unwrap();
    let rows: Vec<_> = told.iter().map(|batch| String::from_utf8(batch.bytes.to_vec()).unwrap()).collect();
    let pairs = rows.iter().flat_map(|rows| rows.lines()).map(|row| row.split_once('=').unwrap());
    let commas = |text: Option<String>| text.map(|text| text.replace('\t', ","));
    let rejects = |object| {
        let (rows, reasons) = bench.rejects(object);
        (commas(rows), reasons)
    };
    Books {
        runs: objects.iter().map(|object| (bench.run(object).state, bench.counts(object))).collect(),
        inbox: (0..objects.len()).map(|number| bench.delivered(&format!("f{number}.csv"))).collect(),
        rejects: objects.iter().map(rejects).collect(),
        target: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}

fn weather() -> impl Strategy<Value = Weather> {
    let packing = prop_oneof![Just(Packing::Plain), Just(Packing::Gzip), Just(Packing::TwoMembers)];
    let looks = prop::collection::vec((packing, any::<bool>()), 3);
    let events = prop::collection::vec(0..3_usize, 3..10);
    (looks, events, 1000..9000_u64, (0..3_usize, 1..14_u32, any::<bool>()))
        .prop_map(|(looks, events, tick, death)| Weather { looks, events, tick, death })
}

/// Rows of one key with one value, so that what a key was told last does not depend on which call repeats which.
fn one_value_per_key(files: Vec<Content>) -> Vec<Content> {
    let value = |key: u8| key % 5;
    files.into_iter().map(|content| content.into_iter().map(|(key, _)| (key, value(key))).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_same_rows_come_to_the_same_books_however_they_are_packed_announced_cut_and_killed(
        files in prop::collection::vec(prop::collection::vec((0..40_u8, 0..4_u8), 1..50), 1..4),
        weather in weather(),
        to_rest: bool,
    ) {
        let files = one_value_per_key(files);
        let calm = Weather { looks: vec![(Packing::Plain, false); 3], events: vec![], tick: 0, death: (99, 99, false) };
        let (stormy, calm) = (play(&files, &weather, to_rest), play(&files, &calm, to_rest));
        prop_assert_eq!(&stormy, &calm);
        for (state, counts) in &stormy.runs {
            prop_assert!(counts.balance() && [RunState::Delivered, RunState::Rejected].contains(state), "{state:?} {counts:?}");
        }
        let keys: BTreeSet<_> = stormy.target.keys().collect();
        prop_assert!(!to_rest || keys.len() == good_keys(&files).len());
    }
}

fn good_keys(files: &[Content]) -> BTreeSet<(usize, u8)> {
    let good = |(number, content): (usize, &Content)| -> Vec<_> {
        content.iter().filter(|(_, value)| *value != 0).map(|(key, _)| (number, *key)).collect()
    };
    files.iter().enumerate().flat_map(good).collect()
}
