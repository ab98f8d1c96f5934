//! DACS's program events, reservations and outcomes as contracts.md §4 and §9 have them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod neighbours;

use neighbours::{Neighbours, start};
use serde_json::{Value, json};

const EVENTS: &str = "/dacs/rest/apis/cross/service/programEvent";

/// A sandbox whose DACS is of 25.4, where a lifecycle call names the stage `externalIdentifier`.
async fn of_25_4() -> Neighbours {
    let it = start().await;
    it.http.put(it.url("/control/dacs")).json(&json!({"release": "25.4"})).send().await.unwrap();
    it
}

async fn post(it: &Neighbours, path: &str, body: &Value) -> (u16, Value) {
    let call = it.http.post(it.url(&format!("{EVENTS}{path}"))).json(body);
    let answer = it.as_dacs(call).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn create(it: &Neighbours, stage: &str) -> (u16, Value) {
    let body = json!({
        "programExternalIdentifier": "EXT-SUMMER", "eventExternalIdentifier": "E-1", "externalIdentifier": stage,
        "programEventCategory": "X1EC", "startDateTime": "2026-07-01T18:00:00Z", "endDateTime": "2026-07-01T20:00:00Z",
    });
    post(it, "/", &body).await
}

async fn tell(it: &Neighbours, stage: &str, action: &str) -> (u16, Value) {
    post(it, "/lifecycle", &json!({"action": action, "externalIdentifier": stage})).await
}

async fn reserve(it: &Neighbours, stage: &str, nics: &[&str]) -> (u16, Value) {
    let devices: Vec<Value> = nics.iter().map(|nic| json!({"headEndSystem": "H", "nicId": nic})).collect();
    let body = json!({
        "eventExternalIdentifier": stage, "eventStartDateTime": "2026-07-01T18:00:00Z",
        "eventEndDateTime": "2026-07-01T20:00:00Z", "deviceList": devices,
    });
    post(it, "Participation/reserveDevice", &body).await
}

fn outcome(stage: &str, nic: &str, code: &str) -> Value {
    let mut item = json!({"eventExternalIdentifier": stage, "headEndSystem": "H", "nicId": nic, "outcome": code});
    if code == "D1SP" {
        item["participationStartDateTime"] = json!("2026-07-01T18:00:00Z");
        item["participationEndDateTime"] = json!("2026-07-01T20:00:00Z");
    }
    item
}

#[tokio::test]
async fn a_program_event_goes_through_its_life_in_order_and_answers_repeats_with_their_number() {
    let it = of_25_4().await;
    assert_eq!(tell(&it, "S-1", "X1IP").await.1["messageNumber"], 20011);
    assert_eq!(create(&it, "S-1").await.1["nextActions"], json!(["X1IP", "F1CN"]));
    assert_eq!(create(&it, "S-1").await.1["messageNumber"], 20002);
    assert_eq!(tell(&it, "S-1", "X1SD").await.1["messageNumber"], 20003);
    let (status, early) = tell(&it, "S-1", "F1CO").await;
    assert_eq!(
        (status, &early["messageNumber"], &early["nextActions"]),
        (400, &json!(20013), &json!(["X1IP", "F1CN"]))
    );
    assert_eq!(tell(&it, "S-1", "X1IP").await.0, 200);
    assert_eq!(tell(&it, "S-1", "F1CO").await.1["nextActions"], json!([]));
    assert_eq!(tell(&it, "S-1", "F1CN").await.1["messageNumber"], 20023);
    let event = it.books("dacs").await["programEvents"]["S-1"].clone();
    assert_eq!((&event["state"], &event["effects"], &event["repeats"]), (&json!("Completed"), &json!(3), &json!(2)));
}

#[tokio::test]
async fn devices_are_reserved_while_the_event_is_scheduled_and_each_for_one_event() {
    let it = of_25_4().await;
    assert_eq!(reserve(&it, "S-1", &["n1"]).await.1["messageNumber"], 20011);
    create(&it, "S-1").await;
    create(&it, "S-2").await;
    let unknown = it.http.put(it.url("/control/dacs/unknown-devices")).json(&json!({"nicIds": ["n9"]}));
    unknown.send().await.unwrap();
    assert_eq!(reserve(&it, "S-1", &["n1", "n9"]).await.1["errors"][0]["messageNumber"], 20021);
    assert_eq!(reserve(&it, "S-1", &["n1"]).await.1["errors"][0]["messageNumber"], 20004);
    assert_eq!(reserve(&it, "S-2", &["n1"]).await.1["errors"][0]["messageNumber"], 20022);
    tell(&it, "S-1", "F1CN").await;
    assert_eq!(reserve(&it, "S-2", &["n1"]).await.1["errors"], json!([]));
    tell(&it, "S-2", "X1IP").await;
    assert_eq!(reserve(&it, "S-2", &["n2"]).await.1["messageNumber"], 20012);
    let books = it.books("dacs").await["participations"].clone();
    assert_eq!(books["reservations"], json!({"S-1": ["H/n1"], "S-2": ["H/n1"]}));
}

#[tokio::test]
async fn an_outcome_is_an_upsert_by_stage_and_device_and_a_call_has_one_stage() {
    let it = start().await;
    create(&it, "S-1").await;
    create(&it, "S-2").await;
    let post = |body: Value| {
        let it = &it;
        async move { post(it, "Participation/postEventOutcome", &body).await }
    };
    assert_eq!(post(json!([outcome("S-1", "n1", "D1SP")])).await.1["errors"], json!([]));
    post(json!([outcome("S-1", "n1", "D1SP")])).await;
    post(json!([outcome("S-1", "n1", "D1ND")])).await;
    let two = json!([outcome("S-1", "n1", "D1ND"), outcome("S-2", "n1", "D1ND")]);
    assert_eq!(post(two).await.0, 400);
    let mut long = outcome("S-1", "n1", "D1ER");
    long["errorMessage"] = json!("e".repeat(101));
    assert_eq!(post(json!([long])).await.1["errors"][0]["field"], "outcomes[0].errorMessage");
    assert_eq!(post(json!([outcome("S-9", "n1", "D1ND")])).await.1["messageNumber"], 20011);
    let books = it.books("dacs").await["participations"].clone();
    let kept = &books["outcomes"]["S-1"]["H/n1"];
    assert_eq!((&kept["body"]["outcome"], &kept["calls"]), (&json!("D1ND"), &json!(3)));
    assert_eq!((&books["effects"], &books["repeats"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn since_25_10_a_lifecycle_call_names_the_stage_otherwise() {
    let it = start().await;
    it.http.put(it.url("/control/dacs")).json(&json!({"release": "25.10"})).send().await.unwrap();
    create(&it, "S-1").await;
    assert_eq!(tell(&it, "S-1", "X1IP").await.1["messageNumber"], 20023);
    let renamed = json!({"action": "X1IP", "eventExternalIdentifier": "S-1"});
    assert_eq!(post(&it, "/lifecycle", &renamed).await.0, 200);
}
