//! Users.

use super::clients::sessions::end_all_of;
use super::keys::{check_team, mark_revoked};
use super::{App, Changed, authority, budgets, duplicate, limits, not_found, validate, views};
use crate::store::entity::user;
use crate::store::{Tx, UserQuery};
use ccag_admin_api::{CreateUser, Patch, UpdateUser, UserView};
use ccag_domain::{
    AccountState, Actor, Area, Code, ObjectKind, Permission, Problem, Role, Target, TeamId, UserId, UserKind,
};

/// Adds a user.
///
/// # Errors
/// [`Code::Conflict`] if the user name is taken, [`Code::InvalidRequest`] if a field is no good.
pub async fn create(app: &App, actor: &Actor, request: CreateUser) -> Result<UserView, Problem> {
    actor.require_all(Permission::Change(Area::Users))?;
    let role = request.role.unwrap_or(Role::Member);
    authority::require_over(actor, role)?;
    if request.kind == Some(UserKind::Service) {
        check_service(Some(role), request.password.is_some())?;
    }
    let password_hash = match &request.password {
        Some(password) => {
            validate::password("password", password.reveal())?;
            Some(app.passwords.hash(password.reveal()).await?)
        }
        None => None,
    };
    create_with_hash(app, actor, request, password_hash).await
}

pub(super) async fn create_with_hash(
    app: &App,
    actor: &Actor,
    request: CreateUser,
    password_hash: Option<String>,
) -> Result<UserView, Problem> {
    let now = app.now_ms();
    let Some(username) = request.username.as_deref().or(request.email.as_deref()) else {
        return Err(
            Problem::new(Code::InvalidRequest, "Give a `username`, an `email`, or both.").field("username"),
        );
    };
    let username = validate::name("username", username)?;
    let kind = request.kind.unwrap_or_default();
    let mut row = user::Model {
        id: UserId::generate(&*app.clock, &*app.rng).to_string(),
        username_key: username.to_lowercase(),
        username,
        email: optional("email", request.email)?,
        display_name: optional("display_name", request.display_name)?,
        role: request.role.unwrap_or(Role::Member).as_str().to_owned(),
        state: AccountState::Active.as_str().to_owned(),
        team_id: request.team_id.as_ref().map(ToString::to_string),
        search_key: String::new(),
        password_hash,
        created_at_ms: now,
        provider_id: None,
        groups: "[]".to_owned(),
        kind: kind.as_str().to_owned(),
    };
    row.search_key = search_key(&row);
    let mut tx = app.store.change().await?;
    check_team(&tx, request.team_id.as_ref()).await?;
    tx.insert_user(row.clone()).await.map_err(|e| {
        let message = || {
            format!(
                "There is a user named `{}` already. Choose another name.",
                row.username
            )
        };
        duplicate(e, message, "username")
    })?;
    tx.commit(
        now,
        app.audit(
            actor,
            "user.create",
            ObjectKind::User,
            &row.id,
            Changed::created(&row),
        ),
    )
    .await?;
    Ok(views::user(&row)?)
}

/// What a service account cannot have: a password, since nobody signs in as it, and the highest role.
fn check_service(role: Option<Role>, password: bool) -> Result<(), Problem> {
    let wrong = |field: &str, message: &str| Err(Problem::new(Code::InvalidRequest, message).field(field));
    if password {
        return wrong(
            "password",
            "A service account does not sign in and has no password. Make a token for it instead.",
        );
    }
    if role == Some(Role::Owner) {
        return wrong(
            "role",
            "Owners are people. Give the service account another role.",
        );
    }
    Ok(())
}

/// Lists users by user name, and says how many there are in all. Managers see those of their team, and by their whole name
/// also members who have no team yet.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn list(app: &App, actor: &Actor, query: &UserQuery) -> Result<(Vec<UserView>, u64), Problem> {
    let team_id = authority::narrowed(actor, Permission::Read(Area::Members), query.team_id.clone())?;
    let free = query.username.is_some() && query.team_id.is_none();
    let query = UserQuery {
        or_free: free && team_id.is_some(),
        team_id,
        ..query.clone()
    };
    let (rows, total) = app.store.list_users(&query).await?;
    let users = rows.iter().map(views::user).collect::<Result<_, _>>()?;
    Ok((users, total))
}

/// Finds a user. Members find themselves, managers those of their team.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Forbidden`] if they ask for somebody else.
pub async fn find(app: &App, actor: &Actor, id: &UserId) -> Result<UserView, Problem> {
    let row = app.store.find_user(id.as_str()).await?;
    let row = authority::reached(actor, Permission::Read(Area::Users), id, row)?;
    Ok(views::user(&row)?)
}

