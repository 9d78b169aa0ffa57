//! `/admin/users`.

use super::auth::SignedIn;
use super::extract::{Id, Json, Params};
use super::{HttpState, Refusal, page};
use crate::app::users;
use crate::store::UserQuery;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{CreateUser, ListUsers, SetTeam, UpdateUser, UserList, UserView};
use ccag_domain::UserId;

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<CreateUser>,
) -> Result<(StatusCode, axum::Json<UserView>), Refusal> {
    let user = users::create(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(user)))
}

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListUsers>,
) -> Answer<UserList> {
    let limit = page::limit(query.limit)?;
    let filter = UserQuery {
        username: query.username,
        search: query.search,
        team_id: query.team_id.map(Into::into),
        kind: query.kind,
        role: query.role,
        state: query.state,
        after_name: query.cursor.as_deref().map(page::position).transpose()?,
        limit: limit as u64 + 1,
        ..UserQuery::default()
    };
    let (mut users, _) = users::list(&state.app, &who.actor(), &filter).await?;
    let next_cursor = page::cut(&mut users, limit, |user| user.username.to_lowercase());
    Ok(axum::Json(UserList { users, next_cursor }))
}

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
) -> Answer<UserView> {
    Ok(axum::Json(users::find(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn update(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
    Json(request): Json<UpdateUser>,
) -> Answer<UserView> {
    Ok(axum::Json(
        users::update(&state.app, &who.actor(), &id, request).await?,
    ))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
) -> Result<StatusCode, Refusal> {
    users::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn set_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
    Json(request): Json<SetTeam>,
) -> Answer<UserView> {
    let team = request.team_id.as_ref();
    Ok(axum::Json(
        users::assign(&state.app, &who.actor(), &id, team).await?,
    ))
}

pub(super) async fn suspend(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
) -> Answer<UserView> {
    Ok(axum::Json(users::suspend(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn activate(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
) -> Answer<UserView> {
    Ok(axum::Json(users::activate(&state.app, &who.actor(), &id).await?))
}
