//! `/auth`.

use super::auth::SignedIn;
use super::extract::Json;
use super::{HttpState, Refusal, client_address};
use crate::app::sessions;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use ccag_admin_api::{LoginRequest, LoginResponse, Me, Timestamp};
use std::net::SocketAddr;

pub(super) async fn login(
    State(state): State<HttpState>,
    peer: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Json(request): Json<LoginRequest>,
) -> Result<axum::Json<LoginResponse>, Refusal> {
    let peer = peer.map(|axum::Extension(ConnectInfo(peer))| peer);
    let address = client_address(&headers, peer, &state.trusted_proxies);
    let login = sessions::login(&state.app, &request.username, request.password.reveal(), address).await?;
    Ok(axum::Json(LoginResponse {
        token: login.token,
        expires_at_ms: login.session.expires_at_ms,
        user: login.session.user,
    }))
}

pub(super) async fn logout(who: SignedIn, State(state): State<HttpState>) -> Result<StatusCode, Refusal> {
    sessions::logout(&state.app, &who.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn me(who: SignedIn) -> axum::Json<Me> {
    axum::Json(Me {
        user: who.0.user,
        session_expires_at: Timestamp::from_ms(who.0.expires_at_ms),
    })
}
