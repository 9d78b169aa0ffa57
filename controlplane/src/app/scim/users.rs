//! Users.

use super::{
    Client, Shown, Versions, attributes, check_version, checked, missing, people, stored, taken, text, views,
};
use crate::app::identity::groups;
use crate::app::{App, Changed};
use crate::store::Tx;
use crate::store::entity::{scim_user, user};
use crate::store::scim::Person;
use ccag_domain::{AccountState, UserId, UserKind};
use ccag_scim::patch::Operation;
use ccag_scim::{Kind, Object, Projection, ScimError, patch, resource};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a provider says of a user, taken apart.
struct Said {
    user_name: String,
    name_key: String,
    external_id: Option<String>,
    /// Without `active`, which is kept as the user's state.
    attributes: Object,
    active: Option<bool>,
}

impl Said {
    fn new(mut attributes: Object) -> Result<Self, ScimError> {
        let user_name = checked("userName", &text(&attributes, "userName").unwrap_or_default())?;
        let external_id = text(&attributes, "externalId")
            .map(|id| checked("externalId", &id))
            .transpose()?
            .filter(|id| !id.is_empty());
        attributes.insert("userName".to_owned(), user_name.clone().into());
        let active = attributes.remove("active").and_then(|active| active.as_bool());
        Ok(Self {
            name_key: user_name.to_lowercase(),
            user_name,
            external_id,
            attributes,
            active,
        })
    }
}

/// The place in the index of names that somebody who was deleted no longer needs. No name begins with a space.
fn no_name(user_id: &str) -> String {
    format!(" {user_id}")
}

pub(crate) async fn find_user(
    app: &App,
    client: &Client,
    id: &str,
    projection: &Projection,
) -> Result<Shown, ScimError> {
    let reads = app.store.scim();
    let person = reads.find_person(&client.provider.id, id).await?;
    let person = person.ok_or_else(|| missing("user", id))?;
    if !projection.shows(Kind::User, "groups") {
        return Ok(views::user(client, &person, None)?);
    }
    let mut groups = reads
        .list_groups_of(std::slice::from_ref(&person.scim.user_id))
        .await?;
    let groups = groups.remove(&person.scim.user_id).unwrap_or_default();
    Ok(views::user(client, &person, Some(&groups))?)
}

/// Makes a user, or brings back one whom the provider has deleted.
pub(crate) async fn create_user(app: &App, client: &Client, body: &Value) -> Result<Shown, ScimError> {
    let said = Said::new(resource::from_client(Kind::User, body)?)?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let known = known(&tx, client, &said).await?;
    let mut person = match known {
        Some(scim) => returning(&tx, client, &said, scim).await?,
        None => newcomer(app, &tx, client, &said).await?,
    };
    let before = person.user.clone();
    let row = &mut person.user;
    people::name(&tx, client, row, &said.user_name).await?;
    people::describe(row, &said.user_name, &said.attributes);
    people::begin(&tx, client, row).await?;
    let active = said.active.unwrap_or(true);
    if active {
        row.state = AccountState::Active.as_str().to_owned();
    } else {
        people::shut_out(app, &mut tx, row, false).await?;
    }
    person.scim.attributes = stored(&said.attributes)?;
    person.scim.updated_at_ms = app.now_ms();
    let is_new = tx.find_user(&person.user.id).await?.is_none();
    if is_new {
        tx.insert_user(person.user.clone()).await?;
    } else {
        people::save(&mut tx, &before, &person.user).await?;
    }
    if person.scim.version == 1 {
        tx.insert_scim_user(person.scim.clone()).await?;
    } else {
        tx.update_scim_user(person.scim.clone()).await?;
    }
    let details = match is_new {
        true => Changed::created(&person.user),
        false => Changed::updated(&before, &person.user),
    };
    let details = details.with("provider", &client.provider.name);
    let entry = client.entry(app, "user.create", &person.user.id, details);
    tx.commit(app.now_ms(), entry).await?;
    Ok(views::user(client, &person, None)?)
}

/// Whom the provider means, if it has deleted them before; by its own id rather than by their name, which may have been
/// given to somebody else.
async fn known(tx: &Tx, client: &Client, said: &Said) -> Result<Option<scim_user::Model>, ScimError> {
    let provider = &client.provider.id;
    let mut by_id = None;
    if let Some(id) = said.external_id.as_deref() {
        by_id = tx.scim().find_known(provider, None, Some(id)).await?;
        if by_id.as_ref().is_some_and(|known| !known.deleted) {
            return Err(taken(format!(
                "There is a user with the externalId `{id}` already."
            )));
        }
    }
    let by_name = tx.scim().find_known(provider, Some(&said.name_key), None).await?;
    match (by_id, by_name) {
        (_, Some(named)) if !named.deleted => Err(name_taken(&said.user_name)),
        (Some(known), Some(named)) if known.user_id != named.user_id => {
            free(tx, named).await?;
            Ok(Some(known))
        }
        (by_id, by_name) => Ok(by_id.or(by_name)),
    }
}

