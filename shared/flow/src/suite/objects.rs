//! What every [`Source`] and [`Outlet`] do, over one versioned bucket.

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;

use super::{Broken, Kept, contract, holds, same};
use crate::ports::{Destination, Finished, Metadata, ObjectMeta, ObjectRef, Outlet, Part, Source, UploadEnd, UploadId};

/// The smallest part that is not the last (S3).
const PART: usize = 5 * 1024 * 1024;

/// The ports under test, both onto one bucket.
#[derive(Clone)]
pub struct Shelf<'a> {
    /// Reads.
    pub source: &'a dyn Source,
    /// Writes.
    pub outlet: &'a dyn Outlet,
    /// The bucket that both mean.
    pub bucket: &'a str,
    /// The beginning of the keys that are written.
    pub space: String,
}

impl Shelf<'_> {
    fn within(&self, name: &str) -> Self {
        let mut inner = self.clone();
        inner.space = format!("{}/{name}", self.space);
        inner
    }

    fn to(&self, name: &str) -> Destination {
        Destination { key: format!("{}/{name}", self.space), metadata: Metadata::new() }
    }

    fn newest(&self, name: &str) -> ObjectRef {
        ObjectRef { bucket: self.bucket.to_owned(), key: self.to(name).key, version: None }
    }

    async fn put(&self, name: &str, bytes: impl Into<Bytes>) -> Result<ObjectRef, Broken> {
        self.outlet.put(&self.to(name), bytes.into()).await?;
        let meta = self.head(&self.newest(name)).await?;
        holds(meta.version.is_some(), "the bucket is not versioned")?;
        Ok(ObjectRef { version: meta.version, ..self.newest(name) })
    }

    async fn head(&self, object: &ObjectRef) -> Result<ObjectMeta, Broken> {
        let meta = self.source.head(object).await?;
        meta.ok_or_else(|| Broken::new(format!("{} is not there", object.key)))
    }

    async fn read(&self, object: &ObjectRef, from: u64) -> Result<Bytes, Broken> {
        let stream = self.source.read(object, from).await?;
        let whole: Result<BytesMut, _> = stream
            .try_fold(BytesMut::new(), |mut whole, chunk| async move {
                whole.extend_from_slice(&chunk);
                Ok(whole)
            })
            .await;
        whole.map(BytesMut::freeze).map_err(|fault| Broken::new(fault.to_string()))
    }

    async fn part(&self, name: &str, upload: &UploadId, number: u32, bytes: Bytes) -> Kept {
        Ok(self.outlet.part(&self.to(name).key, upload, number, Part::Bytes(bytes)).await?)
    }

    async fn finish(&self, name: &str, upload: &UploadId) -> Result<Finished, Broken> {
        Ok(self.outlet.finish(&self.to(name).key, upload, UploadEnd::Publish).await?)
    }
}

/// `len` bytes that differ from place to place, and from `seed` to `seed`.
fn bytes(seed: u8, len: usize) -> Bytes {
    (0_u8..251).cycle().skip(usize::from(seed)).take(len).collect()
}

fn equal(seen: &Bytes, expected: &[u8]) -> Kept {
    let what = format!("{} bytes came, which are not the {} expected", seen.len(), expected.len());
    holds(seen == expected, &what)
}

/// # Errors
/// When anything of it differs.
pub async fn an_object_is_read_as_it_was_put(shelf: &Shelf<'_>) -> Kept {
    let metadata = Metadata::from([("run-id".to_owned(), "r-1".to_owned())]);
    let to = Destination { metadata: metadata.clone(), ..shelf.to("a.csv") };
    shelf.outlet.put(&to, bytes(0, 200_000)).await?;
    let meta = shelf.head(&shelf.newest("a.csv")).await?;
    same(&meta.size, &200_000)?;
    same(&meta.metadata, &metadata)?;
    holds(meta.etag.starts_with('"') && meta.etag.ends_with('"'), "the tag has no quotes")?;
    equal(&shelf.read(&shelf.newest("a.csv"), 0).await?, &bytes(0, 200_000))
}

/// # Errors
/// When other bytes come.
pub async fn a_read_from_an_offset_gives_the_rest(shelf: &Shelf<'_>) -> Kept {
    let object = shelf.put("a", bytes(0, 200_000)).await?;
    equal(&shelf.read(&object, 199_999).await?, &bytes(0, 200_000).slice(199_999..))?;
    equal(&shelf.read(&object, 70_001).await?, &bytes(0, 200_000).slice(70_001..))
}

