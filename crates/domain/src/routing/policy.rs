//! What a team, or the organisation, says about the routes of its requests.

use super::Rules;
use crate::{Geography, ModelName, Team};
use std::fmt;

/// In which order the endpoints of a route are tried. Every strategy is a function of the request and the configuration,
/// [`Strategy::LeastThrottled`] also of what the data plane has seen lately; none has state that data planes would share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// By a hash of the conversation, weighted: a conversation stays where its prompt cache is.
    #[default]
    #[serde(alias = "sticky_user")]
    Sticky,
    /// In the team's own order: the others step in when the first fails.
    PrimaryFallback,
    /// Each request begins at another endpoint, evenly over all of them.
    RoundRobin,
    /// Each request begins at another endpoint, by the endpoints' weights.
    Weighted,
    /// Those first that have throttled least within the last minute.
    LeastThrottled,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sticky,
        Self::PrimaryFallback,
        Self::RoundRobin,
        Self::Weighted,
        Self::LeastThrottled,
    ];

    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sticky => "sticky",
            Self::PrimaryFallback => "primary_fallback",
            Self::RoundRobin => "round_robin",
            Self::Weighted => "weighted",
            Self::LeastThrottled => "least_throttled",
        }
    }

    /// Reads a name, or the one that earlier gateways had for it (`sticky_user`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "sticky_user" => Some(Self::Sticky),
            text => Self::ALL.into_iter().find(|s| s.as_str() == text),
        }
    }

    /// What it does, in a few words.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Sticky => "a conversation stays at one endpoint, shared out by weight",
            Self::PrimaryFallback => "the first endpoint of the list, the others if it fails",
            Self::RoundRobin => "each request begins at another endpoint, evenly",
            Self::Weighted => "each request begins at another endpoint, by weight",
            Self::LeastThrottled => "the endpoint that throttled least within the last minute",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The longest pattern of regions, in characters.
const MAX_REGION: usize = 32;

/// An AWS region such as `eu-west-1`, or all that begin alike: `eu-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct RegionPattern(String);

impl RegionPattern {
    /// Reads a region, or the beginning of one up to a `-`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let is_pattern = text.len() <= MAX_REGION && text.contains('-') && text.bytes().all(fits);
        (begins && is_pattern).then(|| Self(text.to_owned()))
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a region is meant.
    #[must_use]
    pub fn matches(&self, region: &str) -> bool {
        if self.0.ends_with('-') {
            region.starts_with(&self.0)
        } else {
            region == self.0
        }
    }
}

impl fmt::Display for RegionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RegionPattern {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no region"))
    }
}

impl From<RegionPattern> for String {
    fn from(pattern: RegionPattern) -> Self {
        pattern.0
    }
}

/// What a team says about routes, or the organisation for teams that do not. Each part stands for itself: where a team says
/// nothing of it, the organisation's word holds, and where that says nothing, [`Strategy::Sticky`] and no constraint.
///
/// In each list, empty means that everything is allowed. A form that this version does not know is unreadable, never read
/// as less than it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RoutingPolicy {
    /// In which order endpoints are tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// The models that may be asked for, by their canonical names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<ModelName>>,
    /// The geographies of the profiles that may be invoked: where requests may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geographies: Option<Vec<Geography>>,
    /// The regions of the endpoints that may be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<RegionPattern>>,
}

impl RoutingPolicy {
    /// What stands in for a policy that cannot be understood: it allows nothing that nobody else allows.
    #[must_use]
    pub fn sealed() -> Self {
        Self {
            models: Some(vec![ModelName::canonical("")]),
            ..Self::default()
        }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }
}

impl<'a> Rules<'a> {
    /// The rules for the requests of a team, or of nobody's. `home_region` is the region of endpoints that name none.
    #[must_use]
    pub fn of(team: Option<&'a Team>, organisation: &'a RoutingPolicy, home_region: &'a str) -> Self {
        let own = team.map(|team| &team.routing);
        Self {
            own: team.map_or(&[], |team| team.endpoints.as_slice()),
            strategy: own
                .and_then(|own| own.strategy)
                .or(organisation.strategy)
                .unwrap_or_default(),
            models: said(own.map(|own| &own.models), &organisation.models),
            geographies: said(own.map(|own| &own.geographies), &organisation.geographies),
            regions: said(own.map(|own| &own.regions), &organisation.regions),
            home_region,
        }
    }
}

/// The team's word, else the organisation's, else nothing.
fn said<'a, T>(own: Option<&'a Option<Vec<T>>>, organisation: &'a Option<Vec<T>>) -> &'a [T] {
    let own = own.and_then(Option::as_deref);
    own.or(organisation.as_deref()).unwrap_or_default()
}
