//! `/admin/idps`.

use super::auth::SignedIn;
use super::extract::{Id, Json};
use super::oauth::Origin;
use super::{HttpState, Refusal};
use crate::app::identity::providers;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{ProviderList, ProviderTest, ProviderView, WriteProvider};
use ccag_domain::ProviderId;

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn list(
    who: SignedIn,
    origin: Origin,
    State(state): State<HttpState>,
) -> Answer<ProviderList> {
    let idps = providers::list(&state.app, &who.actor(), &origin.base_url).await?;
    Ok(axum::Json(ProviderList { idps }))
}

pub(super) async fn create(
    who: SignedIn,
    origin: Origin,
    State(state): State<HttpState>,
    Json(request): Json<WriteProvider>,
) -> Result<(StatusCode, axum::Json<ProviderView>), Refusal> {
    let made = providers::create(&state.app, &who.actor(), request, &origin.base_url).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

pub(super) async fn show(
    who: SignedIn,
    origin: Origin,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
) -> Answer<ProviderView> {
    let found = providers::find(&state.app, &who.actor(), &id, &origin.base_url).await?;
    Ok(axum::Json(found))
}

pub(super) async fn update(
    who: SignedIn,
    origin: Origin,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
    Json(request): Json<WriteProvider>,
) -> Answer<ProviderView> {
    let changed = providers::update(&state.app, &who.actor(), &id, request, &origin.base_url).await?;
    Ok(axum::Json(changed))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
) -> Result<StatusCode, Refusal> {
    providers::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn test(
    who: SignedIn,
    origin: Origin,
    State(state): State<HttpState>,
    Id(id): Id<ProviderId>,
) -> Answer<ProviderTest> {
    let tested = providers::test(&state.app, &who.actor(), &id, &origin.base_url).await?;
    Ok(axum::Json(tested))
}
