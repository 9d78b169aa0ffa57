//! Where requests go: one AWS account, region and role.

use crate::{Access, EndpointId, Guardrail, Lanes, Offers};
use std::fmt;
use std::sync::Arc;

/// The geography of a cross-region inference profile: the prefix of its id, which decides where the request may run and
/// what it costs (AWS "Supported Regions and models for inference profiles"; prices per `BEDROCK` price list).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Geography {
    /// Any commercial region.
    Global,
    /// United States.
    Us,
    /// Europe.
    Eu,
    /// Australia.
    Au,
    /// Japan.
    Jp,
    /// Asia-Pacific.
    Apac,
    /// India.
    In,
    /// Canada.
    Ca,
    /// AWS GovCloud (US).
    UsGov,
    /// No profile: the foundation model in the endpoint's own region.
    InRegion,
}

impl Geography {
    /// Every geography that has a profile prefix.
    pub const WITH_PREFIX: [Self; 9] = [
        Self::Global,
        Self::Us,
        Self::Eu,
        Self::Au,
        Self::Jp,
        Self::Apac,
        Self::In,
        Self::Ca,
        Self::UsGov,
    ];

    /// The name: also the profile prefix, except for [`Geography::InRegion`], which has none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Us => "us",
            Self::Eu => "eu",
            Self::Au => "au",
            Self::Jp => "jp",
            Self::Apac => "apac",
            Self::In => "in",
            Self::Ca => "ca",
            Self::UsGov => "us-gov",
            Self::InRegion => "in-region",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::WITH_PREFIX
            .into_iter()
            .chain([Self::InRegion])
            .find(|g| g.as_str() == text)
    }

    /// The geographies that an endpoint in `region` can call, the closest first.
    #[must_use]
    pub fn callable_from(region: &str) -> Vec<Self> {
        let local: &[Self] = if region.starts_with("us-gov-") {
            return vec![Self::UsGov, Self::InRegion];
        } else if region.starts_with("us-") {
            &[Self::Us]
        } else if region.starts_with("ca-") {
            &[Self::Ca, Self::Us]
        } else if region.starts_with("eu-") {
            &[Self::Eu]
        } else if matches!(region, "ap-southeast-2" | "ap-southeast-4") {
            &[Self::Au, Self::Apac]
        } else if matches!(region, "ap-northeast-1" | "ap-northeast-3") {
            &[Self::Jp, Self::Apac]
        } else if region.starts_with("ap-south-") {
            &[Self::In, Self::Apac]
        } else if region.starts_with("ap-") {
            &[Self::Apac]
        } else {
            &[]
        };
        let mut all = local.to_vec();
        all.extend([Self::Global, Self::InRegion]);
        all
    }

    /// The geography that the bedrock-mantle lane of a region counts as: it takes no profile, so the closest one.
    #[must_use]
    pub fn of_mantle(region: &str) -> Self {
        let closest = Self::callable_from(region).first().copied();
        closest.unwrap_or(Self::InRegion)
    }
}

impl fmt::Display for Geography {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One AWS account, region and role that requests can be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Its name, for admins.
    pub name: String,
    /// The AWS region; `None` is the region that the data plane itself is configured for.
    pub region: Option<String>,
    /// The role to assume; `None` uses the data plane's own credentials.
    pub role_arn: Option<String>,
    /// The external id that the role demands.
    pub external_id: Option<String>,
    /// Which profiles to prefer; `None` lets the region decide.
    pub geography: Option<Geography>,
    /// Instead of the region's public Bedrock Runtime URL, for example a VPC endpoint.
    pub runtime_url: Option<String>,
    /// The lanes that it may use, the preferred one first.
    pub lanes: Lanes,
    /// Instead of the region's public bedrock-mantle URL.
    pub mantle_url: Option<String>,
    /// What its requests must pass, unless their team has a guardrail of its own.
    pub guardrail: Option<Guardrail>,
    /// How it is called: credentials, in whose name, in which tier; shared like what it offers.
    pub access: Arc<Access>,
    /// What can be invoked there; shared, since every route holds copies of its endpoints.
    pub offers: Arc<Offers>,
    /// Its share of the conversations among its peers; 0 takes no new ones.
    pub weight: u32,
    /// Whether it takes requests at all.
    pub enabled: bool,
    /// Whether it takes no new conversations as long as another endpoint can.
    pub draining: bool,
    /// Whether it serves teams that have no endpoint of their own.
    pub is_default: bool,
}

impl Endpoint {
    /// An endpoint of which nothing is said: the account and the region that the data plane has itself, for everybody.
    #[must_use]
    pub fn new(id: EndpointId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            region: None,
            role_arn: None,
            external_id: None,
            geography: None,
            runtime_url: None,
            lanes: Lanes::default(),
            mantle_url: None,
            guardrail: None,
            access: Arc::default(),
            offers: Arc::default(),
            weight: 1,
            enabled: true,
            draining: false,
            is_default: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_prefer_their_own_geography() {
        assert_eq!(Geography::callable_from("us-east-1")[0], Geography::Us);
        assert_eq!(Geography::callable_from("ap-northeast-1")[0], Geography::Jp);
        assert_eq!(
            Geography::callable_from("us-gov-west-1"),
            [Geography::UsGov, Geography::InRegion]
        );
        assert_eq!(Geography::callable_from("me-south-1")[0], Geography::Global);
    }

    #[test]
    fn names_are_read_back() {
        for geography in Geography::WITH_PREFIX {
            assert_eq!(Geography::parse(geography.as_str()), Some(geography));
        }
        assert_eq!(Geography::parse("mars"), None);
    }
}
