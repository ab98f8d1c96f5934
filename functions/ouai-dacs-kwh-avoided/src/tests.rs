use flow::memory::World;

use super::*;

const KWH: &str = "EventId,EventType,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),TotalKwh,\
TotalKwhSavedForPeriod,KwhSaved1,KwhSaved2\n";
const DROP: &str =
    "EventId,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),MaxKwDrop,KwDrop1,KwDrop2\n";
const TIMES: &str = "2026-07-01T14:00:00-05:00,2026-07-01T14:30:00-05:00,900";

/// Drops a file and lets the flow handle its event; what stands in DACS's inbox then.
async fn delivered(text: String) -> Option<String> {
    let world = World::new("2026-07-02T10:00:00Z".parse().unwrap());
    let flow: Flow = world.to_file_flow(NAME, LOOKUPS, open, "dacs-inbox");
    world.drop_into(&flow, "kwh-avoided/day.csv", &text).await.unwrap()
}

#[tokio::test]
async fn both_kinds_of_file_arrive_as_they_are_when_every_row_holds() {
    let kwh = format!("{KWH}4011,Economic,1,2,{TIMES},75.00,8.00,5.00,3.00\n");
    assert_eq!(delivered(kwh.clone()).await, Some(kwh));
    let drop = format!("{DROP}5011,1,2,{TIMES},5.00,5.00,\n");
    assert_eq!(delivered(drop.clone()).await, Some(drop));
}

#[tokio::test]
async fn a_row_whose_sum_or_maximum_is_wrong_stays_behind_and_the_others_arrive() {
    let good = format!("4011,Economic,1,2,{TIMES},75.00,8.00,5.00,3.00\n");
    let bad = format!("4011,Economic,1,3,{TIMES},75.00,9.00,5.00,3.00\n");
    assert_eq!(delivered(format!("{KWH}{bad}{good}")).await, Some(format!("{KWH}{good}")));
    let good = format!("5011,1,2,{TIMES},5.00,5.00,3.00\n");
    let bad = format!("5011,1,3,{TIMES},4.00,5.00,3.00\n");
    assert_eq!(delivered(format!("{DROP}{good}{bad}")).await, Some(format!("{DROP}{good}")));
}

#[tokio::test]
async fn a_file_of_neither_kind_is_rejected_whole() {
    assert_eq!(delivered("EventId,SPId\n1,2\n".into()).await, None);
}
