//! Virtual keys.

use super::{App, Changed, authority, duplicate, validate, views};
use crate::store::entity::virtual_key;
use crate::store::{KeyQuery, Tx};
use ccag_admin_api::{CreateKey, CreatedKey, KeyView, Patch, Secret, Timestamp, UpdateKey};
use ccag_domain::{
    Actor, Area, Caller, Code, KeyDigest, KeyId, KeySecret, ObjectKind, Permission, Problem, Reach, Target,
    TeamId, UserId,
};

/// Makes a key. A member makes it for themselves, with their own team paying; a team manager also for a member of their
/// team, and, where they name the team and nobody, for the team.
///
/// # Errors
/// [`Code::Forbidden`] if they name somebody else or another team, [`Code::InvalidRequest`] if a field is no good or
/// names something that does not exist.
pub async fn issue(app: &App, actor: &Actor, request: CreateKey) -> Result<CreatedKey, Problem> {
    let now = app.now_ms();
    let name = validate::optional_name("name", request.name.as_deref().unwrap_or_default())?;
    let rate_limit_rpm = validate::rate_limit(request.rate_limit_rpm)?;
    let expires_at_ms = validate::expiry(request.expires_at.map(Timestamp::ms), now)?;
    let secret = KeySecret::generate(&*app.rng);
    let mut tx = app.store.change().await?;
    let user_id = owner(&tx, actor, request.user_id, request.team_id.as_ref()).await?;
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
    tx.commit(
        now,
        app.audit(
            actor,
            "key.issue",
            ObjectKind::Key,
            &row.id,
            Changed::created(&row),
        ),
    )
    .await?;
    Ok(CreatedKey {
        key: Secret::new(secret.reveal()),
        record: views::key(&row, now)?,
    })
}

/// Whose a new key is to be.
async fn owner(
    tx: &Tx,
    actor: &Actor,
    user: Option<UserId>,
    team: Option<&TeamId>,
) -> Result<Option<UserId>, Problem> {
    let permission = Permission::Change(Area::Keys);
    let me = match actor.user_id() {
        Some(me) if !actor.may_all(permission) => me,
        _ => {
            check_user(tx, user.as_ref()).await?;
            check_team(tx, team).await?;
            return Ok(user);
        }
    };
    let manages = actor.reach(permission) == Reach::Team;
    if team.is_some() && team != actor.team_id() {
        let message = match manages {
            true => "Team managers make keys that their own team pays for; leave `team_id` out.",
            false => "Members make keys for their own team only; leave `team_id` out.",
        };
        return Err(forbidden(message).field("team_id"));
    }
    match user {
        None if authority::manages_keys_of(actor, team) => Ok(None),
        None => Ok(Some(me.clone())),
        Some(user) if user == *me => Ok(Some(user)),
        Some(_) if !manages => {
            Err(forbidden("Members make keys for themselves only; leave `user_id` out.").field("user_id"))
        }
        Some(user) => {
            let row = tx.find_user(user.as_str()).await?;
            match authority::reached(actor, permission, &user, row) {
                Ok(_) => Ok(Some(user)),
                Err(_) => Err(forbidden(
                    "Team managers make keys for themselves, for members of their team and for the team; leave `user_id` out, or \
                     name a member of your team.",
                )
                .field("user_id")),
            }
        }
    }
}

/// Lists keys, and says how many there are in all. Members see their own, managers those of their team, too.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn list(app: &App, actor: &Actor, mut query: KeyQuery) -> Result<(Vec<KeyView>, u64), Problem> {
    query.within = authority::keys_within(actor);
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
    let (row, _) = authority::see_key(app, actor, id).await?;
    Ok(views::key(&row, app.now_ms())?)
}

/// Finds a key that the actor may change.
///
/// # Errors
/// [`Code::NotFound`], also for who may only see it.
pub async fn find_to_change(app: &App, actor: &Actor, id: &KeyId) -> Result<KeyView, Problem> {
    let (row, owner) = authority::see_key(app, actor, id).await?;
    let row = authority::reached_key(
        actor,
        Permission::Change(Area::Keys),
        id,
        Some(row),
        owner.as_ref(),
    )?;
    Ok(views::key(&row, app.now_ms())?)
}

/// Changes a key. Members may rename their own, and team managers say the limits of those of their team; whose it is and who
/// pays are for admins to say.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`], [`Code::InvalidRequest`], or [`Code::Conflict`] for a revoked key.
pub async fn update(app: &App, actor: &Actor, id: &KeyId, request: UpdateKey) -> Result<KeyView, Problem> {
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    let mut row = authority::change_key(&tx, actor, id).await?;
    let before = row.clone();
    check_fields(&tx, actor, &row, &request).await?;
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
    let details = Changed::updated(&before, &row);
    tx.commit(
        now,
        app.audit(actor, "key.update", ObjectKind::Key, &row.id, details),
    )
    .await?;
    Ok(views::key(&row, now)?)
}

/// Refuses what somebody may not change of a key that they may change.
async fn check_fields(
    tx: &Tx,
    actor: &Actor,
    row: &virtual_key::Model,
    request: &UpdateKey,
) -> Result<(), Problem> {
    let permission = Permission::Change(Area::Keys);
    if actor.may_all(permission) {
        return Ok(());
    }
    let bounds = [
        ("rate_limit_rpm", request.rate_limit_rpm.is_keep()),
        ("expires_at", request.expires_at.is_keep()),
    ];
    let whose = [
        ("user_id", request.user_id.is_keep()),
        ("team_id", request.team_id.is_keep()),
    ];
    let touched =
        |fields: &[(&'static str, bool)]| fields.iter().find(|(_, kept)| !kept).map(|(field, _)| *field);
    if let Some(field) = touched(&whose) {
        return Err(forbidden("Only admins say whose a key is and who pays; ask one of them.").field(field));
    }
    let Some(field) = touched(&bounds) else {
        return Ok(());
    };
    // One's own key alone is no reason: somebody may have bounded it.
    let team = match (&row.team_id, &row.user_id) {
        (Some(team), _) => Some(team.clone()),
        (None, Some(user)) => tx.find_user(user).await?.and_then(|user| user.team_id),
        (None, None) => None,
    };
    if team.is_some_and(|team| actor.may(permission, Target::Team(&team))) {
        return Ok(());
    }
    Err(
        forbidden("Members may change the name of a key; ask an admin or your team's manager for the rest.")
            .field(field),
    )
}

/// Revokes a key, for good. Revoking it again changes nothing.
///
/// # Errors
/// [`Code::NotFound`], also for a member who names somebody else's.
pub async fn revoke(app: &App, actor: &Actor, id: &KeyId) -> Result<KeyView, Problem> {
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    let mut row = authority::change_key(&tx, actor, id).await?;
    if row.state == "active" {
        let before = row.clone();
        mark_revoked(&mut row, actor, now);
        tx.update_key(row.clone()).await?;
        let entry = app.audit(
            actor,
            "key.revoke",
            ObjectKind::Key,
            &row.id,
            Changed::updated(&before, &row),
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
    let row = authority::change_key(&tx, actor, id).await?;
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
        Changed::deleted(&row)
            .with("budgets", &budgets)
            .with("limits", &limits),
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
