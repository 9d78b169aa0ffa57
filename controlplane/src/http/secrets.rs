//! `/admin/secrets`.

use super::auth::SignedIn;
use super::{HttpState, Refusal};
use crate::app::secrets;
use axum::extract::State;
use ccag_admin_api::{ResealReport, SecretsView};

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
) -> Result<axum::Json<SecretsView>, Refusal> {
    Ok(axum::Json(secrets::view(&state.app, &who.actor()).await?))
}

pub(super) async fn reseal(
    who: SignedIn,
    State(state): State<HttpState>,
) -> Result<axum::Json<ResealReport>, Refusal> {
    Ok(axum::Json(secrets::reseal(&state.app, &who.actor()).await?))
}
