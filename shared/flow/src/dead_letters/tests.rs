use std::time::Duration;

use domain::sync_request::ExceptionCode;

use super::*;
use crate::file::tests::harness::Bench as Files;
use crate::ledger::open::Matter;
use crate::ledger::run::RunState;
use crate::memory::{Targets, World};
use crate::message::tests::{Bench as Messages, Plan};
use crate::ports::{Call, Payload};

const SYNC: &str = "dacs-derms-enrollment-sync";
const ACKS: &str = "derms-dacs-enrollment-ack";
const SCORES: &str = "dacs-derms-device-score";
const HOUR: Duration = Duration::from_secs(3600);

fn kit(world: &World, dacs: &Targets) -> DeadLetterKit {
    with_derms(world, dacs, &Targets::answering(200, ""))
}

fn with_derms(world: &World, dacs: &Targets, derms: &Targets) -> DeadLetterKit {
    let queue = world.queue.clone();
    let lookups = world.lookups("error-handler", crate::sync_ack::LOOKUPS);
    DeadLetterKit {
        ledger: world.ledger(),
        notifier: Arc::new(world.notices.clone()),
        telemetry: Arc::new(world.reports.clone()),
        clock: Arc::new(world.clock.clone()),
        queues: Box::new(move |_| Arc::new(queue.clone())),
        acks: SyncRequestAcks {
            dacs: world.target("dacs", dacs.clone()),
            release: "25.4".parse().unwrap(),
            exception: ExceptionCode::new(90_000, 1).unwrap(),
            lookups: lookups.clone(),
        },
        checks: StatusAnswers { dacs: world.target("dacs", dacs.clone()), lookups },
        derms: DermsAcks { derms: world.target("derms", derms.clone()) },
        retry_limit: SignedDuration::from_hours(24),
    }
}

async fn dead(world: &World, dacs: &Targets, flow: &str, delivery: Delivery) -> Vec<String> {
    deal_with(&kit(world, dacs), &[letter(flow, delivery)], &world.invocation("handler")).await
}

fn letter(flow: &str, delivery: Delivery) -> DeadLetter {
    let queue = format!("prod-{flow}{}", if delivery.group.is_some() { ".fifo" } else { "" });
    DeadLetter { queue, delivery }
}

/// The first message of the queue, given up by it.
fn lost(world: &World) -> Delivery {
    let delivery = world.queue.take(1).remove(0);
    world.queue.remove(delivery.receipt.as_ref().unwrap());
    delivery
}

fn sync() -> Messages {
    Messages::of(SYNC, World::new("2026-07-01T10:00:00Z".parse().unwrap()))
}

fn subjects(world: &World) -> Vec<String> {
    world.notices.all().into_iter().map(|notice| notice.subject).collect()
}

#[tokio::test]
async fn a_message_within_its_limit_goes_back_into_its_queue_and_is_delivered_when_the_function_runs_again() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.post("m1", "s1", 1).await;
    let letter = lost(&bench.world);
    assert_eq!(dead(&bench.world, &dacs, SYNC, letter).await, Vec::<String>::new());
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1"]);
    assert_eq!(subjects(&bench.world), [format!("{SYNC}: its function does not deal with what comes")]);
    assert_eq!((dacs.calls().len(), bench.world.reports.tallied(SYNC, "DeadLetters")), (0, 1));
}

#[tokio::test]
async fn a_message_that_comes_back_is_never_delivered_over_one_that_was_accepted_after_it() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.post("m0", "s1", 0).await;
    bench.drain().await;
    bench.post("m1", "s1", 1).await;
    let letter = lost(&bench.world);
    bench.post("m2", "s1", 2).await;
    dead(&bench.world, &dacs, SYNC, letter).await;
    bench.drain().await;
    assert_eq!(bench.sent(), ["m0=0", "m2=2"]);
    assert_eq!(bench.message("m1").state, MessageState::Refused);
    assert!(bench.message("m1").reason.unwrap().contains("message m2 of the same order"));
}

#[tokio::test]
async fn a_message_that_comes_back_is_not_delivered_over_one_that_was_delivered_before_its_letter_was_taken() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.post("m0", "s1", 0).await;
    bench.drain().await;
    bench.post("m1", "s1", 1).await;
    let letter = lost(&bench.world);
    bench.world.clock.advance(Duration::from_secs(1));
    bench.post("m2", "s1", 2).await;
    bench.drain().await;
    dead(&bench.world, &dacs, SYNC, letter).await;
    bench.drain().await;
    assert_eq!(bench.sent(), ["m0=0", "m2=2"]);
    assert_eq!(bench.message("m1").state, MessageState::Refused);
}

