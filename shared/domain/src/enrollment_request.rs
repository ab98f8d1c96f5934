//! Flow `derms-dacs-enrollment-request`: enrollments that customers asked for at their device maker, many in one message;
//! the program system takes them one by one (contracts.md §4 and §5).
//!
//! ```text
//! [ request, request, … ] ─parse_list─▶ EnrollmentRequest ─call─▶ POST …/enroll | …/unenroll ─read_answer─▶ Outcome
//! ```
//!
//! A list is readable if each of its entries says which request it is. What else is wrong with a request is that request's
//! fault alone.
//!
//! **Interpretation:** required are the `messageId`, what the program system could not enroll without (`programCode`, the
//! start, the location's time zone, how and whose the devices are) and of each device its type and address; the rest is
//! sent on where it is given. A list has at most [`MOST`] requests, so that its answer can name each. `action` is ENROLL
//! where it is absent; an UNENROLL says why.

mod answer;
mod enroll;
mod read;

#[cfg(test)]
mod tests;

use std::str::FromStr;

use serde::Serialize;

pub use answer::{Outcome, read_answer};
pub use enroll::EnrollmentCall;

use crate::ids::{
    CisAccountId, CisPersonId, CisPremiseId, CisServicePointId, Division, DrmsInstanceId, HeadEndSystem, MessageId,
    NicId, ProgramCode,
};
use crate::json::{BodyHash, Document, Grammar, Problem, Text};
use crate::lookups::{Lookups, Miss};
use crate::msg_ack::UnknownCode;
use crate::time::Instant;
use crate::zone::Zone;

/// The most requests of one message: an acknowledgement names each of up to 1,000 records (contracts.md §3).
pub const MOST: usize = 1000;

/// One valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentRequest {
    /// The DERMS's id of the request; the program system's `transactionId`.
    pub message_id: MessageId,
    /// The DERMS that it comes from; decides which program system, where there are several.
    pub drms_instance_id: Option<DrmsInstanceId>,
    /// Who.
    pub customer: Customer,
    /// Into it or out of it.
    pub action: Action,
    /// Into what.
    pub program: Program,
    /// Where.
    pub location: Location,
    /// With which devices.
    pub assets: Assets,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To be enrolled.
    Enroll,
    /// To be enrolled no more.
    Unenroll {
        /// Why, in the DERMS's code (lookup UnenrollReason).
        reason: String,
    },
}

/// `action`, as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ActionCode {
    Enroll,
    Unenroll,
}

impl FromStr for ActionCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "ENROLL" => Ok(Self::Enroll),
            "UNENROLL" => Ok(Self::Unenroll),
            _ => Err(UnknownCode("ENROLL, UNENROLL")),
        }
    }
}

impl Text for ActionCode {
    const GRAMMAR: Grammar = Grammar::Codes(&["ENROLL", "UNENROLL"]);
}

/// `customerInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// The billing system's person.
    pub cis_person_id: Option<CisPersonId>,
    /// The billing system's account.
    pub cis_account_id: Option<CisAccountId>,
    /// The customer's name.
    pub name: Option<String>,
    /// Telephone number.
    pub home_phone: Option<String>,
    /// Telephone number.
    pub business_phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

/// `programInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The billing system's service agreement.
    pub cis_service_agreement_id: Option<String>,
    /// The program.
    pub code: ProgramCode,
    /// From then on. The program system is told the day that this is at the location.
    pub start: Instant,
}

/// `locationInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The DERMS's id of the place.
    pub location_id: Option<String>,
    /// The part of the utility.
    pub division: Option<Division>,
    /// The billing system's premise.
    pub cis_premise_id: Option<CisPremiseId>,
    /// The billing system's service point.
    pub cis_service_point_id: Option<CisServicePointId>,
    /// Its own time zone.
    pub time_zone: Zone,
    /// `address1` to `address4`, each where it is given.
    pub address: [Option<String>; 4],
    /// City.
    pub city: Option<String>,
    /// County.
    pub county: Option<String>,
    /// State.
    pub state: Option<String>,
    /// Postal code.
    pub postal: Option<String>,
    /// Country.
    pub country: Option<String>,
}

