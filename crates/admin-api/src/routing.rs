//! Where requests may go, and in which order endpoints are tried.

use ccag_domain::{Code, EndpointId, Geography, Strategy};

/// The body of `PUT /admin/teams/{id}/routing` and `PUT /admin/settings/routing`: all of it. What is left out of a team's the
/// organisation says, and what is left out of that is `sticky` and no constraint. An empty list allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoutingSpec {
    /// In which order endpoints are tried.
    #[serde(default)]
    pub strategy: Option<Strategy>,
    /// The models that may be asked for, however they are named.
    #[serde(default)]
    pub models: Option<Vec<String>>,
    /// The geographies of the profiles that may be invoked: where requests may run.
    #[serde(default)]
    pub geographies: Option<Vec<Geography>>,
    /// The regions of the endpoints that may be called: `eu-west-1`, or `eu-` for all that begin so.
    #[serde(default)]
    pub regions: Option<Vec<String>>,
}

/// What holds for routes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoutingView {
    /// What is said here; `null` where the organisation's word holds, or nobody's.
    pub own: RoutingSpec,
    /// What holds together with what the organisation says.
    pub in_force: RoutingInForce,
}

/// The rules that hold. An empty list allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoutingInForce {
    /// In which order endpoints are tried.
    pub strategy: Strategy,
    /// The models that may be asked for, by their canonical names.
    pub models: Vec<String>,
    /// Where requests may run.
    pub geographies: Vec<Geography>,
    /// The regions of the endpoints that may be called.
    pub regions: Vec<String>,
}

/// The query of `GET /admin/teams/{id}/routing/preview` and `GET /admin/settings/routing/preview`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PreviewRoute {
    /// The model, however it is named.
    pub model: String,
}

/// Where a request for a model would go now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoutePreview {
    /// The canonical name of the model.
    pub model: String,
    /// In which order endpoints are tried.
    pub strategy: Strategy,
    /// Whether the endpoints are the team's own, and not the default ones.
    pub uses_own: bool,
    /// What would be tried. By `primary_fallback` in this order; otherwise those first that come first most often.
    pub candidates: Vec<PreviewCandidate>,
    /// All other endpoints, and why; those of the team's first.
    pub left_out: Vec<PreviewLeftOut>,
    /// What the caller would be told if there is nowhere to go.
    pub refusal: Option<PreviewRefusal>,
}

/// An endpoint that would be tried.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PreviewCandidate {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Its name.
    pub name: String,
    /// What would be invoked there.
    pub bedrock_model: String,
    /// Where that runs, and what it costs.
    pub geography: Geography,
    /// Of a thousand requests, or of conversations where these stick, how many would begin here as long as nothing fails.
    pub first_permille: u32,
}

/// An endpoint that would not be tried.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PreviewLeftOut {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// Its name.
    pub name: String,
    /// Why: `not_default`, `not_assigned`, `region_not_allowed`, `model_not_offered`, `geography_not_allowed` or `disabled`.
    pub reason: String,
    /// The same in words.
    pub message: String,
}

/// Why there would be no route.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PreviewRefusal {
    /// The code of the refusal.
    pub code: String,
    /// The status.
    pub status: u16,
    /// What the caller would be told.
    pub message: String,
}

impl PreviewRefusal {
    /// A refusal with this code.
    #[must_use]
    pub fn new(code: Code, message: String) -> Self {
        Self {
            code: code.slug().to_owned(),
            status: code.status(),
            message,
        }
    }
}
