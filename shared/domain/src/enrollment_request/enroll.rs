//! The calls `POST …/programEnrollments/enroll` and `…/unenroll` (contracts.md §4, documented by the vendor).

use serde::Serialize;

use super::{Action, Asset, AssetOwnership, Customer, EnrollmentRequest, InstallationMethod, Location, Program};
use crate::ids::{CisAccountId, CisPersonId, CisPremiseId, CisServicePointId, Division, MessageId, NicId, ProgramCode};
use crate::lookups::{Lookups, MapName, Miss};
use crate::time::CivilDate;
use crate::zone::Zone;

const ENROLL_PATH: &str = "/rest/apis/cross/digitalAssets/programEnrollments/enroll";
const UNENROLL_PATH: &str = "/rest/apis/cross/digitalAssets/programEnrollments/unenroll";

/// "Source is `X1BY`": the customer brings the device (contracts.md §5); in the deployment's code by the lookup
/// EnrollmentSource.
const SOURCE: &str = "X1BY";

/// What the program system is sent. Its codes of types, specifications, head-ends, sources and reasons come from the
/// lookups AssetType, AssetSpec (`MAKE!MODEL`), HeadEndSystem (read backwards), EnrollmentSource and UnenrollReason.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentCall<'a> {
    transaction_id: &'a MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unenroll_reason: Option<String>,
    customer_info: CustomerInfo<'a>,
    program_info: ProgramInfo<'a>,
    location_info: LocationInfo<'a>,
    asset_info: AssetInfo<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_person_id: Option<&'a CisPersonId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_account_id: Option<&'a CisAccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    home_phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProgramInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_service_agreement_id: Option<&'a str>,
    program_code: &'a ProgramCode,
    start_date: CivilDate,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LocationInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    location_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    division: Option<&'a Division>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_premise_id: Option<&'a CisPremiseId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cis_service_point_id: Option<&'a CisServicePointId>,
    time_zone: &'a Zone,
    #[serde(skip_serializing_if = "Option::is_none")]
    address1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address2: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address3: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address4: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    county: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AssetInfo<'a> {
    installation_method: InstallationMethod,
    asset_ownership: AssetOwnership,
    asset_list: Vec<AssetItem<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AssetItem<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset_id: Option<&'a str>,
    asset_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    specification: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    badge_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_no: Option<&'a str>,
    nic_id: &'a NicId,
    head_end_system: String,
}

impl<'a> EnrollmentCall<'a> {
    pub(super) fn new(request: &'a EnrollmentRequest, lookups: &Lookups) -> Result<Self, Miss> {
        let EnrollmentRequest { message_id, customer, program, location, assets, .. } = request;
        let (enrollment_source, unenroll_reason) = match &request.action {
            Action::Enroll => (Some(lookups.translate(MapName::EnrollmentSource, SOURCE)?.to_owned()), None),
            Action::Unenroll { reason } => (None, Some(lookups.translate(MapName::UnenrollReason, reason)?.to_owned())),
        };
        Ok(Self {
            transaction_id: message_id,
            enrollment_source,
            unenroll_reason,
            customer_info: customer.into(),
            program_info: ProgramInfo::new(program, location),
            location_info: location.into(),
            asset_info: AssetInfo {
                installation_method: assets.installation_method,
                asset_ownership: assets.ownership,
                asset_list: assets.list.iter().map(|asset| AssetItem::new(asset, lookups)).collect::<Result<_, _>>()?,
            },
        })
    }

    /// Where it is posted, after the program system's base URL.
    #[must_use]
    pub fn path(&self) -> &'static str {
        if self.unenroll_reason.is_some() { UNENROLL_PATH } else { ENROLL_PATH }
    }
}

impl<'a> ProgramInfo<'a> {
    /// The start is the civil date *at the location*: an evening there may be another day in UTC.
    fn new(program: &'a Program, location: &Location) -> Self {
        Self {
            cis_service_agreement_id: program.cis_service_agreement_id.as_deref(),
            program_code: &program.code,
            start_date: location.time_zone.date_of(program.start),
        }
    }
}

impl<'a> AssetItem<'a> {
    fn new(asset: &'a Asset, lookups: &Lookups) -> Result<Self, Miss> {
        let specification = |(make, model): &(String, String)| {
            let pair = format!("{make}!{model}");
            lookups.translate(MapName::AssetSpec, &pair).map(str::to_owned)
        };
        let head_ends = lookups.map(MapName::HeadEndSystem).reversed();
        Ok(Self {
            sequence: asset.sequence,
            asset_id: asset.asset_id.as_deref(),
            asset_type: lookups.translate(MapName::AssetType, &asset.asset_type)?.to_owned(),
            specification: asset.make_and_model.as_ref().map(specification).transpose()?,
            badge_no: asset.badge_no.as_deref(),
            serial_no: asset.serial_no.as_deref(),
            nic_id: &asset.nic_id,
            head_end_system: head_ends.get(asset.head_end_system.as_str())?.to_owned(),
        })
    }
}

impl<'a> From<&'a Customer> for CustomerInfo<'a> {
    fn from(customer: &'a Customer) -> Self {
        Self {
            cis_person_id: customer.cis_person_id.as_ref(),
            cis_account_id: customer.cis_account_id.as_ref(),
            name: customer.name.as_deref(),
            home_phone: customer.home_phone.as_deref(),
            business_phone: customer.business_phone.as_deref(),
            email: customer.email.as_deref(),
        }
    }
}

impl<'a> From<&'a Location> for LocationInfo<'a> {
    fn from(location: &'a Location) -> Self {
        let [address1, address2, address3, address4] = location.address.each_ref().map(|line| line.as_deref());
        Self {
            location_id: location.location_id.as_deref(),
            division: location.division.as_ref(),
            cis_premise_id: location.cis_premise_id.as_ref(),
            cis_service_point_id: location.cis_service_point_id.as_ref(),
            time_zone: &location.time_zone,
            address1,
            address2,
            address3,
            address4,
            city: location.city.as_deref(),
            county: location.county.as_deref(),
            state: location.state.as_deref(),
            postal: location.postal.as_deref(),
            country: location.country.as_deref(),
        }
    }
}