fn name_taken(user_name: &str) -> ScimError {
    taken(format!("There is a user named `{user_name}` already."))
}

/// Takes the name from somebody who was deleted.
async fn free(tx: &Tx, mut row: scim_user::Model) -> Result<(), ScimError> {
    row.user_name_key = no_name(&row.user_id);
    tx.update_scim_user(row).await?;
    Ok(())
}

/// Somebody who was deleted, as they come back: the same user, under what the provider says of them now.
async fn returning(
    tx: &Tx,
    client: &Client,
    said: &Said,
    mut scim: scim_user::Model,
) -> Result<Person, ScimError> {
    let user = tx.find_user(&scim.user_id).await?;
    let user = user.ok_or_else(|| missing("user", &scim.user_id))?;
    debug_assert_eq!(scim.provider_id, client.provider.id);
    scim.deleted = false;
    scim.version += 1;
    scim.user_name_key.clone_from(&said.name_key);
    scim.external_id.clone_from(&said.external_id);
    Ok(Person { scim, user })
}

/// Somebody new, or somebody who has come from the same provider before it spoke SCIM.
async fn newcomer(app: &App, tx: &Tx, client: &Client, said: &Said) -> Result<Person, ScimError> {
    let now = app.now_ms();
    let provider = &client.provider.id;
    let holder = tx.scim().find_username(&said.name_key).await?;
    let theirs = holder.filter(|user| user.provider_id.as_ref() == Some(provider));
    let user = match theirs {
        Some(user) if tx.scim().find_said_of(&user.id).await?.is_none() => user,
        _ => user::Model {
            id: UserId::generate(&*app.clock, &*app.rng).to_string(),
            username: String::new(),
            username_key: String::new(),
            email: None,
            display_name: None,
            role: client.rules.default_role.as_str().to_owned(),
            state: AccountState::Suspended.as_str().to_owned(),
            team_id: None,
            search_key: String::new(),
            password_hash: None,
            created_at_ms: now,
            kind: UserKind::Person.as_str().to_owned(),
            provider_id: Some(provider.clone()),
            groups: "[]".to_owned(),
        },
    };
    let scim = scim_user::Model {
        user_id: user.id.clone(),
        provider_id: provider.clone(),
        user_name_key: said.name_key.clone(),
        external_id: said.external_id.clone(),
        attributes: String::new(),
        version: 1,
        deleted: false,
        created_at_ms: now,
        updated_at_ms: now,
    };
    Ok(Person { scim, user })
}

/// Puts what the provider says in the place of what it has said. Who may come in stays who may, unless it says.
pub(crate) async fn replace_user(
    app: &App,
    client: &Client,
    id: &str,
    body: &Value,
    versions: Option<&Versions>,
) -> Result<Shown, ScimError> {
    let attributes = resource::from_client(Kind::User, body)?;
    change(app, client, id, versions, false, |_| Ok(attributes)).await
}

pub(crate) async fn patch_user(
    app: &App,
    client: &Client,
    id: &str,
    operations: &[Operation],
    versions: Option<&Versions>,
) -> Result<Shown, ScimError> {
    let patched = |held: &Object| patch::user(held, operations);
    change(app, client, id, versions, true, patched).await
}

/// The attributes with `active`, unless a client has taken that away: then it is kept as `null`.
fn with_active(held: &Object, is_active: bool) -> Object {
    let mut attributes = held.clone();
    if is_active && held.get("active").is_some_and(Value::is_null) {
        attributes.remove("active");
    } else {
        attributes.insert("active".to_owned(), is_active.into());
    }
    attributes
}

