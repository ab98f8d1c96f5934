//! The life of a stage, which is one program event of the program system (contracts.md §9):
//!
//! ```text
//! none ──▶ SCHEDULED ──▶ IN_PROGRESS ──▶ COMPLETED
//!              │              │
//!              └──────┬───────┘
//!                     ▼
//!                 CANCELED           never without SCHEDULED; final states don't move
//! ```
//!
//! Messages come late, twice and in any order, so nobody acts on a message. What each asks for is written down as a
//! [`Wish`], and [`Course::next`] says what follows from all wishes, from what the program system is known to be in, and
//! from the clock: the next legal call, a wait, or that a wish has waited in vain.

mod course;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::ProgramCode;

pub use course::{Course, Limits, Next};

/// Where a stage is, or is to be. In order of its life; of the two final ones a stage reaches one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StageStatus {
    /// The program event exists; devices can be reserved.
    Scheduled,
    /// It runs.
    InProgress,
    /// It ran to its end.
    Completed,
    /// It was ended before its end, or never began.
    Canceled,
}

impl StageStatus {
    /// All of them, in order of a stage's life.
    pub const ALL: [Self; 4] = [Self::Scheduled, Self::InProgress, Self::Completed, Self::Canceled];

    /// Whether nothing follows it.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled)
    }

    /// As the lookup EventStatus knows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Canceled => "CANCELED",
        }
    }

    /// What may follow `before`, the one that a stage goes through first if both are wanted before the other.
    #[must_use]
    pub fn after(before: Option<Self>) -> &'static [Self] {
        match before {
            None => &[Self::Scheduled],
            Some(Self::Scheduled) => &[Self::InProgress, Self::Canceled],
            Some(Self::InProgress) => &[Self::Completed, Self::Canceled],
            Some(Self::Completed | Self::Canceled) => &[],
        }
    }

    /// Whether a stage must have been in `self` before it can be in `later`.
    #[must_use]
    pub fn is_before(self, later: Self) -> bool {
        match later {
            Self::Scheduled => false,
            Self::InProgress | Self::Canceled => self == Self::Scheduled,
            Self::Completed => matches!(self, Self::Scheduled | Self::InProgress),
        }
    }

    /// What a stage that is `applied` in the program system means for somebody who wants it to be `self`. `None`: it is
    /// not there yet.
    #[must_use]
    pub fn reached(self, applied: Option<Self>) -> Option<Reached> {
        use StageStatus::{Canceled, Completed, InProgress};
        let applied = applied?;
        match (applied, self) {
            (Canceled, InProgress) => Some(Reached::Overtaken),
            (Completed, Canceled) | (Canceled, Completed) => Some(Reached::Contradicted),
            _ if applied >= self => Some(Reached::Done),
            _ => None,
        }
    }
}

/// How a status that needs no call any more stands to what the stage is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The stage is there, or was: "a repeat is answered as done".
    Done,
    /// IN_PROGRESS of a stage that is CANCELED: it came late, and the stage does not move any more.
    Overtaken,
    /// COMPLETED of a stage that is CANCELED, or the other way round: two final states, of which the first stays.
    Contradicted,
}

impl fmt::Display for StageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no status of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED")]
pub struct NotAStatus;

impl FromStr for StageStatus {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(NotAStatus)
    }
}

/// What a stage was scheduled for. It never changes: "cancel it and send a new stage id" (contracts.md §9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Its one program.
    pub program_code: ProgramCode,
    /// The program system's `programEventCategory`: `X1DT`, `X1EC`, `X1EM` or `X1RE` (contracts.md §4).
    pub category: String,
    /// Its start.
    pub start: Timestamp,
    /// Its end, exclusive; after its start.
    pub end: Timestamp,
}

/// The statuses that a stage was asked to reach, each once.
pub type Wanted = BTreeMap<StageStatus, Wish>;

/// How many of those who asked for one status are remembered.
const MOST_ASKERS: usize = 50;

/// That a stage be in a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Since when; the hold counts from here.
    pub since: Timestamp,
    /// Who asked: attempts of messages, or an operator. All of them get the same end.
    pub by: Vec<String>,
    /// Since when the program system says "not yet".
    #[serde(default)]
    pub not_yet_since: Option<Timestamp>,
    /// It is not pursued any more.
    #[serde(default)]
    pub refused: Option<Refused>,
}

impl Wish {
    /// Asked by `by` at `since`.
    #[must_use]
    pub fn new(since: Timestamp, by: impl Into<String>) -> Self {
        Self { since, by: vec![by.into()], not_yet_since: None, refused: None }
    }

    /// `by` asks for the same. Whether that is news.
    pub fn join(&mut self, by: &str) -> bool {
        let is_new = !self.is_by(by);
        if is_new {
            // So many messages for one status are a mistake of their sender's; who is forgotten asks anew.
            if self.by.len() >= MOST_ASKERS {
                self.by.remove(0);
            }
            self.by.push(by.to_owned());
        }
        is_new
    }

    /// Whether `by` asked for it.
    #[must_use]
    pub fn is_by(&self, by: &str) -> bool {
        self.by.iter().any(|known| known == by)
    }
}

/// Why a wish is not pursued any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// In words for whoever asked, and for the operator.
    pub reason: String,
    /// Who says so.
    pub ground: Ground,
}

/// What a refusal rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ground {
    /// It waited for its predecessor in vain: whoever supplies that revives it.
    Early,
    /// What is known here does not suffice for the call, such as a lookup without an entry.
    Unlisted,
    /// The program system refuses it.
    ProgramSystem,
}