#[tokio::test]
async fn of_two_that_come_back_the_one_that_was_accepted_first_is_not_delivered_over_the_other() {
    for before in [&[][..], &["m0"]] {
        let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
        for id in before {
            bench.post(id, "s1", 0).await;
        }
        bench.drain().await;
        for id in ["m1", "m2"] {
            bench.post(id, "s1", 1).await;
        }
        let letters = [lost(&bench.world), lost(&bench.world)];
        for letter in letters {
            dead(&bench.world, &dacs, SYNC, letter).await;
        }
        let first = lost(&bench.world);
        dead(&bench.world, &dacs, SYNC, first).await;
        bench.drain().await;
        let states = ["m1", "m2"].map(|id| bench.message(id).state);
        assert_eq!(states, [MessageState::Refused, MessageState::Delivered], "after {before:?}");
    }
}

#[tokio::test]
async fn of_two_that_come_back_in_their_order_both_are_delivered() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    for id in ["m1", "m2"] {
        bench.post(id, "s1", 1).await;
    }
    let letters = [lost(&bench.world), lost(&bench.world)];
    for letter in letters {
        dead(&bench.world, &dacs, SYNC, letter).await;
    }
    bench.drain().await;
    bench.post("m3", "s1", 3).await;
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1", "m2=1", "m3=3"]);
}

#[tokio::test]
async fn a_message_that_was_sent_again_as_it_was_comes_back_as_that_attempt() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    bench.world.clock.advance(48 * HOUR);
    bench.post("m1", "s1", 1).await;
    let letter = lost(&bench.world);
    assert_eq!(dead(&bench.world, &dacs, SYNC, letter).await, Vec::<String>::new());
    assert_eq!((bench.message("m1").state, bench.world.open(SYNC)), (MessageState::Accepted, Vec::new()));
    bench.drain().await;
    assert_eq!((bench.sent(), bench.message("m1").state), (vec!["m1=1".to_owned()], MessageState::Delivered));
}

#[tokio::test]
async fn a_message_that_comes_back_alone_keeps_its_place_after_what_was_delivered_before_it() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.post("m0", "s1", 0).await;
    bench.drain().await;
    bench.post("m1", "s1", 1).await;
    let letter = lost(&bench.world);
    dead(&bench.world, &dacs, SYNC, letter).await;
    bench.drain().await;
    bench.post("m2", "s1", 2).await;
    bench.drain().await;
    assert_eq!(bench.sent(), ["m0=0", "m1=1", "m2=2"]);
}

#[tokio::test]
async fn past_its_limit_a_message_fails_its_sync_request_turns_to_error_and_people_are_told() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.post("m1", "s1", 1).await;
    let letter = lost(&bench.world);
    bench.world.clock.advance(27 * HOUR);
    dead(&bench.world, &dacs, SYNC, letter.clone()).await;
    assert_eq!(bench.message("m1").state, MessageState::Failed);
    assert_eq!(bench.world.open(SYNC), [(Matter::Failed, "m1".into())]);
    let calls = dacs.calls();
    assert!(calls.len() == 1 && calls[0].path.ends_with("/syncRequest/m1"), "{calls:?}");
    assert_eq!(subjects(&bench.world), [format!("{SYNC}: a message was failed")]);
    assert_eq!(dead(&bench.world, &dacs, SYNC, letter).await, Vec::<String>::new(), "the letter again");
    assert_eq!((dacs.calls().len(), bench.world.queue.waiting()), (1, 0));
}

#[tokio::test]
async fn what_was_given_up_is_not_sent_again_over_what_was_delivered_meanwhile_unless_forced() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.post("m1", "s1", 1).await;
    let letter = lost(&bench.world);
    bench.world.clock.advance(HOUR);
    bench.post("m2", "s1", 2).await;
    bench.drain().await;
    bench.world.clock.advance(27 * HOUR);
    dead(&bench.world, &dacs, SYNC, letter).await;
    assert_eq!(bench.message("m1").state, MessageState::Failed);
    let desk = crate::operate::Messages {
        flow: SYNC.into(),
        ledger: bench.world.ledger(),
        queue: Arc::new(bench.world.queue.clone()),
        clock: Arc::new(bench.world.clock.clone()),
    };
    desk.resend("m1", false).await.unwrap_err();
    desk.resend("m1", true).await.unwrap();
    bench.drain().await;
    assert_eq!(bench.sent(), ["m2=2", "m1=1"]);
}

