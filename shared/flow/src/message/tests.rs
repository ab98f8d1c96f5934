//! The message pipeline over the in-memory ports.

mod again;
mod at_once;
mod batch;
mod ready;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::json::{Document, Problem};
use futures_util::FutureExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Answer, Context, Forwarded, Ground, Identify, Identity, MessageCalls, MessageKit, accept, work};
use crate::ledger::message::{Body, Message, MessageState};
use crate::memory::World;
use crate::ports::Receipt;
use crate::trigger::{HttpReply, HttpRequest};
use crate::{Failure, Rejected, Transient};

const FLOW: &str = "test-flow";

/// A message is `{"id", "order", "value"}`.
fn identify(body: &[u8]) -> Result<Identity, Problem> {
    let document = Document::parse(body)?;
    let (key, ordering) = document.read(|object| {
        let key = object.required_text("id", 14);
        let order = object.required_text("order", 14);
        Some((key?.to_owned(), order?.to_owned()))
    })?;
    Ok(Identity::ordered(key, ordering, document.hash().to_string()))
}

/// What the target was sent and the source was told, and how the next calls end.
#[derive(Default)]
pub(crate) struct Neighbours {
    sent: Mutex<Vec<String>>,
    told: Mutex<Vec<Value>>,
    target: Mutex<Vec<Plan>>,
    source: Mutex<Vec<Plan>>,
}

#[derive(Clone)]
pub(crate) enum Plan {
    Fail,
    Refuse,
    Negative,
    Later,
    Wait,
}

#[async_trait]
impl MessageCalls for Neighbours {
    async fn forward(&self, body: &[u8], _: &Context<'_>) -> Result<Forwarded, Failure> {
        let body: Value = serde_json::from_slice(body).unwrap();
        let text = format!("{}={}", body["id"].as_str().unwrap(), body["value"]);
        match self.target.lock().unwrap().pop() {
            Some(Plan::Fail) => return Err(Transient::new("down").into()),
            Some(Plan::Refuse) => return Err(Rejected::new("message", "unknown service point").into()),
            Some(Plan::Negative) => {
                self.sent.lock().unwrap().push(text);
                let answer = Answer { ack: json!("negative"), refused: Some("not eligible".into()) };
                return Ok(Forwarded::Answered(answer));
            }
            Some(Plan::Later) => {
                self.sent.lock().unwrap().push(text);
                return Ok(Forwarded::Awaited(json!("awaited")));
            }
            Some(Plan::Wait) => return Ok(Forwarded::Later(Duration::from_secs(15))),
            None => {}
        }
        self.sent.lock().unwrap().push(text);
        Ok(Forwarded::Answered(Answer { ack: json!("positive"), refused: None }))
    }

    fn negative(&self, _: &[u8], ground: Ground, reason: &str) -> Option<Value> {
        Some(json!(format!("{ground:?}: {reason}")))
    }

    async fn answer(&self, ack: &Value, _: &Context<'_>) -> Result<(), Failure> {
        match self.source.lock().unwrap().pop() {
            Some(Plan::Fail) => Err(Transient::new("down").into()),
            Some(_) => Err(Rejected::new("ack", "unknown sync request").into()),
            None => {
                self.told.lock().unwrap().push(ack.clone());
                Ok(())
            }
        }
    }
}

pub(crate) struct Bench {
    pub world: World,
    pub kit: MessageKit,
    neighbours: Neighbours,
    requests: AtomicU32,
}

impl Bench {
    pub fn new() -> Self {
        Self::of(FLOW, World::new("2026-07-01T10:00:00Z".parse().unwrap()))
    }

    /// A bench of another flow.
    pub fn of(flow: &'static str, world: World) -> Self {
        Self { kit: world.message_kit(flow, &[]), world, neighbours: Neighbours::default(), requests: 0.into() }
    }

    async fn post_bytes(&self, body: Bytes) -> HttpReply {
        self.post_bytes_as(identify, body).await
    }

    async fn post_bytes_as(&self, identify: Identify, body: Bytes) -> HttpReply {
        let id = format!("request-{}", self.requests.fetch_add(1, Ordering::Relaxed));
        let request = HttpRequest {
            body,
            content_type: None,
            request_id: id.clone(),
            correlation: id,
            path: "/".into(),
            query: Default::default(),
            claims: Default::default(),
        };
        accept(&self.kit, identify, &request).await
    }

    pub async fn post(&self, id: &str, order: &str, value: u32) -> u16 {
        self.post_as(identify, (id, order, value)).await
    }

    /// The same to a flow that knows its messages so.
    async fn post_as(&self, identify: Identify, (id, order, value): (&str, &str, u32)) -> u16 {
        let body = json!({"id": id, "order": order, "value": value}).to_string();
        self.post_bytes_as(identify, body.into()).await.status
    }

