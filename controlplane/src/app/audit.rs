//! The audit log: who changed what, and whether the log itself is as it was written.

use super::App;
use crate::store::{AuditFilter, AuditPosition, AuditRow, Link, Turn};
use ccag_admin_api::{AuditEntryView, AuditVerification, Timestamp, VerifyAudit};
use ccag_domain::{Actor, Area, Code, Permission, Problem};
use std::collections::HashMap;

/// Which entries, and which page of them.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) filter: AuditFilter,
    /// After this entry.
    pub(crate) after: Option<AuditPosition>,
    /// After so many.
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

/// One page, the newest first.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn list(app: &App, actor: &Actor, page: Page) -> Result<Vec<AuditEntryView>, Problem> {
    actor.require_all(Permission::Read(Area::Audit))?;
    let rows = app
        .store
        .list_audit(&page.filter, page.after.as_ref(), page.offset, page.limit)
        .await?;
    named(app, rows).await
}

/// One page, the newest first, whether there is more behind it, and how many there are in all, up to
/// [`COUNTED`](crate::store::turn::COUNTED).
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub(crate) async fn turn(
    app: &App,
    actor: &Actor,
    filter: &AuditFilter,
    (turn, offset): (Option<&Turn>, u64),
    limit: u64,
) -> Result<(Vec<AuditEntryView>, bool, u64), Problem> {
    actor.require_all(Permission::Read(Area::Audit))?;
    let (mut rows, total) = app.store.turn_audit(filter, (turn, offset), limit + 1).await?;
    let more = Turn::cut(turn, &mut rows, limit);
    Ok((named(app, rows).await?, more, total))
}

async fn named(app: &App, rows: Vec<AuditRow>) -> Result<Vec<AuditEntryView>, Problem> {
    let mut ids: Vec<String> = rows.iter().map(|row| row.actor.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let names: HashMap<String, String> = app.store.list_user_names(&ids).await?.into_iter().collect();
    Ok(rows.into_iter().map(|row| view(row, &names)).collect())
}

fn view(row: AuditRow, names: &HashMap<String, String>) -> AuditEntryView {
    AuditEntryView {
        actor_name: names.get(&row.actor).cloned(),
        // What is no JSON was not written by us: it is shown as it is.
        details: serde_json::from_str(&row.details).unwrap_or(serde_json::Value::String(row.details)),
        id: row.id,
        seq: row.seq,
        at: Timestamp::from_ms(row.at_ms),
        actor: row.actor,
        action: row.action,
        object_kind: row.object_kind,
        object_id: row.object_id,
        hash: row.hash,
    }
}

/// Walks the log from its beginning.
///
/// # Errors
/// [`Code::Forbidden`] for members; [`Code::InvalidRequest`] for half of what names an entry. That the log is not as it was
/// written is no error, but what is answered.
pub async fn verify(app: &App, actor: &Actor, query: VerifyAudit) -> Result<AuditVerification, Problem> {
    actor.require_all(Permission::Read(Area::Audit))?;
    let remembered = match (query.seq, query.hash) {
        (None, None) => None,
        (Some(seq), Some(hash)) => Some(Link {
            seq,
            hash: hash.to_ascii_lowercase(),
        }),
        _ => {
            return Err(Problem::new(
                Code::InvalidRequest,
                "Give both `seq` and `hash` of an entry that you have kept, or neither.",
            ));
        }
    };
    let walk = app.store.walk_audit(remembered.as_ref()).await?;
    let problem = match (&walk.broken, walk.remembered) {
        (Some((seq, what)), _) => Some(format!("Entry {seq} is not sound: {what}.")),
        (None, Some(false)) => {
            Some("The log is sound in itself, but the entry that you have kept is not in it.".to_owned())
        }
        _ => None,
    };
    Ok(AuditVerification {
        intact: problem.is_none(),
        sound: walk.sound,
        before_chain: walk.before,
        seq: walk.head.seq,
        hash: walk.head.hash,
        broken_at: walk.broken.map(|(seq, _)| seq),
        problem,
    })
}
