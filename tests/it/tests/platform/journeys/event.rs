//! A demand response event: scheduled, its devices reserved, one opted out, run, canceled in part, reported.

use std::collections::BTreeSet;

use flow::ledger::run::RunState;
use serde_json::json;

use super::{Did, Event, OUAI_OUTCOME, OUTCOME, RESERVATION, rows_of};
use crate::devices::acknowledged;
use crate::support::{MESSAGES, Platform, eventually, unique};

/// Two devices of one service point take part in two stages, and a third one opts out of the first. The second stage is
/// canceled, and the end of the first is told late, after the outcomes. DACS, DERMS and OUAI agree in the end on what happened.
#[tokio::test]
async fn an_event_of_two_stages_from_its_schedule_to_what_its_devices_did() {
    let _with_others = MESSAGES.read().await;
    let (platform, id) = (Platform::here().await, unique());
    let event = Event::new(&id);
    // The reservation of the first stage comes before DACS has that stage.
    let first = event.reserve(&platform, 1, &["a", "b"]).await;
    event.say(&platform, "M1", &[(1, "SCHEDULED"), (2, "SCHEDULED")]).await;
    let second = event.reserve(&platform, 2, &["c"]).await;
    for object in [&first, &second] {
        let run = platform.settled(RESERVATION, object, 120).await;
        assert_eq!((run.state, run.counts.rejected), (RunState::Delivered, 0), "{:?}", run.reason);
    }
    let reserved = platform.books("dacs").await["participations"]["reservations"].clone();
    assert_eq!(reserved[event.stage(1)], json!([format!("HES/a-{id}"), format!("HES/b-{id}")]));
    assert_eq!(reserved[event.stage(2)], json!([format!("HES/c-{id}")]));

    opt_out(&platform, &event, 1, "b").await;
    event.say(&platform, "M2", &[(1, "IN_PROGRESS")]).await;
    event.is(&platform, 1, "In Progress").await;
    event.say(&platform, "M3", &[(2, "CANCELED")]).await;
    event.is(&platform, 2, "Canceled").await;

    // The outcomes come before the stage is told to be over: DACS gets them then, OUAI at once.
    let place = format!("SP-{id}");
    let did = |stage, nic, outcome| Did { stage, nic, service_point: &place, outcome };
    let all = [did(1, "a", "SUCCESS"), did(1, "b", "CANCELED"), did(2, "c", "CANCELED")];
    let (outcomes, file) = event.report(&platform, &all).await;
    let own = platform.settled(OUAI_OUTCOME, &outcomes, 60).await;
    assert_eq!(own.state, RunState::Delivered, "{:?}", own.reason);
    let held = platform.run(OUTCOME, &outcomes).await;
    assert!(held.is_none_or(|run| !run.state.is_settled()), "outcomes reached DACS before their stage was over");
    event.say(&platform, "M4", &[(1, "COMPLETED")]).await;
    event.is(&platform, 1, "Completed").await;
    let run = platform.settled(OUTCOME, &outcomes, 120).await;
    assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 3), "{:?}", run.reason);

    let at_ouai = platform.bytes(platform.output("OuaiInboxBucket"), &outcomes.key).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&at_ouai), file);
    agree(&platform, &event, &at_ouai).await;
    for message in ["R1", "R2", "O", "M1", "M2", "M3", "M4"] {
        let (kind, responses) = acknowledged(&platform, &format!("{message}-{id}")).await;
        assert_eq!(kind, "SUCCESS", "{message}: {responses:?}");
    }
}

/// A customer asks DACS not to be called, and the DERMS hears of it.
async fn opt_out(platform: &Platform, event: &Event, stage: usize, nic: &str) {
    let id = format!("OO-{}", event.id);
    let body = json!({
        "communicationId": id, "eventExternalIdentifier": format!("E-{}", event.id),
        "externalIdentifier": event.stage(stage), "headEndSystem": "HES", "nicId": format!("{nic}-{}", event.id),
        "optOutDateTime": "2026-07-01T09:12:00-05:00", "reason": "guests",
    });
    assert_eq!(platform.post_as("dacs", "/v1/dacs/event-opt-out", &body).await.0, 202);
    eventually("the DERMS knows of the opt-out", 30, async || {
        let taken = platform.books("derms").await["optOuts"]["messages"][&id]["effects"].clone();
        (taken == 1).then_some(())
    })
    .await;
}

/// The three systems' books of the event against each other: DACS's reservations and outcomes, the DERMS's opt-outs, and the
/// file in OUAI's inbox name the same devices in the same stages, and say the same of each.
async fn agree(platform: &Platform, event: &Event, at_ouai: &[u8]) {
    let dacs = platform.books("dacs").await["participations"].clone();
    let mut reserved = BTreeSet::new();
    let mut told = BTreeSet::new();
    for stage in [event.stage(1), event.stage(2)] {
        for device in dacs["reservations"][&stage].as_array().unwrap() {
            reserved.insert((stage.clone(), device.as_str().unwrap().to_owned()));
        }
        for (device, entry) in dacs["outcomes"][&stage].as_object().unwrap() {
            let code = entry["body"]["outcome"].as_str().unwrap().to_owned();
            told.insert((stage.clone(), device.clone(), code));
        }
    }
    let codes = |outcome: &str| match outcome {
        "SUCCESS" => "D1SP".to_owned(),
        "CANCELED" => "D1CN".to_owned(),
        other => panic!("{other} is not in this story"),
    };
    let analyzed: BTreeSet<_> = rows_of(at_ouai)
        .iter()
        .map(|row| {
            let device = format!("{}/{}", row["headEndSystemId"], row["nicId"]);
            (row["stageId"].clone(), device, codes(&row["outcome"]))
        })
        .collect();
    assert_eq!(told, analyzed, "what DACS has of each device, and what OUAI has");
    let devices = |all: &BTreeSet<(String, String, String)>| -> BTreeSet<_> {
        all.iter().map(|(stage, device, _)| (stage.clone(), device.clone())).collect()
    };
    assert_eq!(devices(&told), reserved, "who was reserved, and of whom something was told");

    let opted_out = platform.books("derms").await["optOuts"]["messages"][format!("OO-{}", event.id)].clone();
    let asked = &opted_out["history"][0]["body"];
    let device = format!("{}/{}", asked["headEndSystem"].as_str().unwrap(), asked["nicId"].as_str().unwrap());
    let out = (asked["stageId"].as_str().unwrap().to_owned(), device, "D1CN".to_owned());
    assert!(told.contains(&out), "{out:?} opted out, and yet: {told:?}");
}
