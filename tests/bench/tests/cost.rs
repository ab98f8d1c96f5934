//! The cost model (architecture.md §6): requests that the real binaries make, and resources that the template has, times
//! their prices. Fails when a bar is broken.

#![expect(clippy::print_stdout, reason = "figures are worth a look: cargo test -p bench --test cost -- --nocapture")]

mod small;

use bench::measure::{Setup, cost, idle, messages};
use bench::report::{Figure, Verdict};
use small::setup;

/// No figure misses its bar, and `count` have one.
fn all_met(figures: &[Figure], count: usize) {
    for figure in figures {
        println!("{figure}");
    }
    let missed: Vec<_> = figures.iter().filter(|figure| figure.verdict == Verdict::Missed).collect();
    assert_eq!(missed, Vec::<&Figure>::new());
    assert_eq!(figures.iter().filter(|figure| figure.verdict == Verdict::Met).count(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_cost_what_the_architecture_allows_by_row_and_by_call() {
    all_met(&cost::run(&setup().unwrap()).await.unwrap(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_cost_what_the_architecture_allows() {
    // What an instance asks for once is spread over these.
    let setup = Setup { messages: 200, ..setup().unwrap() };
    let figures = messages::run(&setup).await.unwrap();
    // How many slots are reserved, and for how many a message waits, is a matter of the machine: unit tests hold that.
    let of_any_build = ["price of a message without slots", "door: AWS calls of a message"];
    let is_of_any_build = |figure: &Figure| of_any_build.iter().any(|what| figure.what.contains(what));
    let figures: Vec<Figure> = figures.into_iter().filter(is_of_any_build).collect();
    all_met(&figures, 13 + 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_in_which_nothing_happens_costs_thirty_dollars_a_month_at_most() {
    all_met(&idle::run(&setup().unwrap()).await.unwrap(), 1);
}
