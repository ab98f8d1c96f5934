//! Plain maps: one system's code to another's.

use super::LookupFault;
use super::text::{Once, each_row, table};
use crate::layout::{Column, Layout, RowFault, excerpt};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The plain maps of contracts.md §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MapName {
    /// Days on which events are allowed, of the program system → of the DERMS.
    AllowEventDays,
    /// `MAKE!MODEL` of a head-end → the program system's specification.
    AssetSpec,
    /// A device type of the DERMS → the program system's asset type.
    AssetType,
    /// The cycle of a program rule, of the program system → of the DERMS.
    CycleFrequency,
    /// Where an enrollment comes from → the program system's code.
    EnrollmentSource,
    /// A status of an event or stage as the DERMS spells it → as we know it.
    EventStatus,
    /// A kind of event of the DERMS → the program system's category.
    EventType,
    /// A head-end, of the program system → of the DERMS.
    HeadEndSystem,
    /// What a device did → the program system's code.
    OutcomeCode,
    /// Why somebody unenrolls → the program system's code.
    UnenrollReason,
}

impl MapName {
    /// All plain maps.
    pub const ALL: [Self; 10] = [
        Self::AllowEventDays,
        Self::AssetSpec,
        Self::AssetType,
        Self::CycleFrequency,
        Self::EnrollmentSource,
        Self::EventStatus,
        Self::EventType,
        Self::HeadEndSystem,
        Self::OutcomeCode,
        Self::UnenrollReason,
    ];

    /// The lookup's name, which is its file's without `.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowEventDays => "AllowEventDays",
            Self::AssetSpec => "AssetSpec",
            Self::AssetType => "AssetType",
            Self::CycleFrequency => "CycleFrequency",
            Self::EnrollmentSource => "EnrollmentSource",
            Self::EventStatus => "EventStatus",
            Self::EventType => "EventType",
            Self::HeadEndSystem => "HeadEndSystem",
            Self::OutcomeCode => "OutcomeCode",
            Self::UnenrollReason => "UnenrollReason",
        }
    }
}

/// A value that a lookup doesn't have: "a business error naming lookup and value; never a silent default".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The lookup's name.
    pub lookup: &'static str,
    /// The value, quoted and cut after 40 characters.
    pub value: String,
}

impl Miss {
    /// `lookup` has no entry for `value`.
    #[must_use]
    pub fn new(lookup: &'static str, value: &str) -> Self {
        Self { lookup, value: excerpt(value) }
    }

    /// As the fault of a row whose `column` holds the value.
    pub fn at(&self, column: impl Into<Cow<'static, str>>) -> RowFault {
        RowFault::at(column, self.to_string())
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lookup {} has no entry for {}", self.lookup, self.value)
    }
}

impl std::error::Error for Miss {}

/// A plain map. The row `*,*` says that every value not listed is the same on both sides: written down by whoever
/// keeps the lookup, and gone when that person deletes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueMap {
    name: MapName,
    values: BTreeMap<String, String>,
    others_as_they_are: bool,
    /// Values without a translation, whatever the two fields before say.
    untranslatable: BTreeSet<String>,
}

impl ValueMap {
    /// A map that has no entry for anything.
    pub fn empty(name: MapName) -> Self {
        Self { name, values: BTreeMap::new(), others_as_they_are: false, untranslatable: BTreeSet::new() }
    }

    /// Reads one version of the map.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it.
    pub fn parse(name: MapName, csv: &[u8]) -> Result<Self, LookupFault> {
        const TABLE: Layout = table(&[Column::required("key"), Column::required("value")]);
        let mut map = Self::empty(name);
        let mut once = Once::default();
        each_row(name.as_str(), &TABLE, csv, |[key, value]| {
            once.take("key", key)?;
            match (key, value) {
                ("*", "*") => map.others_as_they_are = true,
                ("*", _) => {
                    return Err("key \"*\" takes only value \"*\": a lookup has no default".to_owned());
                }
                _ => {
                    map.values.insert(key.to_owned(), value.to_owned());
                }
            }
            Ok(())
        })?;
        Ok(map)
    }

    /// The map read from right to left, for what comes back: HeadEndSystem for a file of the DERMS.
    ///
    /// **Interpretation:** a code that stands for two others stands for neither on the way back, and one that has a
    /// translation of its own never came from there as it is. Both are misses, not guesses.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut reversed = Self::empty(self.name);
        reversed.others_as_they_are = self.others_as_they_are;
        for (key, value) in &self.values {
            if reversed.values.insert(value.clone(), key.clone()).is_some() {
                reversed.untranslatable.insert(value.clone());
            }
        }
        let never_came = self.values.keys().filter(|key| !reversed.values.contains_key(*key)).cloned();
        reversed.untranslatable.extend(never_came.collect::<Vec<_>>());
        reversed
    }

    /// Which map it is.
    pub fn name(&self) -> MapName {
        self.name
    }

    /// Translates a value.
    ///
    /// # Errors
    ///
    /// A [`Miss`] that names the lookup and the value.
    pub fn get<'a>(&'a self, value: &'a str) -> Result<&'a str, Miss> {
        match self.values.get(value) {
            _ if self.untranslatable.contains(value) => Err(Miss::new(self.name.as_str(), value)),
            Some(translated) => Ok(translated),
            None if self.others_as_they_are => Ok(value),
            None => Err(Miss::new(self.name.as_str(), value)),
        }
    }
}
