//! The lookups, "domain value maps" (contracts.md §7): tables that a utility changes at run time.
//!
//! Each is one CSV file in the config bucket, read strictly here: a new version either holds as a whole or is refused
//! with the line and the reason, and the last good one stays in use. What ships with the platform lies in
//! `config/lookups/`. A value that is not found is a business error of its record that names the lookup and the
//! value; nothing ever falls back to a default that isn't written in the lookup itself.

mod tables;
mod text;
mod value_map;

pub use tables::{DacsMessages, ExpectedFile, Program, Programs, Recipient, RouteBy, Routing, System, Target, Verdict};
pub use value_map::{MapName, Miss, ValueMap};

use crate::layout::{Layout, Spelling};
use crate::{
    device_score, enrollment_ack_file, enrollment_extract, forecast, measurement, network_location, outcome,
    reservation,
};
use std::collections::BTreeMap;

/// The files whose columns can be spelled otherwise, by the name that `Columns-<file>` uses.
const FILES: [&[&Layout]; 8] = [
    &[&device_score::LAYOUT],
    &[&measurement::KWH_AVOIDED, &measurement::KW_DROP],
    &[&network_location::LAYOUT],
    &[&enrollment_extract::LAYOUT],
    &[&enrollment_ack_file::LAYOUT],
    &[&forecast::LAYOUT],
    &[&reservation::LAYOUT],
    &[&outcome::LAYOUT],
];

/// What ships with the platform, by lookup name.
const SHIPPED: [(&str, &str); 24] = [
    ("AllowEventDays", include_str!("../../../config/lookups/AllowEventDays.csv")),
    ("AssetSpec", include_str!("../../../config/lookups/AssetSpec.csv")),
    ("AssetType", include_str!("../../../config/lookups/AssetType.csv")),
    ("Columns-device-outcome", include_str!("../../../config/lookups/Columns-device-outcome.csv")),
    ("Columns-device-reservation", include_str!("../../../config/lookups/Columns-device-reservation.csv")),
    ("Columns-device-score", include_str!("../../../config/lookups/Columns-device-score.csv")),
    ("Columns-enrollment-ack", include_str!("../../../config/lookups/Columns-enrollment-ack.csv")),
    ("Columns-enrollment-sync", include_str!("../../../config/lookups/Columns-enrollment-sync.csv")),
    ("Columns-kwh-avoided", include_str!("../../../config/lookups/Columns-kwh-avoided.csv")),
    ("Columns-load-reduction-forecast", include_str!("../../../config/lookups/Columns-load-reduction-forecast.csv")),
    ("Columns-network-location", include_str!("../../../config/lookups/Columns-network-location.csv")),
    ("CycleFrequency", include_str!("../../../config/lookups/CycleFrequency.csv")),
    ("DacsMessages", include_str!("../../../config/lookups/DacsMessages.csv")),
    ("EnrollmentSource", include_str!("../../../config/lookups/EnrollmentSource.csv")),
    ("EventStatus", include_str!("../../../config/lookups/EventStatus.csv")),
    ("EventType", include_str!("../../../config/lookups/EventType.csv")),
    ("ExpectedFiles", include_str!("../../../config/lookups/ExpectedFiles.csv")),
    ("HeadEndSystem", include_str!("../../../config/lookups/HeadEndSystem.csv")),
    ("OutcomeCode", include_str!("../../../config/lookups/OutcomeCode.csv")),
    ("Program", include_str!("../../../config/lookups/Program.csv")),
    ("Recipients", include_str!("../../../config/lookups/Recipients.csv")),
    ("Routing", include_str!("../../../config/lookups/Routing.csv")),
    ("Targets", include_str!("../../../config/lookups/Targets.csv")),
    ("UnenrollReason", include_str!("../../../config/lookups/UnenrollReason.csv")),
];

/// Why a version of a lookup is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lookup {lookup}{}: {reason}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct LookupFault {
    /// The lookup's name.
    pub lookup: String,
    /// The line in its file, counted from 1; nothing when the file as a whole is at fault.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

/// One lookup, read and found to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A map from one system's code to another's.
    Map(ValueMap),
    /// `Columns-<file>`: how the senders of a file spell our column names.
    Columns {
        /// The kind of file.
        file: &'static str,
        /// Our names and theirs.
        spelling: Spelling,
    },
    /// `DacsMessages`
    DacsMessages(DacsMessages),
    /// `ExpectedFiles`
    ExpectedFiles(Vec<ExpectedFile>),
    /// `Program`
    Program(Programs),
    /// `Recipients`
    Recipients(Vec<Recipient>),
    /// `Routing`
    Routing(Routing),
    /// `Targets`
    Targets(Vec<Target>),
}

