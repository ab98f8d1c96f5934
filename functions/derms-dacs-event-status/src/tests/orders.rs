use jiff::SignedDuration;
use proptest::prelude::*;

use super::{Bench, message, stage};

/// What legally follows, by DACS's own words.
fn follows(before: Option<&str>, action: &str) -> bool {
    matches!((before, action), (None, "create") | (Some("create"), "X1IP" | "F1CN") | (Some("X1IP"), "F1CO" | "F1CN"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn messages_in_any_order_and_repeated_are_each_told_and_acknowledged_as_if_they_had_come_in_order(
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
        repeats in prop::collection::vec(0..8_usize, 0..6),
        pauses in prop::collection::vec(0_i64..90, 14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let meant = [("S-1", "SCHEDULED"), ("S-1", "IN PROGRESS"), ("S-1", "COMPLETED"), ("S-2", "SCHEDULED"),
                ("S-2", "IN_PROGRESS"), ("S-3", "SCHEDULED"), ("S-3", "CANCELLED"), ("S-4", "SCHEDULED")];
            for (number, pause) in order.into_iter().chain(repeats).zip(pauses) {
                let (id, status) = meant[number];
                bench.post(message(&format!("M-{number}"), &[stage(id, status)])).await;
                bench.work_for(SignedDuration::from_secs(pause)).await;
            }
            bench.work_for(SignedDuration::from_mins(2)).await;
            let mut last = std::collections::BTreeMap::<String, String>::new();
            for told in bench.told() {
                let (stage, action) = told.split_once(' ').unwrap();
                assert!(follows(last.get(stage).map(String::as_str), action), "{:?}", bench.told());
                last.insert(stage.to_owned(), action.to_owned());
            }
            let ends = [("S-1", "F1CO"), ("S-2", "X1IP"), ("S-3", "F1CN"), ("S-4", "create")];
            assert_eq!(last, ends.map(|(stage, action)| (stage.to_owned(), action.to_owned())).into());
            let acks = bench.acks();
            assert_eq!(acks.len(), 8, "{acks:?}");
            assert!(acks.iter().all(|ack| ack.starts_with("SUCCESS")), "{acks:?}");
        });
    }
}