/// `assetInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    /// How they come to be installed.
    pub installation_method: InstallationMethod,
    /// Whose they are.
    pub ownership: AssetOwnership,
    /// `assetList`.
    pub list: Vec<Asset>,
}

/// How a device comes to be installed, in the program system's codes (contracts.md §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InstallationMethod {
    /// `X1SD`
    X1sd,
    /// `X1SI`
    X1si,
    /// `X1UI`
    X1ui,
    /// `X1RE`
    X1re,
}

impl FromStr for InstallationMethod {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "X1SD" => Ok(Self::X1sd),
            "X1SI" => Ok(Self::X1si),
            "X1UI" => Ok(Self::X1ui),
            "X1RE" => Ok(Self::X1re),
            _ => Err(UnknownCode("X1SD, X1SI, X1UI, X1RE")),
        }
    }
}

impl Text for InstallationMethod {
    const GRAMMAR: Grammar = Grammar::Codes(&["X1SD", "X1SI", "X1UI", "X1RE"]);
}

/// Whose a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum AssetOwnership {
    /// The customer's.
    #[serde(rename = "W1CO")]
    Customer,
    /// The utility's.
    #[serde(rename = "W1OW")]
    Utility,
}

impl FromStr for AssetOwnership {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        match text {
            "W1CO" => Ok(Self::Customer),
            "W1OW" => Ok(Self::Utility),
            _ => Err(UnknownCode("W1CO, W1OW")),
        }
    }
}

impl Text for AssetOwnership {
    const GRAMMAR: Grammar = Grammar::Codes(&["W1CO", "W1OW"]);
}

/// One of `assetList`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its place among them.
    pub sequence: Option<u32>,
    /// The DERMS's id of the device.
    pub asset_id: Option<String>,
    /// Its type, in the DERMS's code (lookup AssetType).
    pub asset_type: String,
    /// The number on it.
    pub badge_no: Option<String>,
    /// The maker's number.
    pub serial_no: Option<String>,
    /// The head-end, in the DERMS's code.
    pub head_end_system: HeadEndSystem,
    /// The device's id there.
    pub nic_id: NicId,
    /// Make and model, which together name a specification (lookup AssetSpec).
    pub make_and_model: Option<(String, String)>,
}

/// Which request an entry of a list is, and the request or everything that is wrong with it.
pub type Entry = (MessageId, Result<EnrollmentRequest, Problem>);

/// An entry of a list, known by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which request it is.
    pub message_id: MessageId,
    /// The request, or everything that is wrong with it.
    pub request: Result<EnrollmentRequest, Problem>,
    /// Its own body, as it stood in the list.
    pub body: String,
    /// The hash of that body.
    pub hash: BodyHash,
}

impl EnrollmentRequest {
    /// Parses a list of requests and checks each by itself.
    ///
    /// # Errors
    /// A [`Problem`] that names every entry of which nobody could say what became of it. Nothing of such a list is taken.
    pub fn parse_list(body: &[u8]) -> Result<Vec<Listed>, Problem> {
        let document = Document::parse(body)?;
        let entries = Self::from_list(&document)?;
        let listed = entries.into_iter().zip(document.items());
        Ok(listed.map(|((message_id, request), (body, hash))| Listed { message_id, request, body, hash }).collect())
    }

    /// Checks a list that is parsed already: the id of each entry, and the request that it is or what is wrong with it.
    ///
    /// # Errors
    /// As [`EnrollmentRequest::parse_list`].
    pub fn from_list(document: &Document<'_>) -> Result<Vec<Entry>, Problem> {
        document.read_list(MOST, |entry| {
            let message_id = entry.required("messageId");
            let request = entry.apart(read::request);
            Some((message_id?, request))
        })
    }

    /// Parses and checks one request.
    ///
    /// # Errors
    /// Every fault, as a [`Problem`].
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        Document::parse(body)?.read(read::request)
    }

    /// The call to the program system, in its codes.
    ///
    /// # Errors
    /// A [`Miss`], which is the reason of a business error.
    pub fn call<'a>(&'a self, lookups: &Lookups) -> Result<EnrollmentCall<'a>, Miss> {
        EnrollmentCall::new(self, lookups)
    }
}
