//! One message of a standard queue, worked on by two instances at once.

use super::*;

/// A target whose answer depends on when it is asked; while it thinks about the first, a second instance asks.
struct AskedTwice {
    world: World,
    kit: MessageKit,
    asked: AtomicU32,
    told: Mutex<Vec<Value>>,
}

impl AskedTwice {
    async fn work(&self, owner: &str) -> Vec<String> {
        let deliveries = self.world.queue.take(10);
        let deliveries: Vec<_> =
            deliveries.into_iter().map(|delivery| Delivery { group: None, sequence: None, ..delivery }).collect();
        assert_eq!(deliveries.len(), 1, "{owner} has the message");
        work(&self.kit, self, &deliveries, &self.world.invocation(owner)).await
    }
}

#[async_trait]
impl MessageCalls for AskedTwice {
    async fn forward(&self, _: &[u8], _: &Context<'_>) -> Result<Forwarded, Failure> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        if turn == 0 {
            // Its visibility is over, and another instance gets it.
            self.world.clock.advance(Duration::from_secs(200));
            assert!(Box::pin(self.work("second")).await.is_empty());
        }
        Ok(Forwarded::Answered(Answer { ack: json!(format!("answer {turn}")), refused: None }))
    }

    fn negative(&self, _: &[u8], _: Ground, _: &str) -> Option<Value> {
        None
    }

    async fn answer(&self, ack: &Value, _: &Context<'_>) -> Result<(), Failure> {
        self.told.lock().unwrap().push(ack.clone());
        Ok(())
    }
}

#[tokio::test]
async fn of_two_instances_that_have_found_different_answers_only_one_tells_the_source() {
    let bench = Bench::new();
    bench.post("m1", "s1", 1).await;
    let told = Mutex::default();
    let twice =
        AskedTwice { kit: bench.world.message_kit(FLOW, &[]), world: bench.world.clone(), asked: 0.into(), told };
    assert_eq!(twice.work("first").await.len(), 1, "the first finds it changed");
    assert_eq!(*twice.told.lock().unwrap(), [json!("answer 1")]);
    assert_eq!(bench.message("m1").state, MessageState::Delivered);
}
