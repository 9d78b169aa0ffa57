//! `/admin/policies`.

use super::auth::SignedIn;
use super::extract::{Id, Json};
use super::{HttpState, Refusal};
use crate::app::policies;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{PolicyList, PolicyPreview, PolicyView, WritePolicy};
use ccag_domain::{PolicyId, UserId};

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn list(who: SignedIn, State(state): State<HttpState>) -> Answer<PolicyList> {
    let policies = policies::list(&state.app, &who.actor()).await?;
    Ok(axum::Json(PolicyList { policies }))
}

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<WritePolicy>,
) -> Result<(StatusCode, axum::Json<PolicyView>), Refusal> {
    let made = policies::create(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<PolicyId>,
) -> Answer<PolicyView> {
    Ok(axum::Json(policies::find(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn update(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<PolicyId>,
    Json(request): Json<WritePolicy>,
) -> Answer<PolicyView> {
    let changed = policies::update(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(changed))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<PolicyId>,
) -> Result<StatusCode, Refusal> {
    policies::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn preview(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
) -> Answer<PolicyPreview> {
    Ok(axum::Json(
        policies::preview(&state.app, &who.actor(), &id).await?,
    ))
}
