//! How often a message waits for the ledger (decision 11).

use flow::memory::FarLedger;

use super::*;

/// The flow over a ledger that is far away.
fn distantly(far: &FarLedger) -> Bench {
    let bench = Bench::new();
    let kit = far.message_kit(NAME, LOOKUPS);
    let acks = DermsAcks { derms: far.target("derms", &bench.derms) };
    let (dacs, release) = (far.target("dacs", &bench.dacs), "25.4".parse().unwrap());
    let program_events = ProgramEvents { dacs, release, lookups: bench.flow.kit.lookups.clone() };
    let stages = Stages::new(far.ledger.clone(), Arc::new(far.clock.clone()), program_events, Limits::default());
    let calls = Calls { stages: stages.told_next(acks.derms.clone()), acks, ..bench.flow.calls };
    Bench { world: far.world.clone(), flow: Flow { kit, calls }, ..bench }
}

#[tokio::test(start_paused = true)]
async fn a_status_of_one_stage_waits_for_the_ledger_four_times() {
    let far = FarLedger::new("2026-07-01T10:00:00Z".parse().unwrap(), Duration::from_millis(10));
    let bench = distantly(&far);
    for (id, status) in [("M-1", "SCHEDULED"), ("M-2", "IN_PROGRESS"), ("M-3", "COMPLETED")] {
        assert_eq!(bench.post(message(id, &[stage("S-1", status)])).await, 202);
        let began = far.clock.now();
        assert!(bench.work().await);
        let trips = "message, stage and event; announced, DACS's slot; noted, the DERMS's slot; ended";
        assert_eq!(far.trips_since(began), 4, "{status}: {trips}");
    }
    assert_eq!((bench.told().len(), bench.acks().len()), (3, 3));
}
