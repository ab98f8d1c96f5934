//! Lookups with columns of their own.

use super::text::{Once, each_row, fault, table};
use super::value_map::Miss;
use super::{Lookup, LookupFault};
use crate::flows::{Flow, Kind};
use crate::layout::{Column, Layout, Spelling, excerpt};
use crate::schedule::Schedule;
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// What a refusal of the program system means, by its message number (contracts.md §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What was asked for is so already: done.
    AlreadyDone,
    /// It may succeed later.
    NotYet,
    /// It never succeeds.
    Refused,
}

/// `DacsMessages`: message number → verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DacsMessages(BTreeMap<u32, Verdict>);

impl DacsMessages {
    pub(super) fn parse(csv: &[u8]) -> Result<Self, LookupFault> {
        const TABLE: Layout =
            table(&[Column::required("messageNumber"), Column::required("verdict"), Column::optional("meaning")]);
        let mut messages = Self::default();
        each_row("DacsMessages", &TABLE, csv, |[number, verdict, _meaning]| {
            let verdict = match verdict {
                "ALREADY_DONE" => Verdict::AlreadyDone,
                "NOT_YET" => Verdict::NotYet,
                "REFUSED" => Verdict::Refused,
                _ => {
                    return Err(format!("verdict {} is not ALREADY_DONE, NOT_YET or REFUSED", excerpt(verdict)));
                }
            };
            let number: u32 =
                number.parse().map_err(|_| format!("messageNumber {} is not a number", excerpt(number)))?;
            match messages.0.insert(number, verdict) {
                None => Ok(()),
                Some(_) => Err(format!("messageNumber \"{number}\" is there twice")),
            }
        })?;
        Ok(messages)
    }

    /// What a message number means: "an unknown number or none = REFUSED".
    pub fn verdict(&self, number: Option<u32>) -> Verdict {
        number.and_then(|number| self.0.get(&number)).copied().unwrap_or(Verdict::Refused)
    }
}

/// One of the systems that targets belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// The program system.
    Dacs,
    /// The Edge DERMS.
    Derms,
    /// The analytics engine.
    Ouai,
}

impl System {
    /// Its key (contracts.md §1), which is also the name of the installation that the stack's parameters describe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dacs => "dacs",
            Self::Derms => "derms",
            Self::Ouai => "ouai",
        }
    }
}

impl std::str::FromStr for System {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dacs" => Ok(Self::Dacs),
            "derms" => Ok(Self::Derms),
            "ouai" => Ok(Self::Ouai),
            _ => Err(format!("{} is not dacs, derms or ouai", excerpt(text))),
        }
    }
}

/// `Targets`: an installation of a system beside those that the stack's parameters describe, or instead of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What Routing calls it.
    pub name: String,
    /// Which system it is an installation of.
    pub kind: System,
    /// Base URL.
    pub url: String,
    /// Name of the secret with its credentials.
    pub secret: String,
    /// Calls per second, above 0.
    pub rate: u32,
}

impl Target {
    pub(super) fn parse(csv: &[u8]) -> Result<Vec<Self>, LookupFault> {
        const TABLE: Layout = table(&[
            Column::required("name"),
            Column::required("kind"),
            Column::required("url"),
            Column::required("secret"),
            Column::required("rate"),
        ]);
        let (mut targets, mut once) = (Vec::new(), Once::default());
        each_row("Targets", &TABLE, csv, |[name, kind, url, secret, rate]| {
            once.take("name", name)?;
            let after_scheme = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            if after_scheme.is_none_or(|host| host.is_empty() || host.contains(char::is_whitespace)) {
                return Err(format!("url {} is not an http or https URL", excerpt(url)));
            }
            let kind = kind.parse().map_err(|reason| format!("kind {reason}"))?;
            let rate = rate.parse().ok().filter(|rate| *rate > 0);
            let rate = rate.ok_or("rate is not a whole number of calls per second above 0")?;
            let (name, url, secret) = (name.to_owned(), url.trim_end_matches('/').to_owned(), secret.to_owned());
            targets.push(Self { name, kind, url, secret, rate });
            Ok(())
        })?;
        Ok(targets)
    }
}

