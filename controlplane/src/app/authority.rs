//! Who may do what to whom, where the database has to say who that is. The rules are in [`ccag_domain::authority`].
//!
//! Whoever may not reach something gets the same answer whether it exists or not.

use super::{App, not_found};
use crate::store::entity::{user, virtual_key};
use crate::store::{KeysWithin, Tx};
use ccag_domain::authority::refusal;
use ccag_domain::{Actor, Area, KeyId, Permission, Person, Problem, Reach, Role, Target, TeamId, UserId};

/// A user, as the rules look at them.
pub(super) fn person(row: &user::Model) -> Person<'_> {
    Person {
        id: &row.id,
        // Whoever has a role that this release does not know is touched by nobody but owners.
        role: Role::parse(&row.role).unwrap_or(Role::Owner),
        team: row.team_id.as_deref(),
    }
}

/// The user, if the actor may do this to them.
pub(super) fn reached(
    actor: &Actor,
    permission: Permission,
    id: &UserId,
    row: Option<user::Model>,
) -> Result<user::Model, Problem> {
    match row {
        Some(row) if actor.may(permission, Target::Person(person(&row))) => Ok(row),
        None if actor.may_all(permission) => Err(not_found("user", id.as_str())),
        _ => Err(refusal(permission)),
    }
}

/// Passes if the actor may give somebody this role, or do something to somebody who has it: owners are for owners.
pub(super) fn require_over(actor: &Actor, role: Role) -> Result<(), Problem> {
    match role {
        Role::Owner => actor.require_all(Permission::Change(Area::Owners)),
        Role::Admin | Role::TeamManager | Role::Auditor | Role::Member => Ok(()),
    }
}

/// The team to which a list is narrowed: a manager's own, and whichever is asked for by those who see all of them.
pub(super) fn narrowed(
    actor: &Actor,
    permission: Permission,
    asked: Option<String>,
) -> Result<Option<String>, Problem> {
    let own = actor.team_id().map(ToString::to_string);
    match actor.reach(permission) {
        Reach::Everything => Ok(asked),
        Reach::Team if own.is_some() && (asked.is_none() || asked == own) => Ok(own),
        Reach::Team | Reach::Own | Reach::Nothing => Err(refusal(permission)),
    }
}

/// Which keys the actor sees in lists; `None` is all.
pub(super) fn keys_within(actor: &Actor) -> Option<KeysWithin> {
    let reach = actor.reach(Permission::Read(Area::Keys));
    (reach != Reach::Everything).then(|| KeysWithin {
        user_id: actor.user_id().map(ToString::to_string).unwrap_or_default(),
        team_id: (actor.team_id().filter(|_| reach == Reach::Team)).map(ToString::to_string),
    })
}

/// The key, if the actor may do this to it: it is theirs, or their team pays for it, or it belongs to a member of the team.
/// `owner` is the user whose it is.
pub(super) fn reached_key(
    actor: &Actor,
    permission: Permission,
    id: &KeyId,
    row: Option<virtual_key::Model>,
    owner: Option<&user::Model>,
) -> Result<virtual_key::Model, Problem> {
    let may = |row: &virtual_key::Model| {
        let payer = row
            .team_id
            .as_deref()
            .or(owner.and_then(|user| user.team_id.as_deref()));
        let used = Target::Owned {
            user: row.user_id.as_deref(),
            team: payer,
        };
        let owner = owner.map(|user| Target::Person(person(user)));
        actor.may_all(permission)
            || actor.may(permission, used)
            || owner.is_some_and(|owner| actor.may(permission, owner))
    };
    match row {
        Some(row) if may(&row) => Ok(row),
        Some(_) => Err(not_found("key", id.as_str()).concealing()),
        None => Err(not_found("key", id.as_str())),
    }
}

/// The key and whose it is, if the actor may see it.
pub(super) async fn see_key(
    app: &App,
    actor: &Actor,
    id: &KeyId,
) -> Result<(virtual_key::Model, Option<user::Model>), Problem> {
    let (row, owner) = app.store.find_key_and_user(id.as_str()).await?;
    let row = reached_key(actor, Permission::Read(Area::Keys), id, row, owner.as_ref())?;
    Ok((row, owner))
}

/// The key, if the actor may change it.
pub(super) async fn change_key(tx: &Tx, actor: &Actor, id: &KeyId) -> Result<virtual_key::Model, Problem> {
    let row = tx.find_key(id.as_str()).await?;
    let owner = match row.as_ref().and_then(|row| row.user_id.as_deref()) {
        // Whoever may change any key may change it whoever has it.
        Some(user) if !actor.may_all(Permission::Change(Area::Keys)) => tx.find_user(user).await?,
        _ => None,
    };
    reached_key(actor, Permission::Change(Area::Keys), id, row, owner.as_ref())
}

/// Whether the actor manages a team's keys, and not only their own.
pub(super) fn manages_keys_of(actor: &Actor, team: Option<&TeamId>) -> bool {
    let permission = Permission::Change(Area::Keys);
    team.is_some_and(|team| actor.may(permission, Target::Team(team.as_str())))
}