/// Changes a user. A new password ends their sessions.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidRequest`], or [`Code::Conflict`] if nobody would be left to manage the gateway.
pub async fn update(app: &App, actor: &Actor, id: &UserId, request: UpdateUser) -> Result<UserView, Problem> {
    actor.require_all(Permission::Change(Area::Users))?;
    // Hashing takes long: not while rows are locked.
    let password = match request.password {
        Patch::Set(password) => {
            validate::password("password", password.reveal())?;
            Patch::Set(app.passwords.hash(password.reveal()).await?)
        }
        Patch::Clear => Patch::Clear,
        Patch::Keep => Patch::Keep,
    };
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let mut row = changeable(&tx, actor, id).await?;
    let before = row.clone();
    if row.kind == UserKind::Service.as_str() {
        check_service(request.role, matches!(password, Patch::Set(_)))?;
    }
    if let Some(role) = request.role {
        authority::require_over(actor, role)?;
        if role.as_str() != row.role {
            keep_somebody(&tx, &row).await?;
        }
        row.role = role.as_str().to_owned();
    }
    if let Patch::Set(team_id) = &request.team_id {
        check_team(&tx, Some(team_id)).await?;
    }
    row.email = optional("email", request.email.apply(row.email))?;
    row.display_name = optional("display_name", request.display_name.apply(row.display_name))?;
    row.team_id = match request.team_id {
        Patch::Keep => row.team_id,
        Patch::Clear => None,
        Patch::Set(team_id) => Some(team_id.into()),
    };
    row.search_key = search_key(&row);
    if matches!(password, Patch::Set(_)) && row.provider_id.is_some() {
        return Err(Problem::new(
            Code::InvalidRequest,
            "This user signs in with an identity provider, and so has no password here.",
        )
        .field("password"));
    }
    let new_password = !password.is_keep();
    row.password_hash = password.apply(row.password_hash);
    if new_password {
        tx.delete_sessions_of(&row.id).await?;
        end_all_of(&mut tx, actor, &row.id, app.now_ms()).await?;
    }
    let changed = Changed::updated(&before, &row).with("new_password", &new_password);
    save(app, actor, tx, row, "user.update", changed).await
}

/// Gives a user a team, or none. Managers take members into their team who have none, and let members of it go.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`], or [`Code::InvalidRequest`] if there is no such team.
pub async fn assign(
    app: &App,
    actor: &Actor,
    id: &UserId,
    team: Option<&TeamId>,
) -> Result<UserView, Problem> {
    let permission = Permission::Change(Area::Members);
    match team {
        Some(team) => actor.require(permission, Target::Team(team.as_str()))?,
        None => actor.require_some(permission)?,
    }
    let tx = app.store.change().await?;
    let mut row = member(&tx, actor, id, team).await?;
    check_team(&tx, team).await?;
    let before = row.clone();
    row.team_id = team.map(ToString::to_string);
    let changed = Changed::updated(&before, &row);
    save(app, actor, tx, row, "user.assign", changed).await
}

/// Takes a user out of a team.
///
/// # Errors
/// [`Code::NotFound`] if they are not in it.
pub async fn unassign(app: &App, actor: &Actor, team: &TeamId, id: &UserId) -> Result<(), Problem> {
    actor.require(Permission::Change(Area::Members), Target::Team(team.as_str()))?;
    let tx = app.store.change().await?;
    let mut row = member(&tx, actor, id, None).await?;
    if row.team_id.as_deref() != Some(team.as_str()) {
        return Err(not_found("member of this team", id.as_str()));
    }
    let before = row.clone();
    row.team_id = None;
    let changed = Changed::updated(&before, &row);
    save(app, actor, tx, row, "user.assign", changed).await?;
    Ok(())
}

/// The user, if the actor may give them this team, or take theirs away.
async fn member(tx: &Tx, actor: &Actor, id: &UserId, team: Option<&TeamId>) -> Result<user::Model, Problem> {
    let permission = Permission::Change(Area::Members);
    let row = tx.find_user(id.as_str()).await?;
    if let Some(row) = &row
        && actor.may_all(permission)
    {
        authority::require_over(actor, authority::person(row).role)?;
    }
    // Who has no team may be taken into one's own, as if they were in it.
    let joins = row.as_ref().is_some_and(|row| row.team_id.is_none());
    let mut seen = row.clone();
    if let (Some(seen), Some(team), true) = (&mut seen, team, joins) {
        seen.team_id = Some(team.to_string());
    }
    authority::reached(actor, permission, id, seen)?;
    row.ok_or_else(|| not_found("user", id.as_str()))
}

