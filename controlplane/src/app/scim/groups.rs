//! Groups.

use super::{
    Client, Shown, Versions, attributes, check_version, checked, former, missing, people, stored, taken,
    text, views,
};
use crate::app::{App, Changed};
use crate::store::Tx;
use crate::store::entity::scim_group;
use ccag_domain::ids::ulid;
use ccag_scim::patch::{MemberChange, Operation};
use ccag_scim::{Kind, MAX_MEMBERS, Object, Projection, ScimError, ScimType, patch, resource};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};

/// Who is to be in a group and who is not; whoever is not named stays as they are.
type Wanted = BTreeMap<String, bool>;

/// Who has come into a group, and who is out of it.
#[derive(Default)]
struct Moved {
    came: Vec<String>,
    left: Vec<String>,
}

impl Moved {
    fn is_none(&self) -> bool {
        self.came.is_empty() && self.left.is_empty()
    }
}

pub(crate) async fn find_group(
    app: &App,
    client: &Client,
    id: &str,
    projection: &Projection,
) -> Result<Shown, ScimError> {
    let reads = app.store.scim();
    let row = reads.find_group(&client.provider.id, id).await?;
    let row = row.ok_or_else(|| missing("group", id))?;
    if !projection.shows(Kind::Group, "members") {
        return Ok(views::group(client, &row, None)?);
    }
    let mut members = reads.list_members(std::slice::from_ref(&row.id)).await?;
    let members = members.remove(&row.id).unwrap_or_default();
    Ok(views::group(client, &row, Some(&members))?)
}

/// Writes what the provider says of a group into its row.
fn describe(row: &mut scim_group::Model, mut said: Object) -> Result<(), ScimError> {
    row.display_name = checked("displayName", &text(&said, "displayName").unwrap_or_default())?;
    row.name_key = row.display_name.to_lowercase();
    said.insert("displayName".to_owned(), row.display_name.clone().into());
    let external_id = text(&said, "externalId").map(|id| checked("externalId", &id));
    row.external_id = external_id.transpose()?.filter(|id| !id.is_empty());
    // Attributes have no order.
    if row.attributes.is_empty() || attributes("scim_groups", &row.attributes)? != said {
        row.attributes = stored(&said)?;
    }
    Ok(())
}

fn name_taken(name: &str) -> ScimError {
    taken(format!("There is a group named `{name}` already."))
}

pub(crate) async fn create_group(app: &App, client: &Client, body: &Value) -> Result<Shown, ScimError> {
    let said = resource::from_client(Kind::Group, body)?;
    let members = resource::members(body)?;
    let now = app.now_ms();
    let mut row = scim_group::Model {
        id: format!("grp_{}", ulid(&*app.clock, &*app.rng)),
        provider_id: client.provider.id.clone(),
        display_name: String::new(),
        name_key: String::new(),
        external_id: None,
        attributes: String::new(),
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    };
    describe(&mut row, said)?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    check_name(&tx, client, &row).await?;
    tx.insert_scim_group(row.clone()).await?;
    let wanted = users(members).map(|id| (id, true)).collect();
    let moved = move_members(&mut tx, client, &row.id, &wanted).await?;
    people::regroup(&mut tx, client, &moved.came).await?;
    let details = details(Changed::created(&row), client, &moved);
    let entry = client.group_entry(app, "group.create", &row.id, details);
    let mut members = tx.scim().list_members(std::slice::from_ref(&row.id)).await?;
    tx.commit(now, entry).await?;
    let members = members.remove(&row.id).unwrap_or_default();
    Ok(views::group(client, &row, Some(&members))?)
}

async fn check_name(tx: &Tx, client: &Client, row: &scim_group::Model) -> Result<(), ScimError> {
    let narrow = crate::store::scim::Narrow {
        name_key: Some(row.name_key.clone()),
        ..Default::default()
    };
    let found = tx
        .scim()
        .list_groups(&client.provider.id, &narrow, None, 0, 1)
        .await?;
    match found.first() {
        Some(other) if other.id != row.id => Err(name_taken(&row.display_name)),
        _ => Ok(()),
    }
}

