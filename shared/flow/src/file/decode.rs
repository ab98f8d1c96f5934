//! From an object's bytes to the bytes of the file: gzip (also several members), zip with one file, or as they are.
//!
//! **Resuming compressed input**: the file is decoded again from its start, and what was sent is not sent again. The
//! other way, keeping the decoder's state in the checkpoint, needs 32 KiB of window and a decoder that can be saved,
//! which no well-kept library offers; decoding again costs about 3 CPU-seconds per GB, once per lost attempt.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use async_compression::tokio::bufread::GzipDecoder;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rc_zip_tokio::rc_zip::Entry;
use rc_zip_tokio::rc_zip::fsm::{EntryFsm, FsmResult};
use rc_zip_tokio::rc_zip::parse::Method;
use rc_zip_tokio::{HasCursor, ReadZipWithSize};
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;

use crate::Transient;
use crate::ledger::run::Encoding;
use crate::ports::{ByteStream, ObjectRef, Source};

/// Decompression stops at this many times the compressed size, once more than [`RATIO_APPLIES_FROM`] came out.
const HIGHEST_RATIO: u64 = 250;
const RATIO_APPLIES_FROM: u64 = 8 << 20;
/// … and at this many bytes.
const LARGEST_FILE: u64 = 200 << 30;
/// An object's stream is opened again this often before the attempt fails.
const REOPENINGS: u32 = 3;

/// Why bytes could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The file itself is at fault; the text says how, for those who sent it.
    #[error("{0}")]
    Broken(String),
    /// The store is at fault.
    #[error(transparent)]
    Transient(#[from] Transient),
}

/// A version of an object and its size: all that is needed to read it.
#[derive(Clone)]
pub struct Object {
    /// The store.
    pub source: Arc<dyn Source>,
    /// The version.
    pub object: ObjectRef,
    /// Its size in bytes.
    pub size: u64,
}

impl Object {
    /// The bytes from `from` to the end; a connection that breaks is opened again where it broke.
    fn bytes_from(&self, from: u64) -> ByteStream {
        struct At {
            object: Object,
            at: u64,
            open: Option<ByteStream>,
            reopenings: u32,
        }
        let start = At { object: self.clone(), at: from, open: None, reopenings: 0 };
        stream::try_unfold(start, |mut state| async move {
            loop {
                if state.at >= state.object.size {
                    return Ok(None);
                }
                let mut open = match state.open.take() {
                    Some(open) => open,
                    None => state.object.source.read(&state.object.object, state.at).await.map_err(io::Error::other)?,
                };
                match open.next().await {
                    Some(Ok(bytes)) => {
                        state.at = state.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                        state.open = Some(open);
                        state.reopenings = 0;
                        return Ok(Some((bytes, state)));
                    }
                    broken if state.reopenings >= REOPENINGS => {
                        let early =
                            || io::Error::new(io::ErrorKind::ConnectionReset, "the object's stream ended early");
                        return Err(broken.and_then(Result::err).unwrap_or_else(early));
                    }
                    _ => state.reopenings = state.reopenings.saturating_add(1),
                }
            }
        })
        .boxed()
    }

    fn reader(&self, from: u64) -> Raw {
        StreamReader::new(self.bytes_from(from))
    }
}

type Raw = StreamReader<ByteStream, Bytes>;

impl HasCursor for Object {
    type Cursor<'a> = Raw;

    fn cursor_at(&self, offset: u64) -> Raw {
        self.reader(offset)
    }
}

/// The decoded bytes of a file, in order.
pub struct Decoded {
    inner: Inner,
    packed_size: u64,
    produced: u64,
}

enum Inner {
    Plain(Raw),
    Gzip(Pin<Box<GzipDecoder<Raw>>>),
    Zip { raw: Raw, machine: Option<Box<EntryFsm>> },
}

impl Decoded {
    /// Opens a file at decoded offset `from`. What is compressed is decoded from its start again.
    ///
    /// # Errors
    /// [`ReadFault::Broken`] when it cannot be unpacked.
    pub async fn open(object: &Object, encoding: Encoding, from: u64) -> Result<Self, ReadFault> {
        let inner = match encoding {
            Encoding::Plain => Inner::Plain(object.reader(from)),
            Encoding::Gzip => {
                let mut decoder = GzipDecoder::new(object.reader(0));
                decoder.multiple_members(true);
                Inner::Gzip(Box::pin(decoder))
            }
            Encoding::Zip => {
                let entry = the_only_entry(object).await?;
                let raw = object.reader(entry.header_offset);
                Inner::Zip { raw, machine: Some(Box::new(EntryFsm::new(Some(entry), None))) }
            }
        };
        let mut decoded = Self { inner, packed_size: object.size, produced: 0 };
        if encoding != Encoding::Plain {
            decoded.skip(from).await?;
        }
        Ok(decoded)
    }

