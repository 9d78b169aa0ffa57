//! What sessions may do within a minute, and those that are paused.

use super::auth::SignedIn;
use super::extract::{Id, Json, Params};
use super::{HttpState, Refusal, page};
use crate::app::breaker;
use crate::store::breaker::PauseQuery;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{
    ListPausedSessions, PauseState, PausedSessionList, PausedSessionView, SessionBreakerView,
    SetSessionBreaker,
};
use ccag_domain::{PauseId, TeamId, UnixMs};

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn show(who: SignedIn, State(state): State<HttpState>) -> Answer<SessionBreakerView> {
    Ok(axum::Json(breaker::organisation(&state.app, &who.actor()).await?))
}

pub(super) async fn set(
    who: SignedIn,
    State(state): State<HttpState>,
    Json(request): Json<SetSessionBreaker>,
) -> Answer<SessionBreakerView> {
    Ok(axum::Json(
        breaker::set_organisation(&state.app, &who.actor(), request).await?,
    ))
}

pub(super) async fn of_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
) -> Answer<SessionBreakerView> {
    Ok(axum::Json(breaker::of_team(&state.app, &who.actor(), &id).await?))
}

pub(super) async fn set_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
    Json(request): Json<SetSessionBreaker>,
) -> Answer<SessionBreakerView> {
    Ok(axum::Json(
        breaker::set_team(&state.app, &who.actor(), &id, request).await?,
    ))
}

pub(super) async fn clear_team(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<TeamId>,
) -> Result<StatusCode, Refusal> {
    breaker::clear_team(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListPausedSessions>,
) -> Answer<PausedSessionList> {
    let limit = page::limit(query.limit)?;
    let before = query.cursor.as_deref().map(page::position).transpose()?;
    // A cursor with another content is one of another list: it begins at the beginning.
    let before = before.and_then(|position| {
        let (at_ms, id) = position.split_once(' ')?;
        Some((at_ms.parse::<UnixMs>().ok()?, id.to_owned()))
    });
    let mut filter = PauseQuery {
        owner: query.user_id.map(Into::into),
        team_id: query.team_id.map(Into::into),
        open: match query.state {
            PauseState::Paused => Some(true),
            PauseState::Resumed => Some(false),
            PauseState::All => None,
        },
        before,
        offset: 0,
        limit: limit as u64 + 1,
    };
    let mut paused_sessions = breaker::list(&state.app, &who.actor(), &filter).await?;
    let next_cursor = page::cut(&mut paused_sessions, limit, |paused| {
        format!("{} {}", paused.paused_at.ms(), paused.id)
    });
    filter.before = None;
    Ok(axum::Json(PausedSessionList {
        paused_sessions,
        total: breaker::count(&state.app, &who.actor(), &filter).await?,
        next_cursor,
    }))
}

pub(super) async fn resume(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<PauseId>,
) -> Answer<PausedSessionView> {
    Ok(axum::Json(breaker::resume(&state.app, &who.actor(), &id).await?))
}
