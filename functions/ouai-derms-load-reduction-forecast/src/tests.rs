use flow::memory::World;

use super::*;

const HEADER: &str = "SPId,ProgramId,ForecastCreatedTime,ForecastStartTime,ForecastEndTime,IntervalSize(Seconds),LoadReductionKw1,LoadReductionKw2\n";
const GOOD: &str = "1,2,2026-06-30T12:00:00Z,2026-07-01T00:00:00Z,2026-07-01T00:30:00Z,900,1.5,-0.25\n";
const BAD: &str = "1,3,2026-06-30T12:00:00Z,2026-07-01T00:00:00Z,2026-07-01T00:30:00Z,700,1.5,-0.25\n";

/// Drops a file and lets the flow handle its event; what stands in the inbox then.
async fn delivered(text: String) -> Option<String> {
    let world = World::new("2026-07-02T10:00:00Z".parse().unwrap());
    let flow: Flow = world.to_file_flow(NAME, LOOKUPS, open, "derms-inbox");
    world.drop_into(&flow, "load-reduction-forecast/day.csv", &text).await.unwrap()
}

#[tokio::test]
async fn a_good_file_arrives_as_it_is_and_a_bad_row_stays_behind() {
    let clean = format!("{HEADER}{GOOD}");
    assert_eq!(delivered(clean.clone()).await, Some(clean.clone()));
    assert_eq!(delivered(format!("{HEADER}{BAD}{GOOD}")).await, Some(clean));
}

#[tokio::test]
async fn a_file_without_its_columns_is_rejected_whole() {
    assert_eq!(delivered("a,b\n1,2\n".into()).await, None);
}