fn details(changed: Changed, client: &Client, moved: &Moved) -> Changed {
    /// So many are named in the audit log.
    const NAMED: usize = 50;
    let some = |ids: &[String]| ids.iter().take(NAMED).cloned().collect::<Vec<_>>();
    changed
        .with("provider", &client.provider.name)
        .with("added", &moved.came.len())
        .with("removed", &moved.left.len())
        .with("added_ids", &some(&moved.came))
        .with("removed_ids", &some(&moved.left))
}

/// Puts people into a group and takes them out. Only users of the provider can be in its groups.
async fn move_members(
    tx: &mut Tx,
    client: &Client,
    group_id: &str,
    wanted: &Wanted,
) -> Result<Moved, ScimError> {
    if wanted.is_empty() {
        return Ok(Moved::default());
    }
    let named: Vec<String> = wanted.keys().cloned().collect();
    let are_in = tx.scim().list_members_among(group_id, &named).await?;
    let mut moved = Moved::default();
    for (id, wants_in) in wanted {
        match (*wants_in, are_in.contains(id)) {
            (true, false) => moved.came.push(id.clone()),
            (false, true) => moved.left.push(id.clone()),
            _ => {}
        }
    }
    let known = tx.scim().list_known(&client.provider.id, &moved.came).await?;
    if let Some(stranger) = moved.came.iter().find(|id| !known.contains(*id)) {
        let shown: String = stranger.chars().filter(|c| !c.is_control()).take(80).collect();
        return Err(ScimError::of(
            ScimType::InvalidValue,
            format!("There is no user `{shown}`; members are named by the `id` of a user."),
        ));
    }
    tx.delete_scim_members(group_id, &moved.left).await?;
    tx.insert_scim_members(group_id, &moved.came).await?;
    if tx.scim().count_members(group_id).await? > MAX_MEMBERS as u64 {
        return Err(ScimError::of(
            ScimType::TooMany,
            format!("A group may have {MAX_MEMBERS} members at most."),
        ));
    }
    Ok(moved)
}

/// Everybody who is in the group and not in a list is out, and everybody in the list is in.
async fn instead(tx: &Tx, group_id: &str, wanted: &mut Wanted, ids: Vec<String>) -> Result<(), ScimError> {
    wanted.values_mut().for_each(|wants_in| *wants_in = false);
    for id in tx.scim().list_member_ids(group_id).await? {
        wanted.insert(id, false);
    }
    wanted.extend(users(ids).map(|id| (id, true)));
    Ok(())
}

/// The ids here of the users that a provider names.
fn users(named: Vec<String>) -> impl Iterator<Item = String> {
    named.into_iter().map(|id| former::ours(Kind::User, &id))
}

/// What the operations on members come to.
async fn add_up(
    tx: &Tx,
    client: &Client,
    group_id: &str,
    changes: Vec<MemberChange>,
) -> Result<Wanted, ScimError> {
    let mut wanted = Wanted::new();
    for change in changes {
        match change {
            MemberChange::Add(ids) => wanted.extend(users(ids).map(|id| (id, true))),
            MemberChange::Remove(ids) => wanted.extend(users(ids).map(|id| (id, false))),
            MemberChange::Replace(ids) => instead(tx, group_id, &mut wanted, ids).await?,
            MemberChange::RemoveWhere(filter) => {
                let mut members = tx.scim().list_members(&[group_id.to_owned()]).await?;
                let members = members.remove(group_id).unwrap_or_default();
                let are_in: HashSet<&String> = members.iter().map(|member| &member.id).collect();
                let added: Vec<String> = wanted.keys().filter(|id| !are_in.contains(id)).cloned().collect();
                for id in added {
                    if MemberChange::selects(&filter, &json!({"value": id, "type": "User"}))? {
                        wanted.insert(id, false);
                    }
                }
                for member in members {
                    let mut shown = views::member(client, &member);
                    let mut selected = MemberChange::selects(&filter, &shown)?;
                    if let (false, Some(uuid)) = (selected, former::theirs(&member.id)) {
                        shown["value"] = uuid.into();
                        selected = MemberChange::selects(&filter, &shown)?;
                    }
                    if selected {
                        wanted.insert(member.id, false);
                    }
                }
            }
        }
    }
    Ok(wanted)
}

