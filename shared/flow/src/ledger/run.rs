//! File runs. A run is one (flow, bucket, key, version): whatever its event does, it is processed once.
//!
//! ```text
//! registered ── Waiting ──claim──▶ Working ──▶ Delivered | Rejected | Superseded | GivenUp      (final)
//!                   ▲                 │ └────▶ Held ──release──▶ Waiting, ──discard──▶ Discarded  (operator)
//!                   └──hand over──────┘
//! ```
//!
//! **The lease.** An invocation claims a run until its own deadline, and nothing can make it live longer: Lambda ends
//! it there. The queue shows the message again later than that, so the next attempt always finds the lease over.
//!
//! ```text
//! t0          t0 + 120 s          t0 + 122 s            t0 + 130 s
//! │ receive   │ function timeout  │ lease over          │ message visible again
//! ├───────────┴───────────────────┤                     │
//! │  claim … checkpoint … checkpoint                    └─ next attempt claims, goes on from the last checkpoint
//! ```
//!
//! A slow twin that wakes up after its lease finds that the revision has moved: its next checkpoint conflicts, and it
//! stops. Between, it can at most have repeated a call or rewritten a part that is the same whoever writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ports::{Key, Metadata, ObjectRef, UploadId};

/// How long ended runs stay in the ledger, and so how long a repeated event is recognised (architecture.md §3).
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The metadata that says how many rows a file has: what is true of one file is not of another made of it.
pub const ROW_COUNTS: [&str; 2] = ["row-count", "record-count"];
/// The metadata that carries the correlation id, of files that came by the file intake and of those that we deliver.
pub const CORRELATION: &str = "correlation-id";

/// Names a run: 20 hexadecimal digits of SHA-256 over flow, bucket, key and version. Also the `scoreFileId`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// The id of the run of `flow` over `object`.
    #[must_use]
    pub fn of(flow: &str, object: &ObjectRef) -> Self {
        let mut hash = Sha256::new();
        for part in [flow, &object.bucket, &object.key, object.version.as_deref().unwrap_or("null")] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut id = hex::encode(hash.finalize());
        id.truncate(20);
        Self(id)
    }
}

impl RunId {
    /// The run that a reject file comes from, by its name: `<file>.<run>.rows.csv`.
    #[must_use]
    pub fn in_reject_name(file_name: &str) -> Option<Self> {
        let id = file_name.strip_suffix(".rows.csv")?.rsplit('.').next()?;
        id.parse().ok()
    }
}

/// A text that names no run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run id has 20 hexadecimal digits")]
pub struct NotARunId;

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        let is_hex = text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_hex { Ok(Self(text.to_owned())) } else { Err(NotARunId) }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RunState {
    /// Registered; nobody works on it.
    Waiting,
    /// Claimed.
    Working,
    /// Too many rejected rows: a person decides, `release` or `discard`.
    Held,
    /// All valid rows are delivered.
    Delivered,
    /// The file as a whole was rejected.
    Rejected,
    /// A newer version of the same key came before this one was done.
    Superseded,
    /// Given up after the retry limit.
    GivenUp,
    /// Discarded by a person, or by the hold limit.
    Discarded,
}

impl RunState {
    /// Whether nothing more happens to the run by itself.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::Working)
    }

    /// The state in one word, for logs and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::GivenUp => "given-up",
            Self::Discarded => "discarded",
        }
    }
}

/// What the run does next. Each phase begins at the first row again, unless the checkpoint says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// File → file: every row is checked, nothing is written.
    Check,
    /// File → file, clean: the same bytes are copied by the store.
    Copy,
    /// File → file, otherwise: valid rows are written under our column names.
    Rewrite,
    /// File → REST: rows are checked and sent.
    Deliver,
    /// The source is told of each rejected row, where the contract asks for it; then the run ends in this state.
    Tell(RunState),
    /// Rows that will not be delivered are counted, so that the books close.
    Drain(RunState),
    /// Reject files are joined, people are told, the run ends in this state.
    Settle(RunState),
}

/// The books of a run. `rows = delivered + repeated + superseded + rejected + undelivered` when it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records after the header.
    pub rows: u64,
    /// Taken by the target, or published in the inbox.
    pub delivered: u64,
    /// The same row again within one call: sent once.
    pub repeated: u64,
    /// The rest of an older version.
    pub superseded: u64,
    /// Refused here or by the target; each is in the reject file.
    pub rejected: u64,
    /// Given up or discarded.
    pub undelivered: u64,
}

impl Counts {
    /// Whether every row has an end.
    #[must_use]
    pub fn balance(&self) -> bool {
        self.rows == self.delivered + self.repeated + self.superseded + self.rejected + self.undelivered
    }
}

/// A place in the decoded file, at the start of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Bytes before it, after decompression.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
}

/// How the bytes of the object become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// As they are.
    Plain,
    /// One or more gzip members.
    Gzip,
    /// A zip archive with one file.
    Zip,
}

