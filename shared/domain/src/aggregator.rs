//! Flow `dacs-derms-aggregators`: an aggregator whose devices the DERMS reaches through its gateway, as the program system
//! on-boards or changes it (contracts.md §5).
//!
//! **Secrets never travel here, only references to them.** A body with a member whose name speaks of a secret is refused at
//! the door, wherever the member stands and whatever the contract calls its fellows: what the door takes is kept in the
//! ledger as it came. The same for an `endpointUrl` that carries a user, and a reference that is a key itself.
//!
//! **Interpretation:** required are what the DERMS could not set up without: `syncRequestId`, `action`, `aggregatorId`,
//! `name`, `headEndSystem`, `status`, `effectiveDate`, `changeDateTime`; of a gateway its name, protocol and address.

mod read;
mod update_aggregator;

#[cfg(test)]
mod tests;

use std::str::FromStr;

use serde::Serialize;

pub use update_aggregator::UpdateAggregator;

use crate::derms_message::{DermsMessage, DermsRequest, Destination, Method, Synchronization};
use crate::ids::{AggregatorId, HeadEndSystem, ProgramCode, SyncRequestId};
use crate::json::{Document, Grammar, Problem, Text};
use crate::lookups::{Lookups, Miss};
use crate::msg_ack::UnknownCode;
use crate::period::Days;
use crate::sync_request::encoded;
use crate::time::Instant;
use crate::zone::Zone;

/// A valid message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregator {
    /// The program system's id of this message; the DERMS's `dacsMessageId`.
    pub sync_request_id: SyncRequestId,
    /// Whether it is new.
    pub action: AggregatorAction,
    /// Its id, which the order is kept by.
    pub aggregator_id: AggregatorId,
    /// What people call it.
    pub name: String,
    /// The head-end that its devices are at, in the program system's code.
    pub head_end_system: HeadEndSystem,
    /// Whether its devices may be called.
    pub status: AggregatorStatus,
    /// `effectiveDate` and `expirationDate`.
    pub days: Days,
    /// When it was changed in the program system.
    pub changed: Instant,
    /// Whom to ask.
    pub contact: Option<Contact>,
    /// The types of its devices, in the program system's codes.
    pub asset_types: Vec<String>,
    /// The programs that it takes part in.
    pub program_codes: Vec<ProgramCode>,
    /// How it is reached.
    pub gateway: Option<Gateway>,
}

/// Whether an aggregator is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AggregatorAction {
    /// It is.
    Add,
    /// It was known before.
    Update,
}

impl FromStr for AggregatorAction {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "ADD" => Ok(Self::Add),
            "UPDATE" => Ok(Self::Update),
            _ => Err(UnknownCode("ADD, UPDATE")),
        }
    }
}

impl Text for AggregatorAction {
    const GRAMMAR: Grammar = Grammar::Codes(&["ADD", "UPDATE"]);
}

/// Whether an aggregator's devices may be called. A closed set, as of subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AggregatorStatus {
    /// They may.
    Active,
    /// They may not.
    Inactive,
}

impl FromStr for AggregatorStatus {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "ACTIVE" => Ok(Self::Active),
            "INACTIVE" => Ok(Self::Inactive),
            _ => Err(UnknownCode("ACTIVE, INACTIVE")),
        }
    }
}

impl Text for AggregatorStatus {
    const GRAMMAR: Grammar = Grammar::Codes(&["ACTIVE", "INACTIVE"]);
}

/// `contact`: somebody at the aggregator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
}

/// `gateway`: the connection by which the DERMS reaches the aggregator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// What the connection is called there.
    pub connection_name: String,
    /// What is spoken over it.
    pub protocol: String,
    /// Where.
    pub endpoint_url: Endpoint,
    /// The name under which the DERMS keeps the credential.
    pub credential_ref: Option<Reference>,
    /// The name under which the DERMS keeps the certificates that it trusts.
    pub ca_ref: Option<Reference>,
    /// The aggregator's own time zone.
    pub time_zone: Option<Zone>,
}

/// The address of a gateway: a scheme and a host, no user, no password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Endpoint(String);

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let letters = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if !scheme.chars().all(letters) || scheme.is_empty() || authority.is_empty() {
            return Err("is not a URL such as https://gateway.example:8443/oadr");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("has white space or control characters");
        }
        if authority.contains('@') {
            return Err("names a user; give a reference as credentialRef");
        }
        Ok(Self(text.to_owned()))
    }
}

impl Text for Endpoint {
    const GRAMMAR: Grammar = Grammar::Like {
        name: "Endpoint",
        pattern: "^[A-Za-z0-9+.-]+://[^/?#@\\s]+([/?#]\\S*)?$",
        about: "A URL without user and password: https://gateway.example:8443/oadr",
    };
}

/// The name of something that is kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reference(String);

impl FromStr for Reference {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("-----BEGIN") {
            return Err("is a key or a certificate, not a reference to one");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) || text.chars().count() > 254 {
            return Err("is not a name of at most 254 characters without white space");
        }
        Ok(Self(text.to_owned()))
    }
}

impl Text for Reference {
    const GRAMMAR: Grammar = Grammar::Like {
        name: "Reference",
        pattern: "^(?!.*-----BEGIN)[^\\s\\u0000-\\u001f\\u007f-\\u009f]{1,254}$",
        about: "The name of something that is kept elsewhere, never the thing itself",
    };
}

impl DermsMessage for Aggregator {
    type Body<'a> = UpdateAggregator<'a>;

    fn from_document(document: &Document<'_>) -> Result<Self, Problem> {
        document.read(read::aggregator)
    }

    fn message_key(&self) -> String {
        self.sync_request_id.to_string()
    }

    fn ordering_key(&self) -> String {
        self.aggregator_id.to_string()
    }

    fn destination(&self) -> Destination<'_> {
        Destination::Every
    }

    fn request<'a>(&'a self, lookups: &'a Lookups) -> Result<DermsRequest<UpdateAggregator<'a>>, Miss> {
        let path = format!("/aggregators/{}", encoded(self.aggregator_id.as_str()));
        Ok(DermsRequest { method: Method::Put, path, body: UpdateAggregator::new(self, lookups)? })
    }
}

impl Synchronization for Aggregator {
    fn sync_request_id(&self) -> &SyncRequestId {
        &self.sync_request_id
    }
}
