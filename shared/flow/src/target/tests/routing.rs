//! Several installations of a neighbour, and what goes to which (contracts.md §7).

use domain::lookups::{Lookups, parse};
use domain::sync_ack::SyncAck;

use crate::Failure;
use crate::memory::{CONFIG, Targets, World};
use crate::message::Context;
use crate::sync_ack::{LOOKUPS, SyncRequestAcks};
use crate::target::{Routed, TargetClient};

const TARGETS: &str = "name,kind,url,secret,rate\n\
    dacs-north,dacs,https://north.example.com,targets/dacs/north,10\n\
    NMS-NORTH,derms,https://nms.example.com,targets/derms/north,10\n";
const ROUTING: &str = "by,value,target\n\
    division,NORTH,NMS-NORTH\ndivision,*,derms\n\
    drmsInstanceId,NMS-NORTH,dacs-north\ndrmsInstanceId,GONE,dacs-south\ndrmsInstanceId,WRONG,NMS-NORTH\n\
    drmsInstanceId,*,dacs\n";

fn world() -> World {
    World::new("2026-07-01T10:00:00Z".parse().unwrap())
}

fn lookups(tables: &[(&str, &str)]) -> Lookups {
    let mut lookups = Lookups::shipped();
    for (name, csv) in tables {
        lookups.replace(parse(name, csv.as_bytes()).unwrap());
    }
    lookups
}

fn routed(attempt: &str) -> Routed<'_> {
    Routed { flow: "a-flow", key: "M-1", attempt }
}

/// The name of the DACS that a message of this DERMS goes to, or why to none.
async fn way(dacs: &TargetClient, lookups: &Lookups, attempt: &str, drms: Option<&str>) -> Result<String, String> {
    match dacs.routed(routed(attempt), lookups, |lookups| lookups.dacs_of(drms)).await {
        Ok(client) => Ok(client.name.to_string()),
        Err(Failure::Rejected(rejected)) => Err(rejected.reason),
        Err(Failure::Transient(fault)) => panic!("{}", fault.chain()),
    }
}

#[tokio::test]
async fn an_attempt_keeps_to_the_installation_that_it_went_to_and_a_new_one_is_chosen_for_anew() {
    let (world, target) = (world(), Targets::answering(200, ""));
    let dacs = world.targets("dacs", target.clone(), &[("dacs-north", target)]);
    let before = lookups(&[("Targets", TARGETS), ("Routing", ROUTING)]);
    let after = lookups(&[("Targets", TARGETS)]);
    let from = Some("NMS-NORTH");
    assert_eq!(way(&dacs, &before, "M-1#1", from).await.as_deref(), Ok("dacs-north"));
    assert_eq!(way(&dacs, &after, "M-1#1", from).await.as_deref(), Ok("dacs-north"), "Routing says dacs by now");
    assert_eq!(way(&dacs, &after, "M-1#2", from).await.as_deref(), Ok("dacs"));
    assert_eq!(dacs.went_to("a-flow", "M-1", &after).await.unwrap().as_deref(), Some("dacs"));
}

#[tokio::test]
async fn a_name_that_is_no_such_neighbour_is_a_fault_of_the_data_that_says_which_lookup() {
    let (world, target) = (world(), Targets::answering(200, ""));
    let dacs = world.targets("dacs", target.clone(), &[("dacs-north", target)]);
    let several = lookups(&[("Targets", TARGETS), ("Routing", ROUTING)]);
    let why = |drms| way(&dacs, &several, "M-1#1", drms);
    assert_eq!(why(Some("GONE")).await.unwrap_err(), "lookup Targets has no entry for \"dacs-south\"");
    assert_eq!(why(Some("WRONG")).await.unwrap_err(), "lookup Targets: \"NMS-NORTH\" is no dacs");
    assert_eq!(why(None).await.as_deref(), Ok("dacs"));
    let listed = lookups(&[("Routing", "by,value,target\ndrmsInstanceId,NMS-NORTH,dacs\n")]);
    let unlisted = way(&dacs, &listed, "M-1#1", Some("NMS-SOUTH")).await;
    assert_eq!(unlisted.unwrap_err(), "lookup Routing has no entry for \"drmsInstanceId=NMS-SOUTH\"");
}

#[tokio::test]
async fn where_there_is_one_installation_nothing_is_written() {
    let world = world();
    let dacs = world.targets("dacs", Targets::answering(200, ""), &[]);
    assert_eq!(way(&dacs, &Lookups::shipped(), "M-1#1", Some("NMS-1")).await.as_deref(), Ok("dacs"));
    assert!(world.table.items().is_empty());
}

#[tokio::test]
async fn an_acknowledgement_goes_to_the_dacs_beside_the_derms_that_its_message_went_to() {
    let world = world();
    world.objects.put(CONFIG, "lookups/Targets.csv", TARGETS);
    world.objects.put(CONFIG, "lookups/Routing.csv", ROUTING);
    let (dacs, north, derms) = (Targets::answering(200, ""), Targets::answering(200, ""), Targets::answering(202, ""));
    let book = world.lookups("derms-dacs-enrollment-ack", LOOKUPS);
    let client = world.targets("derms", derms.clone(), &[("NMS-NORTH", derms)]);
    let outbound = Routed { flow: "dacs-derms-enrollment-sync", key: "10000000000001", attempt: "10000000000001#1" };
    let current = book.current().await.unwrap();
    client.routed(outbound, &current, |lookups| lookups.derms_of(Some("NORTH"))).await.unwrap();

    let mut acks: SyncRequestAcks = world.sync_request_acks(&book, "25.4".parse().unwrap(), dacs.clone());
    acks.dacs = world.targets("dacs", dacs.clone(), &[("dacs-north", north.clone())]);
    let invocation = world.invocation("one");
    let context = Context { flow: "derms-dacs-enrollment-ack", ..world.context(&invocation) };
    for id in ["10000000000001", "10000000000002"] {
        let ack = format!(r#"{{"dacsMessageId":"{id}","responseCode":"SUCCESS"}}"#);
        acks.acknowledge(&SyncAck::parse(ack.as_bytes()).unwrap(), &context).await.unwrap();
    }
    let paths = |targets: &Targets| targets.calls().into_iter().map(|call| call.path).collect::<Vec<_>>();
    assert_eq!(paths(&north), ["/rest/apis/common/sync/syncRequest/10000000000001"]);
    assert_eq!(paths(&dacs), ["/rest/apis/common/sync/syncRequest/10000000000002"], "nobody knows where it went");
}