#[tokio::test]
async fn while_dacs_cannot_be_told_the_letter_and_what_follows_it_stay() {
    let (bench, dacs) = (sync(), Targets::answering(500, ""));
    bench.post("m1", "s1", 1).await;
    let letter = lost(&bench.world);
    bench.world.clock.advance(27 * HOUR);
    assert_eq!(dead(&bench.world, &dacs, SYNC, letter.clone()).await, [letter.message_id]);
    assert_eq!(bench.message("m1").state, MessageState::Accepted);
}

#[tokio::test]
async fn what_follows_a_letter_that_stays_in_its_order_stays_too_and_nothing_else_does() {
    let (bench, dacs) = (sync(), Targets::answering(500, ""));
    for (id, order) in [("m1", "s1"), ("m2", "s1"), ("m3", "s2")] {
        bench.post(id, order, 1).await;
    }
    let [m1, m2, m3] = [(); 3].map(|()| lost(&bench.world));
    bench.world.clock.advance(27 * HOUR);
    // Within its limit, of an order of the same name: another flow's.
    let other = Delivery { message_id: "other".into(), body: "no nudge".into(), ..m1.clone() };
    let all = [letter(SYNC, m1.clone()), letter(SYNC, m2.clone()), letter(SYNC, m3), letter(ACKS, other)];
    let stay = deal_with(&kit(&bench.world, &dacs), &all, &bench.world.invocation("handler")).await;
    assert_eq!(stay[..2], [m1.message_id, m2.message_id]);
    assert!(!stay.contains(&"other".to_owned()), "{stay:?}");
    let calls: Vec<_> = dacs.calls().into_iter().map(|call| call.path).collect();
    assert!(
        calls.iter().any(|path| path.ends_with("/m3")) && !calls.iter().any(|path| path.ends_with("/m2")),
        "{calls:?}"
    );
}

#[tokio::test]
async fn a_letter_that_names_no_queue_of_a_flow_stays() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.post("m1", "s1", 1).await;
    let delivery = lost(&bench.world);
    let nameless = DeadLetter { queue: "prod.fifo".into(), delivery: delivery.clone() };
    let stay = deal_with(&kit(&bench.world, &dacs), &[nameless], &bench.world.invocation("handler")).await;
    assert_eq!(stay, [delivery.message_id]);
}

#[tokio::test]
async fn a_letter_of_a_message_that_has_ended_or_was_sent_again_since_is_of_no_use() {
    let (bench, dacs) = (sync(), Targets::answering(200, "{}"));
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    let letter = bench.world.queue.take(1).remove(0);
    bench.world.clock.advance(HOUR);
    bench.drain().await;
    bench.post("m1", "s1", 2).await;
    let waiting = bench.world.queue.waiting();
    assert_eq!(dead(&bench.world, &dacs, SYNC, letter).await, Vec::<String>::new());
    assert_eq!(bench.world.queue.waiting(), waiting);
}

#[tokio::test]
async fn a_file_that_was_never_registered_goes_back_and_one_past_its_limit_is_given_up_and_lets_others_go_on() {
    let (bench, dacs) = (Files::of(SCORES), Targets::answering(200, "{}"));
    let first = bench.drop_file("1.csv", "key,value\na,1\n");
    let letter = bench.world.notification(&first);
    assert_eq!(dead(&bench.world, &dacs, SCORES, letter.clone()).await, Vec::<String>::new());
    assert_eq!(bench.world.queue.waiting(), 1, "in its queue again");
    bench.taken.lost_answers.lock().unwrap().push(1);
    bench.send(&first).await;
    bench.world.clock.advance(27 * HOUR);
    let second = bench.drop_file("2.csv", "key,value\nb,2\n");
    assert_eq!(dead(&bench.world, &dacs, SCORES, letter).await, Vec::<String>::new());
    let run = bench.run(&first);
    assert_eq!(run.state, RunState::GivenUp);
    assert!(run.resume.is_some() && run.counts.balance());
    assert_eq!(bench.world.open(SCORES), [(Matter::GivenUp, run.id.to_string())]);
    assert!(subjects(&bench.world).contains(&format!("{SCORES}: file given-up")));
    assert_eq!(bench.send(&second).await, crate::file::Next::Settled(RunState::Delivered));
}