    /// One batch through the worker; how many messages stay.
    pub async fn batch(&self) -> usize {
        let deliveries = self.world.queue.take(10);
        let failed = work(&self.kit, &self.neighbours, &deliveries, &self.world.invocation("worker")).await;
        for delivery in &deliveries {
            if !failed.contains(&delivery.message_id) {
                self.world.queue.remove(delivery.receipt.as_ref().unwrap_or(&Receipt(String::new())));
            }
        }
        failed.len()
    }

    /// Works until the queue is empty.
    pub async fn drain(&self) {
        for _ in 0..10_000 {
            if self.world.queue.waiting() == 0 {
                return;
            }
            self.batch().await;
            self.world.clock.advance(Duration::from_secs(60));
        }
        panic!("the queue does not empty");
    }

    pub fn message(&self, key: &str) -> Message {
        let key = Message::key(self.kit.flow, key);
        let item = self.world.table.items().into_iter().find(|item| item.key == key).unwrap();
        serde_json::from_str(&item.body).unwrap()
    }

    pub fn sent(&self) -> Vec<String> {
        self.neighbours.sent.lock().unwrap().clone()
    }

    pub fn told(&self) -> Vec<Value> {
        self.neighbours.told.lock().unwrap().clone()
    }

    pub fn target_will(&self, plans: &[Plan]) {
        self.neighbours.target.lock().unwrap().extend(plans.iter().rev().cloned());
    }

    /// Everybody answers well from here on.
    pub fn forget_plans(&self) {
        self.neighbours.target.lock().unwrap().clear();
        self.neighbours.source.lock().unwrap().clear();
    }

    pub fn source_will(&self, plans: &[Plan]) {
        self.neighbours.source.lock().unwrap().extend(plans.iter().rev().cloned());
    }
}

#[tokio::test]
async fn an_accepted_message_reaches_its_target_and_its_source_hears_of_it() {
    let bench = Bench::new();
    assert_eq!(bench.post("m1", "s1", 1).await, 202);
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1"]);
    assert_eq!(bench.told(), [json!("positive")]);
    assert_eq!(bench.message("m1").state, MessageState::Delivered);
}

#[tokio::test]
async fn every_offending_field_is_named_and_nothing_is_stored() {
    let bench = Bench::new();
    let reply = bench.post_bytes(Bytes::from_static(br#"{"id":7,"value":1}"#)).await;
    assert_eq!((reply.status, reply.content_type), (400, "application/problem+json"));
    assert!(reply.body.contains("/id") && reply.body.contains("/order"), "{}", reply.body);
    assert_eq!(bench.world.table.items(), vec![]);
    assert_eq!(bench.post_bytes(vec![b' '; 1 << 20].into()).await.status, 413);
}

#[tokio::test]
async fn the_same_message_again_is_queued_while_open_and_answered_when_done() {
    let bench = Bench::new();
    assert_eq!(bench.post("m1", "s1", 1).await, 202);
    assert_eq!(bench.post("m1", "s1", 1).await, 202);
    assert_eq!(bench.post("m1", "s1", 2).await, 422, "another body");
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1"], "queued twice, sent once");
    assert_eq!(bench.post("m1", "s1", 1).await, 200);
    assert_eq!(bench.post("m1", "s1", 2).await, 422);
}

#[tokio::test]
async fn a_message_that_was_stored_and_not_queued_is_queued_when_its_sender_tries_again() {
    let bench = Bench::new();
    assert_eq!(bench.post("m1", "s1", 1).await, 202);
    for delivery in bench.world.queue.take(10) {
        bench.world.queue.remove(delivery.receipt.as_ref().unwrap());
    }
    assert_eq!(bench.post("m1", "s1", 1).await, 202);
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1"]);
}

#[tokio::test]
async fn a_message_that_fails_keeps_the_later_ones_of_its_order_behind_it_and_not_the_others() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Fail]);
    bench.post("m1", "s1", 1).await;
    bench.post("m2", "s1", 2).await;
    bench.post("m3", "s2", 3).await;
    bench.batch().await;
    assert_eq!(bench.sent(), ["m3=3"]);
    bench.world.clock.advance(Duration::from_secs(60));
    bench.drain().await;
    assert_eq!(bench.sent(), ["m3=3", "m1=1", "m2=2"]);
}

#[tokio::test]
async fn a_refused_message_is_told_to_source_and_people_and_corrected_it_is_a_new_attempt() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert_eq!(bench.told(), [json!("Business: unknown service point")]);
    assert_eq!(bench.message("m1").state, MessageState::Refused);
    assert_eq!(bench.world.notices.all().len(), 1);
    assert_eq!(bench.post("m1", "s1", 2).await, 202, "corrected");
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=2"]);
    assert_eq!((bench.message("m1").state, bench.message("m1").attempt), (MessageState::Delivered, 2));
}

