//! Fleet, status, health.

use super::auth::SignedIn;
use super::{HttpState, Refusal};
use crate::app::{VERSION, fleet};
use axum::extract::State;
use ccag_admin_api::{FleetView, StatusView};
use std::time::Duration;

type Answer<T> = Result<axum::Json<T>, Refusal>;

/// How long a health check waits for the database.
const PATIENCE: Duration = Duration::from_secs(2);

/// Says whether the database answers, always with 200: a load balancer that took a control plane away for it would take
/// all of them away at once.
pub(super) async fn health(State(state): State<HttpState>) -> axum::Json<serde_json::Value> {
    let db = tokio::time::timeout(PATIENCE, state.app.check_database()).await;
    let db = matches!(db, Ok(Ok(())));
    let status = if db { "ok" } else { "degraded" };
    axum::Json(serde_json::json!({ "status": status, "db": db, "version": VERSION }))
}

pub(super) async fn fleet(who: SignedIn, State(state): State<HttpState>) -> Answer<FleetView> {
    Ok(axum::Json(fleet::view(&state.app, &who.actor()).await?))
}

pub(super) async fn status(who: SignedIn, State(state): State<HttpState>) -> Answer<StatusView> {
    Ok(axum::Json(fleet::status(&state.app, &who.actor()).await?))
}
