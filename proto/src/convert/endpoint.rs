//! Endpoints.

use super::{InvalidMessage, access, geography, id, offers};
use crate::v1;
use ccag_domain::{Access, Endpoint, Lanes, Offers};
use std::sync::Arc;

impl From<Endpoint> for v1::Endpoint {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id.into(),
            name: endpoint.name,
            region: endpoint.region,
            role_arn: endpoint.role_arn,
            external_id: endpoint.external_id,
            geography: endpoint.geography.map(|g| g.as_str().to_owned()),
            runtime_url: endpoint.runtime_url,
            weight: endpoint.weight,
            enabled: endpoint.enabled,
            is_default: endpoint.is_default,
            lanes: endpoint
                .lanes
                .as_slice()
                .iter()
                .map(ToString::to_string)
                .collect(),
            mantle_url: endpoint.mantle_url,
            guardrail: endpoint.guardrail.map(Into::into),
            discovery: endpoint.offers.discovery.clone().map(Into::into),
            pinned: endpoint.offers.pinned.iter().cloned().map(Into::into).collect(),
            access: Some(endpoint.access.as_ref().into()),
            network: access::network_to_wire(&endpoint.access.network),
            draining: endpoint.draining,
            quotas: endpoint.offers.quotas.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::Endpoint> for Endpoint {
    type Error = InvalidMessage;
    fn try_from(message: v1::Endpoint) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: id("id", message.id)?,
            name: message.name,
            region: message.region,
            role_arn: message.role_arn,
            external_id: message.external_id,
            geography: message.geography.as_deref().map(geography).transpose()?,
            runtime_url: message.runtime_url,
            weight: message.weight,
            enabled: message.enabled,
            is_default: message.is_default,
            lanes: Lanes::parse(message.lanes.iter().map(String::as_str))
                .map_err(|name| InvalidMessage::unusable("lanes", name))?,
            mantle_url: message.mantle_url,
            guardrail: message.guardrail.map(TryInto::try_into).transpose()?,
            access: Arc::new(Access {
                network: access::network_from_wire(message.network),
                ..Access::try_from(message.access.unwrap_or_default())?
            }),
            draining: message.draining,
            offers: Arc::new(Offers {
                discovery: message.discovery.map(Into::into),
                pinned: message
                    .pinned
                    .into_iter()
                    .map(TryInto::try_into)
                    .collect::<Result<_, _>>()?,
                quotas: message.quotas.into_iter().filter_map(offers::quota).collect(),
            }),
        })
    }
}
