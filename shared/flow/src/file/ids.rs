//! The ids of a run: what it has delivered and waits to be answered, or what its rows have answered. One id a line, and
//! nothing else of a row. `watch` compares the two (decision 19).
//!
//! ```text
//! <flow>/ids/<run>/<number>-<attempt>     4711⏎4712⏎ …
//! ```
//!
//! A piece is written again, longer, at each checkpoint of the attempt that began it, until it is large: files whose
//! checkpoints lie ten seconds of calls apart would otherwise leave thousands of small ones. A twin that is slow only ever
//! makes its own piece longer, by ids that are true as well; so a piece that a checkpoint names never loses one.

use bytes::Bytes;
use futures_util::StreamExt;

use super::rejects::RejectStore;
use crate::Transient;
use crate::ledger::run::{Pieces, Run, RunId};
use crate::ports::{Destination, Metadata, ObjectRef};

/// A piece is complete when it has this size.
const PIECE: usize = 1 << 20;

/// The ids of one attempt that are not in a complete piece yet.
pub struct Ids {
    store: RejectStore,
    flow: &'static str,
    open: Vec<u8>,
    number: Option<u32>,
    pending: bool,
}

impl Ids {
    /// No ids yet.
    #[must_use]
    pub fn new(store: RejectStore, flow: &'static str) -> Self {
        Self { store, flow, open: Vec::new(), number: None, pending: false }
    }

    /// Notes one id. It has no line break: identifiers have no control characters.
    pub fn note(&mut self, id: &[u8]) {
        self.open.extend_from_slice(id);
        self.open.push(b'\n');
        self.pending = true;
    }

    /// Writes what was noted since the last time, and notes a new piece of `attempt` in `pieces`.
    ///
    /// # Errors
    /// [`Transient`] when the bucket does not take it.
    pub async fn flush(&mut self, run: &RunId, pieces: &mut Pieces, attempt: u32) -> Result<(), Transient> {
        if !self.pending {
            return Ok(());
        }
        let mut next = pieces.clone();
        let number = self.number.unwrap_or_else(|| next.add(attempt));
        let to = Destination { key: piece_key(self.flow, run, number, attempt), metadata: Metadata::new() };
        self.store.outlet.put(&to, Bytes::copy_from_slice(&self.open)).await?;
        (*pieces, self.number, self.pending) = (next, Some(number), false);
        if self.open.len() >= PIECE {
            self.open.clear();
            self.number = None;
        }
        Ok(())
    }
}

/// The keys of all pieces of `run`, in order.
pub(crate) fn piece_keys(flow: &str, run: &Run) -> impl Iterator<Item = String> {
    let of = |(number, attempt)| piece_key(flow, &run.id, number, attempt);
    run.ids.iter().map(of).collect::<Vec<_>>().into_iter()
}

fn piece_key(flow: &str, run: &RunId, number: u32, attempt: u32) -> String {
    format!("{flow}/ids/{run}/{number:06}-{attempt:03}")
}

/// The whole of a small object of the rejects bucket.
///
/// # Errors
/// [`Transient`] when it cannot be read.
pub(crate) async fn read_piece(store: &RejectStore, key: String) -> Result<Vec<u8>, Transient> {
    let object = ObjectRef { bucket: store.bucket.clone(), key, version: None };
    let mut stream = store.source.read(&object, 0).await?;
    let mut piece = Vec::new();
    while let Some(chunk) = stream.next().await {
        piece.extend_from_slice(&chunk.map_err(|e| Transient::because(format!("reading {}", object.key), e))?);
    }
    Ok(piece)
}
