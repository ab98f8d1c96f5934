use flow::memory::World;

use super::*;

const HEADER: &str = "recordId,eventId,eventType,stageId,stageStartDateTime,stageEndDateTime,programId,programCode,\
servicePointId,headEndSystemId,nicId,outcome,errorMessage\n";
const STAGE: &str = "E-1,ECONOMIC,S-1,2026-07-01T18:00:00Z,2026-07-01T20:00:00Z,4711,SUMMER,SP-1,HES";

async fn delivered(rows: &str) -> Option<String> {
    let world = World::new("2026-07-02T10:00:00Z".parse().unwrap());
    let flow: Flow = world.to_file_flow(NAME, LOOKUPS, open, "ouai-inbox");
    world.drop_into(&flow, "device-outcome/day.csv", &format!("{HEADER}{rows}")).await.unwrap()
}

#[tokio::test]
async fn an_outcome_file_arrives_as_it_is_with_its_error_texts_uncut() {
    let row = format!("r1,{STAGE},n1,ERROR,{}\n", "e".repeat(300));
    assert_eq!(delivered(&row).await, Some(format!("{HEADER}{row}")));
}

#[tokio::test]
async fn a_row_whose_outcome_nobody_knows_stays_behind() {
    let (good, bad) = (format!("r1,{STAGE},n1,ERROR,\n"), format!("r2,{STAGE},n2,ASLEEP,\n"));
    assert_eq!(delivered(&format!("{bad}{good}")).await, Some(format!("{HEADER}{good}")));
}
