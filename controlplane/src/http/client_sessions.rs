//! `/admin/client-sessions`.

use super::auth::SignedIn;
use super::extract::{Id, Params};
use super::{HttpState, Refusal, page};
use crate::app::clients::sessions;
use crate::store::clients::ClientSessionQuery;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{ClientSessionList, ListClientSessions, SignedOut};
use ccag_domain::{KeyId, UserId};

type Answer<T> = Result<axum::Json<T>, Refusal>;

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListClientSessions>,
) -> Answer<ClientSessionList> {
    let limit = page::limit(query.limit)?;
    let filter = ClientSessionQuery {
        user_id: query.user_id.map(Into::into),
        search: None,
        within: None,
        before: query.cursor.as_deref().map(page::before).transpose()?,
        offset: 0,
        limit: limit as u64 + 1,
    };
    let (mut sessions, _) = sessions::list(&state.app, &who.actor(), filter).await?;
    let next_cursor = page::cut(&mut sessions, limit, |session| {
        format!("{}.{}", session.created_at.ms(), session.id)
    });
    Ok(axum::Json(ClientSessionList {
        sessions,
        next_cursor,
    }))
}

pub(super) async fn end(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<KeyId>,
) -> Result<StatusCode, Refusal> {
    sessions::revoke(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn sign_out(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<UserId>,
) -> Answer<SignedOut> {
    let ended = sessions::sign_out(&state.app, &who.actor(), &id).await?;
    Ok(axum::Json(SignedOut {
        client_sessions: ended as u64,
    }))
}
