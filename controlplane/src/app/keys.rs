//! Virtual keys.

use super::{App, duplicate, not_found, validate, views};
use crate::store::entity::virtual_key;
use crate::store::{KeyQuery, Tx};
use ccag_admin_api::{CreateKey, CreatedKey, KeyView, Patch, Secret, Timestamp, UpdateKey};
use ccag_domain::{Actor, Caller, Code, KeyDigest, KeyId, KeySecret, ObjectKind, Problem, TeamId, UserId};
use serde_json::json;

/// Makes a key. A member makes it for themselves, with their own team paying.
///
/// # Errors
/// [`Code::Forbidden`] if a member names somebody else or another team, [`Code::InvalidRequest`] if a field is no good or
/// names something that does not exist.
pub async fn issue(app: &App, actor: &Actor, request: CreateKey) -> Result<CreatedKey, Problem> {
    let now = app.now_ms();
    let name = validate::optional_name("name", request.name.as_deref().unwrap_or_default())?;
    let rate_limit_rpm = validate::rate_limit(request.rate_limit_rpm)?;
    let expires_at_ms = validate::expiry(request.expires_at.map(Timestamp::ms), now)?;
    let user_id = match (actor, request.user_id) {
        (Actor::User { id, .. }, Some(named)) if !actor.is_admin() && named != *id => {
            return Err(
                forbidden("Members make keys for themselves only; leave `user_id` out.").field("user_id"),
            );
        }
        (Actor::User { id, .. }, None) if !actor.is_admin() => Some(id.clone()),
        (_, named) => named,
    };
    let secret = KeySecret::generate(&*app.rng);
    let mut tx = app.store.change().await?;
    if !actor.is_admin() && request.team_id.is_some() {
        let own = match actor.user_id() {
            Some(id) => tx.find_user(id.as_str()).await?.and_then(|user| user.team_id),
            None => None,
        };
        if own.as_deref() != request.team_id.as_ref().map(TeamId::as_str) {
            return Err(
                forbidden("Members make keys for their own team only; leave `team_id` out.").field("team_id"),
            );
        }
    }
    check_user(&tx, user_id.as_ref()).await?;
    check_team(&tx, request.team_id.as_ref()).await?;
    let row = virtual_key::Model {
        id: KeyId::generate(&*app.clock, &*app.rng).to_string(),
        digest: secret.digest().to_hex(),
        prefix: secret.shown_prefix(),
        name_key: name.to_lowercase(),
        name,
        user_id: user_id.map(Into::into),
        team_id: request.team_id.map(Into::into),
        state: "active".to_owned(),
        rate_limit_rpm,
        expires_at_ms,
        created_at_ms: now,
        created_by: actor.user_id().map(ToString::to_string),
        revoked_at_ms: None,
        revoked_by: None,
        kind: "key".to_owned(),
    };
    tx.insert_key(row.clone())
        .await
        .map_err(|e| duplicate(e, || "Try again.".to_owned(), "key"))?;
    let details = json!({"name": row.name, "user_id": row.user_id, "team_id": row.team_id});
    tx.commit(
        now,
        app.audit(actor, "key.issue", ObjectKind::Key, &row.id, details),
    )
    .await?;
    Ok(CreatedKey {
        key: Secret::new(secret.reveal()),
        record: views::key(&row, now)?,
    })
}

/// Lists keys, and says how many there are in all. Members see their own.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn list(app: &App, actor: &Actor, mut query: KeyQuery) -> Result<(Vec<KeyView>, u64), Problem> {
    if let (false, Some(own)) = (actor.is_admin(), actor.user_id()) {
        query.user_id = Some(own.to_string());
    }
    let now = app.now_ms();
    let (rows, total) = app.store.list_keys(&query, now).await?;
    let keys = rows
        .iter()
        .map(|row| views::key(row, now))
        .collect::<Result<_, _>>()?;
    Ok((keys, total))
}

