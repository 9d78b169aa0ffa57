//! `/admin/settings/routing`, and the same of teams.

use super::auth::SignedIn;
use super::extract::{Id, Json, Params};
use super::{HttpState, Refusal};
use crate::app::routing;
use axum::extract::State;
use ccag_admin_api::{PreviewRoute, RoutePreview, RoutingSpec, RoutingView};
use ccag_domain::TeamId;

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn show(who: SignedIn, State(state): State<HttpState>) -> Answer<RoutingView> {
    Ok(axum::Json(routing::organisation(&state.app, &who.actor()).await?))
}

pub(super) async fn set(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<RoutingSpec>,
) -> Answer<RoutingView> {
    let view = routing::set_organisation(&state.app, &who.actor(), request).await?;
    Ok(axum::Json(view))
}

pub(super) async fn preview(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<PreviewRoute>,
) -> Answer<RoutePreview> {
    let preview = routing::preview(&state.app, &who.actor(), None, &query.model).await?;
    Ok(axum::Json(preview))
}

pub(super) async fn of_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
) -> Answer<RoutingView> {
    Ok(axum::Json(routing::of_team(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn set_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
    Json(request): Json<RoutingSpec>,
) -> Answer<RoutingView> {
    let view = routing::set_team(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(view))
}

pub(super) async fn preview_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
    Params(query): Params<PreviewRoute>,
) -> Answer<RoutePreview> {
    let preview = routing::preview(&state.app, &who.actor(), Some(&id), &query.model).await?;
    Ok(axum::Json(preview))
}