/// # Errors
/// When it fails, or bytes come.
pub async fn a_read_at_or_past_the_end_is_empty(shelf: &Shelf<'_>) -> Kept {
    let object = shelf.put("a", bytes(0, 10)).await?;
    equal(&shelf.read(&object, 10).await?, &[])?;
    equal(&shelf.read(&object, 11).await?, &[])
}

/// # Errors
/// When it fails, or bytes come.
pub async fn an_empty_object_is_read_as_empty(shelf: &Shelf<'_>) -> Kept {
    let object = shelf.put("a", Bytes::new()).await?;
    same(&shelf.head(&object).await?.size, &0)?;
    equal(&shelf.read(&object, 0).await?, &[])
}

/// # Errors
/// When it seems to be there.
pub async fn what_was_never_written_is_not_there(shelf: &Shelf<'_>) -> Kept {
    same(&shelf.source.head(&shelf.newest("nothing")).await?, &None)?;
    holds(shelf.source.read(&shelf.newest("nothing"), 0).await.is_err(), "nothing was opened")
}

/// # Errors
/// When the first version changed.
pub async fn a_version_stays_as_it_was(shelf: &Shelf<'_>) -> Kept {
    let first = shelf.put("a", "first").await?;
    let second = shelf.put("a", "the second").await?;
    holds(first.version != second.version, "both have one version")?;
    equal(&shelf.read(&first, 0).await?, b"first")?;
    same(&shelf.head(&first).await?.size, &5)?;
    equal(&shelf.read(&second, 0).await?, b"the second")?;
    equal(&shelf.read(&shelf.newest("a"), 0).await?, b"the second")
}

/// # Errors
/// When a key is taken for another.
pub async fn keys_may_hold_spaces_signs_and_other_scripts(shelf: &Shelf<'_>) -> Kept {
    let names = ["a b.csv", "a+b.csv", "a%20b.csv", "a&b=c?d#e.csv", "größe 日本.csv", "a%2Fb.csv"];
    for name in names {
        shelf.put(name, name.to_owned()).await?;
    }
    for name in names {
        equal(&shelf.read(&shelf.newest(name), 0).await?, name.as_bytes())?;
    }
    Ok(())
}

/// # Errors
/// When a part of it is seen.
pub async fn nothing_is_visible_before_an_upload_is_finished(shelf: &Shelf<'_>) -> Kept {
    let upload = shelf.outlet.begin(&shelf.to("a")).await?;
    shelf.part("a", &upload, 1, bytes(0, 100)).await?;
    same(&shelf.source.head(&shelf.newest("a")).await?, &None)?;
    same(&shelf.finish("a", &upload).await?, &Finished::Done)?;
    equal(&shelf.read(&shelf.newest("a"), 0).await?, &bytes(0, 100))
}

/// # Errors
/// When bytes are missing or misplaced.
pub async fn a_finished_upload_is_whole(shelf: &Shelf<'_>) -> Kept {
    let metadata = Metadata::from([("run-id".to_owned(), "r-1".to_owned())]);
    let to = Destination { metadata: metadata.clone(), ..shelf.to("ä b+.csv") };
    let upload = shelf.outlet.begin(&to).await?;
    for (number, part) in [(3, bytes(3, 17)), (1, bytes(1, PART)), (2, bytes(2, PART + 1))] {
        shelf.part("ä b+.csv", &upload, number, part).await?;
    }
    same(&shelf.finish("ä b+.csv", &upload).await?, &Finished::Done)?;
    let expected = [bytes(1, PART), bytes(2, PART + 1), bytes(3, 17)].concat();
    equal(&shelf.read(&shelf.newest("ä b+.csv"), 0).await?, &expected)?;
    same(&shelf.head(&shelf.newest("ä b+.csv")).await?.metadata, &metadata)
}

/// # Errors
/// When the first attempt at the part is in the object.
pub async fn a_part_written_again_replaces_the_first(shelf: &Shelf<'_>) -> Kept {
    let upload = shelf.outlet.begin(&shelf.to("a")).await?;
    shelf.part("a", &upload, 1, bytes(0, 300)).await?;
    shelf.part("a", &upload, 1, bytes(9, 200)).await?;
    same(&shelf.finish("a", &upload).await?, &Finished::Done)?;
    equal(&shelf.read(&shelf.newest("a"), 0).await?, &bytes(9, 200))
}

/// # Errors
/// When the second call fails, or makes another version.
pub async fn finishing_twice_changes_nothing(shelf: &Shelf<'_>) -> Kept {
    let upload = shelf.outlet.begin(&shelf.to("a")).await?;
    shelf.part("a", &upload, 1, bytes(0, 300)).await?;
    same(&shelf.finish("a", &upload).await?, &Finished::Done)?;
    let once = shelf.head(&shelf.newest("a")).await?;
    shelf.finish("a", &upload).await?;
    same(&shelf.head(&shelf.newest("a")).await?, &once)
}

