//! `/admin/usage/quarantine`.

use super::auth::SignedIn;
use super::extract::{Id, Params};
use super::{HttpState, Refusal, page};
use crate::app::quarantine;
use crate::store::QuarantineQuery;
use axum::extract::State;
use axum::http::StatusCode;
use ccag_admin_api::{ListQuarantine, QuarantineList, RetriedView};
use ccag_domain::UnixMs;

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListQuarantine>,
) -> Result<axum::Json<QuarantineList>, Refusal> {
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(page::position).transpose()?;
    // A cursor with another content is one of another list: it begins at the beginning.
    let after = after.and_then(|position| {
        let (at_ms, id) = position.split_once(' ')?;
        Some((at_ms.parse::<UnixMs>().ok()?, id.to_owned()))
    });
    let filter = QuarantineQuery {
        after,
        offset: 0,
        limit: limit as u64 + 1,
    };
    let mut records = quarantine::list(&state.app, &who.actor(), &filter).await?;
    let next_cursor = page::cut(&mut records, limit, |record| {
        format!("{} {}", record.at.ms(), record.id)
    });
    Ok(axum::Json(QuarantineList {
        records,
        total: quarantine::count(&state.app, &who.actor()).await?,
        next_cursor,
    }))
}

pub(super) async fn retry(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<String>,
) -> Result<axum::Json<RetriedView>, Refusal> {
    Ok(axum::Json(
        quarantine::retry(&state.app, &who.actor(), &id).await?,
    ))
}

pub(super) async fn dismiss(
    who: SignedIn,
    State(state): State<HttpState>,
    Id(id): Id<String>,
) -> Result<StatusCode, Refusal> {
    quarantine::dismiss(&state.app, &who.actor(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
