//! `/admin/keys`.

use super::auth::SignedIn;
use super::extract::{Id, Json, Params};
use super::{HttpState, Refusal, page};
use crate::app::keys;
use crate::store::{KeyQuery, KeyStateFilter};
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{CreateKey, CreatedKey, KeyList, KeyState, KeyView, ListKeys, UpdateKey};
use ccag_domain::KeyId;

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<CreateKey>,
) -> Result<(StatusCode, axum::Json<CreatedKey>), Refusal> {
    let key = keys::issue(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(key)))
}

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListKeys>,
) -> Answer<KeyList> {
    let limit = page::limit(query.limit)?;
    let before = query.cursor.as_deref().map(page::before).transpose()?;
    let filter = KeyQuery {
        name: query.name,
        search: query.search,
        user_id: query.user_id.map(Into::into),
        team_id: query.team_id.map(Into::into),
        state: query.state.map(|state| match state {
            KeyState::Active => KeyStateFilter::Active,
            KeyState::Revoked => KeyStateFilter::Revoked,
            KeyState::Expired => KeyStateFilter::Expired,
        }),
        before,
        limit: limit as u64 + 1,
        ..KeyQuery::default()
    };
    let (mut keys, _) = keys::list(&state.app, &who.actor(), filter).await?;
    let next_cursor = page::cut(&mut keys, limit, |key| {
        format!("{}.{}", key.created_at.ms(), key.id)
    });
    Ok(axum::Json(KeyList { keys, next_cursor }))
}

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<KeyId>,
) -> Answer<KeyView> {
    Ok(axum::Json(keys::find(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn update(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<KeyId>,
    Json(request): Json<UpdateKey>,
) -> Answer<KeyView> {
    Ok(axum::Json(
        keys::update(&state.app, &who.actor(), &id, request).await?,
    ))
}

pub(super) async fn revoke(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<KeyId>,
) -> Answer<KeyView> {
    Ok(axum::Json(keys::revoke(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<KeyId>,
) -> Result<StatusCode, Refusal> {
    keys::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
