//! `/admin/capabilities`.

use super::auth::SignedIn;
use super::extract::{Id, Json, Params};
use super::{HttpState, Refusal};
use crate::app::capabilities;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ccag_admin_api::{CapabilitiesView, RuleView, WriteRule};
use ccag_domain::RuleId;

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn show(who: SignedIn, State(state): State<HttpState>) -> Answer<CapabilitiesView> {
    Ok(axum::Json(capabilities::view(&state.app, &who.actor()).await?))
}

/// Which version of the rules.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// A version's name; left out, the one in force.
    version: Option<String>,
}

pub(super) async fn book(
    who: SignedIn,
    State(state): State<HttpState>,
    Path(surface): Path<String>,
    Params(which): Params<Which>,
) -> Answer<serde_json::Value> {
    let version = which.version.as_deref();
    Ok(axum::Json(
        capabilities::book(&state.app, &who.actor(), &surface, version).await?,
    ))
}

pub(super) async fn add_rule(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<WriteRule>,
) -> Result<(StatusCode, axum::Json<RuleView>), Refusal> {
    let rule = capabilities::add_rule(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(rule)))
}

pub(super) async fn replace_rule(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<RuleId>,
    Json(request): Json<WriteRule>,
) -> Answer<RuleView> {
    Ok(axum::Json(
        capabilities::replace_rule(&state.app, &who.actor(), &id, request).await?,
    ))
}

pub(super) async fn delete_rule(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<RuleId>,
) -> Result<StatusCode, Refusal> {
    capabilities::delete_rule(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn forget(
    who: SignedIn,
    State(state): State<HttpState>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    capabilities::forget(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