/// # Errors
/// When something is made of it all the same.
pub async fn an_abandoned_upload_makes_no_object(shelf: &Shelf<'_>) -> Kept {
    let upload = shelf.outlet.begin(&shelf.to("a")).await?;
    shelf.part("a", &upload, 1, bytes(0, 300)).await?;
    let key = shelf.to("a").key;
    shelf.outlet.finish(&key, &upload, UploadEnd::Abandon).await?;
    same(&shelf.finish("a", &upload).await?, &Finished::NoSuchUpload)?;
    same(&shelf.outlet.finish(&key, &upload, UploadEnd::Abandon).await?, &Finished::NoSuchUpload)?;
    holds(shelf.source.head(&shelf.newest("a")).await?.is_none(), "an abandoned upload became an object")
}

/// # Errors
/// When it is taken for finished.
pub async fn an_unknown_upload_is_named_so(shelf: &Shelf<'_>) -> Kept {
    let upload = shelf.outlet.begin(&shelf.to("a")).await?;
    shelf.part("a", &upload, 1, bytes(0, 300)).await?;
    same(&shelf.finish("a", &upload).await?, &Finished::Done)?;
    holds(shelf.part("a", &upload, 2, bytes(0, 300)).await.is_err(), "a part was taken after the end")?;
    let unknown = UploadId(format!("{}x", upload.0));
    same(&shelf.finish("a", &unknown).await?, &Finished::NoSuchUpload)
}

/// # Errors
/// When other bytes are copied.
pub async fn a_copied_part_is_the_range_asked_for(shelf: &Shelf<'_>) -> Kept {
    let name = "the source & größe+%20.csv";
    let source = shelf.put(name, bytes(0, PART + 1000)).await?;
    let etag = shelf.head(&source).await?.etag;
    shelf.put(name, "a newer version").await?;
    let upload = shelf.outlet.begin(&shelf.to("a")).await?;
    let copy = |from, len| Part::Copy { source: source.clone(), etag: etag.clone(), from, len };
    let key = shelf.to("a").key;
    shelf.outlet.part(&key, &upload, 1, copy(7, size(PART)?)).await?;
    shelf.outlet.part(&key, &upload, 2, copy(0, 1)).await?;
    same(&shelf.finish("a", &upload).await?, &Finished::Done)?;
    let expected = [bytes(0, PART + 7).slice(7..), bytes(0, 1)].concat();
    equal(&shelf.read(&shelf.newest("a"), 0).await?, &expected)
}

/// # Errors
/// When it is copied.
pub async fn a_copy_of_what_was_not_validated_is_refused(shelf: &Shelf<'_>) -> Kept {
    let source = shelf.put("source", bytes(0, 1000)).await?;
    let upload = shelf.outlet.begin(&shelf.to("a")).await?;
    let etag = "\"00000000000000000000000000000000\"".to_owned();
    let part = Part::Copy { source, etag, from: 0, len: 10 };
    let copied = shelf.outlet.part(&shelf.to("a").key, &upload, 1, part).await;
    holds(copied.is_err(), "another tag was copied")
}

fn size(bytes: usize) -> Result<u64, Broken> {
    u64::try_from(bytes).map_err(|fault| Broken::new(fault.to_string()))
}

contract! {
    Shelf over super::tests::Memory::new();
    an_object_is_read_as_it_was_put,
    a_read_from_an_offset_gives_the_rest,
    a_read_at_or_past_the_end_is_empty,
    an_empty_object_is_read_as_empty,
    what_was_never_written_is_not_there,
    a_version_stays_as_it_was,
    keys_may_hold_spaces_signs_and_other_scripts,
    nothing_is_visible_before_an_upload_is_finished,
    a_finished_upload_is_whole,
    a_part_written_again_replaces_the_first,
    finishing_twice_changes_nothing,
    an_abandoned_upload_makes_no_object,
    an_unknown_upload_is_named_so,
    a_copied_part_is_the_range_asked_for,
    a_copy_of_what_was_not_validated_is_refused,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Shelf;
    use crate::memory::{Bucket, ManualClock, Objects};

    pub(super) struct Memory {
        objects: Objects,
        outlet: Bucket,
    }

    impl Memory {
        pub(super) fn new() -> Self {
            let objects = Objects::new(Arc::new(ManualClock::default()));
            Self { outlet: objects.outlet("bucket"), objects }
        }

        pub(super) fn ports(&self, space: &str) -> Shelf<'_> {
            Shelf { source: &self.objects, outlet: &self.outlet, bucket: "bucket", space: space.to_owned() }
        }
    }
}
