//! `/admin/endpoints`, and the endpoints of teams.

use super::auth::SignedIn;
use super::extract::{Id, Json};
use super::{HttpState, Refusal};
use crate::app::{discovery, endpoints};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ccag_admin_api::{
    CreateEndpoint, EndpointList, EndpointModels, EndpointQuotas, EndpointTest, EndpointView, PinProfile,
    PinnedList, PinnedView, SetTeamEndpoints, TeamEndpoints, UpdateEndpoint,
};
use ccag_domain::{EndpointId, TeamId};

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<CreateEndpoint>,
) -> Result<(StatusCode, axum::Json<EndpointView>), Refusal> {
    let endpoint = endpoints::create(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(endpoint)))
}

pub(super) async fn list(who: SignedIn, State(state): State<HttpState>) -> Answer<EndpointList> {
    Ok(axum::Json(endpoints::list(&state.app, &who.actor()).await?))
}

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
) -> Answer<EndpointView> {
    Ok(axum::Json(endpoints::find(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn update(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
    Json(request): Json<UpdateEndpoint>,
) -> Answer<EndpointView> {
    let endpoint = endpoints::update(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(endpoint))
}

pub(super) async fn replace(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
    Json(request): Json<CreateEndpoint>,
) -> Answer<EndpointView> {
    let endpoint = endpoints::replace(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(endpoint))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
) -> Result<StatusCode, Refusal> {
    endpoints::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_default(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
) -> Answer<EndpointView> {
    let endpoint = endpoints::set_default(&state.app, &who.actor(), &id).await?;
    Ok(axum::Json(endpoint))
}

pub(super) async fn of_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
) -> Answer<TeamEndpoints> {
    Ok(axum::Json(
        endpoints::of_team(&state.app, &who.actor(), &id).await?,
    ))
}

pub(super) async fn assign(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
    Json(request): Json<SetTeamEndpoints>,
) -> Answer<TeamEndpoints> {
    let assigned = endpoints::assign(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(assigned))
}

pub(super) async fn models(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
) -> Answer<EndpointModels> {
    Ok(axum::Json(
        discovery::models(&state.app, &who.actor(), &id).await?,
    ))
}

pub(super) async fn discover(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
) -> Answer<EndpointModels> {
    Ok(axum::Json(
        discovery::discover(&state.app, &who.actor(), &id).await?,
    ))
}

pub(super) async fn quotas(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
) -> Answer<EndpointQuotas> {
    Ok(axum::Json(
        discovery::quotas(&state.app, &who.actor(), &id).await?,
    ))
}

pub(super) async fn test(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
) -> Answer<EndpointTest> {
    Ok(axum::Json(discovery::test(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn pinned(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
) -> Answer<PinnedList> {
    Ok(axum::Json(
        discovery::pinned(&state.app, &who.actor(), &id).await?,
    ))
}

pub(super) async fn pin(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
    Json(request): Json<PinProfile>,
) -> Result<(StatusCode, axum::Json<PinnedView>), Refusal> {
    let pinned = discovery::pin(&state.app, &who.actor(), &id, request).await?;
    Ok((StatusCode::CREATED, axum::Json(pinned)))
}

pub(super) async fn unpin(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<EndpointId>,
    Path((_, model)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    discovery::unpin(&state.app, &who.actor(), &id, &model).await?;
    Ok(StatusCode::NO_CONTENT)
}