/// The first record of the file, kept so that an attempt that resumes need not read it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How the file is packed.
    pub encoding: Encoding,
    /// Whether it began with a byte order mark.
    pub bom: bool,
    /// The header, byte for byte, with its line ending.
    pub header: String,
    /// Where the first row begins.
    pub rows_at: Position,
}

/// Who works on a run, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The invocation.
    pub owner: String,
    /// The end of its life.
    pub until: Timestamp,
}

/// Pieces of the reject files written so far. A piece's name carries the attempt that wrote it, so that a slow twin
/// never overwrites one that counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    /// How many there are.
    pub count: u32,
    /// (first piece, attempt): from that piece on, pieces are that attempt's.
    pub written_by: Vec<(u32, u32)>,
}

impl Pieces {
    /// Notes one more piece by `attempt`; its number.
    pub fn add(&mut self, attempt: u32) -> u32 {
        let number = self.count;
        self.count = self.count.saturating_add(1);
        if self.written_by.last().is_none_or(|(_, by)| *by != attempt) {
            self.written_by.push((number, attempt));
        }
        number
    }

    /// All pieces, in order: (number, attempt).
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.count).map(|number| {
            let by = self.written_by.iter().rev().find(|(first, _)| *first <= number);
            (number, by.map_or(0, |(_, attempt)| *attempt))
        })
    }
}

/// Where a run that was given up goes on when a person says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// In this phase …
    pub phase: Phase,
    /// … from here …
    pub position: Position,
    /// … with these books.
    pub counts: Counts,
}

/// A run in the list of its flow, in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The run.
    pub run: RunId,
}

impl Listed {
    /// The partition of the runs of `flow`, in order of arrival.
    #[must_use]
    pub fn partition(flow: &str) -> String {
        format!("{flow}#runs")
    }

    /// The key of the run at `place`.
    #[must_use]
    pub fn key(flow: &str, place: &str) -> Key {
        Key { partition: Self::partition(flow), sort: place.into() }
    }
}

/// One run, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The version that is processed.
    pub source: ObjectRef,
    /// Its size in bytes.
    pub size: u64,
    /// Its entity tag.
    pub etag: String,
    /// Its user metadata: the envelope, `row-count`, `as-of`.
    pub envelope: Metadata,
    /// Its place in the order of arrival.
    pub place: String,
    /// When it was registered.
    pub registered: Timestamp,
    /// The correlation id.
    pub correlation: String,
    /// Whether a later file had begun before it came.
    pub late: bool,
    /// Where it stands.
    pub state: RunState,
    /// What it does next.
    pub phase: Phase,
    /// Who works on it.
    pub lease: Option<Lease>,
    /// Claims so far.
    pub attempt: u32,
    /// Claims since the last progress whose attempts died: those that handed the run back are not counted.
    pub idle_attempts: u32,
    /// Attempts in a row that ended in a fault and handed the run back: each waits longer than the one before.
    #[serde(default)]
    pub faults: u32,
    /// When its turn first came: the retry limit counts from here, waiting does not.
    pub first_turn: Option<Timestamp>,
    /// The versions of the lookups that it began with.
    pub lookups: BTreeMap<String, String>,
    /// The header, once read.
    pub head: Option<Head>,
    /// The checkpoint: where the next attempt goes on.
    pub position: Position,
    /// The books up to the checkpoint.
    pub counts: Counts,
    /// The reject pieces up to the checkpoint.
    pub pieces: Pieces,
    /// The pieces of the list of ids up to the checkpoint: of rows that are answered later, or that answer.
    #[serde(default)]
    pub ids: Pieces,
    /// Parts uploaded, or parts sent, up to the checkpoint.
    pub parts: u32,
    /// The upload in progress.
    pub upload: Option<UploadId>,
    /// The run whose rejected rows this file corrects.
    pub parent: Option<RunId>,
    /// Whether its flow takes files one at a time.
    pub in_order: bool,
    /// Where it goes on if it is replayed.
    pub resume: Option<Resume>,
    /// The run that supersedes this one.
    pub superseded_by: Option<RunId>,
    /// Why it ended, or is held.
    pub reason: Option<String>,
    /// Since when it is held: the hold limit counts from here.
    #[serde(default)]
    pub held: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl Run {
    /// The key of run `id` of `flow`.
    #[must_use]
    pub fn key(flow: &str, id: &RunId) -> Key {
        Key { partition: format!("{flow}#run#{id}"), sort: "run".into() }
    }

    /// When the ledger may forget the run: never while it is open.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.ended.and_then(|ended| ended.checked_add(REMEMBERED).ok())
    }

    /// Whether another invocation than `owner` holds the run at `now`.
    #[must_use]
    pub fn is_held_by_other(&self, owner: &str, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.owner != owner && lease.until > now)
    }

    /// How many rows the file was announced to have (contracts.md §6, "Completeness"): `row-count`, or the envelope's
    /// `record-count`; as it was written.
    #[must_use]
    pub fn announced_rows(&self) -> Option<&str> {
        ROW_COUNTS.iter().find_map(|name| self.envelope.get(*name)).map(|count| count.trim())
    }

    /// The file's name without its folders.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.source.key.rsplit('/').next().unwrap_or(&self.source.key)
    }
}
