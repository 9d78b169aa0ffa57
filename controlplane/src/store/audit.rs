//! Who changed what.

use super::StoreError;
use super::entity::audit;
use ccag_domain::UnixMs;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};

/// One row of the audit log. `details` holds no secret.
#[derive(Debug, Clone)]
pub(crate) struct AuditEntry {
    pub(crate) id: String,
    /// A user id, or `system`.
    pub(crate) actor: String,
    /// `key.revoke`, for example.
    pub(crate) action: &'static str,
    /// What kind of object it was.
    pub(crate) kind: &'static str,
    pub(crate) object_id: String,
    pub(crate) details: serde_json::Value,
}

pub(super) async fn insert<C: ConnectionTrait>(
    db: &C,
    now_ms: UnixMs,
    entry: AuditEntry,
) -> Result<(), StoreError> {
    let row = audit::ActiveModel {
        id: Set(entry.id),
        at_ms: Set(now_ms),
        actor: Set(entry.actor),
        action: Set(entry.action.to_owned()),
        object_kind: Set(entry.kind.to_owned()),
        object_id: Set(entry.object_id),
        details: Set(entry.details.to_string()),
    };
    audit::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}
