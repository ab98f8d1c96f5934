use domain::sync_request::DacsRelease;
use flow::ledger::open::Matter;
use flow::memory::{REJECTS, Targets, World};
use flow::ports::Payload;
use serde_json::{Value, json};

use super::*;

const HEADER: &str = "syncRequestId,syncFlag,action,subscriptionId,subscriptionType,status,programId,programCode,\
cisPersonId,cisAccountId,cisPremiseId,cisServicePointId,servicePointId,startDateTime,changeDateTime";

fn row(id: &str, action: &str) -> String {
    format!("{id},F1IC,{action},S1,DEVICE,ACTIVE,1,SUMMER,P1,A1,PR1,C1,SP1,2026-07-01T00:00:00Z,2026-07-01T00:00:00Z\n")
}

/// Drops an extract; what stands in OUAI's inbox then, and what DACS was told.
async fn dropped(header: &str, rows: &[String]) -> (Option<String>, Vec<Value>) {
    let (_, arrived, told) = world_after(header, rows).await;
    (arrived, told)
}

async fn world_after(header: &str, rows: &[String]) -> (World, Option<String>, Vec<Value>) {
    let world = World::new("2026-07-02T10:00:00Z".parse().unwrap());
    let dacs = Targets::answering(200, "");
    let acks = SyncRequestAcks {
        dacs: world.target("dacs", dacs.clone()),
        release: "25.4".parse::<DacsRelease>().unwrap(),
        exception: ExceptionCode::new(90_000, 1).unwrap(),
        lookups: world.lookups(NAME, LOOKUPS),
    };
    let mut flow: Flow = world.to_file_flow(NAME, LOOKUPS, open, "ouai-inbox");
    flow.to_file.tell = Some(tell(acks));
    let text = format!("{header}\n{}", rows.concat());
    let arrived = world.drop_into(&flow, "enrollment-sync/ENROLL_SYNC_1.csv", &text).await.unwrap();
    let told = dacs.calls().into_iter().map(|call| {
        let Payload::Json(body) = call.payload else { panic!("no JSON") };
        serde_json::from_slice(&body).unwrap()
    });
    let told = told.collect();
    (world, arrived, told)
}

#[tokio::test]
async fn a_rejected_row_turns_its_sync_request_to_error_with_the_reason_and_the_others_arrive() {
    let rows = [row("10000000000001", "ENROLL"), row("10000000000002", "REPLACE"), row("10000000000003", "UNENROLL")];
    let (arrived, told) = dropped(HEADER, &rows).await;
    assert_eq!(arrived, Some(format!("{HEADER}\n{}{}", rows[0], rows[2])));
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["syncRequestId"], &told[0]["hasError"]), (&json!("10000000000002"), &json!(true)));
    assert!(told[0]["exceptionInfo"][0]["comments"].as_str().unwrap().contains("action"), "{told:?}");
}

#[tokio::test]
async fn when_no_row_is_valid_nothing_arrives_and_every_sync_request_hears_of_it() {
    let rows = [row("10000000000001", "REPLACE"), row("10000000000002", "REPLACE")];
    let (arrived, told) = dropped(HEADER, &rows).await;
    assert_eq!((arrived, told.len()), (None, 2));
}

#[tokio::test]
async fn a_device_column_rejects_the_file_so_that_no_device_data_leaves() {
    let header = format!("{HEADER},nicId");
    let row = row("10000000000001", "ENROLL").replace('\n', ",nic-1\n");
    assert_eq!(dropped(&header, &[row]).await, (None, vec![]));
}

#[tokio::test]
async fn the_sync_requests_that_reached_ouai_are_listed_and_awaited_but_no_row_of_an_initial_load() {
    let initial = row("", "ENROLL").replace("F1IC", "F1IL");
    let rows = [row("10000000000001", "ENROLL"), row("10000000000002", "REPLACE"), initial];
    let (world, ..) = world_after(HEADER, &rows).await;
    let lists: Vec<_> = world.objects.keys(REJECTS).into_iter().filter(|key| key.contains("/ids/")).collect();
    let listed: Vec<_> = lists.iter().map(|key| world.objects.bytes(REJECTS, key).unwrap()).collect();
    assert_eq!(listed, ["10000000000001\n"]);
    assert!(matches!(world.open(NAME).as_slice(), [(Matter::AwaitingAck, _)]), "{:?}", world.open(NAME));
}
