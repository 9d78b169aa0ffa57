//! Secrets at rest: under which master keys they are kept, and bringing them under the current one.

use super::{App, Changed};
use crate::secrets::Under;
use crate::store::AuditEntry;
use crate::store::sealed::{Sealed, SealedKind};
use ccag_admin_api::{MasterKeyView, ResealReport, SealedKindView, SecretsView, UnreadableSecret};
use ccag_domain::{Actor, Area, ObjectKind, Permission, Problem};
use serde_json::json;
use std::collections::BTreeMap;

/// How many secrets one transaction brings under another key.
const BATCH: usize = 100;

/// How many secrets that cannot be opened are named.
const NAMED: usize = 50;

/// Under which keys secrets are kept. Each is opened to find out.
///
/// # Errors
/// [`ccag_domain::Code::Forbidden`] for members.
pub async fn view(app: &App, actor: &Actor) -> Result<SecretsView, Problem> {
    actor.require_all(Permission::Read(Area::Secrets))?;
    look(app).await
}

async fn look(app: &App) -> Result<SecretsView, Problem> {
    let secrets = app.store.secrets();
    let mut total: BTreeMap<String, u64> = BTreeMap::new();
    let mut view = SecretsView {
        keys: Vec::new(),
        kinds: Vec::new(),
        to_reseal: 0,
        unreadable: 0,
        unreadable_secrets: Vec::new(),
    };
    let all = SealedKind::ALL.map(|kind| app.store.list_sealed(kind));
    let all = futures_util::future::try_join_all(all).await?;
    for (kind, rows) in SealedKind::ALL.into_iter().zip(all) {
        let mut of_kind = SealedKindView {
            kind: kind.as_str().to_owned(),
            under: BTreeMap::new(),
            unreadable: 0,
        };
        for row in rows {
            let key = match secrets.under(&row.what, &row.value) {
                Under::Known(id) => {
                    view.to_reseal += u64::from(id != *secrets.current());
                    *of_kind.under.entry(id.to_string()).or_default() += 1;
                    *total.entry(id.to_string()).or_default() += 1;
                    continue;
                }
                Under::Unknown(id) => Some(id.to_string()),
                Under::Nothing => None,
            };
            of_kind.unreadable += 1;
            view.unreadable += 1;
            if view.unreadable_secrets.len() < NAMED {
                view.unreadable_secrets.push(UnreadableSecret {
                    kind: kind.as_str().to_owned(),
                    id: row.id,
                    key,
                });
            }
        }
        view.kinds.push(of_kind);
    }
    view.keys = secrets
        .known()
        .map(|id| MasterKeyView {
            id: id.to_string(),
            current: id == secrets.current(),
            secrets: total.get(&id.to_string()).copied().unwrap_or_default(),
        })
        .collect();
    Ok(view)
}

/// Says in the log of a process that starts whether it can open what is there: a key that was mistyped shows at once.
pub(crate) async fn check(app: &App) {
    match look(app).await {
        Ok(view) if view.unreadable > 0 => tracing::error!(
            unreadable = view.unreadable,
            current = %app.store.secrets().current(),
            "secrets in the database are under a master key that is not known here: check CCAG_MASTER_KEY, and list the one of \
             before in CCAG_OTHER_MASTER_KEYS; `ccag secrets status` names them"
        ),
        Ok(view) if view.to_reseal > 0 => tracing::info!(
            to_reseal = view.to_reseal,
            "secrets in the database are under another master key; `ccag secrets reseal` brings them under the current one"
        ),
        Ok(_) | Err(_) => {}
    }
}

/// Brings every secret under the current key, so many at a time, each time in one transaction with its entry in the audit log.
/// It can be repeated, and interrupted; secrets that are changed meanwhile are sealed under the current key by that.
///
/// # Errors
/// [`ccag_domain::Code::Forbidden`] for all but owners and admins; [`ccag_domain::Code::Unavailable`] without a database:
/// what was done by then stays.
pub async fn reseal(app: &App, actor: &Actor) -> Result<ResealReport, Problem> {
    actor.require_all(Permission::Change(Area::Secrets))?;
    let secrets = app.store.secrets();
    let mut resealed = BTreeMap::new();
    for kind in SealedKind::ALL {
        let rows = app.store.list_sealed(kind).await?;
        let due: Vec<(Sealed, String)> = rows
            .into_iter()
            .filter_map(|row| secrets.reseal(&row.what, &row.value).map(|value| (row, value)))
            .collect();
        for batch in due.chunks(BATCH) {
            let done = reseal_batch(app, actor, kind, batch).await?;
            *resealed.entry(kind.as_str().to_owned()).or_default() += done;
        }
    }
    Ok(ResealReport {
        key: secrets.current().to_string(),
        resealed,
        unreadable: look(app).await?.unreadable,
    })
}

async fn reseal_batch(
    app: &App,
    actor: &Actor,
    kind: SealedKind,
    batch: &[(Sealed, String)],
) -> Result<u64, Problem> {
    let secrets = app.store.secrets();
    let tx = app.store.change().await?;
    let mut from: BTreeMap<String, u64> = BTreeMap::new();
    let mut done = 0;
    for (row, value) in batch {
        if !tx.replace_sealed(kind, row, value).await? {
            continue;
        }
        done += 1;
        if let Under::Known(id) = secrets.under(&row.what, &row.value) {
            *from.entry(id.to_string()).or_default() += 1;
        }
    }
    if done == 0 {
        return Ok(0);
    }
    let to = BTreeMap::from([(secrets.current().to_string(), done)]);
    let details = Changed::updated(&json!({ "under": from }), &json!({ "under": to }));
    let entry = AuditEntry {
        kind: "secrets",
        ..app.audit(
            actor,
            "secrets.reseal",
            ObjectKind::Settings,
            kind.as_str(),
            details,
        )
    };
    tx.commit(app.now_ms(), entry).await?;
    Ok(done)
}