/// Finds a key.
///
/// # Errors
/// [`Code::NotFound`], also for a member who asks for somebody else's.
pub async fn find(app: &App, actor: &Actor, id: &KeyId) -> Result<KeyView, Problem> {
    let row = app.store.find_key(id.as_str()).await?;
    let row = visible(actor, id, row)?;
    Ok(views::key(&row, app.now_ms())?)
}

/// Changes a key. Members may rename their own; whose it is, who pays and its limits are for admins to say.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`], [`Code::InvalidRequest`], or [`Code::Conflict`] for a revoked key.
pub async fn update(app: &App, actor: &Actor, id: &KeyId, request: UpdateKey) -> Result<KeyView, Problem> {
    let now = app.now_ms();
    let restricted = [
        ("user_id", request.user_id.is_keep()),
        ("team_id", request.team_id.is_keep()),
        ("rate_limit_rpm", request.rate_limit_rpm.is_keep()),
        ("expires_at", request.expires_at.is_keep()),
    ];
    let mut tx = app.store.change().await?;
    let mut row = visible(actor, id, tx.find_key(id.as_str()).await?)?;
    if let (false, Some((field, _))) = (actor.is_admin(), restricted.iter().find(|(_, kept)| !kept)) {
        return Err(
            forbidden("Members may change the name of a key; ask an admin for the rest.").field(*field),
        );
    }
    if row.state != "active" {
        return Err(Problem::new(
            Code::Conflict,
            "This key is revoked and cannot be changed. Make a new one.",
        ));
    }
    if let Some(name) = &request.name {
        row.name = validate::optional_name("name", name)?;
        row.name_key = row.name.to_lowercase();
    }
    if let Patch::Set(user_id) = &request.user_id {
        check_user(&tx, Some(user_id)).await?;
    }
    if let Patch::Set(team_id) = &request.team_id {
        check_team(&tx, Some(team_id)).await?;
    }
    if let Patch::Set(limit) = request.rate_limit_rpm {
        validate::rate_limit(Some(limit))?;
    }
    if let Patch::Set(at) = &request.expires_at {
        validate::expiry(Some(at.ms()), now)?;
    }
    row.user_id = text(request.user_id).apply(row.user_id);
    row.team_id = text(request.team_id).apply(row.team_id);
    row.rate_limit_rpm = map(request.rate_limit_rpm, i64::from).apply(row.rate_limit_rpm);
    row.expires_at_ms = map(request.expires_at, Timestamp::ms).apply(row.expires_at_ms);
    tx.update_key(row.clone()).await?;
    let details = json!({
        "name": row.name, "user_id": row.user_id, "team_id": row.team_id,
        "rate_limit_rpm": row.rate_limit_rpm, "expires_at_ms": row.expires_at_ms,
    });
    tx.commit(
        now,
        app.audit(actor, "key.update", ObjectKind::Key, &row.id, details),
    )
    .await?;
    Ok(views::key(&row, now)?)
}

/// Revokes a key, for good. Revoking it again changes nothing.
///
/// # Errors
/// [`Code::NotFound`], also for a member who names somebody else's.
pub async fn revoke(app: &App, actor: &Actor, id: &KeyId) -> Result<KeyView, Problem> {
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    let mut row = visible(actor, id, tx.find_key(id.as_str()).await?)?;
    if row.state == "active" {
        mark_revoked(&mut row, actor, now);
        tx.update_key(row.clone()).await?;
        let entry = app.audit(
            actor,
            "key.revoke",
            ObjectKind::Key,
            &row.id,
            json!({"name": row.name}),
        );
        tx.commit(now, entry).await?;
    }
    Ok(views::key(&row, now)?)
}

