//! What an endpoint offers.

use crate::Timestamp;
use ccag_domain::{Availability, EndpointId, Geography};

/// The answer to `GET /admin/endpoints/{id}/models` and `POST /admin/endpoints/{id}/discover`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointModels {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// When AWS was asked last with success; `null` if never: the catalogue stands in.
    pub discovered_at: Option<Timestamp>,
    /// Why AWS could not be asked the last time.
    pub error: Option<String>,
    /// The models, those of the catalogue first.
    pub models: Vec<OfferedModel>,
    /// Profiles that AWS lists and that cannot be used, and why.
    pub left_out: Vec<LeftOut>,
}

/// A model at an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OfferedModel {
    /// Its canonical name; `null` if it is not in the catalogue, and not served.
    pub model: Option<String>,
    /// Bedrock's id of the foundation model.
    pub bedrock_id: String,
    /// What is invoked for it here; `null` if it is not to be had here.
    pub invoked: Option<InvokedAs>,
    /// The profiles that AWS lists for it.
    pub profiles: Vec<ProfileView>,
    /// Whether AWS lists it as one that can be invoked without a profile.
    pub on_demand: bool,
    /// Whether AWS calls it legacy: it will end.
    pub legacy: bool,
    /// Whether the account may use it, as AWS said; `null` if AWS was not asked about it. It decides nothing: what is invoked
    /// stands under `invoked`.
    #[serde(default)]
    pub availability: Option<AvailabilityView>,
}

/// Whether an account may use a model: `state` is `available`, `hindered` (`by` what) or `unknown` (`why`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AvailabilityView {
    /// What AWS said.
    #[serde(flatten)]
    pub known: Availability,
    /// The same for people, with what helps.
    pub text: String,
}

/// What is invoked for a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvokedAs {
    /// The id or the ARN.
    pub id: String,
    /// Where it runs, and what it costs.
    pub geography: Geography,
}

/// An inference profile.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileView {
    /// Its id, or its ARN for one that the account's owner has made.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it runs, and what it costs.
    pub geography: Geography,
    /// Whether the account's owner has made it.
    pub application: bool,
}

/// A profile that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// The body of `POST /admin/endpoints/{id}/aip-overrides`: invoke this application inference profile for a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PinProfile {
    /// The model, however it is named.
    pub model_id: String,
    /// The profile's ARN.
    pub aip_arn: String,
    /// Why, for whoever asks later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to `GET /admin/endpoints/{id}/aip-overrides`, by model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PinnedList {
    /// The profiles that are invoked instead of AWS's own.
    pub overrides: Vec<PinnedView>,
}

/// An application inference profile that is invoked for a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PinnedView {
    /// The model.
    pub model_id: String,
    /// The profile's ARN.
    pub aip_arn: String,
    /// Where it runs, and what it costs.
    pub geography: Geography,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
}

/// The answer to `POST /admin/endpoints/{id}/test`: what the endpoint's credentials may do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointTest {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Whether everything that was tried is allowed.
    pub passed: bool,
    /// Whether the credentials that were tried are the control plane's own: those of data planes may have other rights.
    pub own_credentials: bool,
    /// What was tried.
    pub checks: Vec<EndpointCheck>,
    /// An IAM policy that allows what is missing; `null` if nothing is, or if AWS did not say what.
    pub missing_policy: Option<serde_json::Value>,
}

/// One operation that the gateway needs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointCheck {
    /// The IAM action.
    pub action: String,
    /// What it was tried on: a model, a profile, a guardrail, a role.
    pub on: Option<String>,
    /// What came of it.
    pub result: CheckResult,
    /// The resource that a policy would have to name, where it was denied and AWS says so.
    pub resource: Option<String>,
    /// AWS's words, where it is not allowed.
    pub message: Option<String>,
}

/// What came of trying an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It is allowed.
    Allowed,
    /// It is not.
    Denied,
    /// That could not be found out.
    Failed,
}

impl CheckResult {
    /// For people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "not found out",
        }
    }
}
