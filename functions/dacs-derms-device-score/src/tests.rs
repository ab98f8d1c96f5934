use flow::memory::{Targets, World};
use flow::ports::Payload;
use flow::trigger::{Reply, Trigger};

use super::*;

const HEADER: &str = "deviceId,headEndSystem,nicId,programCode,score,available,scoreDateTime";

fn flow(world: &World, derms: &Targets) -> Flow {
    let scores = DeviceScores { derms: world.target("derms", derms.clone()) };
    Flow { kit: world.file_kit(NAME, LOOKUPS), to_rest: to_rest(scores) }
}

/// Drops a score file and lets the flow handle its event once; whether the message may go.
async fn dropped(world: &World, derms: &Targets, rows: &str) -> bool {
    let object = world.objects.put("dacs-outbox", "device-score/SDCSE_1.csv", format!("{HEADER}\n{rows}"));
    let trigger = Trigger::Queue(vec![world.notification(&object)]);
    let reply = flow(world, derms).handle(trigger, world.invocation("one")).await.unwrap();
    reply == Reply::Batch { failed: vec![] }
}

fn world() -> World {
    World::new("2026-07-01T10:00:00Z".parse().unwrap())
}

/// The two parts of the form of one call: about the part, and its CSV.
fn form(call: &Call) -> (serde_json::Value, String) {
    let Payload::Form(parts) = &call.payload else { panic!("not a form") };
    let text = |part: &FormPart| String::from_utf8(part.bytes.to_vec()).unwrap();
    (serde_json::from_str(&text(&parts[0])).unwrap(), text(&parts[1]))
}

#[tokio::test]
async fn the_derms_gets_the_valid_rows_under_its_own_header_as_the_last_part_of_the_set() {
    let (world, derms) = (world(), Targets::answering(202, ""));
    let rows = "D1,HES,N1,SUMMER,-1.5,Y,2026-07-01T06:00:00-05:00\nD2,HES,N2,SUMMER,x,Y,2026-07-01T06:00:00-05:00\n";
    assert!(dropped(&world, &derms, rows).await);
    let calls = derms.calls();
    let (about, csv) = form(&calls[0]);
    assert_eq!((calls.len(), calls[0].path.as_str()), (1, "/device_scores"));
    assert_eq!((&about["part"], &about["last"]), (&json!(1), &json!(true)));
    let expected = format!("{DERMS_HEADER}D1,HES,N1,SUMMER,-1.5,Y,2026-07-01T06:00:00-05:00,,,,,\n");
    assert_eq!(csv, expected);
}

#[tokio::test]
async fn the_same_device_in_two_programs_is_two_rows_and_twice_in_one_is_a_duplicate() {
    let (world, derms) = (world(), Targets::answering(200, ""));
    let row = |program: &str, score: &str| format!("D1,HES,N1,{program},{score},Y,2026-07-01T06:00:00Z\n");
    let rows = [row("SUMMER", "1"), row("WINTER", "2"), row("SUMMER", "3")].concat();
    assert!(dropped(&world, &derms, &rows).await);
    assert_eq!(form(&derms.calls()[0]).1.lines().count(), 3);
    let rejected = world.objects.keys("rejects").into_iter().find(|key| key.ends_with("reasons.csv")).unwrap();
    let reasons = world.objects.bytes("rejects", &rejected).unwrap();
    assert!(String::from_utf8_lossy(&reasons).contains("4,,duplicate of line 2"));
}

#[tokio::test]
async fn a_refused_part_ends_the_file_with_the_derms_own_words_and_an_outage_does_not() {
    let (world, refusing) = (world(), Targets::answering(400, r#"{"detail":"set is closed"}"#));
    assert!(dropped(&world, &refusing, "D1,HES,N1,SUMMER,1,Y,2026-07-01T06:00:00Z\n").await);
    let notice = world.notices.all().remove(0);
    assert!(notice.text.contains("part 1: the DERMS answered 400: set is closed"), "{}", notice.text);

    let (world, down) = (super::tests::world(), Targets::answering(503, ""));
    assert!(!dropped(&world, &down, "D1,HES,N1,SUMMER,1,Y,2026-07-01T06:00:00Z\n").await, "the message stays");
}

#[tokio::test]
async fn a_head_end_that_the_lookup_does_not_know_is_a_business_error_of_its_row_naming_lookup_and_value() {
    let (world, derms) = (world(), Targets::answering(200, ""));
    world.objects.put("config", "lookups/HeadEndSystem.csv", "key,value\nHES,head-end-1\n");
    let rows = "D1,HES,N1,SUMMER,1,Y,2026-07-01T06:00:00Z\nD2,OTHER,N2,SUMMER,1,Y,2026-07-01T06:00:00Z\n";
    assert!(dropped(&world, &derms, rows).await);
    assert!(form(&derms.calls()[0]).1.contains("D1,head-end-1,N1"));
    let rejected = world.objects.keys("rejects").into_iter().find(|key| key.ends_with("reasons.csv")).unwrap();
    let reasons = String::from_utf8(world.objects.bytes("rejects", &rejected).unwrap().to_vec()).unwrap();
    assert!(
        reasons.contains("3,headEndSystem,") && reasons.contains("HeadEndSystem") && reasons.contains("OTHER"),
        "{reasons}"
    );
}
