//! `/admin/teams`.

use super::auth::SignedIn;
use super::extract::{Id, Json, Params, TwoIds};
use super::{HttpState, Refusal, page};
use crate::app::{teams, users};
use crate::store::{TeamQuery, UserQuery};
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{
    AddMember, CreateTeam, ListMembers, ListTeams, TeamList, TeamView, UpdateTeam, UserList,
};
use ccag_domain::{TeamId, UserId};

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn create(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<CreateTeam>,
) -> Result<(StatusCode, axum::Json<TeamView>), Refusal> {
    let team = teams::create(&state.app, &who.actor(), request).await?;
    Ok((StatusCode::CREATED, axum::Json(team)))
}

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListTeams>,
) -> Answer<TeamList> {
    let limit = page::limit(query.limit)?;
    let filter = TeamQuery {
        id: None,
        name: query.name,
        after_name: query.cursor.as_deref().map(page::position).transpose()?,
        offset: 0,
        limit: limit as u64 + 1,
        search: query.search,
    };
    let (mut teams, _) = teams::list(&state.app, &who.actor(), &filter).await?;
    let next_cursor = page::cut(&mut teams, limit, |team| team.name.to_lowercase());
    Ok(axum::Json(TeamList { teams, next_cursor }))
}

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
) -> Answer<TeamView> {
    Ok(axum::Json(teams::find(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn update(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
    Json(request): Json<UpdateTeam>,
) -> Answer<TeamView> {
    Ok(axum::Json(
        teams::update(&state.app, &who.actor(), &id, request).await?,
    ))
}

pub(super) async fn remove(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
) -> Result<StatusCode, Refusal> {
    teams::delete(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn members(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
    Params(query): Params<ListMembers>,
) -> Answer<UserList> {
    let limit = page::limit(query.limit)?;
    teams::find(&state.app, &who.actor(), &id).await?;
    let query = UserQuery {
        team_id: Some(id.into()),
        after_name: query.cursor.as_deref().map(page::position).transpose()?,
        limit: limit as u64 + 1,
        ..UserQuery::default()
    };
    let (mut users, _) = users::list(&state.app, &who.actor(), &query).await?;
    let next_cursor = page::cut(&mut users, limit, |user| user.username.to_lowercase());
    Ok(axum::Json(UserList { users, next_cursor }))
}

pub(super) async fn add_member(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
    Json(request): Json<AddMember>,
) -> Result<StatusCode, Refusal> {
    teams::find(&state.app, &who.actor(), &id).await?;
    users::assign(&state.app, &who.actor(), &request.user_id, Some(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove_member(
    who: SignedIn,
    State(state): State<HttpState>,
    TwoIds(team, user): TwoIds<TeamId, UserId>,
) -> Result<StatusCode, Refusal> {
    users::unassign(&state.app, &who.actor(), &team, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}
