//! `/admin/users/{id}/tokens`.

use super::auth::SignedIn;
use super::extract::{Id, Json, TwoIds};
use super::{HttpState, Refusal};
use crate::app::tokens;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{CreateToken, CreatedToken, TokenList};
use ccag_domain::{SessionId, UserId};

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
    Json(request): Json<CreateToken>,
) -> Result<(StatusCode, axum::Json<CreatedToken>), Refusal> {
    let token = tokens::issue(&state.app, &who.actor(), &id, request).await?;
    Ok((StatusCode::CREATED, axum::Json(token)))
}

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
) -> Result<axum::Json<TokenList>, Refusal> {
    let tokens = tokens::list(&state.app, &who.actor(), &id).await?;
    Ok(axum::Json(TokenList { tokens }))
}

pub(super) async fn revoke(
    who: SignedIn,
    State(state): State<HttpState>,
    TwoIds(user, token): TwoIds<UserId, SessionId>,
) -> Result<StatusCode, Refusal> {
    tokens::revoke(&state.app, &who.actor(), &user, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
