use super::*;
use crate::memory::ManualClock;

fn objects() -> Objects {
    Objects::new(Arc::new(ManualClock::default()))
}

fn to(key: &str) -> Destination {
    Destination { key: key.to_owned(), metadata: Metadata::new() }
}

#[tokio::test]
async fn a_small_part_in_the_middle_is_refused_as_on_s3() {
    let outlet = objects().outlet("inbox");
    let upload = outlet.begin(&to("a")).await.unwrap();
    for number in [1, 2] {
        outlet.part("a", &upload, number, Part::Bytes(Bytes::from_static(b"small"))).await.unwrap();
    }
    assert!(outlet.finish("a", &upload, UploadEnd::Publish).await.is_err());
}

#[tokio::test]
async fn many_small_parts_are_taken_when_a_test_asks_for_it() {
    let objects = objects().with_smallest_part(1);
    let outlet = objects.outlet("inbox");
    let upload = outlet.begin(&to("a")).await.unwrap();
    for (number, part) in [(1, "ab"), (2, "c")] {
        outlet.part("a", &upload, number, Part::Bytes(Bytes::from(part))).await.unwrap();
    }
    assert_eq!(objects.unfinished("inbox"), 1);
    assert_eq!(outlet.finish("a", &upload, UploadEnd::Publish).await.unwrap(), Finished::Done);
    assert_eq!(objects.bytes("inbox", "a").unwrap(), "abc");
    assert_eq!(objects.unfinished("inbox"), 0);
}

#[tokio::test]
async fn a_delete_marker_hides_the_object_and_keeps_its_versions() {
    let objects = objects();
    let version = objects.put("outbox", "a", "content");
    objects.delete("outbox", "a");
    assert!(objects.keys("outbox").is_empty());
    assert_eq!(objects.bytes("outbox", "a"), None);
    assert!(objects.head(&version).await.unwrap().is_some());
    assert_eq!(objects.versions("outbox", "a"), [version]);
}

#[tokio::test]
async fn bytes_come_in_chunks_of_the_size_asked_for() {
    let objects = objects().with_chunk(NonZeroUsize::MIN.saturating_add(2));
    let object = objects.put("outbox", "a", "abcdefgh");
    let chunks: Vec<Bytes> = objects.read(&object, 1).await.unwrap().map(Result::unwrap).collect().await;
    assert_eq!(chunks, ["bcd", "efg", "h"]);
}
