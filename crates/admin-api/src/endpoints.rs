//! Endpoints, and which of them a team may use.

use crate::{CredentialSpec, CredentialView, Patch, ProxySpec, ProxyView, Timestamp};
use ccag_domain::{
    EndpointId, EndpointState, Geography, Guardrail, GuardrailTrace, Lane, ServiceTier, SessionTags,
    Strategy, TeamId,
};

/// The body of `POST /admin/endpoints`, and of `PUT /admin/endpoints/{id}`, which replaces the whole endpoint.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateEndpoint {
    /// Its name; no other endpoint may have it, whatever the case.
    pub name: String,
    /// The AWS region; by default the one that the data planes are configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The role to assume; without one the data planes call with their own credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// What the role asks for besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The only geography to use; by default the closest one in which a model can be had. Also read as `routing_prefix`.
    #[serde(default, alias = "routing_prefix", skip_serializing_if = "Option::is_none")]
    pub geography: Option<Geography>,
    /// Instead of the public URL of Bedrock Runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_url: Option<String>,
    /// The lanes that it may use, the preferred one first; by default `invoke-model` alone, which is always among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lanes: Option<Vec<Lane>>,
    /// Instead of the public URL of bedrock-mantle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mantle_url: Option<String>,
    /// What its requests must pass, unless their team has a guardrail of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<GuardrailSpec>,
    /// Its share of the conversations in relation to the other endpoints of a route; by default 1. With 0 it only steps in
    /// for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Credentials of its own; by default those that the data planes find for themselves. A role is assumed with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialSpec>,
    /// By whom AWS is to split its bill: the role is assumed once for each, with session tags. By default for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_tags: Option<SessionTags>,
    /// The service tier that is asked for; by default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
    /// Whether Bedrock is told whose request it is, for its invocation log; by default it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_metadata: Option<bool>,
    /// The HTTP proxy that all its calls go through; by default as the planes' environment says (`HTTPS_PROXY`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySpec>,
    /// Certificates to trust besides those that the machine trusts, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    /// Whether AWS's FIPS endpoints are called; by default they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_fips: Option<bool>,
    /// Whether it takes requests: wins over `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<EndpointState>,
    /// Whether it is used; by default it is. For older callers: `state` says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether teams without endpoints of their own use it. A new endpoint is not a default unless this says so; a
    /// replaced one keeps what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
}

/// The body of `PATCH /admin/endpoints/{id}`; an absent field is kept, `null` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateEndpoint {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The AWS region.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub region: Patch<String>,
    /// The role to assume.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub role_arn: Patch<String>,
    /// What the role asks for besides.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub external_id: Patch<String>,
    /// The only geography to use. Also read as `routing_prefix`.
    #[serde(default, alias = "routing_prefix", skip_serializing_if = "Patch::is_keep")]
    pub geography: Patch<Geography>,
    /// Instead of the public URL of Bedrock Runtime.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub runtime_url: Patch<String>,
    /// The lanes that it may use; `null` is `invoke-model` alone.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub lanes: Patch<Vec<Lane>>,
    /// Instead of the public URL of bedrock-mantle.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub mantle_url: Patch<String>,
    /// What its requests must pass.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub guardrail: Patch<GuardrailSpec>,
    /// Its share of the conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Credentials of its own; `null` is those of the data planes.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub credentials: Patch<CredentialSpec>,
    /// By whom AWS is to split its bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_tags: Option<SessionTags>,
    /// The service tier that is asked for.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub service_tier: Patch<ServiceTier>,
    /// Whether Bedrock is told whose request it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_metadata: Option<bool>,
    /// The HTTP proxy that all its calls go through; `null` is what the planes' environment says.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub proxy: Patch<ProxySpec>,
    /// Certificates to trust besides those that the machine trusts, as PEM.
    #[serde(default, skip_serializing_if = "Patch::is_keep")]
    pub ca_certificates: Patch<String>,
    /// Whether AWS's FIPS endpoints are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_fips: Option<bool>,
    /// Whether it takes requests: wins over `enabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<EndpointState>,
    /// Whether it is used. For older callers: `state` says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether teams without endpoints of their own use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
}