/// What a neighbour was told, in order: the path, and the JSON.
fn told(targets: &Targets) -> Vec<(String, serde_json::Value)> {
    let body = |call: &Call| match &call.payload {
        Payload::Json(bytes) => serde_json::from_slice(bytes).unwrap(),
        other => panic!("{other:?}"),
    };
    targets.calls().iter().map(|call| (call.path.clone(), body(call))).collect()
}

#[tokio::test]
async fn the_derms_hears_that_its_message_is_given_up_and_dacs_that_its_status_check_is() {
    for (flow, of_derms) in [
        ("derms-dacs-enrollment-request", true),
        ("derms-dacs-event-status", true),
        ("dacs-derms-device-status-check", false),
        ("dacs-derms-event-opt-out", false),
    ] {
        let bench = Messages::of(flow, World::new("2026-07-01T10:00:00Z".parse().unwrap()));
        let (dacs, derms) = (Targets::answering(200, "{}"), Targets::answering(200, "{}"));
        bench.post("m1", "s1", 1).await;
        let letter = DeadLetter { queue: format!("prod-{flow}.fifo"), delivery: lost(&bench.world) };
        bench.world.clock.advance(27 * HOUR);
        let kit = with_derms(&bench.world, &dacs, &derms);
        assert_eq!(
            deal_with(&kit, &[letter], &bench.world.invocation("handler")).await,
            Vec::<String>::new(),
            "{flow}"
        );
        assert_eq!(bench.message("m1").state, MessageState::Failed, "{flow}");
        let (to_dacs, to_derms) = (told(&dacs), told(&derms));
        if of_derms {
            let ack = &to_derms[0].1["MsgAck"];
            let responses = &ack["responses"]["response"];
            assert_eq!((to_derms.len(), to_dacs.len(), to_derms[0].0.as_str()), (1, 0, "/acks"), "{flow}");
            assert_eq!((&ack["ackType"], &responses[0]["id"]), (&"FAILURE".into(), &"m1".into()), "{flow}");
            assert_eq!(
                (&responses[0]["value"], &responses[1]["value"]),
                (&"delivered=0;failed=1".into(), &REASON.into())
            );
        } else if flow == "dacs-derms-device-status-check" {
            let detail = &to_dacs[0].1["responseDetail"];
            assert_eq!((to_dacs.len(), to_derms.len(), &detail["transactionID"]), (1, 0, &"m1".into()));
            assert_eq!(detail["result"]["status"], "FAILURE");
        } else {
            assert_eq!((to_dacs.len(), to_derms.len()), (0, 0), "{flow}: the contract has no acknowledgement");
        }
    }
}

#[tokio::test]
async fn the_derms_hears_that_the_rest_of_its_file_is_given_up_before_the_run_ends() {
    const RESERVATION: &str = "derms-dacs-device-reservation";
    let bench = Files::of(RESERVATION);
    let (dacs, down, derms) = (Targets::answering(200, ""), Targets::answering(500, ""), Targets::answering(200, "{}"));
    let file = bench.drop_file("1.csv", "key,value\na,1\n");
    bench.taken.lost_answers.lock().unwrap().push(1);
    bench.send(&file).await;
    bench.world.clock.advance(27 * HOUR);
    let letter = DeadLetter { queue: format!("prod-{RESERVATION}"), delivery: bench.world.notification(&file) };
    let invocation = bench.world.invocation("handler");
    let stays = deal_with(&with_derms(&bench.world, &dacs, &down), std::slice::from_ref(&letter), &invocation).await;
    assert_eq!((stays.len(), bench.run(&file).state.is_settled()), (1, false), "the DERMS could not be told");
    let kit = with_derms(&bench.world, &dacs, &derms);
    assert_eq!(deal_with(&kit, &[letter], &invocation).await, Vec::<String>::new());
    let run = bench.run(&file);
    assert_eq!(run.state, RunState::GivenUp);
    let ack = &told(&derms)[0].1["MsgAck"];
    let first = &ack["responses"]["response"][0];
    assert_eq!((&ack["ackType"], &first["id"]), (&"FAILURE".into(), &run.id.to_string().into()));
}
