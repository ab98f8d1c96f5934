//! The fixed seeds of `cargo test`. `make sim` runs fresh ones, and more of them.

use simulation::bugs::Bug;
use simulation::campaign::{campaign, hunt};
use simulation::dice::Dice;
use simulation::faults::{Coverage, Fault};
use simulation::flows::FlowId;
use simulation::schedule::{Options, run};

#[test]
fn whatever_fails_wherever_the_books_agree_and_everything_comes_to_an_end() {
    let all = campaign(1..=10_000, &Options::default(), 3, || true);
    // Requests for enrollment come in batches only when they did not fit into their door's time: more schedules of them
    // alone, until each fault has met them often enough.
    let requests = Options { flow: Some(FlowId::Request), ..Options::default() };
    let more = campaign(1..=1_000, &requests, 3, || true);
    let mut coverage = all.coverage.clone();
    coverage.add(&more.coverage);
    println!("{}", coverage.table(FlowId::ALL));
    for (campaign, flow) in [(&all, ""), (&more, " FLOW=enroll-request")] {
        for outcome in &campaign.failures {
            println!("seed {}, replay it with: make sim SEED={}{flow}", outcome.seed, outcome.seed);
            for broken in &outcome.broken {
                println!("  {broken}");
            }
        }
        let seeds: Vec<_> = campaign.failures.iter().map(|outcome| outcome.seed).collect();
        assert!(seeds.is_empty(), "seeds{flow} {seeds:?}");
        assert_eq!(campaign.mild, 0, "every schedule has 50 records, two instances and three faults");
    }
    assert_eq!(coverage.thin(FlowId::ALL, 50), vec![], "faults that happened too seldom");
}

#[test]
fn what_is_open_is_looked_after_and_what_queues_give_up_comes_to_its_end() {
    let mut coverage = Coverage::default();
    // As many as it takes until each fault has met it often enough: `error-handler` has little to do in a schedule.
    for (service, schedules) in [(FlowId::Watch, 400), (FlowId::ErrorHandler, 1_800)] {
        let options = Options { flow: Some(service), ..Options::default() };
        let campaign = campaign(1..=schedules, &options, 3, || true);
        for outcome in &campaign.failures {
            println!("seed {}, replay it with: make sim SEED={} FLOW={}", outcome.seed, outcome.seed, service.name());
            for broken in &outcome.broken {
                println!("  {broken}");
            }
        }
        let seeds: Vec<_> = campaign.failures.iter().map(|outcome| outcome.seed).collect();
        assert!(seeds.is_empty(), "seeds {seeds:?} of {}", service.name());
        assert_eq!(campaign.mild, 0, "every schedule has 50 records, two instances and three faults");
        coverage.add(&campaign.coverage);
    }
    println!("{}", coverage.table(FlowId::SERVICES));
    assert_eq!(coverage.thin(FlowId::SERVICES, 50), vec![], "faults that happened too seldom");
}

#[test]
fn every_planted_bug_is_found() {
    let missed: Vec<Bug> =
        hunt(Bug::ALL, &[1], 1000).into_iter().filter(|hunt| hunt.found.is_none()).map(|hunt| hunt.bug).collect();
    assert_eq!(missed, vec![]);
}

#[test]
fn a_seed_means_the_same_numbers_for_ever() {
    let mut dice = Dice::new(0);
    assert_eq!(dice.roll(), 0xe220_a839_7b1d_cdaf);
    assert_eq!(dice.roll(), 0x6e78_9e6a_a1b9_65f4);
}

#[test]
fn a_seed_is_the_same_schedule_every_time() {
    let options = Options { traced: true, ..Options::default() };
    let (first, second) = (run(42, &options), run(42, &options));
    assert_eq!(first.trace, second.trace);
    assert!(first.trace.len() > 100);
}

#[test]
fn a_fault_that_cannot_happen_says_why() {
    for fault in Fault::ALL {
        for flow in FlowId::everybody() {
            assert_ne!(fault.cannot_happen_to(flow), Some(""), "{fault:?} × {}", flow.short());
        }
    }
}