/// What a route is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteBy {
    /// Towards a program system: which DERMS it comes from.
    DrmsInstanceId,
    /// Towards a DERMS: which part of the utility it is about.
    Division,
}

impl RouteBy {
    fn as_str(self) -> &'static str {
        match self {
            Self::DrmsInstanceId => "drmsInstanceId",
            Self::Division => "division",
        }
    }
}

/// `Routing`: "`drmsInstanceId` → which DACS; `division` → which DERMS". The value `*` is for every value not listed
/// and for messages that carry none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing(BTreeMap<(RouteBy, String), String>);

impl Routing {
    pub(super) fn parse(csv: &[u8]) -> Result<Self, LookupFault> {
        const TABLE: Layout = table(&[Column::required("by"), Column::required("value"), Column::required("target")]);
        let mut routing = Self::default();
        each_row("Routing", &TABLE, csv, |[by, value, target]| {
            let by = [RouteBy::DrmsInstanceId, RouteBy::Division].into_iter().find(|known| known.as_str() == by);
            let by = by.ok_or("by is neither drmsInstanceId nor division")?;
            match routing.0.insert((by, value.to_owned()), target.to_owned()) {
                None => Ok(()),
                Some(_) => Err(format!("{} {} is there twice", by.as_str(), excerpt(value))),
            }
        })?;
        Ok(routing)
    }

    /// The name of the target for this value, or for a message that carries none.
    ///
    /// # Errors
    ///
    /// A [`Miss`] when the value is not listed and there is no row for the rest.
    pub fn target(&self, by: RouteBy, value: Option<&str>) -> Result<&str, Miss> {
        let listed = value.and_then(|value| self.0.get(&(by, value.to_owned())));
        let target = listed.or_else(|| self.0.get(&(by, "*".to_owned())));
        target.map(String::as_str).ok_or_else(|| match value {
            Some(value) => Miss::new("Routing", &format!("{}={value}", by.as_str())),
            None => Miss::new("Routing", &format!("{}=*", by.as_str())),
        })
    }
}

/// The three names of one program (contracts.md §1), where they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program system's own id.
    pub id: String,
    /// The short code.
    pub code: String,
    /// The third name; empty where a deployment doesn't use it.
    pub external_id: String,
}

/// `Program`: fills in the names that a message doesn't carry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs(Vec<Program>);

impl Programs {
    pub(super) fn parse(csv: &[u8]) -> Result<Self, LookupFault> {
        const TABLE: Layout = table(&[
            Column::required("programId"),
            Column::required("programCode"),
            Column::optional("programExternalIdentifier"),
        ]);
        let (mut programs, mut ids, mut codes, mut externals) =
            (Vec::new(), Once::default(), Once::default(), Once::default());
        each_row("Program", &TABLE, csv, |[id, code, external_id]| {
            ids.take("programId", id)?;
            codes.take("programCode", code)?;
            externals.take("programExternalIdentifier", external_id)?;
            let (id, code, external_id) = (id.to_owned(), code.to_owned(), external_id.to_owned());
            programs.push(Program { id, code, external_id });
            Ok(())
        })?;
        Ok(Self(programs))
    }

    /// The program with this short code.
    ///
    /// # Errors
    ///
    /// A [`Miss`] when it is not listed.
    pub fn by_code(&self, code: &str) -> Result<&Program, Miss> {
        self.0.iter().find(|program| program.code == code).ok_or_else(|| Miss::new("Program", code))
    }

    /// The program with this external id.
    ///
    /// # Errors
    ///
    /// A [`Miss`] when it is not listed.
    pub fn by_external_id(&self, id: &str) -> Result<&Program, Miss> {
        self.0.iter().find(|program| program.external_id == id).ok_or_else(|| Miss::new("Program", id))
    }

    /// The program with this id.
    ///
    /// # Errors
    ///
    /// A [`Miss`] when it is not listed.
    pub fn by_id(&self, id: &str) -> Result<&Program, Miss> {
        self.0.iter().find(|program| program.id == id).ok_or_else(|| Miss::new("Program", id))
    }
}

