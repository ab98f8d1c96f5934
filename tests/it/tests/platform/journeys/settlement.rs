//! Settlement: what the devices of an event did, what each service point saved by it, and what DACS can pay for.

use std::collections::{BTreeMap, BTreeSet};

use flow::ledger::run::{Run, RunState};
use flow::ports::ObjectRef;
use serde_json::Value;

use super::{Did, Event, OUAI_OUTCOME, OUTCOME, RESERVATION, rows_of};
use crate::support::{KWH, Platform, unique};

const MEASURED: &str = "ouai-dacs-kwh-avoided";
const HEADER: &str = "EventId,EventType,ProgramId,SPId,ActualStartTime,ActualEndTime,IntervalSize(Seconds),TotalKwh,\
                      TotalKwhSavedForPeriod,KwhSaved1,KwhSaved2,KwhSaved3,KwhSaved4\n";

/// Event, program and service point, with the hundredths of a kWh that were saved in each quarter of an hour.
type Savings = BTreeMap<(String, String, String), Vec<i64>>;

/// Four devices at three service points: two at one of them take part, another customer's overrides and so saves less, a
/// fourth never answers. OUAI measures whoever took part, makes a mistake in one sum, and sends that row again.
#[tokio::test]
async fn whoever_took_part_is_measured_once_and_dacs_holds_what_analytics_has_found() {
    let (platform, id) = (Platform::here().await, unique());
    let event = Event::new(&id);
    let outcomes = run_event(&platform, &event).await;
    let at_ouai = platform.bytes(platform.output("OuaiInboxBucket"), &outcomes.key).await.unwrap();

    let found = measured(&rows_of(&at_ouai));
    let _alone = KWH.lock().await;
    let run = send(&platform, &format!("{id}.csv"), &found, true).await;
    assert_eq!((run.counts.delivered, run.counts.rejected), (1, 1), "{:?}", run.reason);
    let (rejected, _) = platform.rejects(MEASURED, &run).await;
    let mended = String::from_utf8(rejected.unwrap().to_vec()).unwrap().replace(",9.99,", &total(&found, 0));
    let name = format!("{}.{}.rows.csv", run.file_name(), run.id);
    let corrected = platform.drop_file(MEASURED, &name, mended).await;
    let again = platform.settled(MEASURED, &corrected, 60).await;
    assert_eq!((again.state, again.counts.delivered, again.parent), (RunState::Delivered, 1, Some(run.id.clone())));

    let held = held_by_dacs(&platform, &[format!("kwh-avoided/{id}.csv"), corrected.key]).await;
    assert_eq!(held, found, "DACS holds what OUAI has found, each once");
    assert_eq!(held.keys().cloned().collect::<BTreeSet<_>>(), took_part(&platform, &event, &at_ouai).await);
}

/// The event from its schedule to the file of what its devices did.
async fn run_event(platform: &Platform, event: &Event) -> ObjectRef {
    event.say(platform, "M1", &[(1, "SCHEDULED")]).await;
    let reserved = event.reserve(platform, 1, &["a", "b", "c", "d"]).await;
    assert_eq!(platform.settled(RESERVATION, &reserved, 120).await.counts.delivered, 4);
    event.say(platform, "M2", &[(1, "IN_PROGRESS")]).await;
    event.say(platform, "M3", &[(1, "COMPLETED")]).await;
    let place = |number: u8| format!("SP{number}-{}", event.id);
    let (one, two, three) = (place(1), place(2), place(3));
    let did = |nic, service_point, outcome| Did { stage: 1, nic, service_point, outcome };
    let all = [
        did("a", &one, "SUCCESS"),
        did("b", &one, "SUCCESS"),
        did("c", &two, "OVERRIDE"),
        did("d", &three, "NON_RESPONSIVE"),
    ];
    let (outcomes, _) = event.report(platform, &all).await;
    for flow in [OUTCOME, OUAI_OUTCOME] {
        let run = platform.settled(flow, &outcomes, 120).await;
        assert_eq!((run.state, run.counts.delivered), (RunState::Delivered, 4), "{flow}: {:?}", run.reason);
    }
    outcomes
}

/// What OUAI finds: of each service point at which a device took part, 1 kWh in a quarter for each, a quarter of it for one
/// that was overridden.
fn measured(outcomes: &[BTreeMap<String, String>]) -> Savings {
    let mut found = Savings::new();
    for row in outcomes {
        let saved = match row["outcome"].as_str() {
            "SUCCESS" => 100,
            "OVERRIDE" => 25,
            _ => continue,
        };
        let key = (row["eventId"].clone(), row["programId"].clone(), row["servicePointId"].clone());
        for quarter in found.entry(key).or_insert_with(|| vec![0; 4]) {
            *quarter += saved;
        }
    }
    found
}

/// OUAI sends its findings; the first row says a sum that is not the one of its intervals, if so asked.
async fn send(platform: &Platform, name: &str, found: &Savings, first_is_wrong: bool) -> Run {
    let rows = found.iter().enumerate().map(|(number, ((event, program, place), quarters))| {
        let total = if number == 0 && first_is_wrong { ",9.99,".into() } else { total(found, number) };
        let quarters: Vec<String> = quarters.iter().map(|hundredths| kwh(*hundredths)).collect();
        format!(
            "{event},Economic,{program},{place},2026-07-01T14:00:00-05:00,2026-07-01T15:00:00-05:00,900,20.00{total}{}\n",
            quarters.join(",")
        )
    });
    let file = format!("{HEADER}{}", rows.collect::<String>());
    let object = platform.drop_file(MEASURED, name, file).await;
    platform.settled(MEASURED, &object, 60).await
}

/// The field of the sum, with its commas.
fn total(found: &Savings, number: usize) -> String {
    let quarters = found.values().nth(number).unwrap();
    format!(",{},", kwh(quarters.iter().sum()))
}

fn kwh(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// What lies in DACS's inbox, in which DACS itself finds nothing wrong.
async fn held_by_dacs(platform: &Platform, keys: &[String]) -> Savings {
    let mut held = Savings::new();
    for key in keys {
        let bytes = platform.bytes(platform.output("DacsInboxBucket"), key).await.unwrap();
        let read = platform.tell(reqwest::Method::PUT, &format!("dacs/inbox/{key}"), bytes.clone()).await;
        assert_eq!(read["violations"].as_array().map(Vec::len), Some(0), "{key}: {read}");
        for row in rows_of(&bytes) {
            let quarter = |n: u8| row[&format!("KwhSaved{n}")].replace('.', "").parse::<i64>().unwrap();
            let key = (row["EventId"].clone(), row["ProgramId"].clone(), row["SPId"].clone());
            assert!(held.insert(key.clone(), (1..=4).map(quarter).collect()).is_none(), "{key:?} is there twice");
        }
    }
    held
}

/// The service points at which, by DACS's own books, a device took part; OUAI's file says where each device is.
async fn took_part(platform: &Platform, event: &Event, at_ouai: &[u8]) -> BTreeSet<(String, String, String)> {
    let told = platform.books("dacs").await["participations"]["outcomes"][event.stage(1)].clone();
    let took_part = |entry: &Value| ["D1SP", "D1IO"].iter().any(|code| entry["body"]["outcome"] == *code);
    let rows = rows_of(at_ouai);
    let rows = rows.iter().filter(|row| took_part(&told[format!("{}/{}", row["headEndSystemId"], row["nicId"])]));
    rows.map(|row| (row["eventId"].clone(), row["programId"].clone(), row["servicePointId"].clone())).collect()
}
