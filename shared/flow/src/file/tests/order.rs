use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::harness::{Bench, INBOX};
use crate::Transient;
use crate::file::Next;
use crate::ledger::run::RunState;
use crate::memory::Bucket;
use crate::ports::{Destination, Finished, Outlet, Part, UploadEnd, UploadId};

const ONE: &str = "key,value\na,1\n";

#[tokio::test]
async fn a_file_waits_for_an_earlier_one_that_is_not_settled() {
    let bench = Bench::new();
    bench.taken.lost_answers.lock().unwrap().push(1);
    let first = bench.drop_file("1.csv", ONE);
    bench.world.clock.advance(std::time::Duration::from_secs(5));
    let second = bench.drop_file("2.csv", ONE);
    assert!(matches!(bench.send(&first).await, Next::Again(_)));
    assert!(matches!(bench.send(&second).await, Next::Again(_)));
    assert_eq!(bench.run(&second).attempt, 0, "waiting is no attempt");
    assert_eq!(bench.send(&first).await, Next::Settled(RunState::Delivered));
    assert_eq!(bench.send(&second).await, Next::Settled(RunState::Delivered));
}

#[tokio::test]
async fn a_file_may_wait_three_days_for_its_turn_before_its_queue_would_give_it_up() {
    let bench = Bench::new();
    bench.taken.lost_answers.lock().unwrap().push(1);
    let first = bench.drop_file("1.csv", ONE);
    bench.world.clock.advance(std::time::Duration::from_secs(5));
    let second = bench.drop_file("2.csv", ONE);
    bench.send(&first).await;
    let mut waited = std::time::Duration::ZERO;
    for _ in 0..1000 {
        let Next::Again(delay) = bench.send(&second).await else { panic!("not its turn") };
        waited += delay;
        bench.world.clock.advance(delay);
    }
    assert!(waited > std::time::Duration::from_secs(3 * 24 * 3600), "{waited:?}");
}

#[tokio::test]
async fn a_file_that_is_registered_after_a_later_one_has_begun_goes_next_and_is_marked_late() {
    let bench = Bench::new();
    let earlier = bench.drop_file("1.csv", ONE);
    bench.world.clock.advance(std::time::Duration::from_secs(5));
    let later = bench.drop_file("2.csv", ONE);
    bench.send(&later).await;
    assert_eq!(bench.send(&earlier).await, Next::Settled(RunState::Delivered));
    assert!(bench.run(&earlier).late);
    assert!(!bench.run(&later).late);
    assert!(bench.world.notices.all().remove(0).text.contains("Late"));
}

#[tokio::test]
async fn a_file_that_has_begun_goes_on_when_an_earlier_one_is_registered_meanwhile() {
    let bench = Bench::new();
    bench.taken.lost_answers.lock().unwrap().push(1);
    let earlier = bench.drop_file("1.csv", ONE);
    bench.world.clock.advance(std::time::Duration::from_secs(5));
    let later = bench.drop_file("2.csv", ONE);
    assert!(matches!(bench.send(&later).await, Next::Again(_)), "begun, and handed back");
    assert!(matches!(bench.send(&earlier).await, Next::Again(_)), "waits for the one that has begun");
    assert_eq!(bench.send(&later).await, Next::Settled(RunState::Delivered));
    assert_eq!(bench.send(&earlier).await, Next::Settled(RunState::Delivered));
    assert!(bench.run(&earlier).late);
}

#[tokio::test]
async fn an_unfinished_older_version_of_a_key_is_superseded_and_its_rest_is_counted() {
    let bench = Bench::new();
    bench.taken.lost_answers.lock().unwrap().push(1);
    let older = bench.drop_file("f.csv", "key,value\na,1\nb,2\n");
    assert!(matches!(bench.send(&older).await, Next::Again(_)));
    bench.world.clock.advance(std::time::Duration::from_secs(5));
    let newer = bench.drop_file("f.csv", "key,value\na,3\n");
    assert!(matches!(bench.send(&newer).await, Next::Again(_)));
    assert_eq!(bench.send(&older).await, Next::Settled(RunState::Superseded));
    assert_eq!(bench.send(&newer).await, Next::Settled(RunState::Delivered));
    let counts = bench.counts(&older);
    assert_eq!((counts.rows, counts.superseded), (2, 2));
    assert!(counts.balance());
}

#[tokio::test]
async fn an_older_version_whose_event_comes_after_the_newer_ones_is_not_delivered() {
    let bench = Bench::new();
    let older = bench.drop_file("f.csv", ONE);
    bench.world.clock.advance(std::time::Duration::from_secs(5));
    let newer = bench.drop_file("f.csv", "key,value\nz,9\n");
    bench.send(&newer).await;
    assert_eq!(bench.send(&older).await, Next::Settled(RunState::Superseded));
    assert_eq!(bench.taken.rows(), "z=9\n");
}

#[tokio::test]
async fn a_version_that_was_removed_before_it_was_read_is_reported_and_ends() {
    let bench = Bench::new();
    let gone = crate::ports::ObjectRef {
        bucket: super::harness::OUTBOX.into(),
        key: "gone.csv".into(),
        version: Some("v9".into()),
    };
    assert_eq!(bench.send(&gone).await, Next::Settled(RunState::Rejected));
    assert!(bench.world.notices.all().remove(0).text.contains("removed before it was read"));
}

/// An inbox whose first upload is cut off after its part was written.
struct CutOff {
    inbox: Bucket,
    upload: Mutex<Option<UploadId>>,
}

#[async_trait]
impl Outlet for CutOff {
    async fn put(&self, to: &Destination, bytes: bytes::Bytes) -> Result<(), Transient> {
        self.inbox.put(to, bytes).await
    }

    async fn begin(&self, to: &Destination) -> Result<UploadId, Transient> {
        self.inbox.begin(to).await
    }

    async fn part(&self, key: &str, upload: &UploadId, number: u32, part: Part) -> Result<(), Transient> {
        self.inbox.part(key, upload, number, part).await?;
        let first = self.upload.lock().unwrap().is_none();
        if first {
            *self.upload.lock().unwrap() = Some(upload.clone());
            return Err(Transient::new("stands still"));
        }
        Ok(())
    }

    async fn finish(&self, key: &str, upload: &UploadId, end: UploadEnd) -> Result<Finished, Transient> {
        self.inbox.finish(key, upload, end).await
    }
}

#[tokio::test]
async fn an_attempt_that_wakes_up_after_its_run_was_superseded_shows_nothing_in_the_inbox() {
    let mut bench = Bench::new();
    let inbox = Arc::new(CutOff { inbox: bench.world.objects.outlet(INBOX), upload: Mutex::default() });
    bench.to_file.inbox = inbox.clone();
    let older = bench.drop_file("f.csv", ONE);
    assert!(matches!(bench.publish(&older).await, Next::Again(_)), "its upload is begun, and not finished");
    bench.world.clock.advance(std::time::Duration::from_secs(130));
    let newer = bench.drop_file("f.csv", "key,value\nz,9\n");
    assert!(matches!(bench.publish(&newer).await, Next::Again(_)));
    assert_eq!(bench.publish(&older).await, Next::Settled(RunState::Superseded));
    assert_eq!(bench.publish(&newer).await, Next::Settled(RunState::Delivered));
    let upload = inbox.upload.lock().unwrap().clone().unwrap();
    assert_eq!(inbox.finish("f.csv", &upload, UploadEnd::Publish).await.unwrap(), Finished::NoSuchUpload);
    assert_eq!(bench.delivered("f.csv").as_deref(), Some("key,value\nz,9\n"));
}