/// `ExpectedFiles`: a file that should come, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedFile {
    /// The flow that takes it.
    pub flow: String,
    /// When it is due, as five fields of cron, as they are written.
    pub cron: String,
    /// IANA name of the time zone that `cron` is in.
    pub time_zone: String,
    /// The two of them, read.
    pub due: Schedule,
    /// How much later it may come; not negative.
    pub grace: SignedDuration,
    /// How many rows it has at least.
    pub minimum_rows: u64,
}

impl ExpectedFile {
    pub(super) fn parse(csv: &[u8]) -> Result<Vec<Self>, LookupFault> {
        const TABLE: Layout = table(&[
            Column::required("flow"),
            Column::required("cron"),
            Column::required("timeZone"),
            Column::required("grace"),
            Column::required("minimumRows"),
        ]);
        let mut files = Vec::new();
        each_row("ExpectedFiles", &TABLE, csv, |[flow, cron, time_zone, grace, minimum_rows]| {
            if Flow::named(flow).is_none_or(|flow| flow.kind != Kind::Files) {
                return Err(format!("flow {} is not a flow of files", excerpt(flow)));
            }
            let due = Schedule::parse(cron, time_zone)?;
            let wrong_grace = || format!("grace {} is not an ISO 8601 duration such as PT30M", excerpt(grace));
            let grace: SignedDuration = grace.parse().map_err(|_| wrong_grace())?;
            if grace.is_negative() {
                return Err("grace is negative".to_owned());
            }
            let minimum_rows = minimum_rows.parse().map_err(|_| "minimumRows is not a whole number".to_owned())?;
            let (flow, cron, time_zone) = (flow.to_owned(), cron.to_owned(), time_zone.to_owned());
            files.push(Self { flow, cron, time_zone, due, grace, minimum_rows });
            Ok(())
        })?;
        Ok(files)
    }
}

/// `Recipients`: who is told of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The system whose data is wrong; nothing for technical recipients.
    pub business_of: Option<System>,
    /// E-mail address.
    pub address: String,
}

impl Recipient {
    pub(super) fn parse(csv: &[u8]) -> Result<Vec<Self>, LookupFault> {
        const TABLE: Layout = table(&[Column::required("audience"), Column::required("address")]);
        let mut recipients = Vec::new();
        each_row("Recipients", &TABLE, csv, |[audience, address]| {
            let business_of = match audience.strip_prefix("business-") {
                Some(system) => Some(system.parse().map_err(|reason| format!("audience {reason}"))?),
                None if audience == "technical" => None,
                None => {
                    return Err("audience is neither technical nor business-<system>".to_owned());
                }
            };
            if !address.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')) {
                return Err(format!("address {} is not an e-mail address", excerpt(address)));
            }
            recipients.push(Self { business_of, address: address.to_owned() });
            Ok(())
        })?;
        Ok(recipients)
    }
}

/// `Columns-<file>`: names of `layouts`, which are the kinds of file under one name.
pub(super) fn columns(lookup: &str, layouts: &[&'static Layout], csv: &[u8]) -> Result<Lookup, LookupFault> {
    const TABLE: Layout = table(&[Column::required("column"), Column::required("spelling")]);
    let (mut pairs, mut ours, mut theirs) = (Vec::new(), Once::default(), Once::default());
    each_row(lookup, &TABLE, csv, |[column, spelling]| {
        let known = layouts
            .iter()
            .any(|layout| layout.series == Some(column) || layout.columns.iter().any(|known| known.name == column));
        if !known {
            return Err(format!("column {} is not one of ours", excerpt(column)));
        }
        ours.take("column", column)?;
        theirs.take("spelling", spelling)?;
        pairs.push((column.to_owned(), spelling.to_owned()));
        Ok(())
    })?;
    let file = layouts.first().map(|layout| layout.file);
    let file = file.ok_or_else(|| fault(lookup, None, "there is no such kind of file"))?;
    Ok(Lookup::Columns { file, spelling: Spelling::new(pairs) })
}
