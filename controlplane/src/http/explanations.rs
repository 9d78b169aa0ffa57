//! `/admin/requests`.

use super::auth::SignedIn;
use super::extract::Id;
use super::{HttpState, Refusal};
use crate::app::explanations;
use axum::extract::State;
use ccag_admin_api::ExplanationView;

pub(super) async fn show(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<String>,
) -> Result<axum::Json<ExplanationView>, Refusal> {
    Ok(axum::Json(
        explanations::explain(&state.app, &who.actor(), &id).await?,
    ))
}