#[tokio::test]
async fn a_negative_answer_of_the_target_ends_in_refused_and_positive_after_negative_counts() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Negative]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert_eq!(bench.message("m1").state, MessageState::Refused);
    assert_eq!(bench.post("m1", "s1", 1).await, 202, "the same body, repaired elsewhere");
    bench.drain().await;
    assert_eq!(bench.told(), [json!("negative"), json!("positive")]);
}

#[tokio::test]
async fn an_older_message_is_not_sent_again_over_a_newer_one() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.post("m2", "s1", 2).await;
    bench.drain().await;
    assert_eq!(bench.sent(), ["m2=2"]);
    assert_eq!(bench.post("m1", "s1", 1).await, 409);
    assert_eq!(bench.post("m1", "s1", 3).await, 202, "a corrected body is a new statement");
    bench.drain().await;
    assert_eq!(bench.sent(), ["m2=2", "m1=3"]);
}

#[tokio::test]
async fn when_only_the_source_cannot_be_told_the_target_is_not_called_again() {
    let bench = Bench::new();
    bench.source_will(&[Plan::Fail, Plan::Fail]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert_eq!(bench.sent(), ["m1=1"]);
    assert_eq!(bench.told(), [json!("positive")]);
}

#[tokio::test]
async fn nothing_older_is_sent_over_a_message_that_its_target_took_and_whose_source_could_not_be_told_yet() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    bench.source_will(&[Plan::Fail]);
    bench.post("m2", "s1", 2).await;
    bench.batch().await;
    assert_eq!((bench.sent(), bench.message("m2").state), (vec!["m2=2".to_owned()], MessageState::Accepted));
    assert_eq!(bench.post("m1", "s1", 1).await, 409);
    bench.drain().await;
    assert_eq!((bench.sent(), bench.message("m2").state), (vec!["m2=2".to_owned()], MessageState::Delivered));
}

#[tokio::test]
async fn a_message_that_waits_for_a_day_is_not_received_a_thousand_times() {
    let bench = Bench::new();
    bench.target_will(&vec![Plan::Wait; 1000]);
    bench.post("m1", "s1", 1).await;
    let mut received = 0;
    for _every_five_seconds in 0..26 * 720 {
        received += bench.batch().await;
        bench.world.clock.advance(Duration::from_secs(5));
    }
    assert!((100..1000).contains(&received), "{received}");
    assert_eq!(bench.message("m1").state, MessageState::Accepted);
}

#[tokio::test]
async fn a_message_whose_target_stays_down_is_given_up_after_the_limit_with_a_negative_answer() {
    let bench = Bench::new();
    bench.target_will(&vec![Plan::Fail; 5000]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert_eq!(bench.message("m1").state, MessageState::Failed);
    assert_eq!(bench.told(), [json!("Technical: down")]);
    assert_eq!(bench.world.notices.all().len(), 1);
}

#[tokio::test]
async fn a_body_over_a_hundred_kilobytes_is_kept_beside_the_ledger_and_delivered_whole() {
    let bench = Bench::new();
    let body = json!({"id": "m1", "order": "s1", "value": "x".repeat(200_000)}).to_string();
    assert_eq!(bench.post_bytes(body.into()).await.status, 202);
    assert!(bench.world.table.items().iter().all(|item| item.body.len() < 2000));
    bench.drain().await;
    assert_eq!(bench.sent().remove(0).len(), 200_000 + "m1=\"\"".len());
}

#[tokio::test]
async fn the_body_of_a_delivered_message_is_kept_no_longer_and_the_message_is_still_known() {
    let bench = Bench::new();
    bench.target_will(&[Plan::Refuse]);
    bench.post("m1", "s1", 1).await;
    bench.drain().await;
    assert!(matches!(bench.message("m1").body, Body::Inline(_)), "refused, it may be sent again as it is");
    bench.post("m2", "s2", 2).await;
    bench.drain().await;
    assert_eq!(bench.message("m2").body, Body::Gone);
    assert_eq!((bench.post("m2", "s2", 2).await, bench.post("m2", "s2", 3).await), (200, 422));
}

#[tokio::test]
async fn twins_of_one_delivery_leave_one_end() {
    let bench = Bench::new();
    bench.post("m1", "s1", 1).await;
    let deliveries = bench.world.queue.take(10);
    let (one, two) = (bench.world.invocation("one"), bench.world.invocation("two"));
    futures_util::join!(
        work(&bench.kit, &bench.neighbours, &deliveries, &one),
        work(&bench.kit, &bench.neighbours, &deliveries, &two),
    );
    assert_eq!(bench.message("m1").state, MessageState::Delivered);
}
