//! `/admin/sign-in`, and the keys that tokens are signed with.

use super::auth::SignedIn;
use super::extract::Json;
use super::{HttpState, Refusal};
use crate::app::{clients, sign_on};
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::SignInSettings;

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn show(who: SignedIn, State(state): State<HttpState>) -> Answer<SignInSettings> {
    Ok(axum::Json(sign_on::settings(&state.app, &who.actor()).await?))
}

pub(super) async fn set(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<SignInSettings>,
) -> Answer<SignInSettings> {
    Ok(axum::Json(sign_on::set(&state.app, &who.0, request).await?))
}

pub(super) async fn rotate(who: SignedIn, State(state): State<HttpState>) -> Result<StatusCode, Refusal> {
    clients::keys::rotate(&state.app, &who.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