/// Refuses a user everywhere: their keys, and their sessions, which end.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Conflict`] if nobody would be left to manage the gateway.
pub async fn suspend(app: &App, actor: &Actor, id: &UserId) -> Result<UserView, Problem> {
    actor.require_all(Permission::Change(Area::Users))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let mut row = changeable(&tx, actor, id).await?;
    keep_somebody(&tx, &row).await?;
    let before = row.clone();
    row.state = AccountState::Suspended.as_str().to_owned();
    tx.delete_sessions_of(&row.id).await?;
    end_all_of(&mut tx, actor, &row.id, app.now_ms()).await?;
    let changed = Changed::updated(&before, &row);
    save(app, actor, tx, row, "user.suspend", changed).await
}

/// Lets a suspended user in again.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn activate(app: &App, actor: &Actor, id: &UserId) -> Result<UserView, Problem> {
    actor.require_all(Permission::Change(Area::Users))?;
    let tx = app.store.change().await?;
    let mut row = changeable(&tx, actor, id).await?;
    let before = row.clone();
    row.state = AccountState::Active.as_str().to_owned();
    let changed = Changed::updated(&before, &row);
    save(app, actor, tx, row, "user.activate", changed).await
}

/// Deletes a user and the budgets that are about them, and revokes their keys. What they have used stays in the ledger.
///
/// # Errors
/// [`Code::NotFound`], or [`Code::Conflict`] if nobody would be left to manage the gateway.
pub async fn delete(app: &App, actor: &Actor, id: &UserId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Users))?;
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let row = changeable(&tx, actor, id).await?;
    keep_somebody(&tx, &row).await?;
    end_all_of(&mut tx, actor, &row.id, now).await?;
    tx.delete_identities_of(&row.id).await?;
    for mut key in tx.list_active_keys_of(&row.id).await? {
        mark_revoked(&mut key, actor, now);
        tx.update_key(key).await?;
    }
    let budgets = tx.list_budgets_of_user(&row.id).await?;
    let budgets = budgets::forget(&mut tx, budgets).await?;
    let limits = tx.list_limits_of_user(&row.id).await?;
    let limits = limits::forget(&mut tx, limits).await?;
    tx.delete_user(&row.id).await?;
    let details = Changed::deleted(&row)
        .with("budgets", &budgets)
        .with("limits", &limits);
    tx.commit(
        now,
        app.audit(actor, "user.delete", ObjectKind::User, &row.id, details),
    )
    .await?;
    Ok(())
}

/// The user, if there is one and the actor may change them: owners are for owners.
async fn changeable(tx: &Tx, actor: &Actor, id: &UserId) -> Result<user::Model, Problem> {
    let row = tx.find_user(id.as_str()).await?;
    let row = row.ok_or_else(|| not_found("user", id.as_str()))?;
    authority::require_over(actor, authority::person(&row).role)?;
    Ok(row)
}

async fn save(
    app: &App,
    actor: &Actor,
    mut tx: Tx,
    row: user::Model,
    action: &'static str,
    changed: Changed,
) -> Result<UserView, Problem> {
    tx.update_user(row.clone()).await?;
    tx.commit(
        app.now_ms(),
        app.audit(actor, action, ObjectKind::User, &row.id, changed),
    )
    .await?;
    Ok(views::user(&row)?)
}

/// Refuses what would leave nobody to manage the gateway: no active owner, or, where nobody is one, no active admin.
pub(crate) async fn keep_somebody(tx: &Tx, row: &user::Model) -> Result<(), Problem> {
    if row.state != AccountState::Active.as_str() {
        return Ok(());
    }
    let last = |what: &str| {
        let message = format!("This is the last active {what}. Make somebody else an {what} first.");
        Err(Problem::new(Code::Conflict, message))
    };
    let owners = tx.count_others(Role::Owner, &row.id).await?;
    match Role::parse(&row.role) {
        Some(Role::Owner) if owners == 0 => last("owner"),
        Some(Role::Admin) if owners == 0 && tx.count_others(Role::Admin, &row.id).await? == 0 => {
            last("admin")
        }
        _ => Ok(()),
    }
}

fn optional(field: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    let text = text
        .map(|text| validate::optional_name(field, &text))
        .transpose()?;
    Ok(text.filter(|text| !text.is_empty()))
}

pub(super) fn search_key(row: &user::Model) -> String {
    let parts = [Some(&row.username), row.email.as_ref(), row.display_name.as_ref()];
    let parts: Vec<_> = parts
        .into_iter()
        .flatten()
        .map(|part| part.to_lowercase())
        .collect();
    parts.join(" ")
}
