//! `/admin/idps/{id}/scim…`: who may use SCIM.

use crate::app::scim;
use crate::http::auth::SignedIn;
use crate::http::extract::{Id, Json};
use crate::http::oauth::Origin;
use crate::http::{HttpState, Refusal};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use ccag_admin_api::{
    CreateScimToken, CreatedScimToken, EnableScim, ScimAdminGroups, ScimStatus, ScimTokenList, paths,
};
use ccag_domain::ProviderId;

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(in crate::http) fn router() -> Router<HttpState> {
    Router::new()
        .route(paths::IDP_SCIM, get(status).put(enable))
        .route(paths::IDP_SCIM_TOKENS, get(tokens).post(create))
        .route(paths::IDP_SCIM_TOKEN, delete(revoke))
        .route(
            paths::IDP_SCIM_ADMIN_GROUPS,
            get(admin_groups).put(set_admin_groups),
        )
}

async fn status(
    who: SignedIn,
    origin: Origin,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
) -> Answer<ScimStatus> {
    Ok(axum::Json(
        scim::status(&state.app, &who.actor(), &id, &origin.base_url).await?,
    ))
}

async fn enable(
    who: SignedIn,
    origin: Origin,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
    Json(request): Json<EnableScim>,
) -> Answer<ScimStatus> {
    Ok(axum::Json(
        scim::enable(&state.app, &who.actor(), &id, request, &origin.base_url).await?,
    ))
}

async fn tokens(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
) -> Answer<ScimTokenList> {
    Ok(axum::Json(
        scim::list_tokens(&state.app, &who.actor(), &id).await?,
    ))
}

async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
    Json(request): Json<CreateScimToken>,
) -> Result<(StatusCode, axum::Json<CreatedScimToken>), Refusal> {
    let made = scim::create_token(&state.app, &who.actor(), &id, request).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

async fn revoke(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
    Path((_, token)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    scim::revoke_token(&state.app, &who.actor(), &id, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn admin_groups(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
) -> Answer<ScimAdminGroups> {
    Ok(axum::Json(
        scim::admin_groups(&state.app, &who.actor(), &id).await?,
    ))
}

async fn set_admin_groups(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
    Json(request): Json<ScimAdminGroups>,
) -> Answer<ScimAdminGroups> {
    Ok(axum::Json(
        scim::set_admin_groups(&state.app, &who.actor(), &id, request).await?,
    ))
}
