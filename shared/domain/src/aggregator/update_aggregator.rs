//! The body of `PUT /aggregators/{aggregatorId}`, the DERMS's side of an aggregator (contracts.md §5; ours).

use serde::Serialize;

use super::{Aggregator, AggregatorAction, AggregatorStatus, Endpoint, Reference};
use crate::derms_message::utc_millis;
use crate::ids::{AggregatorId, ProgramCode, SyncRequestId};
use crate::lookups::{Lookups, MapName, Miss};
use crate::period::Effective;
use crate::time::Instant;
use crate::zone::Zone;

/// What the DERMS is sent. Names of members are respelled here and nowhere else. The head-end is in the DERMS's own code
/// (lookup HeadEndSystem).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateAggregator<'a> {
    dacs_message_id: &'a SyncRequestId,
    action: AggregatorAction,
    aggregator_id: &'a AggregatorId,
    name: &'a str,
    head_end_system: &'a str,
    status: AggregatorStatus,
    #[serde(flatten)]
    effective: Effective,
    #[serde(rename = "changeDateTimeISO", serialize_with = "utc_millis")]
    changed: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<Contact<'a>>,
    asset_types: &'a [String],
    program_codes: &'a [ProgramCode],
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<Gateway<'a>>,
}

#[derive(Debug, Serialize)]
struct Contact<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Gateway<'a> {
    connection_name: &'a str,
    protocol: &'a str,
    endpoint_url: &'a Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_ref: Option<&'a Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_ref: Option<&'a Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a Zone>,
}

impl<'a> UpdateAggregator<'a> {
    pub(super) fn new(message: &'a Aggregator, lookups: &'a Lookups) -> Result<Self, Miss> {
        Ok(Self {
            dacs_message_id: &message.sync_request_id,
            action: message.action,
            aggregator_id: &message.aggregator_id,
            name: &message.name,
            head_end_system: lookups.translate(MapName::HeadEndSystem, message.head_end_system.as_str())?,
            status: message.status,
            effective: message.days.into(),
            changed: message.changed,
            contact: message.contact.as_ref().map(Contact::from),
            asset_types: &message.asset_types,
            program_codes: &message.program_codes,
            gateway: message.gateway.as_ref().map(Gateway::from),
        })
    }
}

impl<'a> From<&'a super::Contact> for Contact<'a> {
    fn from(contact: &'a super::Contact) -> Self {
        let super::Contact { name, email, phone } = contact;
        Self { name: name.as_deref(), email: email.as_deref(), phone: phone.as_deref() }
    }
}

impl<'a> From<&'a super::Gateway> for Gateway<'a> {
    fn from(gateway: &'a super::Gateway) -> Self {
        Self {
            connection_name: &gateway.connection_name,
            protocol: &gateway.protocol,
            endpoint_url: &gateway.endpoint_url,
            credential_ref: gateway.credential_ref.as_ref(),
            ca_ref: gateway.ca_ref.as_ref(),
            time_zone: gateway.time_zone.as_ref(),
        }
    }
}
