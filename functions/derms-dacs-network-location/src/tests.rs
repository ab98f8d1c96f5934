use flow::memory::World;

use super::*;

const HEADER: &str = "servicePointId,transformerId,feederId,substationId,syncFlag,changeDateTime\n";
const GOOD: &str = "SP1,T1,F1,S1,F1IL,2026-07-01T00:00:00Z\n";
const BAD: &str = "SP2,T1,F1,S1,F1XX,2026-07-01T00:00:00Z\n";

/// Drops a file and lets the flow handle its event; what stands in the inbox then.
async fn delivered(text: String) -> Option<String> {
    let world = World::new("2026-07-02T10:00:00Z".parse().unwrap());
    let flow: Flow = world.to_file_flow(NAME, LOOKUPS, open, "dacs-inbox");
    world.drop_into(&flow, "network-location/full.csv", &text).await.unwrap()
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
