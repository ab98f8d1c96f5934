//! Lists of messages that are brought to their target while the sender waits.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::message::{AtOnce, Listed, Told};

/// A target that takes everything; while it takes the first message, its sender posts the list once more.
struct SentTwice {
    world: World,
    kit: MessageKit,
    again: AtomicBool,
    second: Mutex<Vec<Told>>,
    acked: Mutex<Vec<Value>>,
}

impl SentTwice {
    async fn post(&self, id: &str) -> Vec<Told> {
        let invocation = self.world.invocation(id);
        let door = AtOnce { kit: &self.kit, calls: self, invocation: &invocation, side_by_side: 2 };
        let request = HttpRequest {
            body: Bytes::new(),
            content_type: None,
            request_id: id.into(),
            correlation: id.into(),
            path: "/".into(),
            query: Default::default(),
            claims: Default::default(),
        };
        door.take(&[listed("a"), listed("b")], &request).await.unwrap()
    }

    async fn work(&self) {
        let deliveries = self.world.queue.take(10);
        let failed = work(&self.kit, self, &deliveries, &self.world.invocation("worker")).await;
        assert!(failed.is_empty(), "{failed:?}");
    }
}

fn listed(id: &str) -> Listed {
    let identity = Identity::alone(id.into(), format!("hash of {id}"));
    Listed { identity, body: Bytes::from(id.to_owned()) }
}

#[async_trait]
impl MessageCalls for SentTwice {
    async fn forward(&self, body: &[u8], _: &Context<'_>) -> Result<Forwarded, Failure> {
        if body == b"a" && self.again.swap(false, Ordering::Relaxed) {
            let second = Box::pin(self.post("second")).await;
            *self.second.lock().unwrap() = second;
        }
        let ack = json!(String::from_utf8_lossy(body));
        Ok(Forwarded::Answered(Answer { ack, refused: None }))
    }

    fn negative(&self, _: &[u8], _: Ground, _: &str) -> Option<Value> {
        None
    }

    fn result(&self, ack: &Value) -> Option<Value> {
        Some(ack.clone())
    }

    async fn answer(&self, ack: &Value, _: &Context<'_>) -> Result<(), Failure> {
        self.acked.lock().unwrap().push(ack.clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_list_that_is_sent_again_while_the_first_door_works_on_it_leaves_no_message_without_its_answer() {
    let world = World::new("2026-07-01T10:00:00Z".parse().unwrap());
    let kit = world.message_kit(FLOW, &[]);
    let target =
        SentTwice { world, kit, again: AtomicBool::new(true), second: Mutex::default(), acked: Mutex::default() };
    let first = target.post("first").await;
    // The second sender was promised an acknowledgement of "a": the first door, which called the target, leaves it to that.
    assert_eq!(target.second.lock().unwrap()[0], Told::Later);
    assert_eq!(first, [Told::Later, Told::Ended(json!("b"))]);
    target.work().await;
    assert!(target.acked.lock().unwrap().contains(&json!("a")), "{:?}", target.acked);
    assert_eq!(target.post("third").await, [Told::Ended(json!("a")), Told::Ended(json!("b"))]);
}
