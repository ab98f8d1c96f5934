use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use flow::Transient;
use flow::memory::{Bucket, Objects};
use flow::ports::{
    ByteStream, Destination, Finished, ObjectMeta, ObjectRef, Outlet, Part, Source, UploadEnd, UploadId,
};
use futures_util::{StreamExt, stream};

use super::Wire;
use crate::bugs::Bug;
use crate::engine::Port;
use crate::faults::Fault;

/// Reads objects.
#[derive(Clone)]
pub struct SimSource {
    /// The line.
    pub wire: Wire,
    /// All buckets.
    pub objects: Objects,
}

impl SimSource {
    fn meant(&self, object: &ObjectRef) -> ObjectRef {
        let newest = self.wire.shared.has_bug(Bug::ReadTheNewestVersion);
        let version = if newest { None } else { object.version.clone() };
        ObjectRef { version, ..object.clone() }
    }
}

#[async_trait]
impl Source for SimSource {
    async fn head(&self, object: &ObjectRef) -> Result<Option<ObjectMeta>, Transient> {
        let op = self.wire.op(Port::Objects, "head", || name(object));
        self.wire.through(op, self.objects.head(object)).await
    }

    async fn read(&self, object: &ObjectRef, from: u64) -> Result<ByteStream, Transient> {
        let op = self.wire.op(Port::Objects, "read", || format!("{} from {from}", name(object)));
        let meant = self.meant(object);
        let from = if self.wire.shared.has_bug(Bug::ResumeFromTheStart) { 0 } else { from };
        let whole = self.wire.through(op, self.objects.read(&meant, from)).await?;
        let wire = self.wire.clone();
        let chunks = stream::unfold((whole, wire, false), |(mut whole, wire, broken)| async move {
            if broken {
                return None;
            }
            let op = wire.op(Port::Objects, "chunk", String::new);
            let fate = wire.gate(op).await;
            match fate.fault {
                Some(Fault::BrokenStream) => {
                    wire.shared.lock().note_here("objects chunk   *** the stream breaks");
                    let broken = io::Error::new(io::ErrorKind::ConnectionReset, "the connection broke");
                    Some((Err(broken), (whole, wire, true)))
                }
                Some(Fault::CrashAfterCall) => wire.die().await,
                _ => {
                    let chunk = whole.next().await?;
                    Some((chunk, (whole, wire, false)))
                }
            }
        });
        Ok(chunks.boxed())
    }
}

/// The first upload of each key: what the planted bug gives out again.
#[derive(Clone, Default)]
pub struct FirstUploads(Arc<Mutex<BTreeMap<String, UploadId>>>);

impl FirstUploads {
    fn first(&self, key: &str, upload: UploadId) -> UploadId {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.entry(key.to_owned()).or_insert(upload).clone()
    }
}

/// Writes into one bucket.
#[derive(Clone)]
pub struct SimOutlet {
    /// The line.
    pub wire: Wire,
    /// All buckets.
    pub objects: Objects,
    /// The bucket.
    pub bucket: Bucket,
    /// Its name.
    pub name: &'static str,
    /// The first upload of each key, for a bug.
    pub first_uploads: FirstUploads,
}

#[async_trait]
impl Outlet for SimOutlet {
    async fn put(&self, to: &Destination, bytes: Bytes) -> Result<(), Transient> {
        let op = self.wire.op(Port::Outlet, "put", || format!("{}/{} ({} bytes)", self.name, to.key, bytes.len()));
        let loses = to.key.contains("/pieces/") && self.wire.shared.has_bug(Bug::LoseRejectedRows);
        let bytes = if loses { Bytes::new() } else { bytes };
        self.wire.through(op, self.bucket.put(to, bytes)).await
    }

    async fn begin(&self, to: &Destination) -> Result<UploadId, Transient> {
        let op = self.wire.op(Port::Outlet, "begin", || format!("{}/{}", self.name, to.key));
        let act = async {
            let upload = self.bucket.begin(to).await?;
            let reuses = self.wire.shared.has_bug(Bug::ReuseTheUploadId);
            let first = self.first_uploads.first(&to.key, upload.clone());
            Ok(if reuses { first } else { upload })
        };
        self.wire.through(op, act).await
    }

    async fn part(&self, key: &str, upload: &UploadId, number: u32, part: Part) -> Result<(), Transient> {
        let op = self.wire.op(Port::Outlet, "part", || format!("{}/{key} {} part {number}", self.name, upload.0));
        let act = async {
            if let Part::Bytes(bytes) = &part
                && self.wire.shared.has_bug(Bug::ShowHalfAFile)
            {
                self.objects.put(self.name, key, bytes.clone());
            }
            self.bucket.part(key, upload, number, part).await
        };
        self.wire.through(op, act).await
    }

    async fn finish(&self, key: &str, upload: &UploadId, end: UploadEnd) -> Result<Finished, Transient> {
        let op = self.wire.op(Port::Outlet, "finish", || format!("{}/{key} {} {end:?}", self.name, upload.0));
        self.wire.through(op, self.bucket.finish(key, upload, end)).await
    }
}

fn name(object: &ObjectRef) -> String {
    format!("{}/{} {}", object.bucket, object.key, object.version.as_deref().unwrap_or("newest"))
}