/// Puts what the provider says, members included, in the place of what it has said.
pub(crate) async fn replace_group(
    app: &App,
    client: &Client,
    id: &str,
    body: &Value,
    versions: Option<&Versions>,
    projection: &Projection,
) -> Result<Shown, ScimError> {
    let said = resource::from_client(Kind::Group, body)?;
    let members = MemberChange::Replace(resource::members(body)?);
    let change = |_: &Object| Ok((said, vec![members]));
    change_group(app, client, id, versions, projection, change).await
}

pub(crate) async fn patch_group(
    app: &App,
    client: &Client,
    id: &str,
    operations: &[Operation],
    versions: Option<&Versions>,
    projection: &Projection,
) -> Result<Shown, ScimError> {
    let change = |held: &Object| patch::group(held, operations);
    change_group(app, client, id, versions, projection, change).await
}

async fn change_group(
    app: &App,
    client: &Client,
    id: &str,
    versions: Option<&Versions>,
    projection: &Projection,
    change: impl FnOnce(&Object) -> Result<(Object, Vec<MemberChange>), ScimError>,
) -> Result<Shown, ScimError> {
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let before = tx.scim().find_group(&client.provider.id, id).await?;
    let before = before.ok_or_else(|| missing("group", id))?;
    check_version(versions, before.version)?;
    let (said, changes) = change(&attributes("scim_groups", &before.attributes)?)?;
    let mut row = before.clone();
    describe(&mut row, said)?;
    if row.name_key != before.name_key {
        check_name(&tx, client, &row).await?;
    }
    let wanted = add_up(&tx, client, &row.id, changes).await?;
    let moved = move_members(&mut tx, client, &row.id, &wanted).await?;
    let renamed = row.display_name != before.display_name;
    let changed = row != before || !moved.is_none();
    if changed {
        row.version += 1;
        row.updated_at_ms = app.now_ms();
        tx.update_scim_group(row.clone()).await?;
        let affected = affected(&tx, &row.id, &moved, renamed).await?;
        people::regroup(&mut tx, client, &affected).await?;
    }
    let members = if projection.shows(Kind::Group, "members") {
        let mut members = tx.scim().list_members(std::slice::from_ref(&row.id)).await?;
        Some(members.remove(&row.id).unwrap_or_default())
    } else {
        None
    };
    if changed {
        let details = details(Changed::updated(&before, &row), client, &moved);
        let entry = client.group_entry(app, "group.update", &row.id, details);
        tx.commit(app.now_ms(), entry).await?;
    }
    Ok(views::group(client, &row, members.as_deref())?)
}

/// Whose groups are others now: of a group with another name, everybody's in it.
async fn affected(tx: &Tx, group_id: &str, moved: &Moved, renamed: bool) -> Result<Vec<String>, ScimError> {
    let mut affected = moved.left.clone();
    if renamed {
        affected.extend(tx.scim().list_member_ids(group_id).await?);
    } else {
        affected.extend(moved.came.iter().cloned());
    }
    Ok(affected)
}

pub(crate) async fn delete_group(
    app: &App,
    client: &Client,
    id: &str,
    versions: Option<&Versions>,
) -> Result<(), ScimError> {
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let row = tx.scim().find_group(&client.provider.id, id).await?;
    let row = row.ok_or_else(|| missing("group", id))?;
    check_version(versions, row.version)?;
    let moved = Moved {
        left: tx.scim().list_member_ids(&row.id).await?,
        ..Moved::default()
    };
    tx.delete_scim_group(&row.id).await?;
    people::regroup(&mut tx, client, &moved.left).await?;
    let entry = client.group_entry(
        app,
        "group.delete",
        &row.id,
        details(Changed::deleted(&row), client, &moved),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}
