//! What every [`Depot`] does, over one versioned bucket, and what those can do who have its links.

use std::time::Duration;

use bytes::Bytes;

use super::{Broken, Kept, Stranger, contract, holds, same};
use crate::ports::{Deposited, Depot, Destination, Metadata, ObjectMeta, ObjectRef, Source};

/// How long the links of this suite are good.
const VALID: Duration = Duration::from_secs(60);

/// The ports under test, all onto one bucket.
#[derive(Clone)]
pub struct Yard<'a> {
    /// Takes and links.
    pub depot: &'a dyn Depot,
    /// Reads.
    pub source: &'a dyn Source,
    /// Follows links.
    pub stranger: &'a dyn Stranger,
    /// The bucket that all mean.
    pub bucket: &'a str,
    /// The beginning of the keys that are written.
    pub space: String,
}

impl Yard<'_> {
    fn within(&self, name: &str) -> Self {
        let mut inner = self.clone();
        inner.space = format!("{}/{name}", self.space);
        inner
    }

    fn to(&self, name: &str, metadata: &[(&str, &str)]) -> Destination {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Destination { key: format!("{}/{name}", self.space), metadata }
    }

    async fn head(&self, to: &Destination) -> Result<Option<ObjectMeta>, Broken> {
        let newest = ObjectRef { bucket: self.bucket.to_owned(), key: to.key.clone(), version: None };
        Ok(self.source.head(&newest).await?)
    }

    async fn metadata(&self, to: &Destination) -> Result<Metadata, Broken> {
        let meta = self.head(to).await?.ok_or_else(|| Broken::new(format!("{} is not there", to.key)))?;
        Ok(meta.metadata)
    }
}

/// # Errors
/// When the second one is written, or the first one is not as it was given.
pub async fn an_object_is_deposited_once(yard: &Yard<'_>) -> Kept {
    let to = yard.to("a b+c.csv", &[("message-id", "M-1")]);
    same(&yard.depot.deposit(&to, "first".into()).await?, &Deposited::New)?;
    let other = Destination { metadata: Metadata::new(), ..to.clone() };
    same(&yard.depot.deposit(&other, "another".into()).await?, &Deposited::Occupied)?;
    let meta = yard.head(&to).await?.ok_or_else(|| Broken::new("it is not there"))?;
    same(&(meta.size, meta.metadata), &(5, to.metadata))
}

/// Metadata travels in headers, which have no letters beyond ASCII.
///
/// # Errors
/// When a value comes back as another.
pub async fn metadata_comes_back_as_it_was_given_whatever_its_script(yard: &Yard<'_>) -> Kept {
    let long = "Größe – 大きさ, ".repeat(12);
    let values =
        [("a", "Zählpunkt 7"), ("b", "計量点"), ("c", "50 % = half_of it"), ("d", long.trim()), ("e", "=?x?=")];
    let to = yard.to("a", &values);
    yard.depot.deposit(&to, Bytes::from_static(b"a")).await?;
    same(&yard.metadata(&to).await?, &to.metadata)?;
    let linked = yard.to("b", &values);
    let link = yard.depot.upload_link(&linked, VALID).await?;
    same(&yard.stranger.upload(&link, Bytes::from_static(b"b")).await?, &200)?;
    same(&yard.metadata(&linked).await?, &linked.metadata)
}

/// # Errors
/// When it can be followed twice, or over an object that is there.
pub async fn an_upload_link_makes_its_object_once(yard: &Yard<'_>) -> Kept {
    let to = yard.to("größe/a b+c%20d&e=f.csv", &[("message-id", "M-1")]);
    let link = yard.depot.upload_link(&to, VALID).await?;
    same(&yard.head(&to).await?, &None)?;
    same(&yard.stranger.upload(&link, "first".into()).await?, &200)?;
    same(&yard.metadata(&to).await?, &to.metadata)?;
    same(&yard.stranger.upload(&link, "another".into()).await?, &412)?;
    let again = yard.depot.upload_link(&to, VALID).await?;
    same(&yard.stranger.upload(&again, "another".into()).await?, &412)?;
    same(&yard.head(&to).await?.map(|meta| meta.size), &Some(5))
}

/// # Errors
/// When other bytes come, or any without the object.
pub async fn a_download_link_gives_the_object(yard: &Yard<'_>) -> Kept {
    let to = yard.to("rows of größe.csv", &[]);
    let link = yard.depot.download_link(&to.key, VALID).await?;
    same(&yard.stranger.download(&link).await?.0, &404)?;
    yard.depot.deposit(&to, "rows".into()).await?;
    same(&yard.stranger.download(&link).await?, &(200, Bytes::from_static(b"rows")))?;
    holds(link.headers.keys().all(|name| name == "host"), "a browser could not follow it")
}

contract! { Yard over super::tests::Memory::new();
    an_object_is_deposited_once,
    metadata_comes_back_as_it_was_given_whatever_its_script,
    an_upload_link_makes_its_object_once,
    a_download_link_gives_the_object,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::memory::{Bucket, ManualClock, Objects};

    pub(super) struct Memory {
        clock: ManualClock,
        objects: Objects,
        bucket: Bucket,
    }

    impl Memory {
        pub(super) fn new() -> Self {
            let clock = ManualClock::default();
            let objects = Objects::new(Arc::new(clock.clone()));
            Self { bucket: objects.outlet("bucket"), objects, clock }
        }

        pub(super) fn ports(&self, space: &str) -> Yard<'_> {
            let objects = &self.objects;
            Yard { depot: &self.bucket, source: objects, stranger: objects, bucket: "bucket", space: space.to_owned() }
        }
    }

    #[tokio::test]
    async fn an_expired_link_opens_nothing() {
        let memory = Memory::new();
        let yard = memory.ports("space");
        let up = yard.depot.upload_link(&yard.to("a", &[]), VALID).await.unwrap();
        let down = yard.depot.download_link("space/a", VALID).await.unwrap();
        memory.clock.advance(VALID);
        assert_eq!(yard.stranger.upload(&up, "late".into()).await.unwrap(), 403);
        assert_eq!(yard.stranger.download(&down).await.unwrap().0, 403);
        assert!(memory.objects.keys("bucket").is_empty());
    }
}