/// One AWS account, region and role.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointView {
    /// Its id.
    pub id: EndpointId,
    /// Its name.
    pub name: String,
    /// The AWS region; `null` is the one that the data planes are configured with.
    pub region: Option<String>,
    /// The role that is assumed.
    pub role_arn: Option<String>,
    /// What the role asks for besides.
    pub external_id: Option<String>,
    /// The only geography that is used.
    pub geography: Option<Geography>,
    /// Instead of the public URL of Bedrock Runtime.
    pub runtime_url: Option<String>,
    /// The lanes that it may use, the preferred one first.
    pub lanes: Vec<Lane>,
    /// Instead of the public URL of bedrock-mantle.
    pub mantle_url: Option<String>,
    /// What its requests must pass.
    pub guardrail: Option<GuardrailSpec>,
    /// Its share of the conversations.
    pub weight: u32,
    /// Its own credentials, as far as they are shown.
    #[serde(default)]
    pub credentials: CredentialView,
    /// By whom AWS splits its bill.
    #[serde(default)]
    pub session_tags: SessionTags,
    /// The service tier that is asked for.
    #[serde(default)]
    pub service_tier: Option<ServiceTier>,
    /// Whether Bedrock is told whose request it is.
    #[serde(default)]
    pub request_metadata: bool,
    /// The HTTP proxy that all its calls go through; its password is never shown.
    #[serde(default)]
    pub proxy: Option<ProxyView>,
    /// Certificates that are trusted besides those that the machine trusts, as PEM.
    #[serde(default)]
    pub ca_certificates: Option<String>,
    /// Whether AWS's FIPS endpoints are called.
    #[serde(default)]
    pub use_fips: bool,
    /// Whether it takes requests.
    #[serde(default)]
    pub state: EndpointState,
    /// Whether it is used: it is not disabled.
    pub enabled: bool,
    /// Whether teams without endpoints of their own use it.
    pub is_default: bool,
    /// The teams that it is assigned to.
    pub teams: Vec<EndpointTeam>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An Amazon Bedrock guardrail.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GuardrailSpec {
    /// Its id, or its ARN.
    pub id: String,
    /// Its version: a number, or `DRAFT`.
    pub version: String,
    /// How much Bedrock tells in its invocation log about what was found; by default nothing.
    #[serde(default)]
    pub trace: GuardrailTrace,
    /// Whether only what the user and the tools said is looked at; by default everything is.
    #[serde(default)]
    pub tag_input: bool,
}

impl From<GuardrailSpec> for Guardrail {
    fn from(spec: GuardrailSpec) -> Self {
        Self {
            id: spec.id,
            version: spec.version,
            trace: spec.trace,
            tag_input: spec.tag_input,
        }
    }
}

impl From<Guardrail> for GuardrailSpec {
    fn from(guardrail: Guardrail) -> Self {
        Self {
            id: guardrail.id,
            version: guardrail.version,
            trace: guardrail.trace,
            tag_input: guardrail.tag_input,
        }
    }
}

/// A team that an endpoint is assigned to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointTeam {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: String,
}

/// The answer to `GET /admin/endpoints`, by name. There are few: they come on one page.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointList {
    /// The endpoints.
    pub endpoints: Vec<EndpointView>,
}

/// The body of `PUT /admin/teams/{id}/endpoints`. With an empty list the team uses the default endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetTeamEndpoints {
    /// The endpoints that the team may use, and no others.
    pub endpoints: Vec<AssignedEndpoint>,
    /// In which order they are tried; absent, what the team has said stays. `sticky_user` is read as `sticky`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_strategy: Option<Strategy>,
}

/// One endpoint of a team.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AssignedEndpoint {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Where it stands in the team's order; lower comes first. By `primary_fallback` that is the order in which endpoints are
    /// tried. By default the place in this list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
}

/// The answer to `GET /admin/teams/{id}/endpoints`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamEndpoints {
    /// The endpoints that are assigned to the team, in their order.
    pub endpoints: Vec<TeamEndpoint>,
    /// Whether none is assigned, so that the team uses the default endpoints.
    pub uses_default: bool,
    /// In which order they are tried: the team's word, or the organisation's.
    #[serde(default)]
    pub routing_strategy: Strategy,
}

/// An endpoint that a team may use.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TeamEndpoint {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Its name.
    pub name: String,
    /// Where it stands in the team's order.
    pub priority: u32,
    /// Whether it is used.
    pub enabled: bool,
}
