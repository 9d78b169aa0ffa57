//! `/admin/limits`.

use super::auth::SignedIn;
use super::budgets::position;
use super::extract::{Id, Json, Params};
use super::{HttpState, Refusal, page};
use crate::app::limits;
use crate::store::limits::LimitQuery;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{CreateLimit, LimitList, LimitView, ListLimits, UpdateLimit};
use ccag_domain::LimitId;

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<CreateLimit>,
) -> Result<(StatusCode, axum::Json<LimitView>), Refusal> {
    let limit = limits::create(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(limit)))
}

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListLimits>,
) -> Answer<LimitList> {
    let limit = page::limit(query.limit)?;
    let filter = LimitQuery {
        scope: query.scope.map(|scope| scope.as_str().to_owned()),
        team_id: query.team_id.map(Into::into),
        user_id: query.user_id.map(Into::into),
        key_id: query.key_id.map(Into::into),
        kind: query.kind.map(|kind| kind.as_str().to_owned()),
        after: query.cursor.as_deref().map(position).transpose()?,
        offset: 0,
        limit: limit as u64 + 1,
    };
    let mut limits = limits::list(&state.app, &who.actor(), &filter).await?;
    let next_cursor = page::cut(&mut limits, limit, |limit| {
        format!("{} {}", limits::position(limit), limit.id)
    });
    Ok(axum::Json(LimitList { limits, next_cursor }))
}

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<LimitId>,
) -> Answer<LimitView> {
    Ok(axum::Json(limits::find(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn update(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<LimitId>,
    Json(request): Json<UpdateLimit>,
) -> Answer<LimitView> {
    let limit = limits::update(&state.app, &who.actor(), &id, request).await?;
    Ok(axum::Json(limit))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<LimitId>,
) -> Result<StatusCode, Refusal> {
    limits::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
