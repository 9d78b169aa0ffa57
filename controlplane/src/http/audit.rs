//! `/admin/audit`.

use super::auth::SignedIn;
use super::extract::Params;
use super::{HttpState, Refusal, page};
use crate::app::audit;
use crate::store::{AuditFilter, AuditPosition};
use axum::extract::State;
use ccag_admin_api::{AuditList, AuditVerification, ListAudit, Timestamp, VerifyAudit};

pub(super) async fn list(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<ListAudit>,
) -> Result<axum::Json<AuditList>, Refusal> {
    let limit = page::limit(query.limit)?;
    let position = query.cursor.as_deref().map(page::position).transpose()?;
    // A cursor with another content is one of another list: it begins at the beginning.
    let after = position.as_deref().and_then(|position| {
        let mut parts = position.splitn(3, ' ');
        Some(AuditPosition {
            seq: parts.next()?.parse().ok().filter(|seq| *seq > 0),
            at_ms: parts.next()?.parse().ok()?,
            id: parts.next()?.to_owned(),
        })
    });
    let asked = audit::Page {
        filter: AuditFilter {
            search: query.q.filter(|text| !text.contains('\0')),
            from_ms: query.from.map(Timestamp::ms),
            to_ms: query.to.map(Timestamp::ms),
        },
        after,
        offset: 0,
        limit: limit as u64 + 1,
    };
    let mut entries = audit::list(&state.app, &who.actor(), asked).await?;
    let next_cursor = page::cut(&mut entries, limit, |entry| {
        format!("{} {} {}", entry.seq.unwrap_or(0), entry.at.ms(), entry.id)
    });
    Ok(axum::Json(AuditList { entries, next_cursor }))
}

pub(super) async fn verify(
    who: SignedIn,
    State(state): State<HttpState>,
    Params(query): Params<VerifyAudit>,
) -> Result<axum::Json<AuditVerification>, Refusal> {
    Ok(axum::Json(audit::verify(&state.app, &who.actor(), query).await?))
}
