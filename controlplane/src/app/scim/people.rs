//! What SCIM changes of our own users: names, whether they may come in, and what follows from their groups.

use super::{Client, refused};
use crate::app::App;
use crate::app::clients::sessions::end_all_of;
use crate::app::identity::groups;
use crate::app::keys::mark_revoked;
use crate::app::users::{self, search_key};
use crate::store::entity::user;
use crate::store::{StoreError, Tx};
use ccag_domain::{AccountState, Actor};
use ccag_scim::{Object, ScimError, resource};
use std::collections::BTreeMap;

/// The longest name and address of a user of ours, in characters.
const MAX_TEXT: usize = 200;

/// Gives a user the name that their provider has for them.
pub(super) async fn name(
    tx: &Tx,
    client: &Client,
    row: &mut user::Model,
    user_name: &str,
) -> Result<(), StoreError> {
    row.username = free_name(tx, client, user_name, &row.id).await?;
    row.username_key = row.username.to_lowercase();
    Ok(())
}

/// Writes what else the provider says of a user that we show.
pub(super) fn describe(row: &mut user::Model, user_name: &str, attributes: &Object) {
    let address = resource::email(attributes).or_else(|| user_name.contains('@').then_some(user_name));
    row.email = address.and_then(fitting);
    row.display_name = resource::display_name(attributes).as_deref().and_then(fitting);
    row.search_key = search_key(row);
}

/// The provider's name for a user, or, where another provider's user or a local one has it, one that nobody has.
async fn free_name(tx: &Tx, client: &Client, user_name: &str, own: &str) -> Result<String, StoreError> {
    let mut name = user_name.to_owned();
    let mut next = 1;
    loop {
        let holder = tx.scim().find_username(&name.to_lowercase()).await?;
        if holder.is_none_or(|holder| holder.id == own) {
            return Ok(name);
        }
        name = match next {
            1 => format!("{user_name} ({})", client.provider.name),
            n => format!("{user_name} ({} {n})", client.provider.name),
        };
        next += 1;
    }
}

/// Gives a user who is in no group yet what the provider's users are by default.
pub(super) async fn begin(tx: &Tx, client: &Client, row: &mut user::Model) -> Result<(), StoreError> {
    client.rules.default_role.as_str().clone_into(&mut row.role);
    if let Some(team) = &client.rules.default_team_id
        && tx.find_team(team.as_str()).await?.is_some()
    {
        row.team_id = Some(team.to_string());
    }
    groups::apply(&client.rules, &[], row);
    Ok(())
}

/// As much of a text as a user of ours may have of it.
fn fitting(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Refuses somebody everywhere: keys, since the user's state is pushed, and sessions, which end. Keys that people carry
/// about work again when the user does; with `for_good` they are revoked as well.
pub(super) async fn shut_out(
    app: &App,
    tx: &mut Tx,
    row: &mut user::Model,
    for_good: bool,
) -> Result<(), ScimError> {
    row.state = AccountState::Suspended.as_str().to_owned();
    tx.delete_sessions_of(&row.id).await?;
    let ended = end_all_of(tx, &Actor::System, &row.id, app.now_ms()).await;
    ended.map_err(refused)?;
    if for_good {
        for mut key in tx.list_active_keys_of(&row.id).await? {
            mark_revoked(&mut key, &Actor::System, app.now_ms());
            tx.update_key(key).await?;
        }
    }
    Ok(())
}

/// Refuses a change that takes from somebody what they manage the gateway with, if nobody would be left to do so.
async fn keep_somebody(tx: &Tx, before: &user::Model, row: &user::Model) -> Result<(), ScimError> {
    if before.role == row.role && before.state == row.state {
        return Ok(());
    }
    users::keep_somebody(tx, before).await.map_err(refused)
}

/// Writes a user if they have changed, and refuses to lose the last admin.
pub(super) async fn save(tx: &mut Tx, before: &user::Model, row: &user::Model) -> Result<(), ScimError> {
    if row == before {
        return Ok(());
    }
    keep_somebody(tx, before, row).await?;
    tx.update_user(row.clone()).await?;
    Ok(())
}

/// What follows from groups: their names, the role, the team.
type Follows = (String, String, Option<String>);

/// Gives these users the groups that they are in now, with the role and the team that follow. Those to whom the same
/// happens are written together: a group may have thousands of members.
pub(super) async fn regroup(tx: &mut Tx, client: &Client, ids: &[String]) -> Result<(), ScimError> {
    let mut theirs = tx.scim().list_groups_of(ids).await?;
    let mut alike: BTreeMap<Follows, (user::Model, Vec<String>)> = BTreeMap::new();
    // One of each role suffices: whether others have it is the same for all of them.
    let mut lost: BTreeMap<String, user::Model> = BTreeMap::new();
    for before in tx.scim().list_users_by_id(ids).await? {
        let names = theirs.remove(&before.id).unwrap_or_default();
        let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
        let mut row = before.clone();
        groups::apply(&client.rules, &names, &mut row);
        if row != before {
            let what = (row.groups.clone(), row.role.clone(), row.team_id.clone());
            let id = row.id.clone();
            if row.role != before.role {
                lost.insert(before.role.clone(), before);
            }
            alike.entry(what).or_insert_with(|| (row, Vec::new())).1.push(id);
        }
    }
    for (like, ids) in alike.into_values() {
        tx.update_groups_of(&ids, &like).await?;
    }
    tx.advance_scim_users(ids).await?;
    for before in lost.values() {
        users::keep_somebody(tx, before).await.map_err(refused)?;
    }
    Ok(())
}
