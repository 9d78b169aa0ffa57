//! `GET /api/oauth/usage`: how the caller's budgets stand. Data planes answer the same; this is for installations where the load
//! balancer sends here what is not inference.

use super::{bearer, envelope, json_answer};
use crate::app::clients::sessions;
use crate::app::{budgets, keys};
use crate::http::HttpState;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ccag_domain::standing::usage;
use ccag_domain::{Caller, Problem, TeamId, UserId};
use ccag_session_token::looks_like_one;
use serde_json::Value;

pub(super) async fn show(State(state): State<HttpState>, headers: HeaderMap) -> Response {
    match answer(&state, &headers).await {
        Ok(value) => json_answer(StatusCode::OK, &value),
        Err(problem) => envelope(&problem),
    }
}

async fn answer(state: &HttpState, headers: &HeaderMap) -> Result<Value, Problem> {
    let app = &state.app;
    let shown = bearer(headers)?;
    let caller = if looks_like_one(shown) {
        let (session, user) = sessions::of_token(app, shown).await?;
        Caller {
            key_id: session,
            user_id: UserId::parse(&user.id).ok(),
            team_id: user.team_id.as_deref().and_then(|id| TeamId::parse(id).ok()),
        }
    } else {
        keys::caller(app, shown).await?
    };
    Ok(usage(&budgets::standings(app, &caller).await?))
}