    /// Reads some bytes into `buffer`; 0 at the end of the file.
    ///
    /// # Errors
    /// [`ReadFault::Broken`] when the compressed stream is damaged, breaks off or grows beyond all measure.
    pub async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadFault> {
        let read = match &mut self.inner {
            Inner::Plain(raw) => return raw.read(buffer).await.map_err(|e| store_fault(e).into()),
            Inner::Gzip(decoder) => decoder.read(buffer).await,
            Inner::Zip { raw, machine } => unzip(raw, machine, buffer).await,
        };
        let read = read.map_err(|e| classify(e, self.produced))?;
        self.produced = self.produced.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        let too_dense = self.produced > RATIO_APPLIES_FROM && self.produced / HIGHEST_RATIO > self.packed_size;
        if too_dense || self.produced > LARGEST_FILE {
            return Err(ReadFault::Broken(format!(
                "decompression stopped: {} bytes became more than {} (limit: {HIGHEST_RATIO} times, and {} GiB)",
                self.packed_size,
                self.produced,
                LARGEST_FILE >> 30,
            )));
        }
        Ok(read)
    }

    async fn skip(&mut self, bytes: u64) -> Result<(), ReadFault> {
        let mut scratch = vec![0; 64 << 10];
        let mut left = bytes;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(scratch.len());
            let read = self.read(scratch.get_mut(..most).unwrap_or_default()).await?;
            if read == 0 {
                return Err(ReadFault::Broken(format!("the file ends {left} bytes before where it was read already")));
            }
            left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        }
        Ok(())
    }
}

/// How the file is packed, by its first bytes ("magic number").
///
/// # Errors
/// [`ReadFault::Transient`] when they cannot be read.
pub async fn detect(object: &Object) -> Result<Encoding, ReadFault> {
    let mut first = [0; 4];
    let mut raw = object.reader(0);
    let mut have = 0;
    while have < first.len() {
        let read = raw.read(first.get_mut(have..).unwrap_or_default()).await.map_err(store_fault)?;
        if read == 0 {
            break;
        }
        have += read;
    }
    match first {
        [0x1f, 0x8b, ..] => Ok(Encoding::Gzip),
        [b'P', b'K', 3 | 5, 4 | 6] => Ok(Encoding::Zip),
        _ => Ok(Encoding::Plain),
    }
}

async fn the_only_entry(object: &Object) -> Result<Entry, ReadFault> {
    let archive = object.read_zip_with_size(object.size).await.map_err(|e| match e {
        rc_zip_tokio::rc_zip::Error::IO(e) if e.kind() != io::ErrorKind::UnexpectedEof => classify(e, 0),
        e => ReadFault::Broken(format!("the zip archive cannot be read: {e}")),
    })?;
    let is_file = |entry: &Entry| !entry.name.ends_with('/');
    let files: Vec<Entry> = archive.entries().map(|entry| (*entry).clone()).filter(is_file).collect();
    match files.as_slice() {
        [entry] if matches!(entry.method, Method::Deflate | Method::Store) => Ok(entry.clone()),
        [entry] => Err(ReadFault::Broken(format!("the zip archive is packed by {:?}, not by Deflate", entry.method))),
        [] => Err(ReadFault::Broken("the zip archive has no file in it".into())),
        several => {
            Err(ReadFault::Broken(format!("the zip archive has {} files in it; one is expected", several.len())))
        }
    }
}

async fn unzip(raw: &mut Raw, machine: &mut Option<Box<EntryFsm>>, out: &mut [u8]) -> io::Result<usize> {
    while let Some(mut fsm) = machine.take() {
        let mut fed = 0;
        if fsm.wants_read() {
            fed = raw.read(fsm.space()).await?;
            fsm.fill(fed);
        }
        match fsm.process(out).map_err(io::Error::other)? {
            FsmResult::Done(_) => return Ok(0),
            FsmResult::Continue((fsm, outcome)) => {
                *machine = Some(Box::new(fsm));
                if outcome.bytes_written > 0 {
                    return Ok(outcome.bytes_written);
                }
                if fed == 0 && outcome.bytes_read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
    Ok(0)
}

fn store_fault(error: io::Error) -> Transient {
    Transient::because("reading the object", error)
}

/// An error of the decoder is the file's fault; one that came through it from the store is not.
fn classify(error: io::Error, produced: u64) -> ReadFault {
    let from_store =
        error.kind() == io::ErrorKind::ConnectionReset || error.get_ref().is_some_and(|inner| inner.is::<Transient>());
    if from_store {
        return ReadFault::Transient(store_fault(error));
    }
    ReadFault::Broken(match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("the compressed file breaks off after {produced} decoded bytes"),
        _ => format!("the compressed file is damaged after {produced} decoded bytes: {error}"),
    })
}