/// Changes a user. What a PATCH (`patched`) leaves without `active` is not shown with it any more; of a PUT that means
/// nothing. Neither changes who may come in.
async fn change(
    app: &App,
    client: &Client,
    id: &str,
    versions: Option<&Versions>,
    patched: bool,
    change: impl FnOnce(&Object) -> Result<Object, ScimError>,
) -> Result<Shown, ScimError> {
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let before = tx.scim().find_person(&client.provider.id, id).await?;
    let before = before.ok_or_else(|| missing("user", id))?;
    check_version(versions, before.scim.version)?;
    let held = attributes("scim_users", &before.scim.attributes)?;
    let was_active = before.user.state == AccountState::Active.as_str();
    let mut said = Said::new(change(&with_active(&held, was_active))?)?;
    if patched && said.active.is_none() {
        said.attributes.insert("active".to_owned(), Value::Null);
    }
    let mut person = before.clone();
    // Attributes have no order.
    if said.attributes != held {
        person.scim.attributes = stored(&said.attributes)?;
    }
    claim(&tx, client, &said, &mut person.scim).await?;
    let row = &mut person.user;
    if text(&held, "userName").as_ref() != Some(&said.user_name) {
        people::name(&tx, client, row, &said.user_name).await?;
    }
    people::describe(row, &said.user_name, &said.attributes);
    let action = match said.active {
        Some(false) if was_active => {
            people::shut_out(app, &mut tx, row, false).await?;
            "user.suspend"
        }
        Some(true) if !was_active => {
            row.state = AccountState::Active.as_str().to_owned();
            "user.activate"
        }
        _ => "user.update",
    };
    if person != before {
        person.scim.version += 1;
        person.scim.updated_at_ms = app.now_ms();
        tx.update_scim_user(person.scim.clone()).await?;
        people::save(&mut tx, &before.user, &person.user).await?;
        if person.user.display_name != before.user.display_name
            || person.user.username != before.user.username
        {
            tx.advance_scim_groups_of(&person.user.id).await?;
        }
    }
    let mut groups = tx
        .scim()
        .list_groups_of(std::slice::from_ref(&person.user.id))
        .await?;
    if person != before {
        let other = |name: &&String| held.get(*name) != said.attributes.get(*name);
        let names: BTreeSet<&String> = held.keys().chain(said.attributes.keys()).filter(other).collect();
        let details = Changed::updated(&before.user, &person.user)
            .with("provider", &client.provider.name)
            .with("attributes", &names);
        let entry = client.entry(app, action, &person.user.id, details);
        tx.commit(app.now_ms(), entry).await?;
    }
    let groups = groups.remove(&person.user.id).unwrap_or_default();
    Ok(views::user(client, &person, Some(&groups))?)
}

/// Takes a name and an id that nobody else of the provider's has.
async fn claim(tx: &Tx, client: &Client, said: &Said, row: &mut scim_user::Model) -> Result<(), ScimError> {
    let provider = &client.provider.id;
    if said.name_key != row.user_name_key {
        match tx.scim().find_known(provider, Some(&said.name_key), None).await? {
            Some(other) if !other.deleted => return Err(name_taken(&said.user_name)),
            Some(gone) => free(tx, gone).await?,
            None => {}
        }
        row.user_name_key.clone_from(&said.name_key);
    }
    if said.external_id != row.external_id {
        if let Some(id) = said.external_id.as_deref() {
            match tx.scim().find_known(provider, None, Some(id)).await? {
                Some(other) if !other.deleted => {
                    return Err(taken(format!(
                        "There is a user with the externalId `{id}` already."
                    )));
                }
                Some(mut gone) => {
                    gone.external_id = None;
                    tx.update_scim_user(gone).await?;
                }
                None => {}
            }
        }
        row.external_id.clone_from(&said.external_id);
    }
    Ok(())
}

/// Deletes a user, as far as the provider can tell: they are refused everywhere for good, and kept for the ledger, and for
/// when they come back.
pub(crate) async fn delete_user(
    app: &App,
    client: &Client,
    id: &str,
    versions: Option<&Versions>,
) -> Result<(), ScimError> {
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let before = tx.scim().find_person(&client.provider.id, id).await?;
    let before = before.ok_or_else(|| missing("user", id))?;
    check_version(versions, before.scim.version)?;
    let Person { mut scim, mut user } = before.clone();
    people::shut_out(app, &mut tx, &mut user, true).await?;
    tx.advance_scim_groups_of(&user.id).await?;
    tx.leave_scim_groups(&user.id).await?;
    groups::apply(&client.rules, &[], &mut user);
    people::save(&mut tx, &before.user, &user).await?;
    scim.deleted = true;
    scim.version += 1;
    scim.updated_at_ms = app.now_ms();
    tx.update_scim_user(scim).await?;
    let details = Changed::deleted(&before.user).with("provider", &client.provider.name);
    let entry = client.entry(app, "user.delete", &user.id, details);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}