/// Deletes a key and the budgets and limits that are about it. What it has used stays in the ledger.
///
/// # Errors
/// [`Code::NotFound`], also for a member who names somebody else's.
pub async fn delete(app: &App, actor: &Actor, id: &KeyId) -> Result<(), Problem> {
    let mut tx = app.store.change().await?;
    let row = visible(actor, id, tx.find_key(id.as_str()).await?)?;
    let budgets = tx.list_budgets_of_key(&row.id).await?;
    let budgets = super::budgets::forget(&mut tx, budgets).await?;
    let limits = tx.list_limits_of_key(&row.id).await?;
    let limits = super::limits::forget(&mut tx, limits).await?;
    tx.delete_key(&row.id).await?;
    let entry = app.audit(
        actor,
        "key.delete",
        ObjectKind::Key,
        &row.id,
        json!({"name": row.name, "budgets": budgets, "limits": limits}),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Whom a key stands for, for what the control plane serves to clients.
///
/// # Errors
/// [`Code::Unauthenticated`] if it is not known, or may not be used.
pub(crate) async fn caller(app: &App, shown: &str) -> Result<Caller, Problem> {
    let unknown = || {
        let message = "This key is not known here, or may not be used any more.";
        Problem::new(Code::Unauthenticated, message).should_retry(false)
    };
    if shown.len() > 256 {
        return Err(unknown());
    }
    let digest = KeyDigest::of(shown).to_hex();
    let row = app.store.find_key_by_digest(&digest).await?.ok_or_else(unknown)?;
    let now = app.now_ms();
    let good = row.kind == "key" && row.state == "active" && row.expires_at_ms.is_none_or(|at| at > now);
    let user = match row.user_id.as_deref() {
        Some(id) => Some(app.store.find_user(id).await?.ok_or_else(unknown)?),
        None => None,
    };
    if !good || user.as_ref().is_some_and(|user| user.state != "active") {
        return Err(unknown());
    }
    let team = row.team_id.or_else(|| user.and_then(|user| user.team_id));
    Ok(Caller {
        key_id: KeyId::parse(&row.id).map_err(|_| unknown())?,
        user_id: row.user_id.and_then(|id| UserId::parse(&id).ok()),
        team_id: team.and_then(|id| TeamId::parse(&id).ok()),
    })
}

pub(super) fn mark_revoked(row: &mut virtual_key::Model, actor: &Actor, now_ms: i64) {
    row.state = "revoked".to_owned();
    row.revoked_at_ms = Some(now_ms);
    row.revoked_by = actor.user_id().map(ToString::to_string);
}

/// The key, if there is one and the actor may see it.
fn visible(
    actor: &Actor,
    id: &KeyId,
    row: Option<virtual_key::Model>,
) -> Result<virtual_key::Model, Problem> {
    let own = actor.user_id().map(UserId::as_str);
    row.filter(|row| actor.is_admin() || (own.is_some() && row.user_id.as_deref() == own))
        .ok_or_else(|| not_found("key", id.as_str()))
}

pub(super) async fn check_user(tx: &Tx, id: Option<&UserId>) -> Result<(), Problem> {
    if let Some(id) = id
        && tx.find_user(id.as_str()).await?.is_none()
    {
        return Err(unknown("user_id", "user", id.as_str()));
    }
    Ok(())
}

pub(super) async fn check_team(tx: &Tx, id: Option<&TeamId>) -> Result<(), Problem> {
    if let Some(id) = id
        && tx.find_team(id.as_str()).await?.is_none()
    {
        return Err(unknown("team_id", "team", id.as_str()));
    }
    Ok(())
}

fn unknown(field: &str, what: &str, id: &str) -> Problem {
    Problem::new(
        Code::InvalidRequest,
        format!("There is no {what} `{id}`; name one that exists, or leave `{field}` out."),
    )
    .field(field)
}

fn forbidden(message: &str) -> Problem {
    Problem::new(Code::Forbidden, message)
}

fn map<T, U>(patch: Patch<T>, f: impl FnOnce(T) -> U) -> Patch<U> {
    match patch {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(value) => Patch::Set(f(value)),
    }
}

fn text<T: Into<String>>(patch: Patch<T>) -> Patch<String> {
    map(patch, Into::into)
}
