//! Usage records that were put aside: they are in no sum until somebody has seen to them.

use super::{App, Changed, intake, not_found};
use crate::store::{QuarantineQuery, QuarantineRow};
use ccag_admin_api::{QuarantinedView, RetriedView, Timestamp};
use ccag_domain::{Actor, Area, Code, Permission, Problem};
use serde_json::json;

/// One page, the newest first.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn list(
    app: &App,
    actor: &Actor,
    query: &QuarantineQuery,
) -> Result<Vec<QuarantinedView>, Problem> {
    actor.require_all(Permission::Read(Area::Ledger))?;
    let rows = app.store.list_quarantine(query).await?;
    Ok(rows.into_iter().map(view).collect())
}

/// How many there are.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn count(app: &App, actor: &Actor) -> Result<u64, Problem> {
    actor.require_all(Permission::Read(Area::Ledger))?;
    Ok(app.store.count_quarantine().await?)
}

/// Takes a record in after all, as after an update that understands it.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Conflict`] with the reason if it still cannot be stored: it then stays where it is.
pub async fn retry(app: &App, actor: &Actor, id: &str) -> Result<RetriedView, Problem> {
    actor.require_all(Permission::Change(Area::Ledger))?;
    let row = find(app, id).await?;
    let still = |why: &str| {
        Problem::new(
            Code::Conflict,
            format!("The record still cannot be stored: {why}. It stays put aside."),
        )
    };
    let Some(message) = row.message.as_deref().and_then(|text| hex::decode(text).ok()) else {
        return Err(still(
            "it was too long to be kept as it came, or is from an earlier version",
        ));
    };
    let stored = match intake::take_in_again(app, message).await? {
        Ok(stored) => stored,
        Err(reason) => return Err(still(&reason)),
    };
    forget(app, actor, &row, "usage.quarantine.retry").await?;
    Ok(RetriedView { id: row.id, stored })
}

/// Forgets a record: what was used is never counted.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn dismiss(app: &App, actor: &Actor, id: &str) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Ledger))?;
    let row = find(app, id).await?;
    forget(app, actor, &row, "usage.quarantine.dismiss").await
}

async fn find(app: &App, id: &str) -> Result<QuarantineRow, Problem> {
    let known = id.len() <= 100 && !id.contains('\0');
    let row = if known {
        app.store.find_quarantine(id).await?
    } else {
        None
    };
    row.ok_or_else(|| not_found("record put aside with the id", id))
}

async fn forget(app: &App, actor: &Actor, row: &QuarantineRow, action: &'static str) -> Result<(), Problem> {
    let tx = app.store.change().await?;
    if !tx.delete_quarantine(&row.id).await? {
        return Err(not_found("record put aside with the id", &row.id));
    }
    let details = Changed::deleted(
        &json!({"replica_id": row.replica_id, "reason": row.reason, "payload": row.payload}),
    );
    tx.commit(app.now_ms(), app.audit_usage(actor, action, &row.id, details))
        .await?;
    Ok(())
}

fn view(row: QuarantineRow) -> QuarantinedView {
    QuarantinedView {
        retryable: row.message.is_some(),
        id: row.id,
        replica_id: row.replica_id,
        reason: row.reason,
        payload: row.payload,
        at: Timestamp::from_ms(row.at_ms),
    }
}