/// Reads one version of the lookup of this name, the name of its file without `.csv`.
///
/// # Errors
///
/// The first thing that is wrong with it; then none of it holds.
pub fn parse(name: &str, csv: &[u8]) -> Result<Lookup, LookupFault> {
    if let Some(map) = MapName::ALL.into_iter().find(|map| map.as_str() == name) {
        return ValueMap::parse(map, csv).map(Lookup::Map);
    }
    if let Some(file) = name.strip_prefix("Columns-") {
        let layouts = FILES.into_iter().find(|layouts| layouts.iter().any(|layout| layout.file == file));
        return layouts
            .ok_or_else(|| text::fault(name, None, "there is no such kind of file"))
            .and_then(|layouts| tables::columns(name, layouts, csv));
    }
    match name {
        "DacsMessages" => DacsMessages::parse(csv).map(Lookup::DacsMessages),
        "ExpectedFiles" => ExpectedFile::parse(csv).map(Lookup::ExpectedFiles),
        "Program" => Programs::parse(csv).map(Lookup::Program),
        "Recipients" => Recipient::parse(csv).map(Lookup::Recipients),
        "Routing" => Routing::parse(csv).map(Lookup::Routing),
        "Targets" => Target::parse(csv).map(Lookup::Targets),
        _ => Err(text::fault(name, None, "there is no such lookup")),
    }
}

/// The lookups that hold together: a run is pinned to one such set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookups {
    maps: BTreeMap<MapName, ValueMap>,
    columns: BTreeMap<&'static str, Spelling>,
    dacs_messages: DacsMessages,
    expected_files: Vec<ExpectedFile>,
    programs: Programs,
    recipients: Vec<Recipient>,
    routing: Routing,
    targets: Vec<Target>,
}

impl Lookups {
    /// What ships with the platform.
    pub fn shipped() -> Self {
        let mut lookups = Self::default();
        for (name, csv) in SHIPPED {
            // A test holds that each of them can be read.
            if let Ok(lookup) = parse(name, csv.as_bytes()) {
                lookups.replace(lookup);
            }
        }
        lookups
    }

    /// The names of all lookups, as their files in the config bucket are named (without `.csv`).
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.into_iter().map(|(name, _)| name)
    }

    /// Takes a new version of one lookup.
    pub fn replace(&mut self, lookup: Lookup) {
        match lookup {
            Lookup::Map(map) => {
                self.maps.insert(map.name(), map);
            }
            Lookup::Columns { file, spelling } => {
                self.columns.insert(file, spelling);
            }
            Lookup::DacsMessages(messages) => self.dacs_messages = messages,
            Lookup::ExpectedFiles(files) => self.expected_files = files,
            Lookup::Program(programs) => self.programs = programs,
            Lookup::Recipients(recipients) => self.recipients = recipients,
            Lookup::Routing(routing) => self.routing = routing,
            Lookup::Targets(targets) => self.targets = targets,
        }
    }

    /// A plain map, to be kept by whoever reads rows with it.
    pub fn map(&self, name: MapName) -> ValueMap {
        self.maps.get(&name).cloned().unwrap_or_else(|| ValueMap::empty(name))
    }

    /// Translates a value.
    ///
    /// # Errors
    ///
    /// A [`Miss`] that names the lookup and the value: a business error of the record that carries it.
    pub fn translate<'a>(&'a self, map: MapName, value: &'a str) -> Result<&'a str, Miss> {
        match self.maps.get(&map) {
            Some(values) => values.get(value),
            None => Err(Miss::new(map.as_str(), value)),
        }
    }

    /// How senders spell the columns of this kind of file; our own names where nothing is said.
    pub fn spelling(&self, file: &str) -> Spelling {
        self.columns.get(file).cloned().unwrap_or_default()
    }

    /// What the message numbers of the program system mean.
    pub fn dacs_messages(&self) -> &DacsMessages {
        &self.dacs_messages
    }

    /// The files that should come.
    pub fn expected_files(&self) -> &[ExpectedFile] {
        &self.expected_files
    }

    /// The three names of each program.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Who is told.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Which program system, which DERMS.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The target of this name, where it isn't the one that the stack's parameters describe.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// Whether there are targets beside those that the stack's parameters describe, or instead of them.
    pub fn has_targets(&self) -> bool {
        !self.targets.is_empty()
    }

    /// The program system of what a DERMS installation sends.
    ///
    /// # Errors
    /// A [`Miss`] when Routing has no row for it.
    pub fn dacs_of(&self, drms_instance_id: Option<&str>) -> Result<&str, Miss> {
        self.routing.target(RouteBy::DrmsInstanceId, drms_instance_id)
    }

    /// The DERMS of a part of the utility.
    ///
    /// # Errors
    /// A [`Miss`] when Routing has no row for it.
    pub fn derms_of(&self, division: Option<&str>) -> Result<&str, Miss> {
        self.routing.target(RouteBy::Division, division)
    }

    /// The DERMS that calls itself so, as it is named in Targets; else the one that the stack's parameters describe.
    pub fn derms_called<'a>(&self, drms_instance_id: Option<&'a str>) -> &'a str {
        let listed = |name: &&str| self.target(name).is_some_and(|target| target.kind == System::Derms);
        drms_instance_id.filter(listed).unwrap_or(System::Derms.as_str())
    }

    /// Every DERMS: the one that the stack's parameters describe, and those of Targets.
    pub fn every_derms(&self) -> Vec<&str> {
        let default = System::Derms.as_str();
        let others = self.targets.iter().filter(|target| target.kind == System::Derms && target.name != default);
        std::iter::once(default).chain(others.map(|target| target.name.as_str())).collect()
    }
}

#[cfg(test)]
mod tests;
