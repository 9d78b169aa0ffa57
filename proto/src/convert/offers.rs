//! What endpoints offer.

use super::{InvalidMessage, geography};
use crate::v1;
use ccag_domain::{
    Discovery, Geography, ModelName, OfferedProfile, PinnedProfile, Quota, QuotaKind, QuotaScope,
};

impl From<Discovery> for v1::Discovery {
    fn from(discovery: Discovery) -> Self {
        Self {
            at_ms: discovery.at_ms,
            profiles: discovery
                .profiles
                .into_iter()
                .map(|profile| v1::OfferedProfile {
                    id: profile.id,
                    name: profile.name,
                    foundation_model: profile.foundation_model,
                    geography: profile.geography.as_str().to_owned(),
                    application: profile.application,
                })
                .collect(),
            on_demand: discovery.on_demand,
        }
    }
}

impl From<v1::Discovery> for Discovery {
    /// A profile of a geography that this version does not know is left out: it cannot be priced here.
    fn from(message: v1::Discovery) -> Self {
        Self {
            at_ms: message.at_ms,
            profiles: message
                .profiles
                .into_iter()
                .filter_map(|profile| {
                    Some(OfferedProfile {
                        geography: Geography::parse(&profile.geography)?,
                        id: profile.id,
                        name: profile.name,
                        foundation_model: profile.foundation_model,
                        application: profile.application,
                    })
                })
                .collect(),
            on_demand: message.on_demand,
        }
    }
}

impl From<PinnedProfile> for v1::PinnedProfile {
    fn from(pinned: PinnedProfile) -> Self {
        Self {
            model: pinned.model.to_string(),
            arn: pinned.arn,
            geography: pinned.geography.as_str().to_owned(),
        }
    }
}

impl TryFrom<v1::PinnedProfile> for PinnedProfile {
    type Error = InvalidMessage;
    fn try_from(message: v1::PinnedProfile) -> Result<Self, InvalidMessage> {
        if message.arn.is_empty() {
            return Err(InvalidMessage::Missing("arn"));
        }
        Ok(Self {
            model: ModelName::canonical(&message.model),
            arn: message.arn,
            geography: geography(&message.geography)?,
        })
    }
}

impl From<&Quota> for v1::Quota {
    /// AWS's name of it is for people: data planes do without.
    fn from(quota: &Quota) -> Self {
        Self {
            code: quota.code.clone(),
            model: quota.model.clone(),
            scope: quota.scope.as_str().to_owned(),
            kind: quota.kind.as_str().to_owned(),
            limit: quota.limit,
        }
    }
}

/// A quota; `None` if this version does not know how it counts: then nobody is let in or kept out by it.
pub(super) fn quota(message: v1::Quota) -> Option<Quota> {
    Some(Quota {
        scope: QuotaScope::parse(&message.scope)?,
        kind: QuotaKind::parse(&message.kind)?,
        code: message.code,
        name: String::new(),
        model: message.model,
        limit: message.limit,
    })
}
